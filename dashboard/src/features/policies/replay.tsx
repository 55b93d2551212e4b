/** What a version would have decided of the questions of the last days: how many differ, which, and what could not be asked again. */
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { jobQuery } from '@/api/jobs'
import type { PolicyReplay, PolicyReport, PolicySide } from '@/api/policies'
import { Ago, absolute, Card, Chip, Empty, fmt, plural, short } from '@/ui'
import { Progress } from '@/ui/progress'
import { Table, Td, Tr } from '@/ui/table'
import { differing } from './state'

export function ReplayTab({ replay }: { replay: PolicyReplay | null }) {
  if (!replay)
    return (
      <Empty title="Not replayed yet">
        A replay asks these policies what was asked of the others over the last 30 days. It changes nothing, and a
        version is put in force only after one.
      </Empty>
    )
  if (!replay.report) return replay.state === 'running' ? <Running id={replay.id} /> : <Ended replay={replay} />
  return <Report replay={replay} report={replay.report} />
}

function Running({ id }: { id: string }) {
  const job = useQuery(jobQuery(id)).data
  return (
    <div className="p-4" role="status">
      <p className="mb-2 text-sm">Asking again what was asked over the last 30 days…</p>
      <Progress done={job?.done ?? 0} total={job?.total ?? 100} label="Progress of the replay" className="max-w-md" />
    </div>
  )
}

const Ended = ({ replay }: { replay: PolicyReplay }) => (
  <Empty title="The replay did not come to its end">
    It was {replay.state} <Ago at={replay.at} suffix />. Run it again; what went wrong stands in{' '}
    <Link to="/jobs/$id" params={{ id: replay.id }} className="text-accent underline">
      its job
    </Link>
    .
  </Empty>
)

function Report({ replay, report }: { replay: PolicyReplay; report: PolicyReport }) {
  const differ = differing(report)
  const listed = report.differences.length
  return (
    <div className="flex flex-col gap-3 p-4" data-replay={differ}>
      <p className="text-xs text-fg-3">
        Decisions from {absolute(replay.from)} to {absolute(replay.to)}, asked again <Ago at={replay.at} suffix />. Each
        was asked with the counts as they were: what a changed decision would have led to is not followed.
      </p>
      <Numbers report={report} />
      <Card title="Would have been decided otherwise" level={3}>
        {listed ? (
          <Table label="Decisions that differ" head={['Plan', 'Was', 'Would be', 'Why']} acts={false}>
            {report.differences.map(one => (
              <Tr key={one.name}>
                <Td>
                  <PlanLink id={one.name} />
                </Td>
                <Td>
                  <Side side={one.before} />
                </Td>
                <Td>
                  <Side side={one.after} other={one.before} />
                </Td>
                <Td className="text-fg-2">
                  <Because before={one.before} after={one.after} />
                </Td>
              </Tr>
            ))}
          </Table>
        ) : (
          <p className="px-3 py-4 text-xs text-fg-3">None: every decision stays as it was.</p>
        )}
        {differ > listed && (
          <p className="border-t border-line px-3 py-2 text-xs text-fg-3">
            The first {listed} of {fmt(differ)} are listed; all are counted.
          </p>
        )}
      </Card>
      {report.not_replayable_because.length > 0 && (
        <Card title="Could not be asked again" level={3}>
          <Table label="Not replayable" head={['Plan', 'Why']} acts={false}>
            {report.not_replayable_because.map(one => (
              <Tr key={`${one.name}${one.why}`}>
                <Td>
                  <PlanLink id={one.name} />
                </Td>
                <Td className="text-fg-2">{one.why}</Td>
              </Tr>
            ))}
          </Table>
        </Card>
      )}
    </div>
  )
}

function Numbers({ report }: { report: PolicyReport }) {
  const cells: [string, number, string][] = [
    ['asked again', report.replayed, 'text-fg'],
    ['stay', report.same, 'text-fg'],
    ['newly denied', report.newly_denied, report.newly_denied ? 'text-critical' : 'text-fg'],
    ['newly allowed', report.newly_allowed, report.newly_allowed ? 'text-high' : 'text-fg'],
    ['otherwise different', report.otherwise, report.otherwise ? 'text-medium' : 'text-fg'],
    ['not replayable', report.not_replayable, 'text-fg'],
  ]
  return (
    <div>
      <dl className="grid grid-cols-2 gap-px overflow-hidden rounded-lg border border-line bg-line sm:grid-cols-3 xl:grid-cols-6">
        {cells.map(([name, n, tone]) => (
          <div key={name} className="flex flex-col-reverse bg-surface px-3 py-2">
            <dt className="text-2xs text-fg-3">{name}</dt>
            <dd className={`num text-xl font-semibold ${tone}`}>{fmt(n)}</dd>
          </div>
        ))}
      </dl>
      {report.not_reached > 0 && (
        <p className="mt-1 text-xs text-fg-3">
          {plural(report.not_reached, 'older decision')} of {fmt(report.decisions)} were not looked at: there were too
          many.
        </p>
      )}
    </div>
  )
}

/** What was asked about is a plan, but for what a test or a person made up. */
function PlanLink({ id }: { id: string }) {
  if (!id.startsWith('pln_')) return <span className="font-mono">{id}</span>
  return (
    <Link to="/plans/$id" params={{ id }} className="font-mono whitespace-nowrap text-accent hover:underline">
      {short(id)}
    </Link>
  )
}

function Side({ side, other }: { side: PolicySide; other?: PolicySide }) {
  const risk = other && other.risk !== side.risk
  return (
    <span className="flex flex-wrap items-center gap-1 whitespace-nowrap">
      <Chip tone={side.allow ? 'ok' : 'critical'}>{side.allow ? 'allowed' : 'denied'}</Chip>
      {side.allow && side.approvals_needed > 0 && (
        <span className="text-fg-3">{plural(side.approvals_needed, 'approval')}</span>
      )}
      {risk && <span className="text-fg-3">{side.risk} risk</span>}
    </span>
  )
}

/** The reasons that came or went; where the reasons are the same, what else is. */
function Because({ before, after }: { before: PolicySide; after: PolicySide }) {
  const has = (side: PolicySide, code: string) => side.denies.some(reason => reason.code === code)
  const come = after.denies.filter(reason => !has(before, reason.code))
  const gone = before.denies.filter(reason => !has(after, reason.code))
  const other = [
    before.veto_window_s !== after.veto_window_s && `veto window ${before.veto_window_s} s to ${after.veto_window_s} s`,
    before.strong_session !== after.strong_session &&
      (after.strong_session ? 'asks for a fresh second factor' : 'asks for no fresh second factor'),
    before.approvals_needed !== after.approvals_needed &&
      `${plural(before.approvals_needed, 'approval')} to ${fmt(after.approvals_needed)}`,
  ].filter(Boolean)
  return (
    <>
      {come.map(reason => (
        <span key={reason.code} className="block">
          + {reason.detail} <code className="font-mono text-2xs text-fg-3">{reason.code}</code>
        </span>
      ))}
      {gone.map(reason => (
        <span key={reason.code} className="block">
          − {reason.detail} <code className="font-mono text-2xs text-fg-3">{reason.code}</code>
        </span>
      ))}
      {!come.length && !gone.length && other.join('; ')}
    </>
  )
}
