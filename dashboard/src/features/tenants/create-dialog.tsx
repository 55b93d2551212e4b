/** Makes a tenant, and in the same go the invitation of its first administrator. */
import { useState } from 'react'
import { post } from '@/api/client'
import { tenantsQuery } from '@/api/queries'
import type { Link, Tenant } from '@/api/types'
import { useList } from '@/app/use-list'
import { Btn, Field, InlineError, inputClass } from '@/ui'
import { Modal } from '@/ui/modal'
import { SLUG, SLUG_HINT, slugOf, useTenantAct } from './form'

export default function CreateDialog({ onClose, onLink }: { onClose: () => void; onLink: (link: Link) => void }) {
  const [form, setForm] = useState({ name: '', slug: '', parent: '', admin: '' })
  const [typed, setTyped] = useState(false)
  const [made, setMade] = useState<Tenant | null>(null)
  const { items } = useList(tenantsQuery({}))
  const set = (change: Partial<typeof form>) => setForm({ ...form, ...change })
  const slug = typed ? form.slug : slugOf(form.name)
  const send = async () => {
    const tenant =
      made ??
      (await post<Tenant>('/tenants', { name: form.name.trim(), slug, ...(form.parent && { parent: form.parent }) }))
    setMade(tenant)
    if (!form.admin.trim()) return null
    return post<Link>(`/tenants/${tenant.slug}/invitations`, { name: form.admin.trim(), role: 'admin' })
  }
  const { error, busy, onSubmit } = useTenantAct(send, link => {
    if (link) onLink(link)
    onClose()
  })
  const parents = items?.filter(t => !t.parent && t.state !== 'deleted' && t.state !== 'deleting') ?? []
  return (
    <Modal open onClose={onClose} title="New tenant" note="It gets a key and a ledger of its own.">
      <form onSubmit={onSubmit} className="flex flex-col gap-3">
        <fieldset disabled={made !== null} className="flex flex-col gap-3">
          <Field label="Name">
            <input
              required
              maxLength={100}
              className={inputClass}
              value={form.name}
              onChange={e => set({ name: e.target.value })}
            />
          </Field>
          <Field label="Address" hint={SLUG_HINT}>
            <input
              required
              pattern={SLUG}
              className={`${inputClass} font-mono`}
              value={slug}
              onChange={e => {
                setTyped(true)
                set({ slug: e.target.value })
              }}
            />
          </Field>
          <Field label="Parent (optional)" hint="Its people may be given grants in the new tenant.">
            <select className={inputClass} value={form.parent} onChange={e => set({ parent: e.target.value })}>
              <option value="">None</option>
              {parents.map(t => (
                <option key={t.slug} value={t.slug}>
                  {t.name}
                </option>
              ))}
            </select>
          </Field>
        </fieldset>
        {made && (
          <p className="rounded-md px-2.5 py-1.5 text-xs soft-ok">{made.name} was made. Its invitation was not.</p>
        )}
        <Field label="First administrator (optional)" hint="Name or e-mail address; you get a link to hand over.">
          <input
            maxLength={64}
            autoComplete="off"
            className={inputClass}
            value={form.admin}
            onChange={e => set({ admin: e.target.value })}
          />
        </Field>
        <InlineError error={error} />
        <div className="flex justify-end gap-2">
          <Btn onClick={onClose}>{made ? 'Close' : 'Cancel'}</Btn>
          <Btn type="submit" v="primary" disabled={busy || !form.name.trim() || !slug}>
            {busy ? 'Making…' : made ? 'Make the invitation' : 'Make tenant'}
          </Btn>
        </div>
      </form>
    </Modal>
  )
}
