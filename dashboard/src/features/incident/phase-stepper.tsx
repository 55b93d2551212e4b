/** How far an incident is: as steps on its page, as bars in lists. */
import { Check } from 'lucide-react'
import type { Phase } from '@/api/types'
import { cn } from '@/ui/basic'
import { PHASES } from '@/ui/labels'
import { phaseIndex } from './phases'

export function PhaseStepper({ phase }: { phase: Phase }) {
  const at = phaseIndex(phase)
  return (
    <ol className="flex items-center gap-1" aria-label="Incident phase">
      {PHASES.map((p, i) => {
        const done = i < at || (i === at && phase === 'resolved')
        return (
          <li
            key={p.id}
            aria-current={i === at ? 'step' : undefined}
            className={cn(
              'flex h-6 items-center gap-1.5 rounded-full border px-2',
              i === at && 'border-accent/60 bg-accent-soft font-medium text-fg',
              i < at && 'border-transparent text-fg-2',
              i > at && 'border-line',
            )}
          >
            {done && <Check size={12} className="text-ok" aria-hidden="true" />}
            {i === at && !done && <span className="pulse size-1.5 rounded-full bg-accent" />}
            {p.label}
          </li>
        )
      })}
    </ol>
  )
}

export function PhaseBars({ phase }: { phase: Phase }) {
  const at = phaseIndex(phase)
  const label = PHASES[at]?.label ?? phase
  return (
    <span className="flex items-center gap-[3px]" role="img" aria-label={`Phase: ${label}`} title={label}>
      {PHASES.map((p, i) => (
        <span
          key={p.id}
          className={cn(
            'h-1.5 flex-1 rounded-full',
            i > at && 'bg-line-strong',
            i === at && phase !== 'resolved' && 'bg-accent',
            (i < at || (i === at && phase === 'resolved')) && 'bg-ok',
          )}
        />
      ))}
    </span>
  )
}
