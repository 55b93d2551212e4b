/** Asks for a reason, does the act, shows the server's answer when it refuses. */
import { type FormEvent, type ReactNode, useState } from 'react'
import { Btn, Field, inputClass } from './basic'
import { Modal } from './modal'
import { InlineError } from './states'

type Props = {
  open: boolean
  onClose: () => void
  title: string
  note?: ReactNode
  verb: string
  label?: string
  hint?: string
  optional?: boolean
  danger?: boolean
  act: (reason: string) => Promise<unknown>
}

export default function ReasonDialog({ open, onClose, ...rest }: Props) {
  return (
    <Modal open={open} onClose={onClose} title={rest.title} note={rest.note}>
      {open && <ReasonForm onClose={onClose} {...rest} />}
    </Modal>
  )
}

function ReasonForm({ onClose, verb, label = 'Reason', hint, optional, danger, act }: Omit<Props, 'open'>) {
  const [reason, setReason] = useState('')
  const [error, setError] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  const submit = async (e: FormEvent) => {
    e.preventDefault()
    setBusy(true)
    setError(null)
    try {
      await act(reason.trim())
      onClose()
    } catch (failure) {
      setError(failure)
    } finally {
      setBusy(false)
    }
  }
  return (
    <form onSubmit={submit} className="flex flex-col gap-3">
      <Field label={optional ? `${label} (optional)` : label} hint={hint ?? 'Goes into the ledger with your name.'}>
        <textarea
          // biome-ignore lint/a11y/noAutofocus: the dialog has one field
          autoFocus
          required={!optional}
          rows={3}
          maxLength={2000}
          value={reason}
          onChange={e => setReason(e.target.value)}
          className={`${inputClass} h-auto py-1.5`}
        />
      </Field>
      <InlineError error={error} />
      <div className="flex justify-end gap-2">
        <Btn onClick={onClose}>Cancel</Btn>
        <Btn type="submit" v={danger ? 'danger' : 'primary'} disabled={busy || (!optional && !reason.trim())}>
          {busy ? 'Working…' : verb}
        </Btn>
      </div>
    </form>
  )
}
