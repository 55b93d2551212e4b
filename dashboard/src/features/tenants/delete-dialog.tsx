/** Deletes a tenant: after the time of grace its key and rows are destroyed for ever, and nobody can bring them back. */
import { useState } from 'react'
import { ApiError, del } from '@/api/client'
import type { Deletion, Tenant } from '@/api/types'
import { Btn, Field, InlineError, inputClass } from '@/ui'
import { Modal } from '@/ui/modal'
import { useTenantAct } from './form'

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
  const [typed, setTyped] = useState('')
  const { error, busy, onSubmit } = useTenantAct(
    () =>
      del<Deletion>(`/tenants/${tenant.slug}`, tenant.version, {
        reason: reason.trim(),
        grace_hours: grace,
        undo_first: undoFirst || undefined,
      }),
    deletion => {
      onDeletion(deletion)
      onClose()
    },
  )
  const live = error instanceof ApiError && error.status === 409
  return (
    <Modal
      open
      onClose={onClose}
      title={`Delete ${tenant.name}`}
      note="Nobody can enter it from now on. After the time of grace its key and rows are destroyed for ever; its ledger stays, sealed, so that it can still be verified."
      width={520}
    >
      <form onSubmit={onSubmit} className="flex flex-col gap-3">
        <Field label="Time of grace" hint="Until then the deletion can be called off.">
          <select className={inputClass} value={grace} onChange={e => setGrace(Number(e.target.value))}>
            {GRACE.map(([hours, label]) => (
              <option key={hours} value={hours}>
                {label}
              </option>
            ))}
          </select>
        </Field>
        <label className="flex items-start gap-2 text-xs">
          <input
            type="checkbox"
            className="mt-0.5"
            checked={undoFirst}
            onChange={e => setUndoFirst(e.target.checked)}
          />
          <span>
            Undo first what is in force on its targets. Without this, a tenant with live actions is not deleted. What
            cannot be undone is listed afterwards.
          </span>
        </label>
        <Field label="Reason" hint="Goes into the tenant’s and the installation’s ledger.">
          <textarea
            required
            rows={2}
            maxLength={1000}
            className={`${inputClass} h-auto py-1.5`}
            value={reason}
            onChange={e => setReason(e.target.value)}
          />
        </Field>
        <Field label={`Type ${tenant.slug} to confirm`}>
          <input
            required
            autoComplete="off"
            className={`${inputClass} font-mono`}
            value={typed}
            onChange={e => setTyped(e.target.value)}
          />
        </Field>
        <InlineError error={error} onReload={onClose} />
        {live && !undoFirst && (
          <p className="text-xs text-fg-2">Actions may still be in force: tick “Undo first” and try again.</p>
        )}
        <div className="flex justify-end gap-2">
          <Btn onClick={onClose}>Cancel</Btn>
          <Btn type="submit" v="danger" disabled={busy || !reason.trim() || typed !== tenant.slug}>
            {busy ? 'Deleting…' : 'Delete tenant'}
          </Btn>
        </div>
      </form>
    </Modal>
  )
}
