/** Lets the parent tenant's people in: a role, a reason, a time. */
import { useState } from 'react'
import { post } from '@/api/client'
import type { Grant } from '@/api/types'
import { Btn, Field, InlineError, inputClass } from '@/ui'
import { Modal } from '@/ui/modal'
import { useSubmit } from './form'
import { RoleSelect } from './role-select'

const HOUR_MS = 3_600_000
const LENGTHS: [number, string][] = [
  [4, '4 hours'],
  [24, 'a day'],
  [168, 'a week'],
  [720, '30 days'],
  [2_160, '90 days'],
]

export default function GrantDialog({ onClose }: { onClose: () => void }) {
  const [role, setRole] = useState('analyst')
  const [reason, setReason] = useState('')
  const [hours, setHours] = useState(24)
  const { error, busy, onSubmit } = useSubmit(['grants'])
  const send = () =>
    post<Grant>('/grants', {
      role,
      reason: reason.trim(),
      expires_at: new Date(Date.now() + hours * HOUR_MS).toISOString(),
    })
  return (
    <Modal
      open
      onClose={onClose}
      title="Let the parent tenant in"
      note="Administrators and operators of the parent tenant may act here with this role. Both ledgers say so."
    >
      <form onSubmit={onSubmit(send, onClose)} className="flex flex-col gap-3">
        <div className="grid grid-cols-2 gap-3">
          <Field label="Role">
            <RoleSelect builtInOnly value={role} onRole={setRole} />
          </Field>
          <Field label="For">
            <select className={inputClass} value={hours} onChange={e => setHours(Number(e.target.value))}>
              {LENGTHS.map(([value, label]) => (
                <option key={value} value={value}>
                  {label}
                </option>
              ))}
            </select>
          </Field>
        </div>
        <Field label="Reason" hint="Goes into both ledgers with your name.">
          <textarea
            required
            rows={2}
            maxLength={1000}
            className={`${inputClass} h-auto py-1.5`}
            value={reason}
            onChange={e => setReason(e.target.value)}
          />
        </Field>
        <InlineError error={error} />
        <div className="flex justify-end gap-2">
          <Btn onClick={onClose}>Cancel</Btn>
          <Btn type="submit" v="primary" disabled={busy || !reason.trim()}>
            {busy ? 'Giving…' : 'Give'}
          </Btn>
        </div>
      </form>
    </Modal>
  )
}
