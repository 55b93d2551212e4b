/** The two volumes: alerts by severity, events by minute. The chart library loads behind the page. */
import { lazy, Suspense, useMemo } from 'react'
import { type Overview, SEVERITIES } from '@/api/types'
import { Card, cap, fmt, sevTone } from '@/ui'

const TimeChart = lazy(() => import('@/ui/time-chart'))
const seconds = (iso: string) => Date.parse(iso) / 1000

export function AlertVolume({ overview, hours }: { overview: Overview; hours: number }) {
  const { alert_series: data } = overview
  const x = useMemo(() => data.map(p => seconds(p.at)), [data])
  const series = useMemo(
    () =>
      [...SEVERITIES]
        .reverse()
        .map(s => ({ label: cap(s), color: `--${sevTone(s)}-fill`, values: data.map(p => p[s]) })),
    [data],
  )
  const total = series.reduce((sum, s) => sum + s.values.reduce((a, b) => a + b, 0), 0)
  return (
    <Card
      title="Alert volume"
      extra={
        <span className="flex gap-3">
          {series.map(s => (
            <span key={s.label} className="flex items-center gap-1.5">
              <span className="size-2 rounded-[2px]" style={{ background: `var(${s.color})` }} />
              {s.label}
            </span>
          ))}
        </span>
      }
    >
      {total === 0 ? (
        <p className="grid h-[168px] place-items-center text-fg-3">No alert in the last {hours} hours.</p>
      ) : (
        <Suspense fallback={<div className="h-[168px]" />}>
          <TimeChart
            x={x}
            series={series}
            height={168}
            kind="bars"
            label={`Alerts by severity over the last ${hours} hours: ${fmt(total)} in all`}
          />
        </Suspense>
      )}
    </Card>
  )
}

const MINUTE = 60_000

/** Every minute of the range: the API names only those in which something came. */
export function everyMinute(overview: Pick<Overview, 'from' | 'to' | 'events'>) {
  const counts = new Map(overview.events.per_minute.map(p => [Math.floor(Date.parse(p.at) / MINUTE), p.count]))
  const first = Math.floor(Date.parse(overview.from) / MINUTE)
  const last = Math.floor(Date.parse(overview.to) / MINUTE)
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => ({
    at: new Date((first + i) * MINUTE).toISOString(),
    count: counts.get(first + i) ?? 0,
  }))
}

export function IngestVolume({ overview }: { overview: Overview }) {
  const data = useMemo(() => everyMinute(overview), [overview])
  const x = useMemo(() => data.map(p => seconds(p.at)), [data])
  const series = useMemo(() => [{ label: 'Events', color: '--accent', values: data.map(p => p.count) }], [data])
  const total = data.reduce((sum, p) => sum + p.count, 0)
  return (
    <Card title="Events per minute" extra={<span className="num">{fmt(total)} in this range</span>}>
      {total === 0 ? (
        <p className="grid h-[132px] place-items-center text-fg-3">No event has arrived in this range.</p>
      ) : (
        <Suspense fallback={<div className="h-[132px]" />}>
          <TimeChart x={x} series={series} height={132} kind="area" label={`Events per minute: ${fmt(total)} in all`} />
        </Suspense>
      )}
    </Card>
  )
}
