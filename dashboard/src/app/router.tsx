/** The routes. Filters and open panels live in the address as plain text, so that a copied address shows the same page. */
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router'
import type { ComponentType } from 'react'
import { Empty, ErrorPanel } from '@/ui/states'
import { Shell } from './shell'

/** What an address may carry; all plain strings. */
export type Search = {
  view?: string
  q?: string
  severity?: string
  status?: string
  entity?: string
  rule?: string
  tactic?: string
  verdict?: string
  incident?: string
  source?: string
  from?: string
  to?: string
  days?: string
  mine?: string
  kind?: string
  subject?: string
  actor?: string
  level?: string
  state?: string
  sort?: string
  id?: string
  tab?: string
  capability?: string
  target?: string
  origin?: string
  technique?: string
  channel?: string
  /** A job: the backtest that is shown. */
  job?: string
  /** The two versions that are compared. */
  old?: string
  new?: string
  /** The event shown in the side panel, on any page. */
  event?: string
}

const root = createRootRoute({
  component: Shell,
  validateSearch: (search: Record<string, unknown>): Search => search as Search,
  notFoundComponent: () => <Empty title="There is no such page">Check the address, or press Ctrl K to jump.</Empty>,
})
type Load = () => Promise<{ default: ComponentType }>
/** A page is read when it is opened first. */
const page = <const Path extends string>(path: Path, load: Load) =>
  createRoute({ getParentRoute: () => root, path, component: lazyRouteComponent(load) })
const inbox = () => import('@/features/approvals/page')

const routes = [
  page('/', () => import('@/features/command/page')),
  page('/alerts', () => import('@/features/alerts/page')),
  page('/alerts/$id', () => import('@/features/alerts/alert-page')),
  page('/incidents', () => import('@/features/incidents/page')),
  page('/incidents/$id', () => import('@/features/incident/page')),
  page('/approvals', inbox),
  // Letters lead to these two.
  page('/plans', inbox),
  page('/plans/$id', () => import('@/features/plans/page')),
  page('/actions', () => import('@/features/actions/page')),
  page('/capabilities', () => import('@/features/capabilities/page')),
  page('/events', () => import('@/features/events/page')),
  page('/detections', () => import('@/features/detections/page')),
  page('/detections/new', () => import('@/features/detections/new-page')),
  page('/detections/$id', () => import('@/features/detections/rule-page')),
  page('/coverage', () => import('@/features/coverage/page')),
  page('/indicators', () => import('@/features/indicators/page')),
  page('/indicators/$id', () => import('@/features/indicators/list-page')),
  page('/ingest', () => import('@/features/ingest/page')),
  page('/ledger', () => import('@/features/ledger/page')),
  page('/jobs', () => import('@/features/jobs/page')),
  page('/jobs/$id', () => import('@/features/jobs/job-page')),
  page('/policies', () => import('@/features/policies/page')),
  page('/notifications', () => import('@/features/notifications/page')),
  page('/installation/ledger', () => import('@/features/ledger/installation')),
  page('/tenants', () => import('@/features/tenants/page')),
  page('/settings', () => import('@/features/settings/page')),
] as const

export const parseSearch = (text: string) => Object.fromEntries(new URLSearchParams(text))
export const stringifySearch = (search: Record<string, unknown>) => {
  const params = new URLSearchParams()
  for (const [key, value] of Object.entries(search)) {
    if (value !== undefined && value !== null && value !== '') params.set(key, String(value))
  }
  // Colons and slashes are legal in a query: `entity=ip:203.0.113.66` reads better than its escapes.
  const query = params.toString().replaceAll('%3A', ':').replaceAll('%2F', '/').replaceAll('%2C', ',')
  return query ? `?${query}` : ''
}

/** A page that failed, or that a new release took away while this one was open: the frame stays. */
const Failed = ({ error }: { error: unknown }) => (
  <ErrorPanel error={error} what="This page" retry={() => location.reload()} />
)

/** A router of its own for every sign-in: nothing of one person's navigation is left for the next. */
export const makeRouter = (basepath: string) =>
  createRouter({
    basepath,
    routeTree: root.addChildren([...routes]),
    defaultPreload: 'intent',
    defaultPendingMs: 150,
    defaultErrorComponent: Failed,
    parseSearch,
    stringifySearch,
  })

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof makeRouter>
  }
}
