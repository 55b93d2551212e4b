/** Deletes a tenant: after the time of grace its key and rows are destroyed for ever, and nobody can bring them back. */
import { useState } from 'react'
import { ApiError, del } from '@/api/client'
import type { Deletion, Tenant } from '@/api/types'
import { useSubmit } from '@/app/submit'
import { Field, inputClass } from '@/ui'
import { FormDialog, HoursField, ReasonField } from '@/ui/form-dialog'
import { STALE } from './form'

const GRACE: [number, string][] = [
  [0, 'none: destroyed at once'],
  [24, 'a day'],
  [168, 'a week'],
  [720, '30 days'],
  [2_160, '90 days'],
]
type Props = { tenant: Tenant; onDeletion: (deletion: Deletion) => void; onClose: () => void }

export default function DeleteDialog({ tenant, onDeletion, onClose }: Props) {
  const [reason, setReason] = useState('')
  const [grace, setGrace] = useState(168)
  const [undoFirst, setUndoFirst] = useState(false)
  const [leave, setLeave] = useState(false)
  const [typed, setTyped] = useState('')
  const { error, busy, onSubmit } = useSubmit(STALE)
  const send = () =>
    del<Deletion>(`/tenants/${tenant.slug}`, tenant.version, {
      reason: reason.trim(),
      grace_hours: grace,
      undo_first: undoFirst || undefined,
      leave_behind: leave || undefined,
    })
  const done = (deletion: Deletion) => {
    onDeletion(deletion)
    onClose()
  }
  const live = error instanceof ApiError && error.status === 409
  const left = leave || (live && error.problem.errors?.some(e => e.code === 'not_undone'))
  return (
    <FormDialog
      {...{ error, busy, onClose }}
      title={`Delete ${tenant.name}`}
      note="Nobody can enter it from now on. After the time of grace its key and rows are destroyed for ever; its ledger stays, sealed, so that it can still be verified."
      width={520}
      danger
      verb="Delete tenant"
      working="Deleting…"
      incomplete={!reason.trim() || typed !== tenant.slug}
      onSubmit={onSubmit(send, done)}
    >
      <HoursField
        label="Time of grace"
        hint="Until then the deletion can be called off."
        value={grace}
        onChange={setGrace}
        lengths={GRACE}
      />
      <label className="flex items-start gap-2 text-xs">
        <input type="checkbox" className="mt-0.5" checked={undoFirst} onChange={e => setUndoFirst(e.target.checked)} />
        <span>
          Undo first what is in force on its targets. Without this, a tenant with live actions is not deleted. What
          could not be undone is listed before anything is deleted.
        </span>
      </label>
      {left && (
        <label className="flex items-start gap-2 text-xs">
          <input type="checkbox" className="mt-0.5" checked={leave} onChange={e => setLeave(e.target.checked)} />
          <span>Leave behind what could not be undone: it stays on its targets.</span>
        </label>
      )}
      <ReasonField value={reason} onChange={setReason} hint="Goes into the tenant’s and the installation’s ledger." />
      <Field label={`Type ${tenant.slug} to confirm`}>
        <input
          required
          autoComplete="off"
          className={`${inputClass} font-mono`}
          value={typed}
          onChange={e => setTyped(e.target.value)}
        />
      </Field>
      {live && !undoFirst && !left && (
        <p className="text-xs text-fg-2">Actions may still be in force: tick “Undo first” and try again.</p>
      )}
    </FormDialog>
  )
}
