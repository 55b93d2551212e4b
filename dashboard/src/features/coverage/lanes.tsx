/** When each source was checked: a lane a source, hatched where nothing looked. */
import { Link } from '@tanstack/react-router'
import type { CoverageLog, CoverageStatus, CoverageWindow } from '@/api/detection-types'
import { absolute, Chip, clock, cn, dayClock, fmt, span } from '@/ui'
import { Table, Td, Tr } from '@/ui/table'

export const STATUS: Record<CoverageStatus, { label: string; tone: string; fill: string; means: string }> = {
  evaluated: { label: 'Checked', tone: 'ok', fill: 'var(--ok-fill)', means: 'Every event was evaluated.' },
  shadow: { label: 'In shadow', tone: 'low', fill: 'var(--low-fill)', means: 'Evaluated, and raised no alert.' },
  not_checked: {
    label: 'Not checked',
    tone: 'critical',
    fill: 'url(#unchecked)',
    means: 'Events came that nothing looked at.',
  },
  silent: { label: 'Silent', tone: 'neutral', fill: 'var(--line-strong)', means: 'The source sent nothing.' },
}
const ORDER: CoverageStatus[] = ['evaluated', 'shadow', 'not_checked', 'silent']
const WIDTH = 1000

/** Where a window lies in a lane, never outside it and never too thin to see. */
export function place(window: CoverageWindow, from: number, to: number) {
  const scale = WIDTH / Math.max(1, to - from)
  const x = Math.max(0, (Date.parse(window.from) - from) * scale)
  const end = Math.min(WIDTH, (Date.parse(window.to) - from) * scale)
  return { x, width: Math.max(1.5, end - x) }
}

export const bySource = (windows: CoverageWindow[]) => {
  const lanes = new Map<string, CoverageWindow[]>()
  for (const window of windows) lanes.set(window.source, [...(lanes.get(window.source) ?? []), window])
  return [...lanes].sort(([a], [b]) => a.localeCompare(b))
}

const lasting = (w: CoverageWindow) => span((Date.parse(w.to) - Date.parse(w.from)) / 1000)
const isGap = (w: CoverageWindow) => w.status === 'not_checked'

export function Lanes({ log }: { log: CoverageLog }) {
  const [from, to] = [Date.parse(log.from), Date.parse(log.to)]
  const lanes = bySource(log.windows)
  return (
    <figure className="m-0">
      <div className="flex flex-col gap-1" aria-hidden="true">
        <Hatch />
        {lanes.map(([source, windows]) => (
          <div key={source} className="grid grid-cols-[150px_minmax(0,1fr)] items-center gap-3">
            <span className="truncate font-mono text-xs text-fg-2" title={source}>
              {source}
            </span>
            <svg
              viewBox={`0 0 ${WIDTH} 16`}
              preserveAspectRatio="none"
              className="block h-4 w-full rounded-sm bg-raised"
            >
              <title>{source}</title>
              {windows.map(w => {
                const { x, width } = place(w, from, to)
                return (
                  <rect key={`${w.from}${w.status}`} x={x} width={width} y={0} height={16} fill={STATUS[w.status].fill}>
                    <title>{`${STATUS[w.status].label}, ${dayClock(w.from)} to ${dayClock(w.to)}${w.why ? `: ${w.why}` : ''}`}</title>
                  </rect>
                )
              })}
            </svg>
          </div>
        ))}
        <div className="num grid grid-cols-[150px_minmax(0,1fr)] gap-3 text-2xs text-fg-3">
          <span />
          <span className="flex justify-between">
            {[0, 0.25, 0.5, 0.75, 1].map(at => (
              <span key={at}>{clock(from + (to - from) * at)}</span>
            ))}
          </span>
        </div>
      </div>
      <figcaption className="mt-2 flex flex-wrap gap-x-4 gap-y-1 text-xs text-fg-2">
        {ORDER.map(status => (
          <span key={status} className="flex items-center gap-1.5" title={STATUS[status].means}>
            <svg width="12" height="12" aria-hidden="true">
              <rect width="12" height="12" rx="2" fill={STATUS[status].fill} />
            </svg>
            {STATUS[status].label}
          </span>
        ))}
      </figcaption>
    </figure>
  )
}

/** Not colour alone: what was not checked is hatched. */
const Hatch = () => (
  <svg width="0" height="0" className="absolute" aria-hidden="true">
    <defs>
      <pattern id="unchecked" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
        <rect width="6" height="6" fill="var(--critical-fill)" opacity="0.35" />
        <rect width="3" height="6" fill="var(--critical-fill)" />
      </pattern>
    </defs>
  </svg>
)

/** The same in words; the gaps first. */
export function WindowTable({ windows }: { windows: CoverageWindow[] }) {
  const rows = [...windows].sort(
    (a, b) => Number(isGap(b)) - Number(isGap(a)) || Date.parse(b.from) - Date.parse(a.from),
  )
  return (
    <Table
      acts={false}
      label="Windows of time"
      head={['Source', 'Was', 'From', 'To', 'For', 'Events', 'Late', 'Skipped', 'Why']}
    >
      {rows.map(w => (
        <Tr key={`${w.source}${w.from}${w.status}`}>
          <Td className="font-mono">
            <Link
              to="/events"
              search={{ source: w.source, from: w.from, to: w.to }}
              className="text-accent hover:underline"
            >
              {w.source}
            </Link>
          </Td>
          <Td>
            <Chip tone={STATUS[w.status].tone}>{STATUS[w.status].label}</Chip>
          </Td>
          <Td className="num whitespace-nowrap text-fg-2">
            <time dateTime={w.from} title={absolute(w.from)}>
              {dayClock(w.from)}
            </time>
          </Td>
          <Td className="num whitespace-nowrap text-fg-2">
            <time dateTime={w.to} title={absolute(w.to)}>
              {dayClock(w.to)}
            </time>
          </Td>
          <Td className="num text-fg-3">{lasting(w)}</Td>
          <Td className="num">{fmt(w.events)}</Td>
          <Td className="num text-fg-2">{w.late ? fmt(w.late) : ''}</Td>
          <Td className="num">{w.skipped ? <b className="font-medium text-medium">{fmt(w.skipped)}</b> : ''}</Td>
          <Td className={cn('text-fg-2', isGap(w) && 'text-fg')}>{w.why}</Td>
        </Tr>
      ))}
    </Table>
  )
}
