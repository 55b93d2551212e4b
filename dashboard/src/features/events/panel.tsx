/** The side panel of one event, openable from anywhere an event id stands: the raw bytes first, then what was read in them. */
import { useQuery } from '@tanstack/react-query'
import { Link, useRouterState } from '@tanstack/react-router'
import { Copy, X } from 'lucide-react'
import { eventQuery } from '@/api/queries'
import type { EventView } from '@/api/types'
import { useHotkeys } from '@/app/hotkeys'
import { useOpenEvent, useSearchParams } from '@/app/search'
import { toast } from '@/app/toast'
import { absolute, Btn, Chip, cn, DemoTag, EntityLink, entityKey, Loaded, short, Tip } from '@/ui'
import { FieldTable, flatten } from './fields'

const QUALITY: Record<EventView['time_quality'], string | null> = {
  good: null,
  missing: 'The event has no time: the time of ingest stands in.',
  future: 'Its time is ahead of the server: windows use the time of ingest.',
  old: 'Its time is older than the retention: windows use the time of ingest.',
}

/** Beside the page; where the page has its own right panel that cites events, over the page, left of that panel. */
function usePlace() {
  const path = useRouterState({ select: s => s.location.pathname })
  const { tab } = useSearchParams()
  if (path === '/alerts') return 'absolute inset-y-0 right-[416px] z-30 border-r shadow-pop'
  if (path.startsWith('/incidents/') && !tab) return 'absolute inset-y-0 right-[364px] z-30 border-r shadow-pop'
  return 'h-full shrink-0'
}

export default function EventPanel({ id }: { id: string }) {
  const query = useQuery(eventQuery(id))
  const open = useOpenEvent()
  const close = () => open(undefined)
  const place = usePlace()
  useHotkeys([{ keys: 'escape', label: 'Close event', group: 'Event', run: close }])
  return (
    <aside
      aria-label={`Event ${short(id)}`}
      className={cn('flex w-[440px] flex-col border-l border-line bg-surface', place)}
    >
      <header className="flex h-11 shrink-0 items-center gap-2 border-b border-line px-3">
        <h2 className="font-medium">Event</h2>
        <span className="font-mono text-xs text-fg-3" title={id}>
          {short(id)}
        </span>
        {query.data?.demo && <DemoTag />}
        <span className="ml-auto flex gap-0.5">
          <Tip label="Copy the id">
            <Btn v="ghost" icon size="sm" aria-label="Copy the event id" onClick={() => void copy(id)}>
              <Copy size={14} />
            </Btn>
          </Tip>
          <Tip label="Close" keys="escape">
            <Btn v="ghost" icon size="sm" aria-label="Close event" onClick={close}>
              <X size={14} />
            </Btn>
          </Tip>
        </span>
      </header>
      <section className="scroll min-h-0 flex-1 overflow-y-auto" aria-label="Event details" tabIndex={0}>
        <Loaded query={query} what="Event">
          {event => <Body event={event} />}
        </Loaded>
      </section>
    </aside>
  )
}

async function copy(text: string) {
  await navigator.clipboard?.writeText(text)
  toast({ text: 'Copied' })
}

function Body({ event }: { event: EventView }) {
  const quality = QUALITY[event.time_quality]
  const source = [event.log_source.product, event.log_source.service, ...(event.log_source.categories ?? [])].filter(
    Boolean,
  )
  return (
    <div className="divide-y divide-line">
      <section className="p-3">
        <dl className="grid grid-cols-[84px_minmax(0,1fr)] gap-y-1 text-xs">
          <dt className="text-fg-3">Time</dt>
          <dd className="num">{absolute(event.time)}</dd>
          <dt className="text-fg-3">Ingested</dt>
          <dd className="num">{absolute(event.ingested_at)}</dd>
          <dt className="text-fg-3">Source</dt>
          <dd className="flex flex-wrap items-center gap-1.5">
            {event.source} <Chip tone="neutral">{event.format}</Chip>
            {source.length > 0 && <span className="text-fg-3">{source.join(' / ')}</span>}
          </dd>
        </dl>
        {quality && <p className="mt-2 rounded-md px-2 py-1 text-xs soft-medium">{quality}</p>}
      </section>
      <section className="p-3">
        <h3 className="mb-1.5 flex items-center font-medium">
          As it came
          <Btn size="sm" v="ghost" className="ml-auto" onClick={() => void copy(event.raw)}>
            <Copy size={12} aria-hidden="true" />
            Copy
          </Btn>
        </h3>
        <pre
          tabIndex={0}
          className="scroll max-h-64 overflow-auto rounded-md border border-line bg-bg p-2.5 font-mono text-[11.5px] leading-4.5 break-all whitespace-pre-wrap text-fg-2"
        >
          {event.raw}
        </pre>
        {event.raw_base64 && (
          <p className="mt-1 text-2xs text-fg-3">
            Not UTF-8: shown with replacement characters. The API has the bytes as base64.
          </p>
        )}
      </section>
      {event.entities.length > 0 && (
        <section className="p-3">
          <h3 className="mb-1.5 font-medium">Entities</h3>
          <ul className="flex flex-wrap gap-1.5">
            {event.entities.map(entity => (
              <li key={entityKey(entity)} className="max-w-full">
                <EntityLink entity={entity} />
              </li>
            ))}
          </ul>
        </section>
      )}
      {event.alerts.length > 0 && (
        <section className="p-3">
          <h3 className="mb-1.5 font-medium">Alerts it raised</h3>
          <ul className="flex flex-wrap gap-2">
            {event.alerts.map(id => (
              <li key={id}>
                <Link to="/alerts/$id" params={{ id }} className="font-mono text-xs text-accent hover:underline">
                  {short(id)}
                </Link>
              </li>
            ))}
          </ul>
        </section>
      )}
      <section className="p-3">
        <h3 className="mb-1.5 font-medium">Fields</h3>
        <FieldTable rows={flatten(event.fields)} />
      </section>
      <section className="p-3">
        <h3 className="mb-1.5 font-medium">OCSF</h3>
        <FieldTable rows={flatten(event.ocsf)} />
      </section>
    </div>
  )
}
