/** What a tenant is made of and what of it can be changed: name, address, parent. */
import { tenantsQuery } from '@/api/queries'
import type { Tenant } from '@/api/types'
import { useList } from '@/app/use-list'
import { Field, inputClass } from '@/ui'
import { SLUG, SLUG_HINT } from './form'

export type TenantForm = { name: string; slug: string; parent: string }
type Props = {
  form: TenantForm
  onChange: (change: Partial<TenantForm>) => void
  /** The tenant itself, when there is one: it is no parent of its own. */
  of?: Tenant
  hints: { slug?: string; parent: string }
}

export function TenantFields({ form, onChange, of, hints }: Props) {
  const { items } = useList(tenantsQuery({}))
  const parents = items?.filter(t => !t.parent && t.id !== of?.id && t.state === 'active') ?? []
  return (
    <>
      <Field label="Name">
        <input
          required
          maxLength={100}
          className={inputClass}
          value={form.name}
          onChange={e => onChange({ name: e.target.value })}
        />
      </Field>
      <Field label="Address" hint={[SLUG_HINT, hints.slug].filter(Boolean).join(' ')}>
        <input
          required
          pattern={SLUG}
          className={`${inputClass} font-mono`}
          value={form.slug}
          onChange={e => onChange({ slug: e.target.value })}
        />
      </Field>
      <Field label="Parent (optional)" hint={hints.parent}>
        <select className={inputClass} value={form.parent} onChange={e => onChange({ parent: e.target.value })}>
          <option value="">None</option>
          {parents.map(t => (
            <option key={t.slug} value={t.slug}>
              {t.name}
            </option>
          ))}
        </select>
      </Field>
    </>
  )
}
