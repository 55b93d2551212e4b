/** One rule: what it says, how it stands and does, and the ways to try, change and silence it. */
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { ArrowLeft } from 'lucide-react'
import { type ComponentType, lazy, Suspense } from 'react'
import { ruleQuery } from '@/api/detection'
import type { RuleDetail } from '@/api/detection-types'
import { useSearchParams, useSetSearch } from '@/app/search'
import { useCan } from '@/app/session'
import { Chip, Loaded, NoPermission, SevIcon, Skeleton, sevTone } from '@/ui'
import { Tabs } from '@/ui/tabs'
import { asSeverity } from './row'
import { SourceTab } from './source-tab'
import { isOwn, StateChip, stateOf } from './state'

export type RuleProps = { rule: RuleDetail }
const page = (load: () => Promise<{ default: ComponentType<RuleProps> }>) => lazy(load)
const VIEWS: Record<string, ComponentType<RuleProps>> = {
  source: SourceTab,
  edit: page(() => import('./edit-tab')),
  test: page(() => import('./test-tab')),
  backtest: page(() => import('./backtest-tab')),
  versions: page(() => import('./versions-tab')),
  exceptions: page(() => import('./exceptions-tab')),
  matches: page(() => import('./matches-tab')),
  checked: page(() => import('./checked-tab')),
}

export default function RulePage() {
  const { id } = useParams({ strict: false }) as { id: string }
  const can = useCan()
  const query = useQuery({ ...ruleQuery(id), enabled: can('rule.read') })
  if (!can('rule.read')) return <NoPermission need="rule.read" />
  return (
    <Loaded query={query} what="Rule">
      {rule => <RuleView rule={rule} />}
    </Loaded>
  )
}

function tabsOf(rule: RuleDetail) {
  return [
    { id: 'source', label: 'Rule' },
    ...(isOwn(rule) ? [{ id: 'edit', label: 'Edit' }] : []),
    { id: 'test', label: 'Test and explain' },
    { id: 'backtest', label: 'Backtest' },
    ...(isOwn(rule) ? [{ id: 'versions', label: 'Versions', count: rule.head }] : []),
    { id: 'exceptions', label: 'Exceptions', count: rule.exceptions },
    { id: 'matches', label: 'In shadow', count: rule.scorecard?.shadow_matches },
    { id: 'checked', label: 'Checked' },
  ]
}

function RuleView({ rule }: RuleProps) {
  const { tab: asked = 'source' } = useSearchParams()
  const set = useSetSearch()
  const tabs = tabsOf(rule)
  const tab = tabs.some(t => t.id === asked) ? asked : 'source'
  const View = VIEWS[tab] ?? SourceTab
  return (
    <div className="flex h-full min-h-0 flex-col">
      <header className="shrink-0 border-b border-line px-3">
        <div className="flex h-11 items-center gap-2">
          <Link
            to="/detections"
            className="inline-grid size-7.5 place-items-center rounded-md text-fg-2 hover:bg-hover"
            aria-label="Back to the rules"
          >
            <ArrowLeft size={15} />
          </Link>
          <SevIcon s={asSeverity(rule.level)} />
          <h1 className="truncate text-sm font-semibold">{rule.title}</h1>
          <StateChip rule={rule} />
          <Chip tone={sevTone(asSeverity(rule.level))}>{rule.level}</Chip>
          {rule.correlation && <Chip tone="accent">correlation</Chip>}
          {rule.status && <Chip tone="neutral">{rule.status}</Chip>}
          {rule.overrides && <Chip tone="neutral">stands in for another</Chip>}
          <span className="ml-auto truncate font-mono text-2xs text-fg-3">
            {rule.file} · {rule.version}
          </span>
        </div>
        <Tabs
          label="Sections of the rule"
          tabs={tabs}
          value={tab}
          onChange={id => set({ tab: id === 'source' ? undefined : id, job: undefined }, true)}
          className="-mb-px px-1"
        />
      </header>
      <div
        className="min-h-0 flex-1"
        role="tabpanel"
        aria-label={tabs.find(t => t.id === tab)?.label}
        data-state={stateOf(rule)}
      >
        <Suspense fallback={<Skeleton label="Loading this section" />}>
          <View key={`${rule.id}${tab}`} rule={rule} />
        </Suspense>
      </div>
    </div>
  )
}
