/** One incident: what happened, where it is now, what to approve. */
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { lazy, type ReactNode, Suspense, useState } from 'react'
import { incidentQuery, investigationQuery, plansQuery } from '@/api/queries'
import type { Entity, Incident, Investigation, Plan } from '@/api/types'
import { useHotkeys } from '@/app/hotkeys'
import { useSearchParams, useSetSearch } from '@/app/search'
import { useCan } from '@/app/session'
import { useList } from '@/app/use-list'
import { cn, Loaded, NoPermission, Skeleton, short } from '@/ui'
import { IncidentHeader } from './header'
import { Rail } from './rail'
import { AlertsTab, LedgerTab, NotesTab, PlansTab, ProcessTab } from './tabs'
import { Timeline } from './timeline'

const Graph = lazy(() => import('./graph'))

export default function IncidentPage() {
  const { id } = useParams({ strict: false }) as { id: string }
  const can = useCan()
  const query = useQuery(incidentQuery(id))
  if (!can('incident.read')) return <NoPermission need="incident.read" />
  return (
    <Loaded query={query} what="Incident" skeleton={<Skeleton rows={14} label="Loading incident" />}>
      {incident => <IncidentView key={incident.id} incident={incident} />}
    </Loaded>
  )
}

const TABS = [
  { id: 'investigation', label: 'Investigation' },
  { id: 'plans', label: 'Plans' },
  { id: 'alerts', label: 'Alerts' },
  { id: 'processes', label: 'Processes' },
  { id: 'notes', label: 'Notes' },
  { id: 'ledger', label: 'Ledger' },
] as const
type TabId = (typeof TABS)[number]['id']

function IncidentView({ incident }: { incident: Incident }) {
  const investigation = useQuery({ ...investigationQuery(incident.id), enabled: incident.revision > 0 })
  const { items: plans } = useList(plansQuery({ incident_id: incident.id }))
  const { tab = 'investigation' } = useSearchParams()
  const setSearch = useSetSearch()
  const show = (id: TabId) => setSearch({ tab: id === 'investigation' ? undefined : id })
  useHotkeys(TABS.map((t, i) => ({ keys: String(i + 1), label: t.label, group: 'Incident', run: () => show(t.id) })))
  const waiting = (plans ?? []).filter(p => p.state === 'proposed').length
  const count: Partial<Record<TabId, ReactNode>> = {
    plans: waiting ? (
      <span className="rounded-full bg-accent-solid px-1.5 leading-4 text-white">{waiting}</span>
    ) : (
      (plans?.length ?? incident.plans_count)
    ),
    alerts: incident.alert_count,
    notes: incident.notes_count,
  }
  return (
    <div className="flex h-full min-h-0 flex-col">
      <header className="shrink-0 border-b border-line px-4 pt-3">
        <IncidentHeader incident={incident} plans={plans ?? []} />
        {incident.merged_into && <MergedNote into={incident.merged_into} />}
        <div
          role="tablist"
          aria-label="Incident sections"
          className="scroll -mb-px flex gap-4 overflow-x-auto overflow-y-hidden"
        >
          {TABS.map(t => (
            <button
              key={t.id}
              role="tab"
              type="button"
              aria-selected={tab === t.id}
              onClick={() => show(t.id)}
              className={cn(
                'flex h-8 items-center gap-1.5 border-b-2 text-sm',
                tab === t.id ? 'border-accent font-medium text-fg' : 'border-transparent text-fg-2 hover:text-fg',
              )}
            >
              {t.label}
              {count[t.id] ? <span className="num text-2xs text-fg-3">{count[t.id]}</span> : null}
            </button>
          ))}
        </div>
      </header>
      <div className="min-h-0 flex-1" role="tabpanel" aria-label={TABS.find(t => t.id === tab)?.label}>
        {tab === 'plans' ? (
          <PlansTab incidentId={incident.id} plans={plans} />
        ) : tab === 'alerts' ? (
          <AlertsTab incidentId={incident.id} />
        ) : tab === 'processes' ? (
          <ProcessTab query={investigation} />
        ) : tab === 'notes' ? (
          <NotesTab incidentId={incident.id} />
        ) : tab === 'ledger' ? (
          <LedgerTab incidentId={incident.id} />
        ) : (
          <InvestigationTab incident={incident} query={investigation} plans={plans} />
        )}
      </div>
    </div>
  )
}

const MergedNote = ({ into }: { into: string }) => (
  <p className="pb-2 text-xs text-fg-2">
    Merged into{' '}
    <Link to="/incidents/$id" params={{ id: into }} className="font-mono text-accent hover:underline">
      {short(into)}
    </Link>
    .
  </p>
)

type InvestigationQuery = Parameters<typeof Loaded<Investigation>>[0]['query']
type TabProps = { incident: Incident; query: InvestigationQuery; plans: Plan[] | undefined }

function InvestigationTab({ incident, query, plans = [] }: TabProps) {
  const [focus, setFocus] = useState<Entity | null>(null)
  return (
    <div className="flex h-full min-h-0 max-md:flex-col max-md:overflow-y-auto">
      <div className="flex min-h-0 min-w-0 flex-1 flex-col max-md:min-h-[560px] max-md:flex-none">
        <Loaded query={query} what="Investigation" skeleton={<Skeleton rows={12} label="Loading investigation" />}>
          {investigation => (
            <>
              <div className="relative min-h-0 flex-1">
                <Suspense fallback={<Skeleton label="Drawing the graph" />}>
                  <Graph
                    key={investigation.graph.nodes.length}
                    graph={investigation.graph}
                    plans={plans}
                    revision={investigation.revision}
                    onSelect={setFocus}
                  />
                </Suspense>
                {focus && <Focus incident={incident.id} entity={focus} onClear={() => setFocus(null)} />}
              </div>
              <Timeline investigation={investigation} plans={plans} focus={focus} eventCount={incident.event_count} />
            </>
          )}
        </Loaded>
      </div>
      <Rail incident={incident} investigation={query.data} plans={plans} />
    </div>
  )
}

function Focus({ incident, entity, onClear }: { incident: string; entity: Entity; onClear: () => void }) {
  const can = useCan()
  const key = `${entity.kind}:${entity.value}`
  return (
    <div className="absolute top-2 left-3 flex items-center gap-2 rounded-md border border-line bg-surface px-2 py-1 text-xs">
      <span className="font-mono">{entity.value}</span>
      <Link to="/events" search={{ entity: key }} className="text-accent hover:underline">
        Its events
      </Link>
      <Link to="/alerts" search={{ entity: key, view: 'all' }} className="text-accent hover:underline">
        Its alerts
      </Link>
      {can('plan.create') && (
        <Link to="/capabilities" search={{ incident, entity: key }} className="text-accent hover:underline">
          Respond
        </Link>
      )}
      <button type="button" onClick={onClear} className="text-fg-2 hover:text-fg">
        Clear
      </button>
    </div>
  )
}
