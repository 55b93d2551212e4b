/** Actions and a reason: a plan is made of them, against the live targets. Nothing is done yet. */
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useEffect, useMemo, useRef, useState } from 'react'
import { incidentQuery, targetsQuery } from '@/api/queries'
import type { OnFailure } from '@/api/response'
import type { Capability } from '@/api/response-types'
import type { Incident, Target } from '@/api/types'
import { ActBtn } from '@/app/guard'
import { useNavigateTo, useSearchParams } from '@/app/search'
import { useCan } from '@/app/session'
import { useSubmit } from '@/app/submit'
import { useGuard } from '@/app/use-guard'
import { useList } from '@/app/use-list'
import { Field, InlineError, inputClass, Loaded, NoPermission, short } from '@/ui'
import { createPlan } from '../plans/acts'
import { ActionList } from './action-list'
import { actionsOf, begun, concerned, type Draft, targetOf, titled, unfinished } from './drafts'
import { FrozenNote, heldBack, type Met, useFreezes } from './frozen-note'
import { OnFailureField } from './on-failure'
import { ranked } from './prefill'

type PlanProps = {
  /** What is done first, unless it is moved. */
  capability: Capability
  /** What may be done besides. */
  capabilities: Capability[]
  /** Whether more is written than is soon written again. */
  onMany: (many: boolean) => void
}

export function PlanForm(props: PlanProps) {
  const can = useCan()
  const { incident: id = '' } = useSearchParams()
  const { query, items } = useList({ ...targetsQuery, enabled: can('target.read') })
  const incident = useQuery({ ...incidentQuery(id), enabled: id !== '' && can('incident.read') })
  if (!can('target.read')) return <NoPermission need="target.read" />
  const waits = id !== '' && incident.isLoading
  return (
    <Loaded query={query} what="Targets">
      {() => (waits ? null : <Form {...props} targets={items ?? []} incident={incident.data} />)}
    </Loaded>
  )
}

/** The value of `kind:value`. */
const valueIn = (entity: string | undefined) => entity?.slice(entity.indexOf(':') + 1)

/** The actions whose environment is frozen now. */
function useMet(drafts: Draft[], targets: Target[]): Met[] {
  const freezesIn = useFreezes()
  return drafts.flatMap(draft => {
    const target = targetOf(draft, targets)
    const freezes = target ? freezesIn(target.environment) : []
    const { capability } = draft
    return capability && target && freezes.length ? { capability, environment: target.environment, freezes } : []
  })
}

type FormProps = PlanProps & { targets: Target[]; incident: Incident | undefined }

function Form({ capability, capabilities, onMany, targets, incident: of }: FormProps) {
  const entities = useMemo(() => (of ? ranked(of) : []), [of])
  const go = useNavigateTo()
  const form = useRef<HTMLFormElement>(null)
  const { incident, target = '', entity } = useSearchParams()
  const [drafts, setDrafts] = useState(() => [
    begun(0, capability, { targets, entities, asked: valueIn(entity), target }),
  ])
  const [tries, setTries] = useState(0)
  const [why, setWhy] = useState('')
  const [aside, setAside] = useState('')
  const [onFailure, setOnFailure] = useState<OnFailure>('keep')
  const [sent, setSent] = useState<Draft[]>([])
  const { error, busy, run } = useSubmit([])
  const met = useMet(drafts, targets)
  const many = drafts.length > 1
  const about = concerned(error, sent)
  const key = drafts.find(draft => draft.key === about?.key)?.key
  const refused = useMemo(() => (key === undefined ? undefined : { key, error }), [key, error])
  useEffect(() => {
    if (tries) form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus()
  }, [tries])
  useGuard(many)
  useEffect(() => {
    onMany(many)
    return () => onMany(false)
  }, [many, onMany])
  const send = () =>
    createPlan({
      actions: actionsOf(drafts),
      title: titled(drafts),
      why: why.trim() || undefined,
      incident_id: incident,
      on_failure: many && onFailure !== 'keep' ? onFailure : undefined,
      freeze_override: (met.some(one => heldBack(one.capability)) && aside.trim()) || undefined,
    })
  return (
    <form
      ref={form}
      noValidate
      aria-label={`Plan: ${capability.title}`}
      className="flex flex-col gap-3"
      onSubmit={e => {
        e.preventDefault()
        setTries(tries + 1)
        if (drafts.some(draft => unfinished(draft, targets))) return
        setSent(drafts)
        void run(send, plan => go(`/plans/${plan.id}`))
      }}
    >
      {incident && <For id={incident} incident={of} />}
      <ActionList
        {...{ drafts, capabilities, targets, entities, refused }}
        ofPage={capability}
        touched={tries > 0}
        onDrafts={setDrafts}
      />
      {many && <OnFailureField value={onFailure} drafts={drafts} onChange={setOnFailure} />}
      <Field label="Why (optional)" hint="Approvers read it, and it stands in the ledger.">
        <textarea
          rows={2}
          maxLength={1000}
          className={`${inputClass} h-auto py-1.5`}
          value={why}
          onChange={e => setWhy(e.target.value)}
        />
      </Field>
      <FrozenNote met={met} reason={aside} onReason={setAside} />
      {!refused && <InlineError error={error} />}
      <div className="flex flex-wrap items-center justify-end gap-2">
        <p className="mr-auto text-xs text-fg-3">The plan shows what would change; nothing is done by making it.</p>
        <ActBtn need="plan.create" type="submit" v="primary" disabled={busy}>
          {busy ? (many ? 'Reading the targets…' : 'Reading the target…') : 'Make plan'}
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
