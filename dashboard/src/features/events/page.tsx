/** Search over all events: by text, entity, source and time. A row opens the event beside the list. */
import { useVirtualizer } from '@tanstack/react-virtual'
import { useEffect, useRef, useState } from 'react'
import { eventsQuery } from '@/api/queries'
import type { EventPage, EventView } from '@/api/types'
import { useHotkeys } from '@/app/hotkeys'
import { useOpenEvent, useSearchParams, useSetSearch } from '@/app/search'
import { useCan } from '@/app/session'
import { TimeRange } from '@/app/time-range'
import { useList } from '@/app/use-list'
import { textOrEntity } from '@/features/alerts/filters'
import { Btn, cn, DemoTag, dayClock, Empty, fmt, Loaded, NoPermission, plural, Skeleton } from '@/ui'
import { SearchBar } from '@/ui/search-bar'
import { lineOf } from './fields'

const ROW = 34
const NEAR_END = 20
const GRID = 'grid-cols-[132px_78px_minmax(0,1fr)_112px]'

export default function EventsPage() {
  const can = useCan()
  return can('event.read') ? <Events /> : <NoPermission need="event.read" />
}

function Events() {
  const search = useSearchParams()
  const setSearch = useSetSearch()
  const input = useRef<HTMLInputElement>(null)
  const filter = { ...textOrEntity(search), source: search.source, from: search.from, to: search.to }
  const { query, items, more, loadMore } = useList(eventsQuery(filter))
  const searched = total(query.data?.pages)
  useHotkeys([{ keys: '/', label: 'Search', group: 'List', run: () => input.current?.focus() }])
  return (
    <div className="flex h-full min-h-0 flex-col">
      <div className="flex h-11 shrink-0 items-center gap-2 border-b border-line px-3">
        <h1 className="mr-2 text-sm font-semibold">Events</h1>
        <div className="ml-auto">
          <TimeRange />
        </div>
      </div>
      <SearchBar
        ref={input}
        label="Search events"
        value={search.q ?? ''}
        onChange={q => setSearch({ q: q || undefined })}
        hint="Text in the raw event, or an entity: ip:203.0.113.66, user:deploy"
        before={<Chips />}
      >
        <span className="num shrink-0 text-xs text-fg-3" role="status">
          {items && <Found n={items.length} more={more} searched={searched} />}
        </span>
      </SearchBar>
      <div className="min-h-0 flex-1 bg-surface">
        <Loaded query={query} what="Events" skeleton={<Skeleton rows={20} label="Searching events" />}>
          {() =>
            items?.length ? (
              <EventRows items={items} more={more} busy={query.isFetchingNextPage} loadMore={loadMore} />
            ) : (
              <NothingFound searched={searched} />
            )
          }
        </Loaded>
      </div>
    </div>
  )
}

/** Each page says how far it looked; together they are the search. */
function total(pages: EventPage[] | undefined): EventPage['searched'] | undefined {
  const last = pages?.at(-1)?.searched
  return last && { ...last, events: (pages ?? []).reduce((sum, page) => sum + page.searched.events, 0) }
}

function Found({ n, more, searched }: { n: number; more: boolean; searched?: EventPage['searched'] }) {
  return (
    <>
      {plural(n, 'event')}
      {more && ' so far'}
      {searched && ` of ${fmt(searched.events)} searched`}
      {searched && !searched.complete && !more && ', search stopped at its limit: narrow it'}
    </>
  )
}

function Chips() {
  const search = useSearchParams()
  const set = useSetSearch()
  return (['entity', 'source'] as const).flatMap(key =>
    search[key] ? (
      <span
        key={key}
        className="flex h-6 shrink-0 items-center overflow-hidden rounded-md border border-line-strong text-xs"
      >
        <span className="px-1.5 text-fg-3">{key}</span>
        <span className="max-w-64 truncate border-l border-line-strong px-1.5 font-mono">{search[key]}</span>
        <button
          type="button"
          aria-label={`Remove filter ${key}`}
          onClick={() => set({ [key]: undefined })}
          className="grid h-full w-6 place-items-center border-l border-line-strong text-fg-3 hover:bg-hover"
        >
          ×
        </button>
      </span>
    ) : (
      []
    ),
  )
}

