/** How a rule stands, who set it so and why, what it has still to show, and where it can go from here. */
import { Check, X } from 'lucide-react'
import { lazy, Suspense, useState } from 'react'
import type { RuleDetail, RuleState } from '@/api/detection-types'
import { ActBtn } from '@/app/guard'
import { useNavigateTo } from '@/app/search'
import { Ago, Btn, Chip, plural } from '@/ui'
import { isOwn, MISSING, NEXT, STATE, stateOf, VERB } from './state'

type Proof = NonNullable<RuleDetail['proof']>
const StateDialog = lazy(() => import('./state-dialog'))

export function StatePanel({ rule }: { rule: RuleDetail }) {
  const [to, setTo] = useState<RuleState | null>(null)
  const state = stateOf(rule)
  const { switched } = rule
  const newer = isOwn(rule) && rule.live != null && rule.head != null && rule.head > rule.live
  const runs = state === 'enabled' || state === 'shadow'
  return (
    <section className="space-y-2 p-3" aria-label="State">
      <div className="flex items-start gap-2">
        <div className="min-w-0 flex-1">
          <p className="font-medium" data-rule-state={state}>
            {STATE[state].label}
            {isOwn(rule) && runs && rule.live != null && <span className="text-fg-3">, version {rule.live}</span>}
          </p>
          <p className="text-xs text-fg-3">{STATE[state].means}</p>
        </div>
        {switched?.unproved && state === 'enabled' && (
          <Chip tone="medium" title="A person enabled it without tests or backtest">
            not proved
          </Chip>
        )}
      </div>
      {switched && (
        <p className="text-xs text-fg-2">
          Set by {switched.by_name}, <Ago at={switched.at} suffix />
          {switched.reason && <>: {switched.reason}</>}
        </p>
      )}
      {newer && runs && (
        <p className="rounded-md px-2.5 py-1.5 text-xs soft-medium">
          Version {rule.head} is newer than the one that runs. Enable it, or run it in shadow first.
        </p>
      )}
      {isOwn(rule) && <Gate rule={rule} />}
      <div className="flex flex-wrap gap-1.5">
        {newer && state === 'enabled' && (
          <ActBtn need="rule.write" size="sm" v="primary" onClick={() => setTo('enabled')}>
            Enable version {rule.head}…
          </ActBtn>
        )}
        {NEXT[state].map((next, i) => (
          <ActBtn
            key={next}
            need="rule.write"
            size="sm"
            v={next === 'enabled' && (state === 'shadow' || i === 0) ? 'primary' : 'default'}
            onClick={() => setTo(next)}
          >
            {VERB[next]}…
          </ActBtn>
        ))}
      </div>
      <Suspense>{to && <StateDialog rule={rule} to={to} onClose={() => setTo(null)} />}</Suspense>
    </section>
  )
}

/** When the backtest was, and on how much: one that met no event shows nothing. */
function Tried({ proof: { backtest_at: at, backtest_events: events } }: { proof: Proof }) {
  return (
    <>
      {at && (
        <span className="text-fg-3">
          , <Ago at={at} suffix />
        </span>
      )}
      {events === 0 && <span className="block text-medium">Its window held no event, so it shows nothing.</span>}
      {!!events && <span className="block text-fg-3">Over {plural(events, 'event')}.</span>}
    </>
  )
}

/** What there is to show before the rule may raise alerts. */
function Gate({ rule }: { rule: RuleDetail }) {
  const go = useNavigateTo()
  const { proof } = rule
  if (!proof) return null
  const has = (code: string) => proof.missing.includes(code)
  const steps = [
    {
      ok: !has('tests_missing') && !has('tests_failed'),
      label: 'Tests pass',
      why: has('tests_failed') ? 'tests_failed' : 'tests_missing',
      tab: 'edit',
    },
    { ok: !has('backtest_missing'), label: 'Backtest has run', why: 'backtest_missing', tab: 'backtest' },
  ]
  return (
    <ul className="rounded-md border border-line text-xs" aria-label="Before it is enabled" data-ready={proof.ready}>
      {steps.map(step => (
        <li key={step.label} className="flex items-start gap-2 border-b border-line/60 px-2.5 py-1.5 last:border-0">
          {step.ok ? (
            <Check size={14} className="mt-px shrink-0 text-ok" aria-hidden="true" />
          ) : (
            <X size={14} className="mt-px shrink-0 text-medium" aria-hidden="true" />
          )}
          <span className="min-w-0 flex-1">
            <span className="sr-only">{step.ok ? 'Done: ' : 'Missing: '}</span>
            {step.label}
            {step.ok && step.tab === 'backtest' && <Tried proof={proof} />}
            {!step.ok && <span className="block text-fg-3">{MISSING[step.why]}</span>}
          </span>
          {!step.ok && (
            <Btn size="sm" v="ghost" onClick={() => go(`/detections/${rule.id}`, { tab: step.tab })}>
              {step.tab === 'edit' ? 'Add samples' : 'Run it'}
            </Btn>
          )}
        </li>
      ))}
    </ul>
  )
}
