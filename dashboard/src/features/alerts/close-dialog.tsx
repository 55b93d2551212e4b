/** Why an alert is closed: one verdict (keys 1 to 4) and one reason for all that are selected. */
import { type KeyboardEvent, useState } from 'react'
import type { Verdict } from '@/api/types'
import { Btn, cn, Field, inputClass, Kbd, plural, VERDICTS } from '@/ui'
import { Modal } from '@/ui/modal'

const LAST = { verdict: 'benign_positive' as Verdict, reason: '' }

type Props = { count: number; onClose: () => void; onPick: (verdict: Verdict, reason: string) => void }

export default function CloseDialog({ count, onClose, onPick }: Props) {
  const [verdict, setVerdict] = useState<Verdict>(LAST.verdict)
  const [reason, setReason] = useState(LAST.reason)
  const submit = () => {
    if (!reason.trim()) return
    Object.assign(LAST, { verdict, reason })
    onPick(verdict, reason.trim())
    onClose()
  }
  const onKeyDown = (e: KeyboardEvent) => {
    const chosen = VERDICTS[Number(e.key) - 1]
    if (chosen && !(e.target instanceof HTMLTextAreaElement)) setVerdict(chosen.id)
    if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) submit()
  }
  return (
    <Modal
      open
      onClose={onClose}
      title={`Close ${plural(count, 'alert')}`}
      note="The verdict and the reason go into the ledger with your name."
    >
      <form
        onKeyDown={onKeyDown}
        onSubmit={e => {
          e.preventDefault()
          submit()
        }}
        className="flex flex-col gap-3"
      >
        <fieldset className="flex flex-col gap-1">
          <legend className="mb-1 text-xs font-medium text-fg-2">Verdict</legend>
          {VERDICTS.map((v, i) => (
            <label
              key={v.id}
              className={cn(
                'flex h-9 items-center gap-2.5 rounded-md border px-2.5',
                verdict === v.id ? 'border-accent bg-accent-soft' : 'border-line',
              )}
            >
              <input type="radio" name="verdict" checked={verdict === v.id} onChange={() => setVerdict(v.id)} />
              <span className="font-medium">{v.label}</span>
              <span className="truncate text-xs text-fg-3">{v.hint}</span>
              <Kbd k={String(i + 1)} className="ml-auto" />
            </label>
          ))}
        </fieldset>
        <Field label="Reason">
          <textarea
            required
            rows={2}
            maxLength={2000}
            value={reason}
            onChange={e => setReason(e.target.value)}
            className={`${inputClass} h-auto py-1.5`}
          />
        </Field>
        <div className="flex justify-end gap-2">
          <Btn onClick={onClose}>Cancel</Btn>
          <Btn type="submit" v="primary" disabled={!reason.trim()}>
            Close {plural(count, 'alert')}
            <Kbd k="mod+enter" on="primary" />
          </Btn>
        </div>
      </form>
    </Modal>
  )
}
