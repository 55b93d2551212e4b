/** One plan: what it will do to the live target, why, how risky, who decides, what came of it, how to take it back. */
import { useQuery } from '@tanstack/react-query'
import { Check, OctagonAlert, Play, RotateCcw, ShieldCheck, Snowflake, Undo2, X } from 'lucide-react'
import { lazy, Suspense, useState } from 'react'
import { planQuery } from '@/api/queries'
import type { Plan } from '@/api/types'
import { useAutomation } from '@/app/automation'
import { useHotkeys } from '@/app/hotkeys'
import { useNames } from '@/app/names'
import { useNavigateTo } from '@/app/search'
import { useCan, useUser } from '@/app/session'
import { Ago, Btn, Chip, cn, InlineError, Kbd, Marks, planState, short, useNow } from '@/ui'
import { ActionBlock } from './action-block'
import { approve, execute, replan } from './acts'
import type { Asking } from './dialogs'
import { Paused, VetoBox } from './held'
import { ControlsMet, Owed, Unanswered } from './owed'
import { DecisionLines, Expiry, RISK_TONE, RiskTerms } from './parts'
import { ReachBlock } from './reach-block'
import { lastYes, planView, undoable } from './view'

const Dialogs = lazy(() => import('./dialogs'))
const Explain = lazy(() => import('./explain'))

type Props = {
  plan: Plan
  /** This card answers shift+enter. */
  focused?: boolean
  className?: string
}

export function PlanCard({ plan: listed, focused, className }: Props) {
  // The list's copy may lack who can approve: the single reading has it.
  const detail = useQuery({ ...planQuery(listed.id), enabled: listed.can_approve === undefined }).data
  const plan = detail && detail.version >= listed.version ? detail : listed
  const state = planState(plan)
  const waiting = plan.state === 'proposed'
  return (
    <article
      aria-label={`Plan: ${plan.title}`}
      data-plan={plan.id}
      data-state={plan.state}
      className={cn('rounded-lg border bg-surface', waiting && focused ? 'border-accent/60' : 'border-line', className)}
    >
      <header className="flex flex-wrap items-center gap-2 border-b border-line px-3 py-2">
        <ShieldCheck size={15} className={waiting ? 'text-accent' : 'text-fg-3'} aria-hidden="true" />
        <h2 className="min-w-0 flex-1 font-medium break-words max-sm:basis-[calc(100%-24px)]">{plan.title}</h2>
        <Chip tone={state.tone}>{state.label}</Chip>
        {plan.unanswered && <Unanswered />}
        <Marks demo={plan.demo} simulated={plan.simulated} />
      </header>
      <div className="space-y-3 px-3 py-2.5">
        {plan.why && <p className="text-xs text-fg-2">{plan.why}</p>}
        <Meta plan={plan} />
        <Paused plan={plan} />
        {plan.actions.map((action, at, { length }) => (
          <ActionBlock key={action.id} action={action} place={length > 1 ? `${at + 1} of ${length}` : undefined} />
        ))}
        <ReachBlock plan={plan} />
        <RiskBlock plan={plan} />
        <DecisionLines plan={plan} />
        <Owed plan={plan} />
        <ControlsMet plan={plan} />
        <Why plan={plan} />
        {plan.rejected_reason && <p className="text-xs text-fg-2">Rejected: {plan.rejected_reason}</p>}
        <Controls plan={plan} focused={focused ?? false} />
      </div>
    </article>
  )
}

function Meta({ plan }: { plan: Plan }) {
  const names = useNames()
  return (
    <p className="flex flex-wrap items-center gap-x-2 text-2xs text-fg-3">
      <span className="font-mono">{short(plan.id)}</span>
      <span title={plan.hash}>
        hash <span className="font-mono">{plan.hash.slice(0, 12)}</span>
      </span>
      <span>asked by {names(plan.requester)}</span>
      <Ago at={plan.created_at} suffix />
      {plan.confidence != null && <span>confidence {Math.round(plan.confidence * 100)} %</span>}
      <span className="ml-auto">
        <Expiry plan={plan} />
      </span>
    </p>
  )
}

function RiskBlock({ plan }: { plan: Plan }) {
  return (
    <details className="group rounded-md bg-raised px-2 py-1.5">
      <summary className="flex cursor-default items-center gap-2 text-xs">
        <span className="text-fg-3">Risk</span>
        <Chip tone={RISK_TONE[plan.risk]}>{plan.risk}</Chip>
        <span className="ml-auto text-2xs text-accent group-open:hidden">why</span>
      </summary>
      <div className="pt-1.5">
        <RiskTerms terms={plan.decision.risk_terms} />
      </div>
    </details>
  )
}

