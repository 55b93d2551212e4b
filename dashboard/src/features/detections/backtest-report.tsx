/** The report of a backtest: volume by day, who it is about, incidents caught and missed, what was not checked. */
import { Link } from '@tanstack/react-router'
import type { BacktestReport } from '@/api/detection-types'
import type { Severity } from '@/api/types'
import { absolute, Card, Chip, dayClock, EventRef, fmt, plural, SevIcon, took, verdictLabel, words } from '@/ui'
import { DayBars } from '@/ui/day-bars'
import { Table, Td, Tr } from '@/ui/table'

type Window = { from: string; to: string }
const DAY_MS = 86_400_000

/** Every day of the window, the quiet ones too. */
export function everyDay(report: Pick<BacktestReport, 'per_day'>, { from, to }: Window) {
  const known = new Map(report.per_day.map(d => [d.day, d]))
  const days: BacktestReport['per_day'] = []
  const last = new Date(Date.parse(to) - 1).toISOString().slice(0, 10)
  for (let at = Date.parse(`${from.slice(0, 10)}T00:00:00Z`); ; at += DAY_MS) {
    const day = new Date(at).toISOString().slice(0, 10)
    if (day > last) return days
    days.push(known.get(day) ?? { day, alerts: 0, matches: 0 })
  }
}

export function Report({ report, window }: { report: BacktestReport; window: Window }) {
  const perDay = everyDay(report, window)
  const days = Math.max(1, (Date.parse(window.to) - Date.parse(window.from)) / DAY_MS)
  return (
    <>
      {report.not_checked.length > 0 && <NotChecked items={report.not_checked} />}
      <Figures report={report} days={days} />
      <Card title="Alerts a day" extra="days in UTC" body="p-3">
        <DayBars days={perDay} label={`Alerts a day over ${plural(perDay.length, 'day')}`} />
      </Card>
      <div className="grid grid-cols-2 gap-3">
        <Entities report={report} />
        <Sample report={report} />
      </div>
      <Incidents report={report} />
    </>
  )
}

function NotChecked({ items }: { items: BacktestReport['not_checked'] }) {
  return (
    <div className="rounded-lg px-3 py-2 text-xs soft-medium" role="status">
      <p className="font-medium">Not everything was checked.</p>
      <ul className="mt-0.5">
        {items.map(item => (
          <li key={`${item.what}${item.detail}`}>
            {words(item.what)}: {plural(item.events, 'event')}. {item.detail}
          </li>
        ))}
      </ul>
    </div>
  )
}

function Figures({ report, days }: { report: BacktestReport; days: number }) {
  const daily = report.alerts / days
  const figures: [string, string, string][] = [
    ['Alerts', fmt(report.alerts), `${daily < 10 ? daily.toFixed(1) : fmt(Math.round(daily))} a day`],
    ['Matches', fmt(report.matches), 'events that fit'],
    [
      'Incidents caught',
      fmt(report.incidents.caught.length),
      `${plural(report.incidents.missed.length, 'known one')} not`,
    ],
    ['Events', fmt(report.events_in_window), `read in ${took(report.took_ms)}`],
  ]
  return (
    <section aria-label="Figures" className="flex rounded-lg border border-line bg-surface">
      {figures.map(([label, value, note]) => (
        <div key={label} className="min-w-0 flex-1 border-r border-line px-4 py-3 last:border-0">
          <div className="text-xs text-fg-3">{label}</div>
          <div className="num mt-1 text-2xl font-semibold tracking-tight">{value}</div>
          <div className="num truncate text-2xs text-fg-3">{note}</div>
        </div>
      ))}
    </section>
  )
}

function Entities({ report }: { report: BacktestReport }) {
  const top = Math.max(1, ...report.entities.map(e => e.matches))
  return (
    <Card title="Who it is about" extra={report.entities.length ? 'the most often' : undefined}>
      {report.entities.length ? (
        <ul className="p-1.5">
          {report.entities.slice(0, 10).map(e => (
            <li key={`${e.kind}${e.value}`} className="relative flex h-7 items-center gap-2 px-1.5 text-xs">
              <span
                className="absolute inset-y-0.5 left-0 rounded-sm bg-accent-soft"
                style={{ width: `${(e.matches / top) * 100}%` }}
                aria-hidden="true"
              />
              <Link
                to="/events"
                search={{ entity: `${e.kind}:${e.value}` }}
                className="relative min-w-0 truncate font-mono hover:underline"
              >
                {e.value}
              </Link>
              <span className="relative text-2xs text-fg-3">{e.kind}</span>
              <span className="num relative ml-auto">{fmt(e.matches)}</span>
            </li>
          ))}
        </ul>
      ) : (
        <p className="p-3 text-xs text-fg-3">Nothing matched.</p>
      )}
    </Card>
  )
}

function Sample({ report }: { report: BacktestReport }) {
  return (
    <Card title="Some of the matches" extra={report.sample.length ? plural(report.sample.length, 'event') : undefined}>
      {report.sample.length ? (
        <ul className="scroll max-h-76 overflow-y-auto" tabIndex={0} aria-label="Matching events">
          {report.sample.map(event => (
            <li
              key={event.event_id}
              className="flex h-7 items-center gap-2 border-b border-line/60 px-3 text-xs last:border-0"
            >
              <EventRef id={event.event_id} />
              <span className="truncate text-fg-2">{event.source}</span>
              <time className="num ml-auto whitespace-nowrap text-fg-3" dateTime={event.at} title={absolute(event.at)}>
                {dayClock(event.at)}
              </time>
            </li>
          ))}
        </ul>
      ) : (
        <p className="p-3 text-xs text-fg-3">Nothing matched.</p>
      )}
    </Card>
  )
}

const HOW: Record<string, string> = { event: 'by an event of it', entity: 'by who is in it' }

function Incidents({ report }: { report: BacktestReport }) {
  const { caught, missed, more } = report.incidents
  const rows = [...caught.map(i => ({ ...i, caught: true })), ...missed.map(i => ({ ...i, how: '', caught: false }))]
  return (
    <Card title="Known incidents of this time" extra={more ? `and ${fmt(more)} more` : undefined}>
      {rows.length ? (
        <Table
          acts={false}
          label="Known incidents"
          head={[
            <span key="s" className="sr-only">
              Severity
            </span>,
            'Incident',
            'Verdict',
            'This rule',
          ]}
        >
          {rows.map(incident => (
            <Tr key={incident.id}>
              <Td>
                <SevIcon s={incident.severity as Severity} />
              </Td>
              <Td>
                <Link to="/incidents/$id" params={{ id: incident.id }} className="text-accent hover:underline">
                  {incident.title}
                </Link>
              </Td>
              <Td className="text-fg-2">{incident.verdict ? verdictLabel(incident.verdict) : 'none yet'}</Td>
              <Td>
                {incident.caught ? (
                  <Chip tone="ok">
                    would have caught it{HOW[incident.how ?? ''] ? ` ${HOW[incident.how ?? '']}` : ''}
                  </Chip>
                ) : (
                  <Chip tone="neutral">would not have</Chip>
                )}
              </Td>
            </Tr>
          ))}
        </Table>
      ) : (
        <p className="p-3 text-xs text-fg-3">There was no incident in this window.</p>
      )}
    </Card>
  )
}
