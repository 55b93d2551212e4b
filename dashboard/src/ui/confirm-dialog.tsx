/** Asks once before something that cannot be taken back; where data goes, a text has to be typed. */
import { type ReactNode, useState } from 'react'
import { useSubmit } from '@/app/submit'
import { FormDialog } from './form-dialog'
import { Field, inputClass } from './parts'

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
  const { error, busy, onSubmit } = useSubmit([])
  return (
    <FormDialog
      {...{ title, note, verb, error, busy, onClose }}
      danger
      incomplete={!!type && typed !== type}
      onSubmit={onSubmit(act, onClose)}
    >
      {children}
      {type && (
        <Field label={`Type ${type} to confirm`}>
          <input className={inputClass} autoComplete="off" value={typed} onChange={e => setTyped(e.target.value)} />
        </Field>
      )}
    </FormDialog>
  )
}
