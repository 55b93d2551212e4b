/** The rules that are loaded: which fire, which never did, which have something wrong. */
import { Link } from '@tanstack/react-router'
import { RefreshCw } from 'lucide-react'
import { useRef, useState } from 'react'
import { post } from '@/api/client'
import { rulesQuery } from '@/api/queries'
import type { Diagnostic, Reloaded, Rule, Severity } from '@/api/types'
import { SEVERITIES } from '@/api/types'
import { useHotkeys } from '@/app/hotkeys'
import { queryClient } from '@/app/query-client'
import { useSearchParams, useSetSearch } from '@/app/search'
import { useCan } from '@/app/session'
import { toast } from '@/app/toast'
import { useFill, useList } from '@/app/use-list'
import { Ago, Btn, Chip, cn, Empty, fmt, Loaded, NoPermission, plural, SevIcon, took, words } from '@/ui'
import { SearchBar } from '@/ui/search-bar'
import { Diagnostics } from './diagnostics'

const GRID = 'grid-cols-[18px_minmax(0,1fr)_150px_170px_88px_76px_64px]'
const SELECT = 'h-7.5 rounded-md border border-line-strong bg-surface px-1.5 text-xs text-fg-2'
const ENABLED: Record<string, boolean> = { on: true, off: false }
export const asSeverity = (level: string): Severity =>
  SEVERITIES.includes(level as Severity) ? (level as Severity) : 'informational'

export default function DetectionsPage() {
  const can = useCan()
  return can('rule.read') ? <Detections /> : <NoPermission need="rule.read" />
}

function Detections() {
  const { q, level, state } = useSearchParams()
  const setSearch = useSetSearch()
  const { query, items, more, loadMore } = useList(rulesQuery({ q, level, enabled: ENABLED[state ?? ''] }))
  useFill(query, items?.length ?? 0)
  const input = useRef<HTMLInputElement>(null)
  const can = useCan()
  useHotkeys([{ keys: '/', label: 'Filter', group: 'List', run: () => input.current?.focus() }])
  return (
    <div className="flex h-full min-h-0 flex-col">
      <div className="flex h-11 shrink-0 items-center gap-2 border-b border-line px-3">
        <h1 className="mr-2 text-sm font-semibold">Detections</h1>
        <select
          aria-label="Level"
          value={level ?? ''}
          onChange={e => setSearch({ level: e.target.value || undefined })}
          className={`ml-auto ${SELECT}`}
        >
          <option value="">Every level</option>
          {SEVERITIES.map(s => (
            <option key={s} value={s}>
              {words(s)}
            </option>
          ))}
        </select>
        <select
          aria-label="On or off"
          value={state ?? ''}
          onChange={e => setSearch({ state: e.target.value || undefined })}
          className={SELECT}
        >
          <option value="">On and off</option>
          <option value="on">On</option>
          <option value="off">Off</option>
        </select>
        {can('rule.write') && <Reload />}
      </div>
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
      <section className="scroll min-h-0 flex-1 overflow-y-auto bg-surface" aria-label="Rules" tabIndex={0}>
        <Loaded query={query} what="Rules">
          {() =>
            items?.length ? (
              <>
                <div
                  className={`sticky top-0 z-10 grid h-8 items-center gap-3 border-b border-line bg-surface px-4 text-xs font-medium text-fg-3 ${GRID}`}
                  aria-hidden="true"
                >
                  <span />
                  <span>Rule</span>
                  <span>Log source</span>
                  <span>Tactics</span>
                  <span className="text-right">Samples</span>
                  <span className="text-right">Alerts</span>
                  <span className="text-right">Fired</span>
                </div>
                <ul>
                  {items.map(rule => (
                    <RuleRow key={`${rule.id}${rule.file}`} rule={rule} />
                  ))}
                </ul>
                {more && (
                  <div className="p-3 text-center">
                    <Btn onClick={loadMore}>Load more</Btn>
                  </div>
                )}
              </>
            ) : (
              <Empty title={q || level || state ? 'No rule matches' : 'No rule is loaded'} />
            )
          }
        </Loaded>
      </section>
    </div>
  )
}

export const logSourceText = (rule: Rule) =>
  [rule.log_source.product, rule.log_source.category ?? rule.log_source.categories?.join(', '), rule.log_source.service]
    .filter(Boolean)
    .join(' / ')

function RuleRow({ rule }: { rule: Rule }) {
  const bad = rule.diagnostics.filter(d => d.severity === 'error').length
  return (
    <li>
      <Link
        to="/detections/$id"
        params={{ id: rule.id }}
        className={cn(
          'grid h-9 items-center gap-3 border-b border-line/60 px-4 text-sm hover:bg-hover',
          GRID,
          rule.enabled === false && 'opacity-70',
        )}
      >
        <SevIcon s={asSeverity(rule.level)} />
        <span className="flex min-w-0 items-center gap-2">
          <span className="truncate">{rule.title}</span>
          {rule.enabled === false && (
            <Chip tone="medium" title={rule.switched?.reason}>
              off
            </Chip>
          )}
          {rule.origin !== 'built_in' && <Chip tone="neutral">yours</Chip>}
          {rule.diagnostics.length > 0 && (
            <Chip tone={bad ? 'critical' : 'medium'}>{plural(rule.diagnostics.length, bad ? 'error' : 'hint')}</Chip>
          )}
        </span>
        <span className="truncate text-xs text-fg-2">{logSourceText(rule)}</span>
        <span className="truncate text-xs text-fg-3">{rule.attack.tactics.map(words).join(', ')}</span>
        <span className="num text-right text-xs text-fg-3" title="samples that must match / must not">
          {rule.tests.match} / {rule.tests.miss}
        </span>
        <span className="num text-right text-xs text-fg-2">{fmt(rule.alert_count)}</span>
        <span className="num text-right text-xs text-fg-3">
          {rule.last_fired ? <Ago at={rule.last_fired} /> : 'never'}
        </span>
      </Link>
    </li>
  )
}

function Reload() {
  const [busy, setBusy] = useState(false)
  const [found, setFound] = useState<Diagnostic[]>([])
  const run = async () => {
    setBusy(true)
    try {
      const result = await post<Reloaded>('/rules/reload')
      setFound(result.diagnostics)
      toast({
        text: `${plural(result.loaded, 'rule')} loaded in ${took(result.took_ms)}${result.failed ? `, ${result.failed} failed` : ''}`,
        tone: result.failed ? 'critical' : 'ok',
      })
      await queryClient.invalidateQueries({ queryKey: ['rules'] })
    } catch (error) {
      toast({ text: (error as Error).message, tone: 'critical' })
    } finally {
      setBusy(false)
    }
  }
  return (
    <>
      {found.length > 0 && <Diagnostics items={found} onClose={() => setFound([])} />}
      <Btn onClick={() => void run()} disabled={busy}>
        <RefreshCw size={14} aria-hidden="true" />
        {busy ? 'Reloading…' : 'Reload'}
      </Btn>
    </>
  )
}
