/** Invites a person to a tenant: how its first administrator comes in. */
import { useState } from 'react'
import { post } from '@/api/client'
import type { Link, Tenant } from '@/api/types'
import { Btn, Field, InlineError, inputClass } from '@/ui'
import { Modal } from '@/ui/modal'
import { useTenantAct } from './form'

type Props = { tenant: Tenant; onLink: (link: Link) => void; onClose: () => void }

export default function InviteDialog({ tenant, onLink, onClose }: Props) {
  const [name, setName] = useState('')
  const { error, busy, onSubmit } = useTenantAct(
    () => post<Link>(`/tenants/${tenant.slug}/invitations`, { name: name.trim(), role: 'admin' }),
    link => {
      onLink(link)
      onClose()
    },
  )
  return (
    <Modal
      open
      onClose={onClose}
      title={`Invite an administrator of ${tenant.name}`}
      note="You get a link to hand over. They invite everybody else."
    >
      <form onSubmit={onSubmit} className="flex flex-col gap-3">
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
        <InlineError error={error} />
        <div className="flex justify-end gap-2">
          <Btn onClick={onClose}>Cancel</Btn>
          <Btn type="submit" v="primary" disabled={busy || !name.trim()}>
            {busy ? 'Making…' : 'Make invitation link'}
          </Btn>
        </div>
      </form>
    </Modal>
  )
}
