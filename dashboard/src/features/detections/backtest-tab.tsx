/** What the rule would have done over events that are kept: begun as a job, read as a report. */
import { useQuery } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { postLater } from '@/api/client'
import { backtestQuery, backtestsQuery, rulePath } from '@/api/detection'
import type { Backtest, RuleDetail } from '@/api/detection-types'
import { jobQuery } from '@/api/jobs'
import type { Job } from '@/api/types'
import { ActBtn } from '@/app/guard'
import { useNames } from '@/app/names'
import { queryClient } from '@/app/query-client'
import { useSearchParams, useSetSearch } from '@/app/search'
import { useSubmit } from '@/app/submit'
import { Ago, absolute, Chip, cn, dayClock, Empty, InlineError, inputClass, Loaded, plural, Skeleton } from '@/ui'
import { Progress, percent } from '@/ui/progress'
import { Report } from './backtest-report'

const DAY_MS = 86_400_000
export const WINDOWS: [number, string][] = [
  [1, 'the last day'],
  [7, 'the last 7 days'],
  [30, 'the last 30 days'],
  [90, 'the last 90 days'],
]

export default function BacktestTab({ rule }: { rule: RuleDetail }) {
  const { job } = useSearchParams()
  const query = useQuery(backtestsQuery(rule.id))
  const items = query.data?.items ?? []
  const chosen = job ?? items[0]?.id
  return (
    <div className="grid h-full min-h-0 grid-cols-[300px_minmax(0,1fr)] bg-surface">
      <section
        className="scroll flex min-h-0 flex-col overflow-y-auto border-r border-line"
        aria-label="Backtests"
        tabIndex={0}
      >
        <Begin rule={rule} />
        <Loaded query={query} what="Backtests">
          {() =>
            items.length ? (
              <ul>
                {items.map(test => (
                  <Row key={test.id} test={test} rule={rule} on={test.id === chosen} />
                ))}
              </ul>
            ) : (
              <p className="p-3 text-xs text-fg-3">None yet. Choose how far back to look, and run it.</p>
            )
          }
        </Loaded>
      </section>
      <section className="scroll min-h-0 overflow-y-auto p-4" aria-label="Report of the backtest" tabIndex={0}>
        {chosen ? (
          <Chosen key={chosen} rule={rule} job={chosen} />
        ) : (
          query.data && (
            <Empty title="No backtest yet">
              It reads the events that are kept and says how many alerts a day this rule would have raised, about whom,
              and which known incidents it would have caught.
            </Empty>
          )
        )}
      </section>
    </div>
  )
}

function Begin({ rule }: { rule: RuleDetail }) {
  const [days, setDays] = useState(7)
  const set = useSetSearch()
  const { error, busy, run } = useSubmit([])
  const begin = () =>
    run(
      () => {
        const to = new Date()
        const from = new Date(to.getTime() - days * DAY_MS)
        return postLater<Job>(rulePath(rule.id, '/backtest'), { from: from.toISOString(), to: to.toISOString() })
      },
      job => {
        void queryClient.invalidateQueries({ queryKey: ['rule', rule.id, 'backtests'] })
        set({ job: job.id })
      },
    )
  return (
    <div className="flex flex-col gap-2 border-b border-line p-3">
      <div className="flex gap-1.5">
        <select
          aria-label="How far back"
          className={`${inputClass} min-w-0 flex-1 text-xs`}
          value={days}
          onChange={e => setDays(Number(e.target.value))}
        >
          {WINDOWS.map(([value, label]) => (
            <option key={value} value={value}>
              Over {label}
            </option>
          ))}
        </select>
        <ActBtn need="rule.write" v="primary" disabled={busy} onClick={() => void begin()}>
          {busy ? 'Beginning…' : 'Run backtest'}
        </ActBtn>
      </div>
      <InlineError error={error} />
    </div>
  )
}

const span = (test: Backtest) => {
  const days = Math.max(1, Math.round((Date.parse(test.to) - Date.parse(test.from)) / DAY_MS))
  return plural(days, 'day')
}

function Row({ test, rule, on }: { test: Backtest; rule: RuleDetail; on: boolean }) {
  const set = useSetSearch()
  const names = useNames()
  const present = test.version === rule.version
  return (
    <li className="border-b border-line/60">
      <button
        type="button"
        aria-current={on ? 'true' : undefined}
        onClick={() => set({ job: test.id })}
        className={cn('flex w-full flex-col gap-0.5 px-3 py-2 text-left text-xs hover:bg-hover', on && 'bg-active')}
      >
        <span className="flex items-center gap-1.5">
          <b className="font-medium">Over {span(test)}</b>
          {test.state === 'running' ? (
            <Chip tone="accent">running</Chip>
          ) : test.state === 'failed' ? (
            <Chip tone="critical">ended early</Chip>
          ) : (
            test.report && <span className="num ml-auto text-fg-2">{plural(test.report.alerts, 'alert')}</span>
          )}
        </span>
        <span className="text-fg-3">
          {names(test.by)}, <Ago at={test.at} suffix />
          {!present && ', another version'}
        </span>
      </button>
    </li>
  )
}

function Chosen({ rule, job }: { rule: RuleDetail; job: string }) {
  const query = useQuery({
    ...backtestQuery(rule.id, job),
    refetchInterval: ({ state }) => (state.data && state.data.state !== 'running' ? false : 1_500),
  })
  const running = query.data?.state === 'running'
  const ran = useRef(false)
  // When it has ended, the list and what the rule has still to show are read again.
  useEffect(() => {
    if (ran.current && !running) void queryClient.invalidateQueries({ queryKey: ['rule', rule.id] })
    ran.current = running
  }, [running, rule.id])
  return (
    <Loaded query={query} what="Backtest" skeleton={<Skeleton label="Loading the backtest" />}>
      {test => (test.state === 'running' ? <Running test={test} /> : <Done test={test} />)}
    </Loaded>
  )
}

function Running({ test }: { test: Backtest }) {
  const { data } = useQuery(jobQuery(test.id))
  return (
    <div className="mx-auto mt-12 flex max-w-md flex-col gap-2" role="status">
      <p className="font-medium">Reading the events of {span(test)}…</p>
      <Progress done={data?.done ?? 0} total={data?.total ?? 0} label="Progress of the backtest" />
      <p className="num text-xs text-fg-3">
        {data ? `${percent(data.done, data.total)} % read` : 'Beginning'}. You can leave: it goes on, and shows under
        Jobs.
      </p>
    </div>
  )
}

function Done({ test }: { test: Backtest }) {
  return (
    <div className="mx-auto flex max-w-[1040px] flex-col gap-3" data-backtest={test.state}>
      <p className="text-xs text-fg-3">
        From{' '}
        <time dateTime={test.from} title={absolute(test.from)}>
          {dayClock(test.from)}
        </time>{' '}
        to{' '}
        <time dateTime={test.to} title={absolute(test.to)}>
          {dayClock(test.to)}
        </time>
        , version <code className="font-mono">{test.version.slice(0, 12)}</code>
      </p>
      {test.state === 'failed' && (
        <p className="rounded-md px-3 py-2 text-xs soft-critical" role="alert">
          It ended before every event was read. {test.report ? 'What it found until then is below.' : 'Run it again.'}
        </p>
      )}
      {test.report && <Report report={test.report} window={test} />}
    </div>
  )
}
