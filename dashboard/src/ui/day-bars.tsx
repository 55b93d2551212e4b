/** A number a day as bars; the same numbers as a table for who cannot see them. */
import { fmt } from './format'

export type Day = { day: string; alerts: number; matches: number }
const HEIGHT = 120
const BAR = 22
const GAP = 4

const name = (day: string) =>
  new Date(`${day}T00:00:00Z`).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' })

/** The next number that makes a readable axis: 1, 2, 5, 10, 20, 50 … */
export function ceiling(n: number) {
  if (n <= 1) return 1
  const power = 10 ** Math.floor(Math.log10(n))
  return ([1, 2, 5, 10].find(step => step * power >= n) ?? 10) * power
}

export function DayBars({ days, label }: { days: Day[]; label: string }) {
  const top = ceiling(Math.max(0, ...days.map(d => d.alerts)))
  const width = Math.max(1, days.length) * (BAR + GAP)
  const every = Math.max(1, Math.ceil(days.length / 10))
  return (
    <figure className="m-0" data-day-bars>
      <div className="flex gap-2" aria-hidden="true">
        <div
          className="num flex flex-col justify-between py-px text-right text-2xs text-fg-3"
          style={{ height: HEIGHT }}
        >
          <span>{fmt(top)}</span>
          <span>{top > 1 ? fmt(Math.round(top / 2)) : ''}</span>
          <span>0</span>
        </div>
        <div className="min-w-0 flex-1">
          <svg
            viewBox={`0 0 ${width} ${HEIGHT}`}
            preserveAspectRatio="none"
            className="block w-full border-b border-line-strong"
            height={HEIGHT}
            style={{ maxWidth: Math.max(280, days.length * 72) }}
          >
            <title>{label}</title>
            {[0, 0.5].map(at => (
              <line key={at} x1={0} x2={width} y1={at * HEIGHT + 0.5} y2={at * HEIGHT + 0.5} stroke="var(--line)" />
            ))}
            {days.map((d, i) => {
              const h = d.alerts ? Math.max(2, (d.alerts / top) * (HEIGHT - 2)) : 0
              return (
                <rect
                  key={d.day}
                  x={i * (BAR + GAP) + GAP / 2}
                  y={HEIGHT - h}
                  width={BAR}
                  height={h}
                  rx={2}
                  fill="var(--accent-solid)"
                >
                  <title>{`${name(d.day)}: ${fmt(d.alerts)} alerts from ${fmt(d.matches)} matches`}</title>
                </rect>
              )
            })}
          </svg>
          <div className="num mt-1 flex text-2xs text-fg-3" style={{ maxWidth: Math.max(280, days.length * 72) }}>
            {days.map((d, i) => (
              <span key={d.day} className="min-w-0 flex-1 overflow-visible text-center whitespace-nowrap">
                {i % every === 0 ? name(d.day) : ''}
              </span>
            ))}
          </div>
        </div>
      </div>
      <table className="sr-only">
        <caption>{label}</caption>
        <thead>
          <tr>
            <th scope="col">Day (UTC)</th>
            <th scope="col">Alerts</th>
            <th scope="col">Matches</th>
          </tr>
        </thead>
        <tbody>
          {days.map(d => (
            <tr key={d.day}>
              <th scope="row">{d.day}</th>
              <td>{d.alerts}</td>
              <td>{d.matches}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </figure>
  )
}
