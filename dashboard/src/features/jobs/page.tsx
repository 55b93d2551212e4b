/** Work that takes longer than a request: what runs, how far it is, and what became of it. */
import { Link } from '@tanstack/react-router'
import { jobsQuery } from '@/api/jobs'
import type { Job } from '@/api/types'
import { useNames } from '@/app/names'
import { useCan } from '@/app/session'
import { useList } from '@/app/use-list'
import { Ago, Chip, Empty, fmt, Loaded, NoPermission, PageBar, short, took } from '@/ui'
import { Progress } from '@/ui/progress'
import { LoadMore, Table, Td, Tr } from '@/ui/table'
import { amount, barTone, kindOf, seconds, standing } from './view'

export default function JobsPage() {
  const can = useCan()
  return can('job.read') ? <Jobs /> : <NoPermission need="job.read" />
}

function Jobs() {
  const { query, items } = useList(jobsQuery)
  return (
    <div className="flex h-full min-h-0 flex-col">
      <PageBar title="Jobs" note="Work that goes on after its request was answered" />
      <section className="scroll min-h-0 flex-1 overflow-y-auto p-4" aria-label="Jobs" tabIndex={0}>
        <div className="mx-auto max-w-[1180px] rounded-lg border border-line bg-surface">
          <Loaded query={query} what="Jobs">
            {() =>
              items?.length ? (
                <Table
                  acts={false}
                  label="List of jobs"
                  head={['Job', 'State', 'Progress', 'Refused', 'By', 'Begun', 'Took']}
                >
                  {items.map(job => (
                    <Row key={job.id} job={job} />
                  ))}
                </Table>
              ) : (
                <Empty title="No job yet">
                  Closing more than 1,000 alerts at once, or a backtest of a rule, runs as a job and shows here.
                </Empty>
              )
            }
          </Loaded>
          <LoadMore query={query} />
        </div>
      </section>
    </div>
  )
}

function Row({ job }: { job: Job }) {
  const names = useNames()
  const { label, tone } = standing(job)
  return (
    <Tr>
      <Td>
        <Link to="/jobs/$id" params={{ id: job.id }} className="font-medium text-accent hover:underline">
          {kindOf(job)} <span className="font-mono text-2xs text-fg-3">{short(job.id)}</span>
        </Link>
      </Td>
      <Td>
        <Chip tone={tone}>{label}</Chip>
      </Td>
      <Td className="w-64">
        <span className="flex items-center gap-2">
          <Progress
            done={job.done}
            total={job.total}
            tone={barTone(job)}
            label={`Progress of job ${short(job.id)}`}
            className="flex-1"
          />
          <span className="num w-28 text-right text-fg-3">{amount(job)}</span>
        </span>
      </Td>
      <Td className="num">{job.failed ? fmt(job.failed) : <span className="text-fg-3">none</span>}</Td>
      <Td className="text-fg-2">{names(job.by)}</Td>
      <Td className="text-fg-2">
        <Ago at={job.created_at} suffix />
      </Td>
      <Td className="num text-fg-3">{took(seconds(job) * 1000)}</Td>
    </Tr>
  )
}
