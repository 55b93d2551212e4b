/** The coverage log: of what arrived, what was checked, late, skipped, or never looked at; for all rules or for one. */
import { useQuery } from '@tanstack/react-query'
import { CircleCheck, TriangleAlert } from 'lucide-react'
import { useMemo, useState } from 'react'
import { coverageLogQuery } from '@/api/detection'
import type { CoverageLog } from '@/api/detection-types'
import { Ago, absolute, Card, cn, Empty, fmt, Loaded, plural, Skeleton } from '@/ui'
import { Lanes, WindowTable } from './lanes'

const SPANS: [number, string][] = [
  [1, 'Last hour'],
  [6, 'Last 6 hours'],
  [24, 'Last 24 hours'],
  [168, 'Last 7 days'],
]
const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000

export function CheckedLog({ rule }: { rule?: string }) {
  const [hours, setHours] = useState(24)
  // Whole minutes, so that drawing again asks the same question.
  const filter = useMemo(() => {
    const to = Math.ceil(Date.now() / MINUTE_MS) * MINUTE_MS
    return { rule, from: new Date(to - hours * HOUR_MS).toISOString(), to: new Date(to).toISOString() }
  }, [rule, hours])
  const query = useQuery(coverageLogQuery(filter))
  return (
    <section className="scroll min-h-0 flex-1 overflow-y-auto p-4" aria-label="Coverage log" tabIndex={0}>
      <div className="mx-auto flex max-w-[1180px] flex-col gap-3">
        <div className="flex items-center gap-1" role="group" aria-label="Time">
          {SPANS.map(([value, label]) => (
            <button
              key={value}
              type="button"
              aria-pressed={hours === value}
              onClick={() => setHours(value)}
              className={cn(
                'h-7 rounded-md px-2 text-xs',
                hours === value ? 'bg-active font-medium text-fg' : 'text-fg-2 hover:bg-hover',
              )}
            >
              {label}
            </button>
          ))}
        </div>
        <Loaded query={query} what="Coverage log" skeleton={<Skeleton label="Loading the coverage log" />}>
          {log => <Log log={log} rule={rule} />}
        </Loaded>
      </div>
    </section>
  )
}

function Log({ log, rule }: { log: CoverageLog; rule: string | undefined }) {
  if (!log.windows.length)
    return (
      <Empty title="Nothing arrived in this time">
        {rule ? 'No source of this rule sent an event.' : 'No source sent an event, so there was nothing to check.'}
      </Empty>
    )
  return (
    <>
      <Verdict log={log} />
      {log.truncated && (
        <p role="status" className="rounded-lg px-3 py-2 text-xs soft-medium">
          There is more than fits here: what is shown begins {absolute(log.from)}. Choose less time.
        </p>
      )}
      <Card title="By source" body="p-3">
        <Lanes log={log} />
      </Card>
      <Sums log={log} />
      <Card title="Windows of time">
        <WindowTable windows={log.windows} />
      </Card>
    </>
  )
}

function Verdict({ log }: { log: CoverageLog }) {
  const until = log.checked_until && (
    <span className="num">
      Checked up to <Ago at={log.checked_until} suffix />.
    </span>
  )
  return log.gaps ? (
    <p role="status" data-gaps={log.gaps} className="flex items-center gap-2 rounded-lg px-3 py-2 soft-critical">
      <TriangleAlert size={15} className="shrink-0" aria-hidden="true" />
      <span>
        <b className="font-semibold">Not everything was checked:</b> {plural(log.gaps, 'gap')}. No alert from there
        means nothing. {until}
      </span>
    </p>
  ) : (
    <p role="status" data-gaps={0} className="flex items-center gap-2 rounded-lg px-3 py-2 soft-ok">
      <CircleCheck size={15} className="shrink-0" aria-hidden="true" />
      <span>
        {log.truncated ? 'Everything that is shown here was checked.' : 'Everything that arrived was checked.'} {until}
      </span>
    </p>
  )
}

function Sums({ log }: { log: CoverageLog }) {
  const sum = (of: 'events' | 'late' | 'skipped') => log.windows.reduce((all, window) => all + window[of], 0)
  const figures: [string, number, string][] = [
    ['Events', sum('events'), 'that arrived'],
    ['Late', sum('late'), 'evaluated after their time'],
    ['Skipped', sum('skipped'), 'could not be evaluated'],
  ]
  return (
    <section aria-label="Events" className="flex rounded-lg border border-line bg-surface">
      {figures.map(([label, n, note]) => (
        <div key={label} className="min-w-0 flex-1 border-r border-line px-4 py-2.5 last:border-0">
          <div className="text-xs text-fg-3">{label}</div>
          <div className="num mt-0.5 text-xl font-semibold tracking-tight">{fmt(n)}</div>
          <div className="text-2xs text-fg-3">{note}</div>
        </div>
      ))}
    </section>
  )
}
