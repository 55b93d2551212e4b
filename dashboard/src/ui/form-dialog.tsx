/** A dialog with one form: fields, the server's refusal, cancel and one act. Reasons and spans of time are asked the same everywhere. */
import type { FormEvent, ReactNode } from 'react'
import { Btn } from './basic'
import { InlineError } from './loaded'
import { Modal } from './modal'
import { Field, inputClass } from './parts'

type Props = {
  title: string
  note?: ReactNode
  width?: number
  /** What the button says, and what it says meanwhile. */
  verb: string
  working?: string
  cancel?: string
  danger?: boolean
  /** Not everything is filled in. */
  incomplete?: boolean
  busy: boolean
  error: unknown
  onSubmit: (e: FormEvent) => void
  onClose: () => void
  /** Beside the buttons. */
  aside?: ReactNode
  children: ReactNode
}

export function FormDialog({ title, note, width, onClose, children, ...rest }: Props) {
  const { verb, working = 'Working…', cancel = 'Cancel', danger, incomplete, busy, error, onSubmit, aside } = rest
  return (
    <Modal open onClose={onClose} title={title} note={note} width={width}>
      <form onSubmit={onSubmit} className="flex flex-col gap-3">
        {children}
        <InlineError error={error} onReload={onClose} />
        <div className="flex items-center justify-end gap-2">
          {aside}
          <Btn onClick={onClose}>{cancel}</Btn>
          <Btn type="submit" v={danger ? 'danger' : 'primary'} disabled={busy || incomplete}>
            {busy ? working : verb}
          </Btn>
        </div>
      </form>
    </Modal>
  )
}

type ReasonProps = {
  value: string
  onChange: (text: string) => void
  hint?: string
  label?: string
  rows?: number
  optional?: boolean
  autoFocus?: boolean
}

export function ReasonField({
  value,
  onChange,
  label = 'Reason',
  optional,
  rows = 2,
  autoFocus,
  ...rest
}: ReasonProps) {
  return (
    <Field label={optional ? `${label} (optional)` : label} hint={rest.hint ?? 'Goes into the ledger with your name.'}>
      <textarea
        // biome-ignore lint/a11y/noAutofocus: only where the dialog has one field
        autoFocus={autoFocus}
        required={!optional}
        rows={rows}
        maxLength={1000}
        value={value}
        onChange={e => onChange(e.target.value)}
        className={`${inputClass} h-auto py-1.5`}
      />
    </Field>
  )
}

type HoursProps = {
  label: string
  hint?: string
  value: number
  onChange: (hours: number) => void
  lengths: [number, string][]
}

/** A span of time out of a few that make sense. */
export function HoursField({ label, hint, value, onChange, lengths }: HoursProps) {
  return (
    <Field label={label} hint={hint}>
      <select className={inputClass} value={value} onChange={e => onChange(Number(e.target.value))}>
        {lengths.map(([hours, text]) => (
          <option key={hours} value={hours}>
            {text}
          </option>
        ))}
      </select>
    </Field>
  )
}
