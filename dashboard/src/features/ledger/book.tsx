/** A ledger, the tenant's or the installation's: every step, who did it, and a proof that nothing was changed since. */
import { useQuery } from '@tanstack/react-query'
import { BadgeCheck, Download, ShieldAlert } from 'lucide-react'
import { useMemo, useRef } from 'react'
import type { Query } from '@/api/client'
import { download } from '@/api/download'
import { type LedgerOf, ledgerQuery, ledgerVerifyQuery } from '@/api/queries'
import type { LedgerVerify } from '@/api/types'
import { useWhyNot } from '@/app/guard'
import { useHotkeys } from '@/app/hotkeys'
import { useSetSearch } from '@/app/search'
import { useStableRows } from '@/app/stable-rows'
import { toast } from '@/app/toast'
import { useList } from '@/app/use-list'
import { Ago, Btn, Empty, ErrorPanel, fmt, Loaded, Menu, plural, Skeleton } from '@/ui'
import { NewPill } from '@/ui/new-pill'
import { LedgerRows } from './entries'
import { Filters, type LedgerFilter, useLedgerFilter } from './filters'

/** `need` is what exporting takes; the installation's is for operators, who need nothing more. */
type Props = { of: LedgerOf; title: string; need?: string }

export function Ledger({ of, title, need }: Props) {
  const filter = useLedgerFilter()
  const setSearch = useSetSearch()
  const input = useRef<HTMLInputElement>(null)
  const filtered = Object.values(filter).some(Boolean)
  const { query, items, more, loadMore } = useList(ledgerQuery(filter, of))
  const looked = query.data?.pages.reduce((sum, page) => sum + (page.searched?.entries ?? 0), 0) ?? 0
  const { rows, waiting, flush } = useStableRows({
    items: useMemo(() => items?.map(entry => ({ ...entry, id: String(entry.seq) })), [items]),
    key: JSON.stringify([of, filter]),
  })
  useHotkeys([{ keys: '/', label: 'Filter', group: 'List', run: () => input.current?.focus() }])
  return (
    <div className="flex h-full min-h-0 flex-col">
      <div className="flex h-11 shrink-0 items-center gap-2 border-b border-line px-4">
        <h1 className="text-sm font-semibold">{title}</h1>
        <span className="num text-xs text-fg-3" role="status">
          {items && `${plural(rows.length, 'entry', 'entries')}${more ? ' loaded' : ''}`}
          {looked > 0 && ` · looked through ${fmt(looked)}`}
        </span>
        <div className="ml-auto">
          <ExportMenu filter={filter} of={of} need={need} />
        </div>
      </div>
      <Verified of={of} />
      <Filters first={input} of={of} />
      <div className="relative min-h-0 flex-1 bg-surface">
        <NewPill n={waiting} noun="entry" onShow={flush} />
        <section className="scroll h-full overflow-y-auto" aria-label="Ledger entries" tabIndex={0}>
          <Loaded query={query} what="Ledger" skeleton={<Skeleton rows={18} label="Loading the ledger" />}>
            {() =>
              rows.length ? (
                <LedgerRows entries={rows} of={of} onActor={actor => setSearch({ actor })} />
              ) : (
                <Empty
                  title={more ? 'No match in the newest entries' : filtered ? 'No entry matches' : 'No entry yet'}
                />
              )
            }
          </Loaded>
          {more && (
            <div className="p-3 text-center">
              <Btn onClick={loadMore} disabled={query.isFetchingNextPage}>
                Load more
              </Btn>
            </div>
          )}
        </section>
      </div>
    </div>
  )
}

/** The proof is of everything; the other two take what is filtered. */
function ExportMenu({ filter, of, need }: { filter: LedgerFilter; of: LedgerOf; need?: string }) {
  const whyNot = useWhyNot()
  const why = need ? whyNot(need) : null
  const filtered = Object.values(filter).some(Boolean)
  const save = (query: Query, name: string) =>
    void download(`${of}/export`, query, name).catch((error: Error) => toast({ text: error.message, tone: 'critical' }))
  const what = filtered ? 'The entries of this filter' : 'Every entry'
  return (
    <Menu
      label="Export the ledger"
      disabledBecause={why}
      trigger={
        <>
          <Download size={14} aria-hidden="true" />
          Export
        </>
      }
      items={[
        {
          id: 'csv',
          label: 'CSV',
          hint: `${what}, for a spreadsheet; formulas are made harmless`,
          run: () => save({ ...filter, format: 'csv' }, 'audit.csv'),
        },
        {
          id: 'ndjson',
          label: 'NDJSON',
          hint: `${what}, for other tools`,
          run: () => save({ ...filter, format: 'ndjson' }, 'audit.ndjson'),
        },
        {
          id: 'proof',
          label: 'Proof',
          hint: 'The whole ledger: shieldops ledger verify proves it offline',
          run: () => save({}, 'ledger.ndjson'),
        },
      ]}
    />
  )
}

/** The badge: proven now, by recomputing every hash; a broken chain blocks the view. */
function Verified({ of }: { of: LedgerOf }) {
  const query = useQuery(ledgerVerifyQuery(of))
  if (query.isError && !query.data)
    return <ErrorPanel error={query.error} what="The verification" retry={() => query.refetch()} />
  const result = query.data
  return (
    <div
      role={result && !result.ok ? 'alert' : 'status'}
      data-verified={result ? String(result.ok) : 'pending'}
      className={`flex min-h-11 shrink-0 items-center gap-3 border-b border-line px-4 py-1.5 ${result ? (result.ok ? '' : 'soft-critical') : ''}`}
    >
      {result ? <Verdict result={result} /> : <span className="text-fg-3">Recomputing every hash…</span>}
      <Btn size="sm" className="ml-auto" disabled={query.isFetching} onClick={() => void query.refetch()}>
        {query.isFetching ? 'Verifying…' : 'Verify again'}
      </Btn>
    </div>
  )
}

function Verdict({ result }: { result: LedgerVerify }) {
  if (!result.ok) {
    return (
      <>
        <ShieldAlert size={16} aria-hidden="true" />
        <p>
          <b className="font-semibold">The ledger was tampered with.</b>{' '}
          {result.first_bad &&
            `${result.first_bad.seq == null ? '' : `First bad entry: #${fmt(result.first_bad.seq)}. `}${result.first_bad.why}`}
        </p>
      </>
    )
  }
  return (
    <>
      <span className="inline-flex h-6 items-center gap-1.5 rounded-full px-2.5 text-xs font-medium soft-ok">
        <BadgeCheck size={14} aria-hidden="true" />
        Verified
      </span>
      <p className="num min-w-0 truncate text-xs text-fg-2">
        {plural(result.entries, 'entry', 'entries')}
        {result.head && (
          <>
            {' '}
            · root <span className="font-mono text-2xs">{result.head.root.slice(0, 16)}</span>
          </>
        )}
        {result.checkpoint_size != null && ` · signed up to #${fmt(result.checkpoint_size)}`}
        {!!result.uncovered_events && ` · ${plural(result.uncovered_events, 'event')} not under a checkpoint yet`} ·{' '}
        <Ago at={result.checked_at} suffix />
      </p>
    </>
  )
}
