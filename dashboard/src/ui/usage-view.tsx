/** Usage as figures and bars a day; the bars are a list for a screen reader. */
import { useMemo } from 'react'
import type { Usage } from '@/api/types'
import { fmt } from './format'

const DAY_MS = 86_400_000

/** The last days, to the minute, so that the reading keeps its key while the page is open. */
export const useDays = (days: number) =>
  useMemo(() => {
    const to = Math.ceil(Date.now() / 60_000) * 60_000
    return { from: new Date(to - days * DAY_MS).toISOString(), to: new Date(to).toISOString() }
  }, [days])

const NOW: [keyof Usage, string][] = [
  ['members', 'Members'],
  ['custom_roles', 'Custom roles'],
  ['keys', 'API keys'],
  ['tokens', 'Tokens'],
  ['sessions', 'Open sessions'],
  ['sources', 'Sources'],
]
const RANGE: [keyof Usage, string][] = [
  ['events', 'Events'],
  ['alerts', 'Alerts'],
  ['incidents', 'Incidents'],
  ['actions', 'Actions'],
  ['ledger_entries', 'Ledger entries'],
]

export function UsageView({ usage }: { usage: Usage }) {
  return (
    <div className="flex flex-col gap-4 p-3">
      <Figures title="In this range" usage={usage} which={RANGE} />
      <DayBars usage={usage} />
      <Figures title="Now" usage={usage} which={NOW} />
    </div>
  )
}

function Figures({ title, usage, which }: { title: string; usage: Usage; which: [keyof Usage, string][] }) {
  return (
    <div>
      <h3 className="mb-1.5 text-2xs text-fg-3">{title}</h3>
      <dl className="grid grid-cols-3 gap-2 md:grid-cols-6">
        {which.map(([key, label]) => (
          <div key={key} className="rounded-md border border-line px-2.5 py-1.5">
            <dt className="text-2xs text-fg-3">{label}</dt>
            <dd className="num text-lg leading-6 font-semibold tracking-tight">{fmt(Number(usage[key]))}</dd>
          </div>
        ))}
      </dl>
    </div>
  )
}

/** Every day of the range: the API names only those on which something came. */
export function everyDay(usage: Pick<Usage, 'from' | 'to' | 'events_by_day'>) {
  const day = (iso: string) => Math.floor(Date.parse(iso) / DAY_MS)
  const counts = new Map(usage.events_by_day.map(d => [day(d.day), d.events]))
  const first = day(usage.from)
  return Array.from({ length: Math.max(1, day(usage.to) - first + 1) }, (_, i) => ({
    day: new Date((first + i) * DAY_MS).toISOString().slice(0, 10),
    events: counts.get(first + i) ?? 0,
  }))
}

const dayLabel = (day: string) =>
  new Date(day).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' })

function DayBars({ usage }: { usage: Usage }) {
  const days = everyDay(usage)
  const most = Math.max(1, ...days.map(d => d.events))
  const [first, last] = [days[0], days.at(-1)]
  return (
    <div>
      <h3 className="mb-1.5 text-2xs text-fg-3">Events a day, at most {fmt(most)}</h3>
      <ul aria-label="Events a day" className="flex h-28 items-end gap-0.5 border-b border-line">
        {days.map(d => (
          <li
            key={d.day}
            title={`${dayLabel(d.day)}: ${fmt(d.events)}`}
            className="flex h-full min-w-0 flex-1 items-end hover:bg-hover"
          >
            <span className="sr-only">
              {dayLabel(d.day)}: {fmt(d.events)}
            </span>
            <span
              aria-hidden="true"
              className="w-full rounded-t-[2px] bg-accent"
              style={{ height: d.events ? `max(2px, ${(d.events / most) * 100}%)` : 0 }}
            />
          </li>
        ))}
      </ul>
      <p className="num mt-1 flex justify-between text-2xs text-fg-3" aria-hidden="true">
        <span>{first && dayLabel(first.day)}</span>
        <span>{last && dayLabel(last.day)}</span>
      </p>
    </div>
  )
}
