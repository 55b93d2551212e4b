/** One job: how far it is, and what became of each item. */
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { ArrowLeft } from 'lucide-react'
import { useMemo, useState } from 'react'
import { jobQuery } from '@/api/jobs'
import type { Job, JobResult } from '@/api/types'
import { useNames } from '@/app/names'
import { useCan } from '@/app/session'
import { Ago, absolute, Btn, Card, Chip, cn, dayClock, fmt, Loaded, NoPermission, plural, short, took } from '@/ui'
import { Progress, percent } from '@/ui/progress'
import { Table, Td, Tr } from '@/ui/table'
import { RuleName } from '../detections/rule-name'
import { amount, barTone, inPerCent, isRefused, kindOf, reasons, seconds, standing } from './view'

/** Rows at a time: a job can have 10,000. */
const STEP = 200

export default function JobPage() {
  const { id } = useParams({ strict: false }) as { id: string }
  const can = useCan()
  const query = useQuery({ ...jobQuery(id), enabled: can('job.read') })
  if (!can('job.read')) return <NoPermission need="job.read" />
  return (
    <Loaded query={query} what="Job">
      {job => <View job={job} />}
    </Loaded>
  )
}

function View({ job }: { job: Job }) {
  const { label, tone } = standing(job)
  return (
    <div className="flex h-full min-h-0 flex-col">
      <div className="flex h-11 shrink-0 items-center gap-2 border-b border-line px-3">
        <Link
          to="/jobs"
          className="inline-grid size-7.5 place-items-center rounded-md text-fg-2 hover:bg-hover"
          aria-label="Back to the jobs"
        >
          <ArrowLeft size={15} />
        </Link>
        <h1 className="truncate text-sm font-semibold">{kindOf(job)}</h1>
        <Chip tone={tone}>{label}</Chip>
        <span className="ml-auto font-mono text-2xs text-fg-3">{job.id}</span>
      </div>
      <section className="scroll min-h-0 flex-1 overflow-y-auto p-4" aria-label="The job" tabIndex={0}>
        <div className="mx-auto flex max-w-[1080px] flex-col gap-3">
          <Summary job={job} />
          {job.results.length > 0 && <Results job={job} />}
        </div>
      </section>
    </div>
  )
}

function Summary({ job }: { job: Job }) {
  const names = useNames()
  const facts: [string, React.ReactNode][] = [
    ['By', names(job.by)],
    ...(job.subject
      ? ([['Rule', <RuleName key="rule" id={job.subject} tab="backtest" />]] as [string, React.ReactNode][])
      : []),
    [
      'Begun',
      <time key="at" dateTime={job.created_at} title={absolute(job.created_at)}>
        {dayClock(job.created_at)}
      </time>,
    ],
    [job.state === 'running' ? 'Heard of' : 'Ended', <Ago key="end" at={job.updated_at} suffix />],
    ['Took', took(seconds(job) * 1000)],
  ]
  return (
    <section className="rounded-lg border border-line bg-surface p-4" aria-label="Progress" data-job={job.state}>
      <p className="num mb-2 flex items-baseline gap-2" role="status">
        <b className="text-xl font-semibold">{percent(job.done, job.total)} %</b>
        <span className="text-fg-2">
          {!inPerCent(job) && amount(job)}
          {job.failed > 0 && `, ${plural(job.failed, 'refused', 'refused')}`}
        </span>
      </p>
      <Progress done={job.done} total={job.total} tone={barTone(job)} label="Progress of this job" />
      {job.state === 'failed' && (
        <p className="mt-3 rounded-md px-2.5 py-1.5 text-xs soft-critical">
          It ended before every item was tried; what was done stays done. Begin it again for the rest.
        </p>
      )}
      <dl className="mt-3 flex flex-wrap gap-x-8 gap-y-1 text-xs">
        {facts.map(([term, value]) => (
          <div key={term} className="flex gap-1.5">
            <dt className="text-fg-3">{term}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  )
}

function Results({ job }: { job: Job }) {
  const [refusedOnly, setRefusedOnly] = useState(false)
  const [shown, setShown] = useState(STEP)
  const why = useMemo(() => reasons(job.results), [job.results])
  const rows = refusedOnly ? job.results.filter(isRefused) : job.results
  return (
    <Card
      title="Items"
      extra={
        <span className="flex gap-1">
          {[false, true].map(only => (
            <button
              key={String(only)}
              type="button"
              aria-pressed={refusedOnly === only}
              onClick={() => setRefusedOnly(only)}
              className={cn('h-6 rounded-md px-2', refusedOnly === only ? 'bg-active text-fg' : 'hover:bg-hover')}
            >
              {only ? `Refused ${fmt(job.failed)}` : `All ${fmt(job.results.length)}`}
            </button>
          ))}
        </span>
      }
    >
      {why.length > 0 && (
        <p className="border-b border-line px-3 py-2 text-xs text-fg-2">
          Refused: {why.map(({ code, count }) => `${fmt(count)} ${code}`).join(', ')}
        </p>
      )}
      {rows.length ? (
        <Table acts={false} label="Items of the job" head={['Item', 'Result', 'Why']}>
          {rows.slice(0, shown).map((result, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: the same item can stand there twice
            <Row key={`${result.id} ${i}`} result={result} />
          ))}
        </Table>
      ) : (
        <p className="px-3 py-4 text-xs text-fg-3">Nothing was refused.</p>
      )}
      {rows.length > shown && (
        <div className="border-t border-line/60 p-2 text-center">
          <Btn size="sm" onClick={() => setShown(shown + STEP * 5)}>
            Show more of {fmt(rows.length)}
          </Btn>
        </div>
      )}
    </Card>
  )
}

function Row({ result }: { result: JobResult }) {
  const refused = isRefused(result)
  return (
    <Tr>
      <Td className="font-mono">
        {result.id.startsWith('alt_') ? (
          <Link to="/alerts/$id" params={{ id: result.id }} className="text-accent hover:underline">
            alert {short(result.id)}
          </Link>
        ) : (
          result.id
        )}
      </Td>
      <Td>
        <Chip tone={refused ? 'critical' : 'ok'}>{refused ? 'Refused' : 'Done'}</Chip>
      </Td>
      <Td className="text-fg-2">
        {result.detail}
        {result.code && <code className="ml-1.5 font-mono text-2xs text-fg-3">{result.code}</code>}
      </Td>
    </Tr>
  )
}
