/** The key figures. A sparkline only where the API has a series. */
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import type { Overview } from '@/api/types'
import { cn, fmt } from '@/ui'
import { everyMinute } from './charts'

type KpiProps = { label: string; value: string; note: ReactNode; to: string; spark?: number[]; tone?: string }

function Kpi({ label, value, note, to, spark, tone = 'accent' }: KpiProps) {
  return (
    <Link to={to} className="min-w-0 flex-1 border-r border-line px-4 py-3 last:border-0 hover:bg-hover">
      <div className="truncate text-xs text-fg-3">{label}</div>
      <div className="mt-1 flex items-end justify-between gap-2">
        <div className="min-w-0">
          <div className={cn('num text-2xl font-semibold tracking-tight', tone !== 'accent' && `text-${tone}`)}>
            {value}
          </div>
          <div className="num truncate text-2xs text-fg-3">{note}</div>
        </div>
        {spark && <Spark values={spark} />}
      </div>
    </Link>
  )
}

function Spark({ values, width = 76, height = 28 }: { values: number[]; width?: number; height?: number }) {
  if (values.length < 2) return null
  const most = Math.max(1, ...values)
  const points = values.map(
    (v, i) =>
      `${((i / (values.length - 1)) * (width - 2) + 1).toFixed(1)} ${(height - 2 - (v / most) * (height - 5)).toFixed(1)}`,
  )
  return (
    <svg width={width} height={height} aria-hidden="true" className="shrink-0 text-accent">
      <path d={`M${points.join('L')}L${width - 1} ${height}L1 ${height}Z`} fill="currentColor" opacity=".12" />
      <path d={`M${points.join('L')}`} fill="none" stroke="currentColor" strokeWidth="1.4" strokeLinejoin="round" />
    </svg>
  )
}

/** At most 24 points, each a sum, so that a sparkline shows the shape and not the noise. */
export function condense(values: number[], points = 24): number[] {
  const size = Math.max(1, Math.ceil(values.length / points))
  const out: number[] = []
  for (let at = 0; at < values.length; at += size) out.push(values.slice(at, at + size).reduce((a, b) => a + b, 0))
  return out
}

export function Kpis({ overview: o }: { overview: Overview }) {
  const severe = (o.alerts.by_severity.critical ?? 0) + (o.alerts.by_severity.high ?? 0)
  const perMinute = everyMinute(o).map(p => p.count)
  const alertSeries = o.alert_series.map(s => s.critical + s.high + s.medium + s.low + s.informational)
  return (
    <section aria-label="Key figures" className="flex rounded-lg border border-line bg-surface">
      <Kpi
        label="Open incidents"
        value={fmt(o.incidents.open)}
        note={`${fmt(o.incidents.total)} in all`}
        to="/incidents"
        tone={o.incidents.open ? 'critical' : 'ok'}
      />
      <Kpi
        label="Open alerts"
        value={fmt(o.alerts.open)}
        note={`${fmt(severe)} critical or high`}
        to="/alerts"
        spark={condense(alertSeries)}
      />
      <Kpi
        label="Waiting for approval"
        value={fmt(o.plans.waiting_count)}
        note={o.plans.waiting_count ? 'a person decides' : 'nothing waits'}
        to="/approvals"
        tone={o.plans.waiting_count ? 'medium' : 'accent'}
      />
      <Kpi
        label="Actions in force"
        value={fmt(o.actions.live)}
        note={`${fmt(o.actions.drifted)} drifted · ${fmt(o.actions.undone)} undone`}
        to="/approvals"
        tone={o.actions.drifted ? 'high' : 'accent'}
      />
      <Kpi
        label="Events stored"
        value={fmt(o.events.stored)}
        note={o.ingest.lag_events ? `${fmt(o.ingest.lag_events)} behind` : 'all processed'}
        to="/ingest"
        spark={condense(perMinute)}
      />
    </section>
  )
}
