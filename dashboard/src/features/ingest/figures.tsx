/** What was counted, each with what it means. */
import type { IngestStats } from '@/api/types'
import { bytes, fmt, plural } from '@/ui'

type Figure = {
  label: string
  value: number
  note: string
  /** Where the number is no good news. */
  tone?: string | false
}

function Row({ label, figures }: { label: string; figures: Figure[] }) {
  return (
    <section aria-label={label} className="flex flex-wrap overflow-hidden rounded-lg border border-line bg-surface">
      {figures.map(({ label, value, note, tone }) => (
        <div key={label} className="-mr-px -mb-px min-w-0 flex-1 basis-36 border-r border-b border-line px-4 py-3">
          <div className="text-xs text-fg-3">{label}</div>
          <div
            className="num mt-1 text-2xl font-semibold tracking-tight"
            style={tone ? { color: `var(--${tone})` } : undefined}
          >
            {fmt(value)}
          </div>
          <div className="num text-2xs text-fg-3">{note}</div>
        </div>
      ))}
    </section>
  )
}

export function Figures({ stats }: { stats: IngestStats }) {
  const { dead_letters: letters, dead_letters_dropped: gone } = stats
  const figures: Figure[] = [
    { label: 'Accepted', value: stats.accepted, note: 'answered with 200' },
    { label: 'Stored', value: stats.stored, note: `${bytes(stats.bytes)} in ${plural(stats.segments, 'segment')}` },
    {
      label: 'Processed',
      value: stats.processed,
      note: stats.lag_events ? `${fmt(stats.lag_events)} behind` : 'nothing waits',
      tone: stats.lag_events > 1000 && 'high',
    },
    { label: 'Rejected', value: stats.rejected, note: 'the sender was told', tone: stats.rejected > 0 && 'medium' },
    {
      label: 'Dead letters',
      value: letters,
      note: gone ? `the oldest ${fmt(gone)} made room for newer ones` : 'kept with the reason',
      tone: letters > 0 && 'medium',
    },
  ]
  return <Row label="Figures" figures={figures} />
}

type Counts = NonNullable<IngestStats['syslog']>

/** What this process heard by syslog. What was lost stands nowhere else: no source is known of it. */
export function Syslog({ counts }: { counts: Counts }) {
  const { received, dropped, refused, turned_away } = counts
  const figures: Figure[] = [
    { label: 'Received', value: received, note: 'messages, over UDP, TCP and TLS' },
    { label: 'Dropped', value: dropped, note: 'UDP datagrams; intake was full', tone: dropped > 0 && 'critical' },
    { label: 'Refused', value: refused, note: 'messages that intake did not take', tone: refused > 0 && 'medium' },
    {
      label: 'Turned away',
      value: turned_away,
      note: 'connections over the limit, or with a bad frame or handshake',
      tone: turned_away > 0 && 'medium',
    },
  ]
  return (
    <div className="flex flex-col gap-1.5">
      <h2 className="text-sm font-medium">
        Syslog <span className="text-xs font-normal text-fg-3">since this server started</span>
      </h2>
      <Row label="Syslog" figures={figures} />
      {dropped > 0 && (
        <p className="text-xs text-fg-2">
          Datagrams came faster than they could be taken, and are lost; who sent them is not known, and over UDP nobody
          is told. Send by TCP or TLS what must arrive: there the sender waits.
        </p>
      )}
    </div>
  )
}
