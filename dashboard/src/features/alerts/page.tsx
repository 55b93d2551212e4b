/** The triage queue: keyboard first, rows never move under the analyst, everything in the address. */
import { useNavigate } from '@tanstack/react-router'
import { ListFilter } from 'lucide-react'
import { lazy, Suspense, useEffect, useRef, useState } from 'react'
import type { Alert } from '@/api/types'
import { type Density, isNarrow, setDensity, useDensity } from '@/app/prefs'
import { useSearchParams, useSetSearch } from '@/app/search'
import { useCan, useUser } from '@/app/session'
import { NotChecked } from '@/features/coverage/not-checked'
import { Btn, cn, Empty, ErrorPanel, NoPermission, plural, Skeleton, Tip } from '@/ui'
import { NewPill } from '@/ui/new-pill'
import { SearchBar } from '@/ui/search-bar'
import { assign, close, IN_A_JOB } from './acts'
import { BulkBar } from './bulk-bar'
import { Facets, FilterChips } from './facets'
import { VIEWS } from './filters'
import { Preview } from './preview'
import { AlertTable, type TableHandle } from './table'
import { useQueue } from './use-queue'
import { useQueueKeys } from './use-queue-keys'
import { useSelection } from './use-selection'

const CloseDialog = lazy(() => import('./close-dialog'))
const WIDE = 1600

export default function AlertsPage() {
  const can = useCan()
  return can('alert.read') ? <Queue /> : <NoPermission need="alert.read" />
}

/** With everything selected, the list is read to its end, or to what one job takes. */
function useReadOn({ query, loaded }: ReturnType<typeof useQueue>, everything: boolean) {
  const { hasNextPage, isFetching, fetchNextPage } = query
  const wanted = everything && hasNextPage && loaded < IN_A_JOB
  // Each page that came asks for the next: `isFetching` alone can have gone to and fro between two drawings.
  // biome-ignore lint/correctness/useExhaustiveDependencies: see above
  useEffect(() => {
    if (wanted && !isFetching) void fetchNextPage()
  }, [wanted, isFetching, fetchNextPage, loaded])
  return wanted
}

function useStored(key: string, initial: boolean) {
  const [value, setValue] = useState(() => (localStorage.getItem(key) ?? String(Number(initial))) === '1')
  const set = (next: boolean) => {
    localStorage.setItem(key, next ? '1' : '0')
    setValue(next)
  }
  return [value, set] as const
}

function Queue() {
  const queue = useQueue()
  const { query, rows, waiting, flush } = queue
  const selection = useSelection(rows)
  const { active, activate, chosen, toggle, clear, selected } = selection
  const reading = useReadOn(queue, selection.everything)
  const [preview, setPreview] = useStored('alerts.preview', !isNarrow())
  const [facets, setFacets] = useStored('alerts.facets', innerWidth >= WIDE)
  const [closing, setClosing] = useState<Alert[] | null>(null)
  const search = useSearchParams()
  const setSearch = useSetSearch()
  const table = useRef<TableHandle>(null)
  const input = useRef<HTMLInputElement>(null)
  const navigate = useNavigate()
  const { user } = useUser()
  const can = useCan()
  const write = can('alert.write')
  const current = rows[active]
  const targets = () => (chosen.length ? chosen : current ? [current] : [])
  const go = (by: number) => {
    const next = Math.min(Math.max(0, active + by), Math.max(0, rows.length - 1))
    activate(next)
    table.current?.scrollTo(next)
  }
  const open = (index: number) => {
    const alert = rows[index]
    if (alert) void navigate({ to: '/alerts/$id', params: { id: alert.id } })
  }
  const take = () => {
    if (write && !reading) void assign(targets(), user.id, 'you')
  }
  const resolve = () => {
    if (write && !reading && targets().length) setClosing(targets())
  }
  useQueueKeys({
    go,
    toggle: () => toggle(active),
    all: selection.all,
    open: () => open(active),
    preview: () => setPreview(!preview),
    facets: () => setFacets(!facets),
    filter: () => input.current?.focus(),
    take,
    resolve,
    escape: () => (chosen.length ? clear() : setPreview(false)),
  })
  return (
    <div className="flex h-full min-h-0 flex-col">
      <Bar facets={facets} onFacets={() => setFacets(!facets)} />
      <SearchBar
        ref={input}
        label="Filter alerts"
        value={search.q ?? ''}
        onChange={q => setSearch({ q: q || undefined })}
        hint="Filter by title, or by entity: ip:203.0.113.66, host:web-01"
        before={<FilterChips rows={rows} />}
      >
        <span className="num shrink-0 text-xs text-fg-3" role="status">
          {query.data && `${plural(rows.length, 'alert')}${query.hasNextPage ? ' loaded' : ''}`}
        </span>
      </SearchBar>
      <div className="flex min-h-0 flex-1">
        {facets && <Facets rows={rows} more={query.hasNextPage} />}
        <div className="relative min-h-0 min-w-0 flex-1 bg-surface">
          {query.isPending ? (
            <Skeleton rows={20} label="Loading alerts" />
          ) : query.isError && !query.data ? (
            <ErrorPanel error={query.error} what="Alerts" retry={() => query.refetch()} />
          ) : rows.length ? (
            <AlertTable
              ref={table}
              label="Alert triage queue"
              rows={rows}
              active={active}
              selected={selected}
              sort={search.sort}
              more={query.hasNextPage}
              onPick={i => {
                activate(i)
                setPreview(true)
              }}
              onOpen={open}
              onToggle={toggle}
              onSort={sort => setSearch({ sort })}
              onEnd={() => !query.isFetchingNextPage && void query.fetchNextPage()}
            />
          ) : (
            <NothingHere loaded={queue.loaded} />
          )}
          <NewPill n={waiting} noun="alert" onShow={flush} />
          {chosen.length > 0 && (
            <BulkBar
              n={chosen.length}
              more={query.hasNextPage && !selection.everything}
              {...{ write, reading }}
              onAll={selection.all}
              onResolve={resolve}
              onTake={take}
              onClear={clear}
            />
          )}
        </div>
        {preview && current && (
          <Preview
            alert={current}
            onClose={() => setPreview(false)}
            onResolve={() => setClosing([current])}
            onAssign={() => void assign([current], user.id, 'you')}
          />
        )}
      </div>
      {closing && (
        <Suspense>
          <CloseDialog
            count={closing.length}
            onClose={() => setClosing(null)}
            onPick={(verdict, reason) => {
              void close(closing, verdict, reason)
              clear()
              if (closing.length === 1 && closing[0] === current) go(1)
            }}
          />
        </Suspense>
      )}
    </div>
  )
}

