/** A time series on uPlot: stacked bars or an area. Colours come from tokens, so themes switch without a reload. */
import { useEffect, useRef } from 'react'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { useTheme } from '@/app/prefs'
import { clock, dayClock, fmt } from './format'

export type Series = { label: string; color: string; values: number[] }
type Props = { x: number[]; series: Series[]; height: number; kind: 'bars' | 'area'; label: string }

const css = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

function stack(series: Series[]) {
  const sum = new Array<number>(series[0]?.values.length ?? 0).fill(0)
  return series.map(s =>
    s.values.map((v, i) => {
      sum[i] = (sum[i] ?? 0) + v
      return sum[i] as number
    }),
  )
}

function makeChart(element: HTMLElement, { x, series, height, kind }: Props, onCursor: (i: number | null) => void) {
  const bars = kind === 'bars'
  const values = bars ? stack(series) : series.map(s => s.values)
  const order = bars ? series.map((_, i) => series.length - 1 - i) : series.map((_, i) => i)
  const axis = {
    stroke: css('--fg-3'),
    grid: { stroke: css('--line'), width: 1 },
    ticks: { show: false },
    font: '11px Geist, sans-serif',
  }
  const paths = uPlot.paths.bars?.({ size: [0.72, 40], gap: 0, radius: 0.15 })
  return new uPlot(
    {
      width: element.clientWidth,
      height,
      padding: [8, 8, 0, 0],
      cursor: { y: false, points: { show: false }, drag: { x: true, y: false } },
      legend: { show: false },
      scales: { y: { range: (_u, _min, max) => [0, max * 1.12 || 1] } },
      axes: [
        { ...axis, space: 70, size: 24, grid: { show: false }, values: (_u, ticks) => ticks.map(t => clock(t * 1000)) },
        { ...axis, size: 44, space: 34, values: (_u, ticks) => ticks.map(t => (Number.isInteger(t) ? fmt(t) : '')) },
      ],
      series: [
        {},
        ...order.map(i => ({
          label: series[i]?.label,
          stroke: css(series[i]?.color ?? '--accent'),
          fill: bars
            ? css(series[i]?.color ?? '--accent')
            : `color-mix(in oklab, ${css(series[i]?.color ?? '--accent')} 14%, transparent)`,
          width: bars ? 0 : 1.25,
          ...(bars && paths ? { paths } : {}),
          points: { show: false },
        })),
      ],
      hooks: { setCursor: [u => onCursor(u.cursor.idx ?? null)] },
    },
    [x, ...order.map(i => values[i] as number[])] as uPlot.AlignedData,
    element,
  )
}

export default function TimeChart(props: Props) {
  const box = useRef<HTMLDivElement>(null)
  const readout = useRef<HTMLDivElement>(null)
  const theme = useTheme()
  const { x, series, height, kind, label } = props
  // biome-ignore lint/correctness/useExhaustiveDependencies: the theme changes what the tokens read
  useEffect(() => {
    const element = box.current
    if (!element) return
    const chart = makeChart(element, props, i => {
      if (!readout.current) return
      const at = i === null ? undefined : x[i]
      readout.current.textContent =
        at === undefined
          ? ''
          : `${dayClock(at * 1000)}  ${series.map(s => `${s.label} ${fmt(s.values[i as number] ?? 0)}`).join('  ')}`
    })
    const watcher = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height }))
    watcher.observe(element)
    return () => {
      watcher.disconnect()
      chart.destroy()
    }
  }, [x, series, height, kind, theme])
  return (
    <div className="relative">
      <div ref={box} role="img" aria-label={label} style={{ height }} />
      <div ref={readout} className="num pointer-events-none absolute top-1 right-3 text-2xs text-fg-3" />
    </div>
  )
}
