/** Ingest: does everything arrive, is it processed, what could not be read and why. */
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { lazy, Suspense, useState } from 'react'
import { deadLettersQuery, ingestQuery } from '@/api/queries'
import type { DeadLetter, IngestStats } from '@/api/types'
import { useSearchParams, useSetSearch } from '@/app/search'
import { useCan } from '@/app/session'
import { useList } from '@/app/use-list'
import {
  Ago,
  Btn,
  bytes,
  Card,
  Chip,
  cn,
  dayClock,
  fmt,
  Loaded,
  NoPermission,
  plural,
  Skeleton,
  short,
  span,
} from '@/ui'
import { Tabs } from '@/ui/tabs'
import { Figures, Syslog } from './figures'

const Fields = lazy(() => import('./fields').then(module => ({ default: module.Fields })))
const TABS = [
  { id: 'health', label: 'Health' },
  { id: 'fields', label: 'Fields' },
]

/** A source whose clock is off by more than this is named. */
const SKEW_MS = 60_000
const SILENT_S = 900

export default function IngestPage() {
  const can = useCan()
  const { tab = 'health' } = useSearchParams()
  const set = useSetSearch()
  if (!can('ingest.read')) return <NoPermission need="ingest.read" />
  return (
    <div className="flex h-full min-h-0 flex-col">
      <div className="flex h-11 shrink-0 items-center gap-2 border-b border-line px-4">
        <h1 className="mr-4 text-sm font-semibold">Ingest</h1>
        <Tabs
          label="Ingest"
          tabs={TABS}
          value={tab}
          onChange={id => set({ tab: id === 'health' ? undefined : id })}
          tall
        />
        {tab === 'health' && (
          <span className="text-xs text-fg-3 max-md:hidden">Counts since the data directory was made</span>
        )}
      </div>
      <section className="scroll min-h-0 flex-1 overflow-y-auto p-4" aria-label="Ingest health" tabIndex={0}>
        <div className="mx-auto flex max-w-[1280px] flex-col gap-3">
          {tab === 'fields' ? (
            <Suspense fallback={<Skeleton label="Loading fields" />}>
              <Fields />
            </Suspense>
          ) : (
            <Health />
          )}
        </div>
      </section>
    </div>
  )
}

function Health() {
  const query = useQuery(ingestQuery)
  return (
    <>
      <Loaded query={query} what="Ingest figures" skeleton={<Skeleton rows={6} label="Loading ingest figures" />}>
        {stats => (
          <>
            {stats.damaged_events > 0 && (
              <p role="alert" className="rounded-lg px-3 py-2 soft-critical">
                <b className="font-semibold">{plural(stats.damaged_events, 'stored event')} cannot be read any more.</b>{' '}
                The server log names the segments; everything else is processed.
              </p>
            )}
            <Figures stats={stats} />
            {stats.syslog && <Syslog counts={stats.syslog} />}
            <Sources stats={stats} />
          </>
        )}
      </Loaded>
      <DeadLetters />
    </>
  )
}

