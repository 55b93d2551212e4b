/** One action of a plan that is being written: its target, and its parameters. */
import type { Entity, Target } from '@/api/types'
import { Field, inputClass, Marks } from '@/ui'
import { type Draft, fieldsFor, fitting, targetOf } from './drafts'
import { Param } from './field'
import type { ParamField, Typed } from './params'
import { candidates } from './prefill'

type Props = {
  draft: Draft
  targets: Target[]
  entities: Entity[]
  touched: boolean
  onChange: (change: Partial<Pick<Draft, 'target' | 'typed'>>) => void
}

export function ActionFields({ draft, targets, entities, touched, onChange }: Props) {
  const { target, typed } = draft
  const set = (typed: Typed) => onChange({ typed })
  const possible = fitting(draft.capability, targets)
  const chosen = targetOf(draft, targets)
  const none = possible.length ? undefined : 'No target of this kind is registered: see Settings, Targets.'
  return (
    <>
      <Field label="Target" hint={none} error={touched && !chosen ? (none ?? 'Choose a target.') : undefined}>
        <select required className={inputClass} value={target} onChange={e => onChange({ target: e.target.value })}>
          <option value="">Choose…</option>
          {possible.map(one => (
            <option key={one.id} value={one.name}>
              {`${one.name}, ${one.environment}${one.simulated ? ', simulated' : ''}${one.protected ? ', protected' : ''}`}
            </option>
          ))}
        </select>
      </Field>
      {chosen && (chosen.simulated || chosen.demo) && (
        <p className="flex items-center gap-1.5 text-xs text-fg-2">
          <Marks simulated={chosen.simulated} demo={chosen.demo} /> Nothing real happens there.
        </p>
      )}
      {fieldsFor(draft).map(field => (
        <div key={field.name} className="flex flex-col gap-1">
          <Param
            field={field}
            typed={typed}
            touched={touched}
            onValue={value => set({ ...typed, [field.name]: value })}
          />
          <Others
            field={field}
            chosen={typed[field.name]}
            values={candidates(field, entities)}
            onValue={value => set({ ...typed, [field.name]: value })}
          />
        </div>
      ))}
    </>
  )
}

type OthersProps = {
  field: ParamField
  chosen: string | boolean | undefined
  values: string[]
  onValue: (value: string) => void
}

/** The other entities of the incident that could stand here. */
function Others({ field, chosen, values, onValue }: OthersProps) {
  const others = field.kind === 'lines' ? [] : values.filter(value => value !== chosen)
  if (!others.length) return null
  return (
    <fieldset className="flex flex-wrap items-center gap-1 text-2xs text-fg-3">
      <legend className="sr-only">{`${field.label}: others of the incident`}</legend>
      <span aria-hidden="true">or</span>
      {others.slice(0, MOST_OTHERS).map(value => (
        <button
          key={value}
          type="button"
          onClick={() => onValue(value)}
          className="min-h-6 max-w-full truncate rounded-sm border border-line px-1.5 font-mono text-fg-2 hover:border-line-strong hover:bg-hover"
        >
          {value}
        </button>
      ))}
    </fieldset>
  )
}
const MOST_OTHERS = 12