function NothingFound({ searched }: { searched?: EventPage['searched'] }) {
  const search = useSearchParams()
  const set = useSetSearch()
  const filtered = [search.q, search.entity, search.source, search.from, search.to].some(Boolean)
  if (!filtered)
    return <Empty title="No event yet">Send one to POST /api/v1/events with an ingest token from Settings.</Empty>
  const clear = () => set({ q: undefined, entity: undefined, source: undefined, from: undefined, to: undefined })
  return (
    <Empty
      title="No event matches"
      action={
        <>
          {(search.from || search.to) && (
            <Btn onClick={() => set({ from: undefined, to: undefined })}>Search all time</Btn>
          )}
          <Btn onClick={clear}>Clear the search</Btn>
        </>
      }
    >
      {searched
        ? `${plural(searched.events, 'event')} were searched${searched.from ? ` from ${dayClock(searched.from)}` : ''}.`
        : 'Try fewer words or a longer time.'}
    </Empty>
  )
}

type RowsProps = { items: EventView[]; more: boolean; busy: boolean; loadMore: () => void }

function EventRows({ items, more, busy, loadMore }: RowsProps) {
  const box = useRef<HTMLDivElement>(null)
  const [active, setActive] = useState(0)
  const open = useOpenEvent()
  const { event: shown } = useSearchParams()
  const virtual = useVirtualizer({
    count: items.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 8,
  })
  const rows = virtual.getVirtualItems()
  const last = rows.at(-1)?.index ?? 0
  useEffect(() => {
    if (more && !busy && last >= items.length - NEAR_END) loadMore()
  }, [more, busy, last, items.length, loadMore])
  const move = (by: number) => {
    const next = Math.min(Math.max(0, active + by), items.length - 1)
    setActive(next)
    virtual.scrollToIndex(next, { align: 'auto' })
    if (shown) open(items[next]?.id)
  }
  useHotkeys([
    { keys: 'j', label: 'Next event', group: 'List', run: () => move(1) },
    { keys: 'k', label: 'Previous event', group: 'List', run: () => move(-1) },
    { keys: 'arrowdown', label: 'Next event', group: 'List', run: () => move(1) },
    { keys: 'arrowup', label: 'Previous event', group: 'List', run: () => move(-1) },
    { keys: 'enter', label: 'Open event', group: 'List', run: () => open(items[active]?.id) },
  ])
  return (
    <div
      ref={box}
      role="grid"
      aria-label="Events"
      aria-rowcount={more ? -1 : items.length}
      tabIndex={0}
      aria-activedescendant={items[active] ? `r-${items[active].id}` : undefined}
      className="scroll h-full overflow-x-hidden overflow-y-auto outline-none"
    >
      <div role="rowgroup" className="relative" style={{ height: virtual.getTotalSize() }}>
        {rows.map(row => {
          const event = items[row.index]
          if (!event) return null
          return (
            <div
              key={row.key}
              id={`r-${event.id}`}
              role="row"
              tabIndex={-1}
              aria-rowindex={row.index + 1}
              onClick={() => {
                setActive(row.index)
                open(event.id)
              }}
              style={{ height: ROW, transform: `translateY(${row.start}px)` }}
              className={cn(
                'absolute inset-x-0 top-0 grid items-center gap-3 border-b border-line/60 px-4 text-xs hover:bg-hover',
                GRID,
                (event.id === shown || row.index === active) && 'bg-active',
                event.id === shown && 'shadow-[inset_2px_0_var(--accent)]',
              )}
            >
              <span role="gridcell" tabIndex={-1} className="num text-fg-3">
                {dayClock(event.time)}
              </span>
              <span role="gridcell" className="truncate text-fg-2">
                {event.source}
              </span>
              <span role="gridcell" className="truncate font-mono" title={event.raw.slice(0, 500)}>
                {lineOf(event.raw).slice(0, 400)}
              </span>
              <span role="gridcell" className="flex items-center justify-end gap-2 whitespace-nowrap">
                {event.alerts.length > 0 && (
                  <span className="num text-medium">{plural(event.alerts.length, 'alert')}</span>
                )}
                {event.demo && <DemoTag />}
              </span>
            </div>
          )
        })}
      </div>
    </div>
  )
}
