/** The policies that judge every plan, to be read: those built in, and the versions of the tenant's own. */
import { useQuery } from '@tanstack/react-query'
import { type ComponentType, lazy, Suspense } from 'react'
import { type Policies, policiesQuery } from '@/api/policies'
import { useSearchParams, useSetSearch } from '@/app/search'
import { useCan } from '@/app/session'
import { Chip, Loaded, NoPermission, Skeleton } from '@/ui'
import { Tabs } from '@/ui/tabs'

type View = ComponentType<{ policies: Policies }>
const VIEWS: Record<string, View> = {
  versions: lazy(() => import('./versions')),
  'built-in': lazy(() => import('./built-in')),
}
const TABS = [
  { id: 'versions', label: 'Your own' },
  { id: 'built-in', label: 'Built in' },
]

export default function PoliciesPage() {
  return useCan()('automation.read') ? <PoliciesOf /> : <NoPermission need="automation.read" />
}

function PoliciesOf() {
  const query = useQuery(policiesQuery)
  const { tab: asked = 'versions' } = useSearchParams()
  const set = useSetSearch()
  const tab = asked in VIEWS ? asked : 'versions'
  const View = VIEWS[tab] as View
  const change = (id: string) =>
    set({ tab: id === 'versions' ? undefined : id, id: undefined, view: undefined, job: undefined })
  return (
    <div className="flex h-full min-h-0 flex-col">
      <div className="flex min-h-11 shrink-0 flex-wrap items-center gap-x-4 border-b border-line px-4">
        <h1 className="text-sm font-semibold">Policies</h1>
        <Tabs tall label="Policies" tabs={TABS} value={tab} onChange={change} />
        {query.data && <InForce policies={query.data} />}
      </div>
      <Loaded query={query} what="Policies">
        {policies => (
          <>
            {!policies.loads && <Broken policies={policies} />}
            <Suspense fallback={<Skeleton label="Loading policies" />}>
              <View policies={policies} />
            </Suspense>
          </>
        )}
      </Loaded>
    </div>
  )
}

/** What decides now. */
function InForce({ policies }: { policies: Policies }) {
  const { number, policy_hash } = policies
  return (
    <p className="ml-auto flex items-center gap-2 py-1 text-xs text-fg-3">
      <Chip tone={number ? 'ok' : 'neutral'}>{number ? `built in and version ${number}` : 'built in only'}</Chip>
      {policy_hash && (
        <span title={policy_hash}>
          hash <span className="font-mono">{policy_hash.slice(0, 12)}</span>
        </span>
      )}
    </p>
  )
}

/** Fail closed: what cannot be asked denies. */
function Broken({ policies }: { policies: Policies }) {
  return (
    <div role="alert" className="border-b border-line px-4 py-2 text-xs soft-critical">
      <p className="font-medium">What is in force does not load: every plan is denied until another version is.</p>
      <ul>
        {policies.errors.map(error => (
          <li key={`${error.file}${error.line}${error.why}`}>
            <span className="font-mono">
              {error.file}
              {error.line != null && `:${error.line}`}
            </span>{' '}
            {error.why}
          </li>
        ))}
      </ul>
    </div>
  )
}
