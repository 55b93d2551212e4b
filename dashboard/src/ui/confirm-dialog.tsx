/** Asks once before something that cannot be taken back; where data goes, a text has to be typed. */
import { type FormEvent, type ReactNode, useState } from 'react'
import { Btn, Field, inputClass } from './basic'
import { Modal } from './modal'
import { InlineError } from './states'

type Props = {
  title: string
  note: ReactNode
  verb: string
  /** The text to type first. */
  type?: string
  act: () => Promise<unknown>
  onClose: () => void
  children?: ReactNode
}

export default function ConfirmDialog({ title, note, verb, type, act, onClose, children }: Props) {
  const [typed, setTyped] = useState('')
  const [error, setError] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  const submit = async (e: FormEvent) => {
    e.preventDefault()
    setBusy(true)
    setError(null)
    try {
      await act()
      onClose()
    } catch (failure) {
      setError(failure)
      setBusy(false)
    }
  }
  return (
    <Modal open onClose={onClose} title={title} note={note}>
      <form onSubmit={submit} className="flex flex-col gap-3">
        {children}
        {type && (
          <Field label={`Type ${type} to confirm`}>
            <input className={inputClass} autoComplete="off" value={typed} onChange={e => setTyped(e.target.value)} />
          </Field>
        )}
        <InlineError error={error} onReload={onClose} />
        <div className="flex justify-end gap-2">
          <Btn onClick={onClose}>Cancel</Btn>
          <Btn type="submit" v="danger" disabled={busy || (!!type && typed !== type)}>
            {busy ? 'Working…' : verb}
          </Btn>
        </div>
      </form>
    </Modal>
  )
}
