/** How far a job is, as a bar that screen readers read as such. */
import { cn } from './basic'
import { fmt } from './format'

type Props = { done: number; total: number; label: string; tone?: 'accent' | 'ok' | 'critical'; className?: string }

/** Whole per cent, and 100 only when everything is done. */
export const percent = (done: number, total: number) =>
  total <= 0 ? (done > 0 ? 100 : 0) : Math.min(100, Math.floor((100 * done) / total))

export function Progress({ done, total, label, tone = 'accent', className }: Props) {
  const now = percent(done, total)
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={now}
      aria-valuetext={`${fmt(done)} of ${fmt(total)}`}
      className={cn('h-1.5 overflow-hidden rounded-full bg-line', className)}
    >
      <div className={cn('h-full rounded-full', TONE[tone])} style={{ width: `${now}%` }} />
    </div>
  )
}
const TONE = { accent: 'bg-accent', ok: 'bg-ok', critical: 'bg-critical' }