/** The policies are asked only when somebody wants to know. */
function Why({ plan }: { plan: Plan }) {
  const [open, setOpen] = useState(false)
  return (
    <div className="space-y-1.5">
      <Btn size="sm" v="ghost" aria-expanded={open} onClick={() => setOpen(!open)}>
        {open ? 'Hide the explanation' : 'Explain the decision'}
      </Btn>
      {open && (
        <Suspense fallback={<p className="text-xs text-fg-3">Loading…</p>}>
          <Explain plan={plan} />
        </Suspense>
      )}
    </div>
  )
}

function Controls({ plan, focused }: { plan: Plan; focused: boolean }) {
  const { user } = useUser()
  const can = useCan()
  const halted = useAutomation()?.halted ?? false
  const now = useNow(10_000)
  const view = planView(plan, can, user.id, now)
  const [error, setError] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  const [asking, setAsking] = useState<Asking | null>(null)
  const go = useNavigateTo()
  const many = undoable(plan, can).length > 1
  const run = async (act: () => Promise<unknown>) => {
    if (busy) return
    setBusy(true)
    setError(null)
    try {
      await act()
    } catch (failure) {
      setError(failure)
    } finally {
      setBusy(false)
    }
  }
  useHotkeys([
    {
      keys: 'shift+enter',
      label: 'Approve the plan',
      group: 'Plan',
      run: () => void run(() => approve(plan)),
      when: () => focused && view.canApprove,
    },
  ])
  const primary = view.canApprove || view.canExecute || view.canReplan
  return (
    <div className="space-y-2">
      {halted && view.haltHolds && (
        <p className="text-xs text-critical">Automation is halted: this plan runs only after a person resumes it.</p>
      )}
      {view.whyNot && <p className="rounded-md px-2.5 py-1.5 text-xs soft-info">{view.whyNot}</p>}
      {view.waitsUntil && (
        <VetoBox
          plan={plan}
          until={view.waitsUntil}
          canVeto={view.canVeto}
          halted={halted}
          onVeto={() => setAsking('veto')}
        />
      )}
      <InlineError error={error} />
      {(primary || view.canReject || view.canBreakGlass || view.canSetAside || many) && (
        <div className="flex flex-wrap gap-1.5">
          {view.canApprove && (
            <Btn v="primary" size="sm" disabled={busy} onClick={() => void run(() => approve(plan))}>
              <Check size={13} aria-hidden="true" />
              {busy ? 'Working…' : lastYes(plan) ? 'Approve and run' : 'Approve'}
              {focused && <Kbd k="shift+enter" on="primary" />}
            </Btn>
          )}
          {view.canExecute && (
            <Btn v="primary" size="sm" disabled={busy} onClick={() => void run(() => execute(plan))}>
              <Play size={13} aria-hidden="true" />
              Run now
            </Btn>
          )}
          {view.canReplan && (
            <Btn
              size="sm"
              disabled={busy}
              onClick={() => void run(() => replan(plan).then(made => go(`/plans/${made.id}`)))}
            >
              <RotateCcw size={13} aria-hidden="true" />
              Plan again
            </Btn>
          )}
          {view.canSetAside && (
            <Btn size="sm" disabled={busy} onClick={() => setAsking('aside')}>
              <Snowflake size={13} aria-hidden="true" />
              Set the freeze aside…
            </Btn>
          )}
          {many && (
            <Btn size="sm" onClick={() => setAsking('undo')}>
              <Undo2 size={13} aria-hidden="true" />
              Undo the plan…
            </Btn>
          )}
          <span className="ml-auto flex gap-1.5">
            {view.canBreakGlass && (
              <Btn size="sm" v="ghost" disabled={busy} onClick={() => setAsking('glass')}>
                <OctagonAlert size={13} aria-hidden="true" />
                Break glass…
              </Btn>
            )}
            {view.canReject && (
              <Btn size="sm" v="ghost" disabled={busy} onClick={() => setAsking('reject')}>
                <X size={13} aria-hidden="true" />
                Reject…
              </Btn>
            )}
          </span>
        </div>
      )}
      {asking && (
        <Suspense>
          <Dialogs plan={plan} asking={asking} onClose={() => setAsking(null)} />
        </Suspense>
      )}
    </div>
  )
}