function Sources({ stats }: { stats: IngestStats }) {
  const { sources } = stats
  return (
    <Card
      title="Sources"
      extra={stats.watermark ? `event time has come to ${dayClock(stats.watermark)}` : `${sources.length} known`}
    >
      {sources.length === 0 ? (
        <p className="p-4 text-fg-3">
          Nothing has sent an event. Make an ingest token under{' '}
          <Link to="/settings" className="text-accent hover:underline">
            Settings
          </Link>{' '}
          and POST lines to /api/v1/events.
        </p>
      ) : (
        <div className="scroll overflow-x-auto">
          <table className="w-full text-left text-xs max-md:min-w-[620px]">
            <thead className="text-fg-3">
              <tr className="h-8 border-b border-line">
                <th className="px-3 font-medium">Source</th>
                <th className="text-right font-medium">Events</th>
                <th className="text-right font-medium">Last event</th>
                <th className="text-right font-medium">Last arrival</th>
                <th className="text-right font-medium" title="Events that came behind the watermark of their source">
                  Late
                </th>
                <th className="px-3 text-right font-medium">Clock</th>
              </tr>
            </thead>
            <tbody>
              {sources.map(s => (
                <SourceRow key={s.source} source={s} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Card>
  )
}

function SourceRow({ source }: { source: IngestStats['sources'][number] }) {
  const skew = source.skew_ms
  const silent = source.last_ingested_at ? (Date.now() - Date.parse(source.last_ingested_at)) / 1000 > SILENT_S : false
  return (
    <tr className="h-9 border-b border-line/60 last:border-0">
      <td className="px-3">
        <Link to="/events" search={{ source: source.source }} className="font-medium text-accent hover:underline">
          {source.source}
        </Link>
      </td>
      <td className="num text-right">{fmt(source.events)}</td>
      <td className="text-right text-fg-2">
        {source.last_event_at ? <Ago at={source.last_event_at} suffix /> : 'never'}
      </td>
      <td className="text-right text-fg-2">
        <span className="inline-flex items-center gap-1.5">
          {silent && <Chip tone="medium">silent</Chip>}
          {source.last_ingested_at ? <Ago at={source.last_ingested_at} suffix /> : 'never'}
        </span>
      </td>
      <td className="num text-right">{source.late ? fmt(source.late) : <span className="text-fg-3">none</span>}</td>
      <td className="num px-3 text-right">
        {Math.abs(skew) > SKEW_MS ? (
          <Chip tone="medium" title="The events' own time against ours at arrival">
            {span(Math.abs(skew) / 1000)} {skew > 0 ? 'behind' : 'ahead'}
          </Chip>
        ) : (
          <span className="text-fg-3">in step</span>
        )}
      </td>
    </tr>
  )
}

function DeadLetters() {
  const { query, items, more, loadMore } = useList(deadLettersQuery)
  return (
    <Card title="Dead letters" extra="What could not be read, with the reason">
      <Loaded query={query} what="Dead letters">
        {() =>
          items?.length ? (
            <>
              <ul className="scroll overflow-x-auto">
                {items.map(letter => (
                  <Letter key={letter.id} letter={letter} />
                ))}
              </ul>
              {more && (
                <div className="p-3 text-center">
                  <Btn onClick={loadMore}>Load more</Btn>
                </div>
              )}
            </>
          ) : (
            <p className="p-4 text-fg-3">None: every line that came could be read.</p>
          )
        }
      </Loaded>
    </Card>
  )
}

function Letter({ letter }: { letter: DeadLetter }) {
  const [open, setOpen] = useState(false)
  return (
    <li className="border-b border-line/60 last:border-0 max-md:min-w-[760px]">
      <button
        type="button"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
        className={cn(
          'grid min-h-9 w-full grid-cols-[112px_84px_76px_130px_minmax(0,1fr)_72px_56px] items-center gap-2 px-3 text-left text-xs hover:bg-hover',
          open && 'bg-active',
        )}
      >
        <time className="num text-fg-3">{dayClock(letter.at)}</time>
        <span>
          <Chip tone="neutral">{letter.stage}</Chip>
        </span>
        <span className="truncate text-fg-2">{letter.source ?? 'unknown'}</span>
        <code className="truncate font-mono text-2xs">{letter.code}</code>
        <span className="truncate">{letter.detail}</span>
        <span className="num text-right text-fg-3">{bytes(letter.size)}</span>
        <span className="text-right font-mono text-2xs text-fg-3">{short(letter.id)}</span>
      </button>
      {open && (
        <pre
          tabIndex={0}
          className="scroll mx-3 mb-2 max-h-56 overflow-auto rounded-md border border-line bg-bg p-2.5 font-mono text-[11.5px] leading-4.5 break-all whitespace-pre-wrap text-fg-2"
        >
          {letter.detail}
          {'\n\n'}
          {letter.sample ?? 'No sample was kept.'}
        </pre>
      )}
    </li>
  )
}
