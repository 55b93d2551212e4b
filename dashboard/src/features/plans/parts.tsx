/** The parts of a plan card: diff, risk, target, decision, proofs. */
import { CircleCheck, CircleHelp, CircleX, TriangleAlert, Undo2 } from 'lucide-react'
import type { Action, Plan, Proof, RiskLevel } from '@/api/types'
import { ACTION_STATE, Ago, Chip, cap, clockSeconds, cn, countdown, fmt, Marks, Until, words } from '@/ui'
import { ConfirmedWith } from './owed'

export const RISK_TONE: Record<RiskLevel, string> = { low: 'ok', medium: 'medium', high: 'high', critical: 'critical' }

/** `+12`: the points of a term, signed. */
const signed = (n: number) => (n > 0 ? `+${fmt(n)}` : n < 0 ? `−${fmt(-n)}` : '0')

export function RiskTerms({ terms }: { terms: { name: string; points: number; why: string }[] }) {
  if (!terms.length) return <p className="text-xs text-fg-3">No term adds to it.</p>
  return (
    <ul className="space-y-1 text-xs">
      {terms.map(term => (
        <li key={term.name} className="grid grid-cols-[34px_minmax(0,1fr)] gap-2">
          <span className="num text-right font-medium text-fg-2">{signed(term.points)}</span>
          <span className="text-fg-2">
            {cap(term.name.replace(/_/g, ' '))}
            {term.why && <span className="text-fg-3">: {term.why}</span>}
          </span>
        </li>
      ))}
    </ul>
  )
}

export function TargetLine({ action, params }: { action: Action; params: string }) {
  return (
    <span className="flex min-w-0 flex-wrap items-center gap-1.5">
      {params && <span className="font-mono text-xs break-all">{params}</span>}
      <span className="text-fg-3">on</span>
      <span className="font-mono text-xs" title={words(action.target.kind)}>
        {action.target.name}
      </span>
      <Marks demo={action.demo} simulated={action.simulated} />
    </span>
  )
}

/** The live diff: what stands on the target now, and what will. */
export function Diff({ action }: { action: Action }) {
  if (!action.diff.length) {
    return (
      <p className="rounded-md border border-line bg-bg px-2 py-1.5 text-xs text-fg-2">
        {action.changed ? 'The target gave no line-by-line diff.' : 'Already so: nothing has to change on the target.'}
      </p>
    )
  }
  return (
    <div
      className="scroll max-h-40 overflow-auto rounded-md border border-line bg-bg py-1 font-mono text-[11.5px] leading-4.5"
      role="group"
      aria-label="Difference against the live target"
      tabIndex={0}
    >
      {action.diff.map(line => (
        <div key={line.path}>
          <div className="px-2 text-fg-3">{line.path}</div>
          {line.before != null && <DiffRow sign="−" tone="critical" text={side(line.path, line.before)} />}
          {line.after != null && <DiffRow sign="+" tone="ok" text={side(line.path, line.after)} />}
        </div>
      ))}
    </div>
  )
}

/** Seconds also as people say them; nothing is `none`. */
const side = (path: string, text: string) =>
  text === 'null' ? 'none' : /_s$/.test(path) && /^\d+$/.test(text) ? `${text} (${countdown(Number(text))})` : text

const DiffRow = ({ sign, tone, text }: { sign: string; tone: 'ok' | 'critical'; text: string }) => (
  <div className={cn('grid grid-cols-[20px_minmax(0,1fr)] break-all', tone === 'ok' ? 'soft-ok' : 'soft-critical')}>
    <span className="text-center" aria-hidden="true">
      {sign}
    </span>
    <span>
      <span className="sr-only">{tone === 'ok' ? 'added: ' : 'removed: '}</span>
      {text}
    </span>
  </div>
)

export const UndoLine = ({ action }: { action: Action }) => (
  <p className="flex gap-1.5 text-xs text-fg-2">
    <Undo2 size={13} className="mt-0.5 shrink-0 text-fg-3" aria-hidden="true" />
    <span>
      <span className="text-fg-3">Undo: </span>
      {action.undo || 'This capability names no undo.'}
    </span>
  </p>
)