function Bar({ facets, onFacets }: { facets: boolean; onFacets: () => void }) {
  const { view = 'open' } = useSearchParams()
  const setSearch = useSetSearch()
  const density = useDensity()
  return (
    <div className="flex min-h-11 shrink-0 flex-wrap items-center gap-1 border-b border-line px-3 py-1">
      <h1 className="mr-2 text-sm font-semibold">Alerts</h1>
      <div role="tablist" aria-label="Saved views" className="flex flex-wrap items-center gap-0.5">
        {VIEWS.map(v => (
          <button
            key={v.id}
            role="tab"
            type="button"
            aria-selected={view === v.id}
            onClick={() =>
              setSearch({
                view: v.id === 'open' ? undefined : v.id,
                id: undefined,
                severity: undefined,
                status: undefined,
              })
            }
            className={cn(
              'flex h-7 items-center rounded-md px-2 text-sm',
              view === v.id ? 'bg-active font-medium text-fg' : 'text-fg-2 hover:bg-hover',
            )}
          >
            {v.label}
          </button>
        ))}
      </div>
      <div className="ml-auto flex flex-wrap items-center gap-1.5">
        <NotChecked />
        <select
          aria-label="Density"
          value={density}
          onChange={e => setDensity(e.target.value as Density)}
          className="h-7 rounded-md border border-line-strong bg-surface px-1.5 text-xs text-fg-2"
        >
          <option value="compact">Compact</option>
          <option value="default">Default</option>
          <option value="comfortable">Comfortable</option>
        </select>
        <Tip label="Facets" keys="f">
          <Btn v="ghost" icon aria-label="Toggle facets" aria-pressed={facets} onClick={onFacets}>
            <ListFilter size={15} />
          </Btn>
        </Tip>
      </div>
    </div>
  )
}

function NothingHere({ loaded }: { loaded: number }) {
  const { view, q, severity, status, tactic, rule, verdict, entity, incident } = useSearchParams()
  const setSearch = useSetSearch()
  const filtered = [q, severity, status, tactic, rule, verdict, entity, incident].some(Boolean)
  if (!filtered && (view ?? 'open') === 'open') {
    return <Empty title="The queue is empty">No alert is open. New ones show here the moment a rule matches.</Empty>
  }
  const clear = () =>
    setSearch({
      q: undefined,
      severity: undefined,
      status: undefined,
      tactic: undefined,
      rule: undefined,
      verdict: undefined,
      entity: undefined,
      incident: undefined,
    })
  return (
    <Empty
      title={filtered ? 'Nothing matches these filters' : 'No alert in this view'}
      action={filtered && <Btn onClick={clear}>Clear filters</Btn>}
    >
      {loaded > 0 && `${plural(loaded, 'alert')} of this view do not match. `}
      {filtered && 'Remove a filter to see more.'}
    </Empty>
  )
}
