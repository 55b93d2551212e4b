/** The right side of the incident: what is known, what to do, what speaks for and against, what was not checked. */
import { CircleDashed, Minus, Plus } from 'lucide-react'
import { useState } from 'react'
import type { Hypothesis, Incident, Investigation, Plan } from '@/api/types'
import { RiskTerms } from '@/features/plans/parts'
import { PlanCard } from '@/features/plans/plan-card'
import { Ago, Cited, cn, EventRef, plural } from '@/ui'

type Props = { incident: Incident; investigation: Investigation | undefined; plans: Plan[] | undefined }

export function Rail({ incident, investigation, plans }: Props) {
  const open = (plans ?? []).filter(p => !['superseded', 'rejected'].includes(p.state) && !p.undo_of)
  const first = open.find(p => p.state === 'proposed') ?? open[0]
  return (
    <aside
      aria-label="Investigation"
      className="scroll flex w-[364px] shrink-0 flex-col overflow-y-auto border-l border-line bg-surface max-md:w-full max-md:border-t max-md:border-l-0"
      tabIndex={0}
    >
      <section className="border-b border-line p-3">
        <div className="mb-1 flex items-center gap-2">
          <h2 className="font-medium">Where we are</h2>
          <span className="ml-auto text-2xs text-fg-3">
            revision {incident.revision} · <Ago at={incident.updated_at} suffix />
          </span>
        </div>
        {investigation ? (
          <p className="text-fg-2">
            <Cited text={investigation.summary} />
          </p>
        ) : (
          <p className="text-fg-3">The first revision is being made.</p>
        )}
      </section>
      <section className="space-y-3 border-b border-line p-3" aria-label="Plans">
        {open.length === 0 && <NoPlan investigation={investigation} />}
        {open.map(plan => (
          <PlanCard key={plan.id} plan={plan} focused={plan === first} />
        ))}
      </section>
      {investigation && <Hypotheses items={investigation.hypotheses} />}
      {investigation && <NotChecked investigation={investigation} />}
      <section className="border-t border-line p-3">
        <h2 className="mb-2 flex items-center font-medium">
          Risk score<span className="num ml-auto font-semibold">{incident.risk_score}</span>
        </h2>
        <RiskTerms terms={incident.risk_terms} />
      </section>
      {investigation && investigation.steps.length > 0 && <Steps investigation={investigation} />}
    </aside>
  )
}

function NoPlan({ investigation }: { investigation: Investigation | undefined }) {
  return (
    <p className="text-xs text-fg-3">
      {investigation?.proposed_plans.length
        ? 'A plan is being made from what the investigation proposes.'
        : 'No plan: nothing found here is worth acting on, or no registered target fits. Targets are registered under Settings.'}
    </p>
  )
}

function Hypotheses({ items }: { items: Hypothesis[] }) {
  return (
    <section className="p-3">
      <h2 className="mb-2 font-medium">Hypotheses</h2>
      {items.length === 0 && <p className="text-xs text-fg-3">Nothing fits what was seen.</p>}
      <ol className="space-y-2">
        {items.map((h, i) => (
          <HypothesisItem key={h.title} item={h} leading={i === 0} />
        ))}
      </ol>
    </section>
  )
}

function HypothesisItem({ item, leading }: { item: Hypothesis; leading: boolean }) {
  const [open, setOpen] = useState<'for' | 'against' | null>(null)
  const support = item.evidence.filter(e => e.supports)
  const against = item.evidence.filter(e => !e.supports)
  const shown = open === 'for' ? support : open === 'against' ? against : []
  const percent = Math.round(item.confidence * 100)
  const toggle = (side: 'for' | 'against') => setOpen(open === side ? null : side)
  return (
    <li className={cn('rounded-lg border px-3 py-2', leading ? 'border-line-strong bg-raised' : 'border-line')}>
      <div className="flex items-start gap-2">
        <p className="flex-1">{item.title}</p>
        <span className="num font-semibold">{percent}%</span>
      </div>
      <div
        className="mt-1.5 h-1 overflow-hidden rounded-full bg-line"
        role="img"
        aria-label={`Confidence ${percent} percent`}
      >
        <div className="h-full rounded-full bg-accent" style={{ width: `${percent}%` }} />
      </div>
      <div className="mt-1 flex gap-1 text-2xs">
        <EvidenceToggle n={support.length} word="for" on={open === 'for'} onClick={() => toggle('for')} />
        <EvidenceToggle n={against.length} word="against" on={open === 'against'} onClick={() => toggle('against')} />
      </div>
      {shown.length > 0 && (
        <ul className="mt-1 space-y-1 text-xs text-fg-2">
          {shown.map(e => (
            <li key={`${e.event_id}${e.why}`} className="flex items-start gap-1.5">
              {e.supports ? (
                <Plus size={12} className="mt-1 shrink-0 text-critical" aria-hidden="true" />
              ) : (
                <Minus size={12} className="mt-1 shrink-0 text-ok" aria-hidden="true" />
              )}
              <span className="min-w-0 flex-1">{e.why}</span>
              <EventRef id={e.event_id} />
            </li>
          ))}
        </ul>
      )}
    </li>
  )
}

function EvidenceToggle({ n, word, on, onClick }: { n: number; word: string; on: boolean; onClick: () => void }) {
  return (
    <button
      type="button"
      aria-expanded={on}
      disabled={n === 0}
      onClick={onClick}
      className={cn('h-6 rounded-sm px-1.5', on ? 'bg-active text-fg' : 'text-fg-2 enabled:hover:bg-hover')}
    >
      <span className="num">{n}</span> {word}
    </button>
  )
}

function NotChecked({ investigation }: { investigation: Investigation }) {
  return (
    <section className="border-t border-line p-3">
      <h2 className="mb-2 font-medium">Not checked</h2>
      {investigation.not_checked.length === 0 && (
        <p className="text-xs text-fg-3">Everything asked could be looked at.</p>
      )}
      <ul className="space-y-1.5 text-xs text-fg-2">
        {investigation.not_checked.map(n => (
          <li key={n.what} className="flex gap-1.5">
            <CircleDashed size={13} className="mt-0.5 shrink-0 text-medium" aria-hidden="true" />
            <span>
              {n.what} <span className="text-fg-3">{n.why}</span>
            </span>
          </li>
        ))}
      </ul>
    </section>
  )
}

function Steps({ investigation }: { investigation: Investigation }) {
  return (
    <details className="border-t border-line p-3">
      <summary className="cursor-default font-medium">
        {plural(investigation.steps.length, 'step')} of this revision
      </summary>
      <ol className="mt-2 space-y-1 text-xs">
        {investigation.steps.map((step, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: steps are an ordered record; names may repeat
          <li key={`${step.name}${i}`} className="grid grid-cols-[24px_minmax(0,1fr)] gap-1">
            <span className="num text-fg-3">{i + 1}.</span>
            <span className="text-fg-2">
              {step.name}: <span className="text-fg-3">{step.found}</span>
            </span>
          </li>
        ))}
      </ol>
    </details>
  )
}
