/** The rules and how they do: which fire and are right, which never did, which have something wrong; and what silences them. */
import { useNavigate } from '@tanstack/react-router'
import { Plus } from 'lucide-react'
import { type ComponentType, lazy, Suspense, useRef } from 'react'
import { rulesQuery } from '@/api/detection'
import { SEVERITIES } from '@/api/types'
import { ActBtn } from '@/app/guard'
import { useHotkeys } from '@/app/hotkeys'
import { useRowKeys } from '@/app/row-keys'
import { useSearchParams, useSetSearch } from '@/app/search'
import { useCan } from '@/app/session'
import { useFill, useList } from '@/app/use-list'
import { Btn, Empty, Loaded, NoPermission, plural, Skeleton, words } from '@/ui'
import { SearchBar } from '@/ui/search-bar'
import { Tabs } from '@/ui/tabs'
import { Reload } from './reload'
import { RuleHead, RuleRow } from './row'
import { STATE, STATES } from './state'

const Exceptions = lazy(() => import('./exceptions'))
const ValueLists = lazy(() => import('./value-lists'))
const Pipelines = lazy(() => import('../pipelines/tab'))
const ImportRule = lazy(() => import('./import-dialog'))
const SELECT = 'h-7.5 rounded-md border border-line-strong bg-surface px-1.5 text-xs text-fg-2'
const TABS = [
  { id: 'rules', label: 'Rules' },
  { id: 'exceptions', label: 'Exceptions' },
  { id: 'lists', label: 'Value lists' },
  { id: 'pipelines', label: 'Pipelines' },
]

export default function DetectionsPage() {
  const can = useCan()
  return can('rule.read') ? <Detections /> : <NoPermission need="rule.read" />
}

function Detections() {
  const { tab = 'rules', view } = useSearchParams()
  const set = useSetSearch()
  const navigate = useNavigate()
  const can = useCan()
  const create = () => void navigate({ to: '/detections/new' })
  const Other = OTHER[tab]
  useHotkeys(can('rule.write') ? [{ keys: 'n', label: 'New rule', group: 'Detections', run: create }] : NONE)
  return (
    <div className="flex h-full min-h-0 flex-col">
      <div className="flex min-h-11 shrink-0 flex-wrap items-center gap-x-2 border-b border-line px-4">
        <h1 className="mr-4 text-sm font-semibold">Detections</h1>
        <Tabs
          label="Detections"
          tabs={TABS}
          value={tab}
          onChange={id => set({ tab: id === 'rules' ? undefined : id, id: undefined, view: undefined, new: undefined })}
          tall
        />
        <div className="ml-auto flex flex-wrap items-center gap-1.5 py-1">
          {tab === 'rules' && <Narrow />}
          {tab === 'rules' && can('rule.write') && <Reload />}
          <ActBtn need="rule.write" onClick={() => set({ view: 'import' })}>
            Import
          </ActBtn>
          <ActBtn need="rule.write" v="primary" onClick={create}>
            <Plus size={14} aria-hidden="true" />
            New rule
          </ActBtn>
        </div>
      </div>
      {Other ? (
        <Suspense fallback={<Skeleton label="Loading this section" />}>
          <Other />
        </Suspense>
      ) : (
        <Rules />
      )}
      <Suspense>{view === 'import' && <ImportRule onClose={() => set({ view: undefined })} />}</Suspense>
    </div>
  )
}
const NONE: [] = []
const OTHER: Record<string, ComponentType> = { exceptions: Exceptions, lists: ValueLists, pipelines: Pipelines }

function Narrow() {
  const { level, state, origin } = useSearchParams()
  const set = useSetSearch()
  return (
    <>
      <select
        aria-label="State"
        value={state ?? ''}
        onChange={e => set({ state: e.target.value || undefined })}
        className={SELECT}
      >
        <option value="">Every state</option>
        {STATES.map(s => (
          <option key={s} value={s}>
            {STATE[s].label}
          </option>
        ))}
      </select>
      <select
        aria-label="Level"
        value={level ?? ''}
        onChange={e => set({ level: e.target.value || undefined })}
        className={SELECT}
      >
        <option value="">Every level</option>
        {SEVERITIES.map(s => (
          <option key={s} value={s}>
            {words(s)}
          </option>
        ))}
      </select>
      <select
        aria-label="Origin"
        value={origin ?? ''}
        onChange={e => set({ origin: e.target.value || undefined })}
        className={SELECT}
      >
        <option value="">Every origin</option>
        <option value="built_in">Built in</option>
        <option value="directory">Rules directory</option>
        <option value="tenant">This tenant’s own</option>
      </select>
    </>
  )
}

function Rules() {
  const { q, level, state, origin } = useSearchParams()
  const setSearch = useSetSearch()
  const { query, items, more, loadMore } = useList(rulesQuery({ q, level, state, origin }))
  useFill(query, items?.length ?? 0)
  const input = useRef<HTMLInputElement>(null)
  const rows = useRef<HTMLElement>(null)
  useRowKeys(rows, 'rule')
  const narrowed = q || level || state || origin
  useHotkeys([{ keys: '/', label: 'Filter', group: 'List', run: () => input.current?.focus() }])
  return (
    <>
      <SearchBar
        ref={input}
        label="Filter rules"
        value={q ?? ''}
        onChange={text => setSearch({ q: text || undefined })}
        hint="Filter by title, id, tag or file"
      >
        <span className="num text-xs text-fg-3" role="status">
          {items && `${plural(items.length, 'rule')}${more ? ' loaded' : ''}`}
        </span>
      </SearchBar>
      <section ref={rows} className="scroll min-h-0 flex-1 overflow-y-auto bg-surface" aria-label="Rules" tabIndex={0}>
        <Loaded query={query} what="Rules" skeleton={<Skeleton rows={18} row={36} label="Loading rules" />}>
          {() =>
            items?.length ? (
              <>
                <RuleHead />
                <ul>
                  {items.map(rule => (
                    <RuleRow key={`${rule.id}${rule.origin}${rule.file}`} rule={rule} />
                  ))}
                </ul>
                {more && (
                  <div className="p-3 text-center">
                    <Btn onClick={loadMore} disabled={query.isFetchingNextPage}>
                      {query.isFetchingNextPage ? 'Loading…' : 'Load more'}
                    </Btn>
                  </div>
                )}
              </>
            ) : narrowed ? (
              <Empty
                title="No rule matches"
                action={
                  <Btn
                    onClick={() => setSearch({ q: undefined, level: undefined, state: undefined, origin: undefined })}
                  >
                    Clear filters
                  </Btn>
                }
              />
            ) : (
              <Empty title="No rule is loaded">
                Write one, or name a directory of Sigma rules in the configuration.
              </Empty>
            )
          }
        </Loaded>
      </section>
    </>
  )
}
