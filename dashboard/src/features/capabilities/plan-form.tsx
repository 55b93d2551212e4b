/** Parameters, a target and a reason: a plan is made of them, against the live target. Nothing is done yet. */
import { useState } from 'react'
import { targetsQuery } from '@/api/queries'
import type { Capability } from '@/api/response-types'
import type { Target } from '@/api/types'
import { ActBtn } from '@/app/guard'
import { useNavigateTo, useSearchParams } from '@/app/search'
import { useCan } from '@/app/session'
import { useSubmit } from '@/app/submit'
import { useList } from '@/app/use-list'
import { Field, InlineError, inputClass, Loaded, Marks, NoPermission, short } from '@/ui'
import { createPlan } from '../plans/acts'
import { Param } from './field'
import { fieldsOf, initial, paramsOf, type Typed, wrong } from './params'

export function PlanForm({ capability }: { capability: Capability }) {
  const can = useCan()
  const { query, items } = useList({ ...targetsQuery, enabled: can('target.read') })
  if (!can('target.read')) return <NoPermission need="target.read" />
  return (
    <Loaded query={query} what="Targets">
      {() => <Form capability={capability} targets={items?.filter(t => t.kind === capability.target_kind) ?? []} />}
    </Loaded>
  )
}

function Form({ capability, targets }: { capability: Capability; targets: Target[] }) {
  const fields = fieldsOf(capability.params_schema)
  const go = useNavigateTo()
  const { incident, target: asked = '' } = useSearchParams()
  const [typed, setTyped] = useState<Typed>(() => initial(fields))
  const [touched, setTouched] = useState(false)
  const [target, setTarget] = useState(targets.some(t => t.name === asked) ? asked : '')
  const [why, setWhy] = useState('')
  const { error, busy, run } = useSubmit([])
  const chosen = targets.find(t => t.name === target)
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
      why: why.trim() || undefined,
      incident_id: incident,
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
        <Param
          key={field.name}
          field={field}
          typed={typed}
          touched={touched}
          onValue={value => setTyped({ ...typed, [field.name]: value })}
        />
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
      {incident && <p className="text-xs text-fg-3">For incident {short(incident)}.</p>}
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
