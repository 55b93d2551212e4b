/** The command centre: what is on fire, what waits for a person, is everything flowing. */
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { ArrowRight } from 'lucide-react'
import { useState } from 'react'
import { overviewQuery } from '@/api/queries'
import type { Overview } from '@/api/types'
import { useCan } from '@/app/session'
import { NotChecked } from '@/features/coverage/not-checked'
import { IncidentRow } from '@/features/incidents/row'
import { Card, DemoTag, Empty, Loaded, NoPermission, plural, Skeleton } from '@/ui'
import { Activity, Funnel, Verdicts, Waiting } from './cards'
import { AlertVolume, IngestVolume } from './charts'
import { Kpis } from './kpis'

const HOUR_MS = 3_600_000
const RANGES = [
  [1, 'Last hour'],
  [24, 'Last 24 hours'],
  [168, 'Last 7 days'],
] as const

/** An hour while nothing older is there: a day would be a flat line with a spike. */
function fittingRange(day: Overview | undefined) {
  const first = day?.events.per_minute.find(m => m.count > 0)
  const old = day && first && Date.parse(day.to) - Date.parse(first.at) > HOUR_MS
  return day && first && !old ? 1 : 24
}

export default function CommandPage() {
  const [chosen, setChosen] = useState<number | null>(null)
  const day = useQuery(overviewQuery(24)).data
  const hours = chosen ?? fittingRange(day)
  const can = useCan()
  const query = useQuery({ ...overviewQuery(hours), placeholderData: before => before })
  if (!can('incident.read')) return <NoPermission need="incident.read" />
  return (
    <section className="scroll h-full overflow-y-auto" tabIndex={0} aria-label="Command centre">
      <div className="mx-auto flex min-h-full max-w-[1680px] flex-col gap-3 p-4">
        <div className="flex flex-wrap items-center gap-2">
          <h1 className="text-lg font-semibold tracking-tight">Command centre</h1>
          {query.data?.incidents.items.some(i => i.demo) && <DemoTag />}
          <span className="ml-auto" />
          <NotChecked />
          <select
            aria-label="Time range"
            value={hours}
            onChange={e => setChosen(Number(e.target.value))}
            className="h-7.5 rounded-md border border-line-strong bg-surface px-1.5 text-xs text-fg-2"
          >
            {RANGES.map(([value, label]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        </div>
        <Loaded query={query} what="Overview" skeleton={<Skeleton rows={14} label="Loading the overview" />}>
          {overview => <Board overview={overview} hours={hours} />}
        </Loaded>
      </div>
    </section>
  )
}

function Board({ overview, hours }: { overview: Overview; hours: number }) {
  return (
    <>
      <Damaged overview={overview} />
      <Kpis overview={overview} />
      <div className="grid min-h-0 gap-3 lg:grid-cols-[minmax(0,1fr)_348px]">
        <div className="flex min-w-0 flex-col gap-3">
          <Card
            title="Happening now"
            extra={
              <Link to="/incidents" className="flex items-center gap-1 text-accent hover:underline">
                All incidents
                <ArrowRight size={13} aria-hidden="true" />
              </Link>
            }
          >
            {overview.incidents.items.length ? (
              <ul>
                {overview.incidents.items.map(incident => (
                  <IncidentRow key={incident.id} incident={incident} />
                ))}
              </ul>
            ) : (
              <Empty title="No open incident">Alerts that share an address, a user or a host become one.</Empty>
            )}
          </Card>
          <AlertVolume overview={overview} hours={hours} />
          <IngestVolume overview={overview} />
        </div>
        <div className="flex min-w-0 flex-col gap-3">
          <Waiting overview={overview} />
          <Funnel overview={overview} hours={hours} />
          <Verdicts overview={overview} />
          <Activity overview={overview} />
        </div>
      </div>
    </>
  )
}

/** Events that were stored and cannot be read any more: a banner, not a number in a corner. */
function Damaged({ overview }: { overview: Overview }) {
  const { damaged_events: damaged } = overview.ingest
  if (!damaged) return null
  return (
    <p role="alert" className="rounded-lg px-3 py-2 soft-critical">
      <b className="font-semibold">{plural(damaged, 'stored event')} cannot be read any more.</b>{' '}
      <Link to="/ingest" className="underline">
        See ingest health
      </Link>
    </p>
  )
}
