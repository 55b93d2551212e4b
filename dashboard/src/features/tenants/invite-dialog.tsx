/** Invites a person to a tenant: how its first administrator comes in. */
import { useState } from 'react'
import { post } from '@/api/client'
import type { Link, Tenant } from '@/api/types'
import { useSubmit } from '@/app/submit'
import { Field, inputClass } from '@/ui'
import { FormDialog } from '@/ui/form-dialog'
import { STALE } from './form'

type Props = { tenant: Tenant; onLink: (link: Link) => void; onClose: () => void }

export default function InviteDialog({ tenant, onLink, onClose }: Props) {
  const [name, setName] = useState('')
  const { error, busy, onSubmit } = useSubmit(STALE)
  const send = () => post<Link>(`/tenants/${tenant.slug}/invitations`, { name: name.trim(), role: 'admin' })
  const done = (link: Link) => {
    onLink(link)
    onClose()
  }
  return (
    <FormDialog
      {...{ error, busy, onClose }}
      title={`Invite an administrator of ${tenant.name}`}
      note="You get a link to hand over. They invite everybody else."
      verb="Make invitation link"
      working="Making…"
      incomplete={!name.trim()}
      onSubmit={onSubmit(send, done)}
    >
      <Field label="Name or e-mail address">
        <input
          required
          maxLength={64}
          autoComplete="off"
          className={inputClass}
          value={name}
          onChange={e => setName(e.target.value)}
        />
      </Field>
    </FormDialog>
  )
}
