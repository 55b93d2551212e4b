/** Lets the parent tenant's people in: a role, a reason, a time. */
import { useState } from 'react'
import { post } from '@/api/client'
import type { Grant } from '@/api/types'
import { useSubmit } from '@/app/submit'
import { Field } from '@/ui'
import { FormDialog, HoursField, ReasonField } from '@/ui/form-dialog'
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
    <FormDialog
      {...{ error, busy, onClose }}
      title="Let the parent tenant in"
      note="Administrators and operators of the parent tenant may act here with this role. Both ledgers say so."
      verb="Give"
      working="Giving…"
      incomplete={!reason.trim()}
      onSubmit={onSubmit(send, onClose)}
    >
      <div className="grid grid-cols-2 gap-3">
        <Field label="Role">
          <RoleSelect builtInOnly value={role} onRole={setRole} />
        </Field>
        <HoursField label="For" value={hours} onChange={setHours} lengths={LENGTHS} />
      </div>
      <ReasonField value={reason} onChange={setReason} hint="Goes into both ledgers with your name." />
    </FormDialog>
  )
}
