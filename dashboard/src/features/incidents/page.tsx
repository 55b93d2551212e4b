/** The incidents: which are open, how far each is, who has it. */
import { useNavigate } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import { incidentsQuery } from '@/api/queries'
import type { Incident } from '@/api/types'
import { useHotkeys } from '@/app/hotkeys'
import { useSearchParams, useSetSearch } from '@/app/search'
import { useCan, useUser } from '@/app/session'
import { useStableRows } from '@/app/stable-rows'
import { oneOf, useFill, useList } from '@/app/use-list'
import { Btn, cn, Empty, ErrorPanel, Kbd, NoPermission, plural, Skeleton } from '@/ui'
import { NewPill } from '@/ui/new-pill'
import { SearchBar } from '@/ui/search-bar'
import { IncidentRow } from './row'

const VIEWS = [
  { id: 'open', label: 'Open', filter: { status: 'new,in_progress,on_hold' } },
  { id: 'mine', label: 'Mine', filter: { status: 'new,in_progress,on_hold', assignee: 'me' } },
  { id: 'resolved', label: 'Resolved', filter: { status: 'resolved,closed' } },
  { id: 'all', label: 'All', filter: {} },
] as const

function useIncidents() {
  const { view = 'open', q, severity } = useSearchParams()
  const { user } = useUser()
  const chosen = VIEWS.find(v => v.id === view) ?? VIEWS[0]
  const statuses = 'status' in chosen.filter ? chosen.filter.status : ''
  const filter = { q, severity, assignee: 'assignee' in chosen.filter ? user.id : undefined }
  const { query, items } = useList(incidentsQuery(filter))
  const key = JSON.stringify([filter, chosen.id])
  const stable = useStableRows<Incident>({ items, key, match: incident => oneOf(statuses, incident.status) })
  useFill(query, stable.rows.length)
  return { query, view: chosen.id, ...stable }
}

export default function IncidentsPage() {
  const can = useCan()
  return can('incident.read') ? <Incidents /> : <NoPermission need="incident.read" />
}

function Incidents() {
  const { query, rows, waiting, flush, view } = useIncidents()
  const setSearch = useSetSearch()
  const { q = '' } = useSearchParams()
  const [active, setActive] = useState(0)
  const navigate = useNavigate()
  const search = useRef<HTMLInputElement>(null)
  const open = (incident?: Incident) => incident && void navigate({ to: '/incidents/$id', params: { id: incident.id } })
  const move = (by: number) => setActive(i => Math.min(Math.max(0, i + by), Math.max(0, rows.length - 1)))
  useHotkeys([
    { keys: 'j', label: 'Next incident', group: 'List', run: () => move(1) },
    { keys: 'k', label: 'Previous incident', group: 'List', run: () => move(-1) },
    { keys: 'arrowdown', label: 'Next incident', group: 'List', run: () => move(1) },
    { keys: 'arrowup', label: 'Previous incident', group: 'List', run: () => move(-1) },
    { keys: 'enter', label: 'Open incident', group: 'List', run: () => open(rows[active]) },
    { keys: '/', label: 'Filter', group: 'List', run: () => search.current?.focus() },
  ])
  useEffect(() => {
    const id = rows[active]?.id
    if (id) document.getElementById(`r-${id}`)?.scrollIntoView({ block: 'nearest' })
  }, [active, rows])
  return (
    <div className="flex h-full min-h-0 flex-col">
      <div className="flex h-11 shrink-0 items-center gap-1 border-b border-line px-3">
        <h1 className="mr-2 text-sm font-semibold">Incidents</h1>
        <Views view={view} onView={id => setSearch({ view: id === 'open' ? undefined : id })} />
      </div>
      <SearchBar
        ref={search}
        label="Filter incidents"
        value={q}
        onChange={text => setSearch({ q: text || undefined })}
        hint="Filter by title"
      >
        <span className="num text-xs text-fg-3" role="status">
          {query.data && `${plural(rows.length, 'incident')}${query.hasNextPage ? ' loaded' : ''}`}
        </span>
      </SearchBar>
      <div className="relative min-h-0 flex-1 bg-surface">
        <NewPill n={waiting} noun="incident" onShow={flush} />
        {query.isPending ? (
          <Skeleton row={52} label="Loading incidents" />
        ) : query.isError && !query.data ? (
          <ErrorPanel error={query.error} what="Incidents" retry={() => query.refetch()} />
        ) : rows.length ? (
          <section className="scroll h-full overflow-y-auto" aria-label="Incident list" tabIndex={-1}>
            <ul>
              {rows.map((incident, i) => (
                <IncidentRow key={incident.id} incident={incident} active={i === active} />
              ))}
            </ul>
            {query.hasNextPage && (
              <div className="p-3 text-center">
                <Btn onClick={() => query.fetchNextPage()} disabled={query.isFetchingNextPage}>
                  {query.isFetchingNextPage ? 'Loading…' : 'Load more'}
                </Btn>
              </div>
            )}
          </section>
        ) : (
          <NoIncidents
            filtered={q !== '' || view !== 'open'}
            onClear={() => setSearch({ q: undefined, view: 'all' })}
          />
        )}
      </div>
    </div>
  )
}

function Views({ view, onView }: { view: string; onView: (id: string) => void }) {
  return (
    <div role="tablist" aria-label="Saved views" className="flex items-center gap-0.5">
      {VIEWS.map(v => (
        <button
          key={v.id}
          role="tab"
          type="button"
          aria-selected={view === v.id}
          onClick={() => onView(v.id)}
          className={cn(
            'flex h-7 items-center rounded-md px-2 text-sm',
            view === v.id ? 'bg-active font-medium text-fg' : 'text-fg-2 hover:bg-hover',
          )}
        >
          {v.label}
        </button>
      ))}
    </div>
  )
}

function NoIncidents({ filtered, onClear }: { filtered: boolean; onClear: () => void }) {
  if (!filtered) {
    return (
      <Empty title="No open incident">
        Alerts that share an address, a user or a host within 30 minutes become one.
      </Empty>
    )
  }
  return (
    <Empty
      title="Nothing matches"
      action={
        <Btn onClick={onClear}>
          Show all incidents
          <Kbd k="escape" />
        </Btn>
      }
    >
      No incident is in this view with this filter.
    </Empty>
  )
}
