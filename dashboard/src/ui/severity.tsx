/** Severity is colour and shape: a filled square, 3, 2 or 1 bars, a ring. Readable without colour. */
import { clsx } from 'clsx'
import type { Severity } from '@/api/types'
import { cap } from './format'

const TEXT: Record<Severity, string> = {
  critical: 'text-critical',
  high: 'text-high',
  medium: 'text-medium',
  low: 'text-low',
  informational: 'text-info',
}

/** The token that a severity is drawn with. */
export const sevTone = (severity: Severity) => (severity === 'informational' ? 'info' : severity)

const Critical = () => (
  <>
    <rect x="1" y="1" width="12" height="12" rx="3" fill="currentColor" />
    <path d="M7 3.6v4.1" stroke="var(--surface)" strokeWidth="1.7" strokeLinecap="round" />
    <circle cx="7" cy="10.2" r="1" fill="var(--surface)" />
  </>
)

const Bars = ({ lit }: { lit: number }) =>
  [0, 1, 2].map(i => (
    <rect
      key={i}
      x={1.5 + i * 4}
      y={9 - i * 3}
      width="3"
      height={4 + i * 3}
      rx="1"
      fill="currentColor"
      opacity={i < lit ? 1 : 0.25}
    />
  ))

export function SevIcon({ s, className }: { s: Severity; className?: string }) {
  return (
    <svg
      viewBox="0 0 14 14"
      width="14"
      height="14"
      className={clsx('shrink-0', TEXT[s], className)}
      role="img"
      aria-label={`${cap(s)} severity`}
    >
      {s === 'critical' ? (
        <Critical />
      ) : s === 'informational' ? (
        <circle cx="7" cy="7" r="2.6" fill="none" stroke="currentColor" strokeWidth="1.5" />
      ) : (
        <Bars lit={s === 'high' ? 3 : s === 'medium' ? 2 : 1} />
      )}
    </svg>
  )
}
