/** Asks for a reason, does the act, shows the server's answer when it refuses. */
import { type ReactNode, useState } from 'react'
import { useSubmit } from '@/app/submit'
import { FormDialog, ReasonField } from './form-dialog'

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
  /** What is asked about, above the reason. */
  children?: ReactNode
}

export default function ReasonDialog({ open, ...rest }: Props) {
  return open ? <Asking {...rest} /> : null
}

function Asking({ onClose, title, note, verb, label, hint, optional, danger, act, children }: Omit<Props, 'open'>) {
  const [reason, setReason] = useState('')
  const { error, busy, onSubmit } = useSubmit([])
  return (
    <FormDialog
      {...{ title, note, verb, danger, error, busy, onClose }}
      incomplete={!optional && !reason.trim()}
      onSubmit={onSubmit(() => act(reason.trim()), onClose)}
    >
      {children}
      <ReasonField {...{ label, hint, optional }} autoFocus rows={3} value={reason} onChange={setReason} />
    </FormDialog>
  )
}
