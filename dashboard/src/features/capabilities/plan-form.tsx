/** Parameters, a target and a reason: a plan is made of them, against the live target. Nothing is done yet. */
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { incidentQuery, targetsQuery } from '@/api/queries'
import type { Capability } from '@/api/response-types'
import type { Incident, Target } from '@/api/types'
import { ActBtn } from '@/app/guard'
import { useNavigateTo, useSearchParams } from '@/app/search'
import { useCan } from '@/app/session'
import { useSubmit } from '@/app/submit'
import { useList } from '@/app/use-list'
import { Field, InlineError, inputClass, Loaded, Marks, NoPermission, short } from '@/ui'
import { createPlan } from '../plans/acts'
import { Param } from './field'
import { FrozenNote, heldBack, useFreezes } from './frozen-note'
import { fieldsOf, initial, type ParamField, paramsOf, type Typed, wrong } from './params'
import { candidates, hostTarget, prefilled, ranked } from './prefill'

export function PlanForm({ capability }: { capability: Capability }) {
  const can = useCan()
  const { incident: id = '' } = useSearchParams()
  const { query, items } = useList({ ...targetsQuery, enabled: can('target.read') })
  const incident = useQuery({ ...incidentQuery(id), enabled: id !== '' && can('incident.read') })
  if (!can('target.read')) return <NoPermission need="target.read" />
  const targets = items?.filter(t => t.kind === capability.target_kind) ?? []
  const waits = id !== '' && incident.isLoading
  return (
    <Loaded query={query} what="Targets">
      {() => (waits ? null : <Form capability={capability} targets={targets} incident={incident.data} />)}
    </Loaded>
  )
}

/** The value of `kind:value`. */
const valueIn = (entity: string | undefined) => entity?.slice(entity.indexOf(':') + 1)

/** `Block an IP address: 203.0.113.66 on web-1`: a list of plans tells them apart. The server takes 200 bytes. */
function titled(capability: Capability, target: string, fields: ParamField[], typed: Typed) {
  const values = fields.filter(field => field.required).map(field => String(typed[field.name] ?? '').trim())
  const title = `${capability.title}: ${values.length ? `${values.join(', ')} on ` : ''}${target}`
  const fits = new TextEncoder().encode(title).length <= 200
  return fits ? title : undefined
}

type FormProps = { capability: Capability; targets: Target[]; incident: Incident | undefined }

function Form({ capability, targets, incident: of }: FormProps) {
  const fields = fieldsOf(capability.params_schema)
  const entities = of ? ranked(of) : []
  const go = useNavigateTo()
  const { incident, target: asked = '', entity } = useSearchParams()
  const [typed, setTyped] = useState<Typed>(() => (of ? prefilled(fields, entities, valueIn(entity)) : initial(fields)))
  const [touched, setTouched] = useState(false)
  const [target, setTarget] = useState(() =>
    targets.some(t => t.name === asked) ? asked : hostTarget(targets, entities),
  )
  const [why, setWhy] = useState('')
  const [aside, setAside] = useState('')
  const { error, busy, run } = useSubmit([])
  const chosen = targets.find(t => t.name === target)
  const freezes = useFreezes(chosen)
  const bad = fields.some(field => wrong(field, typed[field.name]))
  const send = () =>
    createPlan({
      actions: [
        {
          capability: capability.name,
          target: { kind: capability.target_kind, name: target },
          params: paramsOf(fields, typed),
        },
      ],
      title: titled(capability, target, fields, typed),
      why: why.trim() || undefined,
      incident_id: incident,
      freeze_override: (freezes.length > 0 && heldBack(capability) && aside.trim()) || undefined,
    })
  return (
    <form
      noValidate
      aria-label={`Plan: ${capability.title}`}
      className="flex flex-col gap-3"
      onSubmit={e => {
        e.preventDefault()
        setTouched(true)
        if (!bad && chosen) void run(send, plan => go(`/plans/${plan.id}`))
      }}
    >
      {incident && <For id={incident} incident={of} />}
      <Field
        label="Target"
        hint={targets.length ? undefined : 'No target of this kind is registered: see Settings, Targets.'}
        error={touched && !chosen && targets.length ? 'Choose a target.' : undefined}
      >
        <select required className={inputClass} value={target} onChange={e => setTarget(e.target.value)}>
          <option value="">Choose…</option>
          {targets.map(one => (
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
      {fields.map(field => (
        <div key={field.name} className="flex flex-col gap-1">
          <Param
            field={field}
            typed={typed}
            touched={touched}
            onValue={value => setTyped({ ...typed, [field.name]: value })}
          />
          <Others
            field={field}
            chosen={typed[field.name]}
            values={candidates(field, entities)}
            onValue={value => setTyped({ ...typed, [field.name]: value })}
          />
        </div>
      ))}
      <Field label="Why (optional)" hint="Approvers read it, and it stands in the ledger.">
        <textarea
          rows={2}
          maxLength={1000}
          className={`${inputClass} h-auto py-1.5`}
          value={why}
          onChange={e => setWhy(e.target.value)}
        />
      </Field>
      {chosen && <FrozenNote {...{ capability, freezes }} target={chosen} reason={aside} onReason={setAside} />}
      <InlineError error={error} />
      <div className="flex items-center justify-end gap-2">
        <p className="mr-auto text-xs text-fg-3">The plan shows what would change; nothing is done by making it.</p>
        <ActBtn need="plan.create" type="submit" v="primary" disabled={busy}>
          {busy ? 'Reading the target…' : 'Make plan'}
        </ActBtn>
      </div>
    </form>
  )
}

/** What the plan is linked to: it stands on the incident's page, and undoing it while that is open wants a reason. */
const For = ({ id, incident }: { id: string; incident: Incident | undefined }) => (
  <p className="rounded-md px-2.5 py-1.5 text-xs soft-info">
    For the incident{' '}
    <Link to="/incidents/$id" params={{ id }} className="font-medium underline">
      {incident?.title ?? short(id)}
    </Link>
    {incident ? ', whose entities fill in what they can.' : '.'}
  </p>
)

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
