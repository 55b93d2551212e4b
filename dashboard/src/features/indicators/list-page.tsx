/** One list: what it names, what it found, and the ways to fill and change it. */
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { ArrowLeft, Upload } from 'lucide-react'
import { lazy, Suspense, useState } from 'react'
import { del, patch } from '@/api/client'
import { entriesQuery, type IndicatorKind, type IndicatorList, indicatorListQuery } from '@/api/indicators'
import { ActBtn } from '@/app/guard'
import { useNames } from '@/app/names'
import { useSearchParams, useSetSearch } from '@/app/search'
import { useCan } from '@/app/session'
import { acted, useSubmit } from '@/app/submit'
import { useList } from '@/app/use-list'
import { Ago, absolute, Chip, cap, Empty, InlineError, Loaded, NoPermission, plural } from '@/ui'
import { LoadMore, Table, Td, Tr } from '@/ui/table'
import { Tabs } from '@/ui/tabs'
import { Hits } from './hits'
import { STALE } from './list-dialog'
import { KIND, KINDS, StateChip } from './view'

const ListDialog = lazy(() => import('./list-dialog'))
const ImportDialog = lazy(() => import('./import-dialog'))
const ConfirmDialog = lazy(() => import('@/ui/confirm-dialog'))
const TABS = [
  { id: 'entries', label: 'Indicators' },
  { id: 'hits', label: 'Hits' },
]

export default function ListPage() {
  const { id } = useParams({ strict: false }) as { id: string }
  const can = useCan()
  const query = useQuery({ ...indicatorListQuery(id), enabled: can('rule.read') })
  if (!can('rule.read')) return <NoPermission need="rule.read" />
  return (
    <Loaded query={query} what="List">
      {list => <View list={list} />}
    </Loaded>
  )
}

function View({ list }: { list: IndicatorList }) {
  const { tab = 'entries' } = useSearchParams()
  const set = useSetSearch()
  return (
    <div className="flex h-full min-h-0 flex-col">
      <Head list={list} />
      <Facts list={list} />
      <div className="shrink-0 border-b border-line px-4">
        <Tabs
          label="Sections of the list"
          tabs={TABS}
          value={tab}
          onChange={id => set({ tab: id === 'entries' ? undefined : id, state: undefined })}
        />
      </div>
      <section className="scroll min-h-0 flex-1 overflow-y-auto bg-surface" aria-label="The list" tabIndex={0}>
        {tab === 'hits' ? <Hits list={list.id} /> : <Entries list={list} />}
      </section>
    </div>
  )
}

function Head({ list }: { list: IndicatorList }) {
  const [asking, setAsking] = useState<'import' | 'change' | 'delete' | null>(null)
  const { run, busy, error } = useSubmit(STALE)
  const navigate = useNavigate()
  const path = `/indicators/lists/${list.id}`
  const flip = () => void run(() => patch(path, { enabled: !list.enabled }, list.version))
  const close = () => setAsking(null)
  return (
    <div className="flex min-h-11 shrink-0 flex-wrap items-center gap-2 border-b border-line px-3">
      <Link
        to="/indicators"
        className="inline-grid size-7.5 place-items-center rounded-md text-fg-2 hover:bg-hover"
        aria-label="Back to the lists"
      >
        <ArrowLeft size={15} />
      </Link>
      <h1 className="truncate text-sm font-semibold">{list.name}</h1>
      <StateChip list={list} />
      {list.allow ? <Chip tone="neutral">allows</Chip> : <Chip tone="neutral">{cap(list.severity)}</Chip>}
      <InlineError error={error} />
      <span className="ml-auto flex gap-1.5">
        <ActBtn need="rule.write" v="ghost" onClick={() => setAsking('delete')}>
          Delete…
        </ActBtn>
        <ActBtn need="rule.write" disabled={busy} onClick={flip}>
          {list.enabled ? 'Switch off' : 'Switch on'}
        </ActBtn>
        <ActBtn need="rule.write" onClick={() => setAsking('change')}>
          Change…
        </ActBtn>
        <ActBtn need="rule.write" v="primary" onClick={() => setAsking('import')}>
          <Upload size={14} aria-hidden="true" />
          Import…
        </ActBtn>
      </span>
      <Suspense>
        {asking === 'import' && <ImportDialog list={list} onClose={close} />}
        {asking === 'change' && <ListDialog list={list} onClose={close} />}
        {asking === 'delete' && (
          <ConfirmDialog
            title={`Delete ${list.name}`}
            note="Its indicators go with it, and nothing is checked against it from then on. Its hits and alerts stay."
            verb="Delete list"
            type={list.name}
            act={async () => {
              await acted(del(path, list.version), STALE)
              void navigate({ to: '/indicators' })
            }}
            onClose={close}
          />
        )}
      </Suspense>
    </div>
  )
}

function Facts({ list }: { list: IndicatorList }) {
  const names = useNames()
  const facts: [string, React.ReactNode][] = [
    ['Holds', `${plural(list.entries, 'indicator')}${list.refused ? `, ${plural(list.refused, 'line')} refused` : ''}`],
    ['Imported', list.imported_at ? <Ago key="i" at={list.imported_at} suffix /> : 'never'],
    ['Source', list.source || 'not said'],
    ['Valid', list.valid_days ? `${list.valid_days} days` : 'for ever'],
    ['By', names(list.by)],
  ]
  return (
    <div className="shrink-0 border-b border-line px-4 py-2">
      {list.description && <p className="mb-1 text-fg-2">{list.description}</p>}
      <dl className="flex flex-wrap gap-x-8 gap-y-1 text-xs">
        {facts.map(([term, value]) => (
          <div key={term} className="flex gap-1.5">
            <dt className="text-fg-3">{term}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </div>
  )
}

function Entries({ list }: { list: IndicatorList }) {
  const { kind } = useSearchParams()
  const set = useSetSearch()
  const { query, items } = useList(entriesQuery(list, { kind }))
  return (
    <>
      <div className="flex h-10 items-center gap-2 border-b border-line px-3">
        <select
          aria-label="Kind"
          value={kind ?? ''}
          onChange={e => set({ kind: e.target.value || undefined })}
          className="h-7 rounded-md border border-line-strong bg-surface px-1.5 text-xs text-fg-2"
        >
          <option value="">Every kind</option>
          {KINDS.map(k => (
            <option key={k} value={k}>
              {KIND[k]}
            </option>
          ))}
        </select>
      </div>
      <Loaded query={query} what="Indicators">
        {() =>
          items?.length ? (
            <Table
              acts={false}
              label="Indicators of the list"
              head={['Kind', 'Indicator', 'Line', 'Reference', 'Until']}
            >
              {items.map(i => (
                <Tr key={`${i.kind}${i.indicator}${i.provenance.line}`}>
                  <Td className="text-fg-2">{KIND[i.kind as IndicatorKind]}</Td>
                  <Td className="font-mono break-all">{i.indicator}</Td>
                  <Td className="num text-fg-3">{i.provenance.line ?? ''}</Td>
                  <Td className="max-w-80 truncate text-fg-2">{i.provenance.reference}</Td>
                  <Td className="text-fg-3">{i.provenance.expires_at ? absolute(i.provenance.expires_at) : ''}</Td>
                </Tr>
              ))}
            </Table>
          ) : (
            <Empty title={kind ? 'None of this kind' : 'It names nothing yet'}>
              {!kind && 'Import a file, or paste some lines.'}
            </Empty>
          )
        }
      </Loaded>
      <LoadMore query={query} />
    </>
  )
}