/** How the server reaches the target, and whether the action could cut that way. */
export function ControlPathLine({ action }: { action: Action }) {
  const path = action.control_path
  if (!path) return null
  const Icon = path.at_risk ? TriangleAlert : CircleCheck
  return (
    <p className="flex gap-1.5 text-xs text-fg-2" title={path.why}>
      <Icon
        size={13}
        className={cn('mt-0.5 shrink-0', path.at_risk ? 'text-critical' : 'text-ok')}
        aria-hidden="true"
      />
      <span>
        <span className="text-fg-3">Way to the target: </span>
        {path.via}, {path.at_risk ? 'which this could cut' : 'which this cannot cut'}.
      </span>
    </p>
  )
}

/** What policy said and who must agree. */
export function DecisionLines({ plan }: { plan: Plan }) {
  const { decision, approvals } = plan
  return (
    <ul className="space-y-1 text-xs text-fg-2">
      {decision.denies.map(reason => (
        <li key={reason.code} className="flex gap-1.5">
          <CircleX size={13} className="mt-0.5 shrink-0 text-critical" aria-hidden="true" />
          <span>
            {reason.detail} <code className="font-mono text-2xs text-fg-3">{reason.code}</code>
          </span>
        </li>
      ))}
      {decision.allow && (
        <li className="flex gap-1.5">
          <CircleCheck size={13} className="mt-0.5 shrink-0 text-ok" aria-hidden="true" />
          <span>
            {decision.approvals_needed === 0
              ? 'Policy allows it without approval.'
              : `Policy allows it with ${decision.approvals_needed === 1 ? 'one approval' : `${decision.approvals_needed} approvals by different people`}, none by the requester.`}
          </span>
        </li>
      )}
      {approvals.map(a => (
        <li key={a.id} className="flex gap-1.5">
          <CircleCheck size={13} className="mt-0.5 shrink-0 text-ok" aria-hidden="true" />
          <span>
            Approved by {a.user_name}, <Ago at={a.at} suffix />
            <ConfirmedWith confirmed={a.confirmed} />
          </span>
        </li>
      ))}
      {plan.not_checkable.map(what => (
        <li key={what} className="flex gap-1.5">
          <TriangleAlert size={13} className="mt-0.5 shrink-0 text-medium" aria-hidden="true" />
          <span>Cannot be checked: {what}</span>
        </li>
      ))}
    </ul>
  )
}

const MOMENT: Record<string, string> = { before: 'Before', after: 'After', after_undo: 'After undo' }
const RESULT = {
  reachable: { icon: CircleCheck, tone: 'text-medium' },
  refused: { icon: CircleX, tone: 'text-ok' },
} as Record<string, { icon: typeof CircleHelp; tone: string }>

/** What probes of the target saw: before, after, after undo. */
export function Proofs({ proofs, undo }: { proofs: Proof[]; undo?: boolean }) {
  if (!proofs.length) return null
  const moments = ['before', 'after', 'after_undo'].filter(m => !undo || proofs.some(p => p.moment === m))
  return (
    <div className="grid grid-cols-3 gap-1.5" role="group" aria-label="Proofs">
      {moments.map(moment => {
        const proof = proofs.findLast(p => p.moment === moment)
        const look = proof ? RESULT[proof.result] : undefined
        const Icon = look?.icon ?? CircleHelp
        return (
          <div key={moment} className="min-w-0 rounded-md bg-raised px-2 py-1.5" title={proof?.detail}>
            <div className="text-2xs text-fg-3">{MOMENT[moment]}</div>
            {proof ? (
              <>
                <div className="flex items-center gap-1 text-xs font-medium">
                  <Icon size={12} className={look?.tone ?? 'text-fg-3'} aria-hidden="true" />
                  {cap(proof.result)}
                </div>
                <div className="num text-2xs text-fg-3">{clockSeconds(proof.at)}</div>
              </>
            ) : (
              <div className="text-xs text-fg-3">Not yet</div>
            )}
          </div>
        )
      })}
    </div>
  )
}

export function ActionStateChip({ action }: { action: Action }) {
  const state = ACTION_STATE[action.state]
  return (
    <Chip tone={state.tone} title={state.means}>
      {state.label}
    </Chip>
  )
}

export function Expiry({ plan }: { plan: Plan }) {
  if (plan.state !== 'proposed' && plan.state !== 'approved') return null
  return (
    <span className="num text-xs text-fg-3">
      expires in <Until at={plan.expires_at} over="a moment" className="num text-fg-2" />
    </span>
  )
}
