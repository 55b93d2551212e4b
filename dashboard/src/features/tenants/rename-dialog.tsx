/** Changes a tenant's name, address and parent. */
import { useState } from 'react'
import { patch } from '@/api/client'
import { tenantsQuery } from '@/api/queries'
import type { Tenant } from '@/api/types'
import { switchTenant, useUser } from '@/app/session'
import { useList } from '@/app/use-list'
import { Btn, Field, InlineError, inputClass } from '@/ui'
import { Modal } from '@/ui/modal'
import { SLUG, SLUG_HINT, useTenantAct } from './form'

type Props = { tenant: Tenant; parent: Tenant | undefined; onClose: () => void }

export default function RenameDialog({ tenant, parent, onClose }: Props) {
  const { tenant: here } = useUser()
  const { items } = useList(tenantsQuery({}))
  const [form, setForm] = useState({ name: tenant.name, slug: tenant.slug, parent: parent?.slug ?? '' })
  const set = (change: Partial<typeof form>) => setForm({ ...form, ...change })
  const body = {
    ...(form.name.trim() !== tenant.name && { name: form.name.trim() }),
    ...(form.slug !== tenant.slug && { slug: form.slug }),
    ...(form.parent !== (parent?.slug ?? '') && { parent: form.parent }),
  }
  const { error, busy, onSubmit } = useTenantAct(
    () => patch<Tenant>(`/tenants/${tenant.slug}`, body, tenant.version),
    renamed => {
      onClose()
      // The address of this very page has changed.
      if (tenant.slug === here.slug && renamed.slug !== here.slug) switchTenant(renamed.slug)
    },
  )
  const parents = items?.filter(t => !t.parent && t.id !== tenant.id && t.state === 'active') ?? []
  return (
    <Modal open onClose={onClose} title={`Change ${tenant.name}`}>
      <form onSubmit={onSubmit} className="flex flex-col gap-3">
        <Field label="Name">
          <input
            required
            maxLength={100}
            className={inputClass}
            value={form.name}
            onChange={e => set({ name: e.target.value })}
          />
        </Field>
        <Field label="Address" hint={`${SLUG_HINT} Links with the old one no longer lead here.`}>
          <input
            required
            pattern={SLUG}
            className={`${inputClass} font-mono`}
            value={form.slug}
            onChange={e => set({ slug: e.target.value })}
          />
        </Field>
        <Field label="Parent" hint="Another parent, or none, ends the grants to the one before.">
          <select className={inputClass} value={form.parent} onChange={e => set({ parent: e.target.value })}>
            <option value="">None</option>
            {parents.map(t => (
              <option key={t.slug} value={t.slug}>
                {t.name}
              </option>
            ))}
          </select>
        </Field>
        <InlineError error={error} onReload={onClose} />
        <div className="flex justify-end gap-2">
          <Btn onClick={onClose}>Cancel</Btn>
          <Btn type="submit" v="primary" disabled={busy || !Object.keys(body).length}>
            {busy ? 'Saving…' : 'Save'}
          </Btn>
        </div>
      </form>
    </Modal>
  )
}
