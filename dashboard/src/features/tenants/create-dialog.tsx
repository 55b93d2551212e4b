/** Makes a tenant, and in the same go the invitation of its first administrator. */
import { useState } from 'react'
import { post } from '@/api/client'
import type { Link, Tenant } from '@/api/types'
import { useSubmit } from '@/app/submit'
import { Field, inputClass } from '@/ui'
import { FormDialog } from '@/ui/form-dialog'
import { TenantFields } from './fields'
import { STALE, slugOf } from './form'

export default function CreateDialog({ onClose, onLink }: { onClose: () => void; onLink: (link: Link) => void }) {
  const [form, setForm] = useState({ name: '', slug: '', parent: '' })
  const [admin, setAdmin] = useState('')
  const [typed, setTyped] = useState(false)
  const [made, setMade] = useState<Tenant | null>(null)
  const { error, busy, onSubmit } = useSubmit(STALE)
  const slug = typed ? form.slug : slugOf(form.name)
  const change = (next: Partial<typeof form>) => {
    if (next.slug !== undefined) setTyped(true)
    setForm({ ...form, ...next })
  }
  const send = async () => {
    const tenant =
      made ??
      (await post<Tenant>('/tenants', { name: form.name.trim(), slug, ...(form.parent && { parent: form.parent }) }))
    setMade(tenant)
    if (!admin.trim()) return null
    return post<Link>(`/tenants/${tenant.slug}/invitations`, { name: admin.trim(), role: 'admin' })
  }
  const done = (link: Link | null) => {
    if (link) onLink(link)
    onClose()
  }
  return (
    <FormDialog
      {...{ error, busy, onClose }}
      title="New tenant"
      note="It gets a key and a ledger of its own."
      verb={made ? 'Make the invitation' : 'Make tenant'}
      working="Making…"
      cancel={made ? 'Close' : 'Cancel'}
      incomplete={!form.name.trim() || !slug}
      onSubmit={onSubmit(send, done)}
    >
      <fieldset disabled={made !== null} className="flex flex-col gap-3">
        <TenantFields
          form={{ ...form, slug }}
          onChange={change}
          hints={{ parent: 'Its people may be given grants in the new tenant.' }}
        />
      </fieldset>
      {made && (
        <p className="rounded-md px-2.5 py-1.5 text-xs soft-ok">{made.name} was made. Its invitation was not.</p>
      )}
      <Field label="First administrator (optional)" hint="Name or e-mail address; you get a link to hand over.">
        <input
          maxLength={64}
          autoComplete="off"
          className={inputClass}
          value={admin}
          onChange={e => setAdmin(e.target.value)}
        />
      </Field>
    </FormDialog>
  )
}
