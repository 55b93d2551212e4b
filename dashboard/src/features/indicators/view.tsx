/** How lists and their indicators are shown. */
import { Link } from '@tanstack/react-router'
import type { IndicatorList, Provenance } from '@/api/indicators'
import { absolute, Chip } from '@/ui'

export const STATE: Record<IndicatorList['state'], { label: string; tone: string; means: string }> = {
  in_use: { label: 'In use', tone: 'ok', means: 'Every event is checked against it.' },
  loading: {
    label: 'Not checked yet',
    tone: 'medium',
    means: 'Being loaded: events are not checked against the newest import yet.',
  },
  empty: { label: 'Empty', tone: 'neutral', means: 'It names nothing.' },
  disabled: { label: 'Off', tone: 'neutral', means: 'Nothing is checked against it.' },
}
export const KIND = {
  ip: 'Address',
  cidr: 'Network',
  domain: 'Domain',
  hash: 'Hash',
  url: 'URL',
  email: 'E-mail',
} as const
export const KINDS = Object.keys(KIND) as (keyof typeof KIND)[]

export function StateChip({ list }: { list: Pick<IndicatorList, 'state'> }) {
  const { label, tone, means } = STATE[list.state]
  return (
    <Chip tone={tone} title={means}>
      {label}
    </Chip>
  )
}

/** Which list said so, and where in it. */
export function From({ provenance: p }: { provenance: Provenance }) {
  const where = [p.source, p.line && `line ${p.line}`].filter(Boolean).join(', ')
  return (
    <span className="min-w-0">
      {p.list_id ? (
        <Link to="/indicators/$id" params={{ id: p.list_id }} className="text-accent underline">
          {p.list}
        </Link>
      ) : (
        <span className="font-mono text-2xs">{p.list}</span>
      )}
      {where && <span className="text-fg-3"> · {where}</span>}
      {p.confidence != null && <span className="num text-fg-3"> · confidence {p.confidence}</span>}
      {p.reference && <span className="block max-w-96 truncate text-fg-3">{p.reference}</span>}
      {p.expires_at && <span className="block text-fg-3">until {absolute(p.expires_at)}</span>}
    </span>
  )
}
