/** The versions of a tenant's rule: who wrote which and why, what changed between two, and putting one to work. */
import { useQuery } from '@tanstack/react-query'
import { lazy, Suspense, useState } from 'react'
import { diffQuery, versionsQuery } from '@/api/detection'
import type { RuleDetail, RuleVersion } from '@/api/detection-types'
import { ActBtn } from '@/app/guard'
import { useSearchParams, useSetSearch } from '@/app/search'
import { useList } from '@/app/use-list'
import { Ago, Chip, cn, Empty, Loaded, Skeleton } from '@/ui'
import { counts, LineDiff } from '@/ui/line-diff'
import { LoadMore } from '@/ui/table'

const StateDialog = lazy(() => import('./state-dialog'))
const SELECT = 'h-7 rounded-md border border-line-strong bg-surface px-1.5 text-xs text-fg-2'

export default function VersionsTab({ rule }: { rule: RuleDetail }) {
  const { query, items } = useList(versionsQuery(rule.id))
  const { old, new: fresh } = useSearchParams()
  const to = fresh ?? String(rule.head ?? 1)
  const from = old ?? startOf(rule, to)
  return (
    <div className="grid h-full min-h-0 grid-cols-[320px_minmax(0,1fr)] bg-surface">
      <section className="scroll min-h-0 overflow-y-auto border-r border-line" aria-label="Versions" tabIndex={0}>
        <Loaded query={query} what="Versions">
          {() => (
            <ul>
              {items?.map(version => (
                <Row key={version.number} version={version} rule={rule} on={String(version.number) === to} />
              ))}
            </ul>
          )}
        </Loaded>
        <LoadMore query={query} />
      </section>
      <Compare rule={rule} from={from} to={to} versions={items ?? []} />
    </div>
  )
}

/** Against what runs; where that is the one that is looked at, against the one before it. */
function startOf(rule: RuleDetail, to: string) {
  if (rule.live != null && String(rule.live) !== to) return 'live'
  return Number(to) > 1 ? String(Number(to) - 1) : rule.overrides ? 'base' : ''
}

function Row({ version, rule, on }: { version: RuleVersion; rule: RuleDetail; on: boolean }) {
  const set = useSetSearch()
  const [asking, setAsking] = useState<'enabled' | 'shadow' | null>(null)
  return (
    <li className={cn('border-b border-line/60', on && 'bg-active')}>
      <button
        type="button"
        aria-current={on ? 'true' : undefined}
        onClick={() => set({ new: String(version.number), old: undefined })}
        className="flex w-full flex-col gap-0.5 px-3 pt-2 pb-1 text-left text-xs hover:bg-hover"
      >
        <span className="flex items-center gap-1.5">
          <b className="font-medium">Version {version.number}</b>
          {version.live && <Chip tone="ok">runs</Chip>}
          {version.head && <Chip tone="neutral">newest</Chip>}
          <span className="ml-auto font-mono text-2xs text-fg-3">{version.version.slice(0, 10)}</span>
        </span>
        <span className="text-fg-3">
          {version.by_name ?? version.by}, <Ago at={version.at} suffix />
        </span>
        {version.note && <span className="text-fg-2">{version.note}</span>}
      </button>
      {!version.live && (
        <span className="flex gap-1 px-2 pb-1.5">
          <ActBtn need="rule.write" size="sm" v="ghost" onClick={() => setAsking('shadow')}>
            Shadow…
          </ActBtn>
          <ActBtn need="rule.write" size="sm" v="ghost" onClick={() => setAsking('enabled')}>
            Enable…
          </ActBtn>
        </span>
      )}
      <Suspense>
        {asking && <StateDialog rule={rule} to={asking} version={version.number} onClose={() => setAsking(null)} />}
      </Suspense>
    </li>
  )
}

type CompareProps = { rule: RuleDetail; from: string; to: string; versions: RuleVersion[] }

function Compare({ rule, from, to, versions }: CompareProps) {
  const set = useSetSearch()
  const query = useQuery(diffQuery(rule.id, from, to))
  const changed = query.data && counts(query.data.lines)
  return (
    <section className="flex min-h-0 flex-col" aria-label="What changed">
      <div className="flex h-10 shrink-0 items-center gap-2 border-b border-line px-3 text-xs text-fg-2">
        <label className="flex items-center gap-1.5">
          From
          <select className={SELECT} value={from} onChange={e => set({ old: e.target.value, new: to })}>
            {from === '' && <option value="">choose…</option>}
            {rule.live != null && <option value="live">the one that runs ({rule.live})</option>}
            {rule.overrides && <option value="base">the rule below it</option>}
            {versions.map(v => (
              <option key={v.number} value={String(v.number)}>
                version {v.number}
              </option>
            ))}
          </select>
        </label>
        <span>to version {to}</span>
        {changed && (
          <span className="num ml-auto" role="status">
            <span className="text-ok">+{changed.added}</span> <span className="text-critical">−{changed.removed}</span>
          </span>
        )}
      </div>
      <div className="scroll min-h-0 flex-1 overflow-y-auto">
        {from === '' || from === to ? (
          <Empty title="Nothing to compare with">This is the first version.</Empty>
        ) : (
          <Loaded query={query} what="Comparison" skeleton={<Skeleton label="Comparing" />}>
            {diff => <LineDiff rows={diff.lines} label={`What changed from ${from} to ${to}`} />}
          </Loaded>
        )}
      </div>
    </section>
  )
}
