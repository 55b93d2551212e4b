/** One incident in two lines: what and how bad, what it touches and how far it is. */
import { Link } from '@tanstack/react-router'
import { memo } from 'react'
import type { Incident } from '@/api/types'
import { useNames } from '@/app/names'
import { PhaseBars } from '@/features/incident/phase-stepper'
import { phaseOf } from '@/features/incident/phases'
import { Ago, Avatar, Chip, cn, Marks, plural, SevIcon, short, touches, verdictLabel, words } from '@/ui'

export const IncidentRow = memo(function IncidentRow({ incident, active }: { incident: Incident; active?: boolean }) {
  const names = useNames()
  const owner = incident.assignee ? names(incident.assignee) : null
  const done = incident.status === 'resolved' || incident.status === 'closed'
  return (
    <li id={`r-${incident.id}`}>
      <Link
        to="/incidents/$id"
        params={{ id: incident.id }}
        className={cn(
          'grid h-13 grid-cols-[18px_minmax(0,1fr)_104px_92px_44px] items-center gap-3 border-b border-line/60 px-4 hover:bg-hover',
          active && 'bg-active shadow-[inset_2px_0_var(--accent)]',
        )}
      >
        <SevIcon s={incident.severity} />
        <span className="min-w-0">
          <span className="flex min-w-0 items-center gap-2">
            <span className={cn('truncate font-medium', done && 'text-fg-2')}>{incident.title}</span>
            <Marks demo={incident.demo} />
            {incident.verdict && <Chip tone="neutral">{verdictLabel(incident.verdict)}</Chip>}
            {incident.merged_into && <Chip tone="neutral">merged</Chip>}
          </span>
          <span className="flex min-w-0 items-center gap-2 truncate text-xs text-fg-3">
            <span className="font-mono text-2xs">{short(incident.id)}</span>
            <span className="num">risk {incident.risk_score}</span>
            <span className="num">{plural(incident.alert_count, 'alert')}</span>
            <span className="truncate">{touches(incident)}</span>
            <span className="hidden truncate xl:inline">{incident.attack.tactics.map(words).join(' · ')}</span>
          </span>
        </span>
        <PhaseBars phase={phaseOf(incident)} />
        <span className="flex min-w-0 items-center gap-1.5 text-xs text-fg-2">
          {owner ? (
            <>
              <Avatar name={owner} size={18} />
              <span className="truncate">{owner}</span>
            </>
          ) : (
            <span className="text-fg-3">Unassigned</span>
          )}
        </span>
        <Ago at={incident.last_seen} className="num text-right text-xs text-fg-3" />
      </Link>
    </li>
  )
})
