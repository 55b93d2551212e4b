/** What becomes of what a plan of several actions did when one of them does not succeed. */
import type { OnFailure } from '@/api/response'
import type { Draft } from './drafts'

const CHOICES: [OnFailure, string, string][] = [
  ['keep', 'Stop, and keep what was done', 'Its undo is offered.'],
  ['undo', 'Stop, and undo what was done', 'Newest first, and also while automation is halted.'],
]
/** What no undo takes back. */
const STAYS = ['irreversible', 'transient']

type Props = { value: OnFailure; drafts: Draft[]; onChange: (value: OnFailure) => void }

export function OnFailureField({ value, drafts, onChange }: Props) {
  const lasting = drafts.flatMap(({ capability }) =>
    capability && STAYS.includes(capability.class) ? capability.title : [],
  )
  return (
    <fieldset className="flex flex-col gap-1">
      <legend className="mb-1 text-xs font-medium text-fg-2">When an action does not succeed</legend>
      {CHOICES.map(([id, label, hint]) => (
        <label key={id} className="flex items-start gap-2 text-sm">
          <input
            type="radio"
            name="on_failure"
            className="mt-1 shrink-0"
            checked={value === id}
            onChange={() => onChange(id)}
          />
          <span>
            {label} <span className="ml-1 text-xs text-fg-3">{hint}</span>
          </span>
        </label>
      ))}
      {value === 'undo' && lasting.length > 0 && (
        <p className="text-xs text-medium">{`There is no undo of: ${[...new Set(lasting)].join(', ')}.`}</p>
      )}
      <p className="text-xs text-fg-3">The actions run in this order; what comes after a failure is skipped.</p>
    </fieldset>
  )
}
