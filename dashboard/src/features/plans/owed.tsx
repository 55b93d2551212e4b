/** What policy asks for besides a yes or a no, which controls the decision is evidence for, and who set what aside. */
import { BellRing, CircleStop, Hourglass, KeyRound, OctagonAlert, Undo2 } from 'lucide-react'
import type { ReactNode } from 'react'
import type { Override } from '@/api/response-types'
import type { Confirmation, Plan } from '@/api/types'
import { Ago, Chip, CONFIRMED_WITH, cap, countdown } from '@/ui'

type LineProps = { icon: typeof BellRing; tone?: string; children: ReactNode }
const Line = ({ icon: Icon, tone = 'text-fg-3', children }: LineProps) => (
  <li className="flex gap-1.5">
    <Icon size={13} className={`mt-0.5 shrink-0 ${tone}`} aria-hidden="true" />
    <span className="min-w-0">{children}</span>
  </li>
)

type ConfirmedProps = { confirmed?: Confirmation | null }

/** What the session of whoever said it had proved before; a token proves nothing. */
export const ConfirmedWith = ({ confirmed }: ConfirmedProps) =>
  confirmed ? (
    <>
      , confirmed with {CONFIRMED_WITH[confirmed.with]} <Ago at={confirmed.at} suffix />
    </>
  ) : null

/** What becomes of what was done when one of its actions does not succeed; one action alone has nothing before it. */
function failing({ on_failure, actions, undo_of }: Plan) {
  if (on_failure === 'undo') return 'If one of its actions does not succeed, those that were done are undone.'
  if (actions.length < 2 || undo_of) return null
  return 'If one of its actions does not succeed, those that were done stay, and the rest is skipped.'
}

/** The obligations of an allowed plan, each with its reasons. */
export function Owed({ plan }: { plan: Plan }) {
  const owed = plan.decision.allow ? plan.decision.obligations : undefined
  const overrides = [
    ['The approvals were set aside', plan.break_glass],
    ['A freeze was set aside', plan.freeze_override],
  ].filter((pair): pair is [string, Override] => !!pair[1])
  const onFailure = failing(plan)
  if (!owed && !overrides.length && !onFailure) return null
  return (
    <ul className="space-y-1 text-xs text-fg-2" aria-label="What policy asks for">
      {overrides.map(([what, by]) => (
        <Line key={what} icon={OctagonAlert} tone="text-critical">
          {what} by {by.name}, <Ago at={by.at} suffix />
          <ConfirmedWith confirmed={by.confirmed} />: {by.reason}
        </Line>
      ))}
      {onFailure && <Line icon={plan.on_failure === 'undo' ? Undo2 : CircleStop}>{onFailure}</Line>}
      {!!owed?.notify.length && <Line icon={BellRing}>Told of it: {owed.notify.join(', ')}.</Line>}
      {!!owed?.veto_window_s && (
        <Line icon={Hourglass}>
          Waits {countdown(owed.veto_window_s)} after its last approval; whoever may approve may stop it until then.
        </Line>
      )}
      {owed?.strong_session && (
        <Line icon={KeyRound}>
          A vote counts only from a session that gave a passkey or a code of an authenticator app in the last five
          minutes.
        </Line>
      )}
      {owed?.because.map(reason => (
        <li key={`${reason.code}${reason.detail}`} className="pl-4.5">
          {cap(reason.detail)} <code className="font-mono text-2xs text-fg-3">{reason.code}</code>
        </li>
      ))}
    </ul>
  )
}

/** The controls that the decision is evidence for. */
export function ControlsMet({ plan }: { plan: Plan }) {
  const controls = plan.decision.controls ?? []
  if (!controls.length) return null
  return (
    <div className="flex flex-wrap items-center gap-1">
      <span className="text-2xs text-fg-3">Evidence for</span>
      <ul className="contents" aria-label="Controls that the decision is evidence for">
        {controls.map(control => (
          <li key={control}>
            <Chip tone="neutral">{control}</Chip>
          </li>
        ))}
      </ul>
    </div>
  )
}

export const Unanswered = () => (
  <Chip tone="high" title="Everybody was told and nobody answered. That is not a yes: the plan waits until it expires.">
    unanswered
  </Chip>
)
