/** The right column: plans that wait, the way from events to incidents, verdicts, what happened last. */
import { Link } from '@tanstack/react-router'
import type { Overview, Verdict } from '@/api/types'
import { actorName, SubjectLink } from '@/features/ledger/subject'
import { RISK_TONE } from '@/features/plans/parts'
import { Avatar, Card, Chip, clock, fmt, Marks, Until, verdictLabel, words } from '@/ui'

export function Waiting({ overview }: { overview: Overview }) {
  const { waiting, waiting_count: count } = overview.plans
  return (
    <Card
      title="Waiting for approval"
      extra={
        count > 0 && (
          <span className="num rounded-full bg-accent-solid px-1.5 text-2xs leading-4 text-white">{count}</span>
        )
      }
    >
      {waiting.length === 0 ? (
        <p className="px-3 py-4 text-xs text-fg-3">No plan waits for a person.</p>
      ) : (
        <ul className="divide-y divide-line/60">
          {waiting.map(plan => (
            <li key={plan.id}>
              <Link
                to={plan.incident_id ? '/incidents/$id' : '/approvals'}
                params={{ id: plan.incident_id ?? '' }}
                className="flex items-center gap-2 px-3 py-2 hover:bg-hover"
              >
                <span className="min-w-0 flex-1">
                  <span className="block truncate font-medium">{plan.title}</span>
                  <span className="flex items-center gap-1.5 pt-0.5 text-xs text-fg-3">
                    <Chip tone={RISK_TONE[plan.risk]}>{plan.risk} risk</Chip>
                    <Marks demo={plan.demo} simulated={plan.simulated} />
                  </span>
                </span>
                <Until at={plan.expires_at} over="expired" className="num text-xs text-fg-3" />
              </Link>
            </li>
          ))}
        </ul>
      )}
    </Card>
  )
}

export function Funnel({ overview, hours }: { overview: Overview; hours: number }) {
  const { events, alerts, incidents, plans_waiting: plans } = overview.funnel
  const steps: [string, number, string][] = [
    ['Events', events, 'accent'],
    ['Alerts', alerts, 'medium'],
    ['Incidents', incidents, 'critical'],
    ['Plans waiting', plans, 'accent'],
  ]
  const most = Math.log10(Math.max(10, ...steps.map(s => s[1] + 1)))
  return (
    <Card title="From noise to incident" extra={`${hours} h`} body="px-3 py-2.5">
      <ul className="space-y-2">
        {steps.map(([label, n, tone]) => (
          <li key={label} className="grid grid-cols-[100px_1fr_76px] items-center gap-2 text-xs">
            <span className="text-fg-2">{label}</span>
            <span className="h-2 overflow-hidden rounded-full bg-line/60">
              <span
                className="block h-full rounded-full"
                style={{
                  width: `${n ? Math.max(3, (Math.log10(n + 1) / most) * 100) : 0}%`,
                  background: `var(--${tone})`,
                }}
              />
            </span>
            <span className="num text-right font-medium">{fmt(n)}</span>
          </li>
        ))}
      </ul>
      <p className="mt-2 text-2xs text-fg-3">Bars are logarithmic.</p>
    </Card>
  )
}

export function Verdicts({ overview }: { overview: Overview }) {
  const entries = Object.entries(overview.verdicts) as [Verdict, number][]
  if (!entries.some(([, n]) => n > 0)) return null
  return (
    <Card title="Verdicts by people" body="px-3 py-2">
      <dl className="grid grid-cols-2 gap-x-4 gap-y-1 text-xs">
        {entries.map(([verdict, n]) => (
          <div key={verdict} className="flex justify-between">
            <dt className="text-fg-2">{verdictLabel(verdict)}</dt>
            <dd className="num font-medium">{fmt(n)}</dd>
          </div>
        ))}
      </dl>
    </Card>
  )
}

export function Activity({ overview }: { overview: Overview }) {
  return (
    <Card
      title="Activity"
      className="flex-1"
      extra={
        <Link to="/ledger" className="text-accent hover:underline">
          Ledger
        </Link>
      }
    >
      {overview.activity.length === 0 && <p className="px-3 py-4 text-xs text-fg-3">Nothing has happened yet.</p>}
      <ol className="px-3 py-1.5">
        {overview.activity.map(entry => (
          <li key={entry.seq} className="grid grid-cols-[38px_18px_minmax(0,1fr)] items-center gap-2 py-0.5 text-xs">
            <time className="num text-2xs text-fg-3">{clock(entry.time)}</time>
            <Avatar name={actorName(entry)} size={18} />
            <span className="flex min-w-0 items-center gap-1.5 text-fg-2">
              <span className="truncate">
                <span className="font-medium text-fg">{actorName(entry)}</span> {words(entry.kind).toLowerCase()}
              </span>
              {entry.subjects[0] && <SubjectLink id={entry.subjects[0]} />}
            </span>
          </li>
        ))}
      </ol>
    </Card>
  )
}
