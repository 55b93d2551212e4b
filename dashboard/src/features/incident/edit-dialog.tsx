/** Title and severity of an incident, as a person wants them. A severity is lowered with a reason only. */
import { type FormEvent, useState } from 'react'
import { ApiError } from '@/api/client'
import type { Incident } from '@/api/types'
import { Btn, cap, Field, InlineError, inputClass } from '@/ui'
import { Modal } from '@/ui/modal'
import { edit } from './acts'

const SEVERITIES: Incident['severity'][] = ['informational', 'low', 'medium', 'high', 'critical']
const rank = (severity: Incident['severity']) => SEVERITIES.indexOf(severity)

export default function EditDialog({ incident, onClose }: { incident: Incident; onClose: () => void }) {
  const [title, setTitle] = useState(incident.title)
  const [severity, setSeverity] = useState(incident.severity)
  const [reason, setReason] = useState('')
  const [error, setError] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  const lowers = rank(severity) < rank(incident.severity)
  const changed = title.trim() !== incident.title || severity !== incident.severity
  const submit = async (e: FormEvent) => {
    e.preventDefault()
    setBusy(true)
    setError(null)
    try {
      await edit(incident, {
        ...(title.trim() !== incident.title && { title: title.trim() }),
        ...(severity !== incident.severity && { severity }),
        ...(reason.trim() && { reason: reason.trim() }),
      })
      onClose()
    } catch (failure) {
      setError(failure)
    } finally {
      setBusy(false)
    }
  }
  return (
    <Modal
      open
      onClose={onClose}
      title="Edit incident"
      note="A title that you write stays; new alerts raise the severity only when they are graver than those before."
    >
      <form onSubmit={submit} className="flex flex-col gap-3">
        <Field label="Title">
          <input
            required
            maxLength={200}
            value={title}
            onChange={e => setTitle(e.target.value)}
            className={inputClass}
          />
        </Field>
        <Field label="Severity">
          <select
            value={severity}
            onChange={e => setSeverity(e.target.value as Incident['severity'])}
            className={inputClass}
          >
            {SEVERITIES.map(s => (
              <option key={s} value={s}>
                {cap(s)}
              </option>
            ))}
          </select>
        </Field>
        <Field
          label={lowers ? 'Reason' : 'Reason (optional)'}
          hint={
            lowers
              ? `Lowers it from ${incident.severity}. Goes into the ledger with your name.`
              : 'Goes into the ledger with your name.'
          }
        >
          <textarea
            required={lowers}
            rows={2}
            maxLength={2000}
            value={reason}
            onChange={e => setReason(e.target.value)}
            className={`${inputClass} h-auto py-1.5`}
          />
        </Field>
        {error instanceof ApiError && error.status === 412 ? (
          <p role="alert" className="text-xs text-critical">
            It was changed meanwhile: it is {incident.severity} and called “{incident.title}” now. Save again to
            overwrite that.
          </p>
        ) : (
          <InlineError error={error} />
        )}
        <div className="flex justify-end gap-2">
          <Btn onClick={onClose}>Cancel</Btn>
          <Btn type="submit" v="primary" disabled={busy || !changed || !title.trim() || (lowers && !reason.trim())}>
            {busy ? 'Saving…' : 'Save'}
          </Btn>
        </div>
      </form>
    </Modal>
  )
}
