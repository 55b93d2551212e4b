/** The routes. Filters and open panels live in the address as plain text, so that a copied address shows the same page. */
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router'
import { Empty } from '@/ui/states'
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
  origin?: string
  technique?: string
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
const at = { getParentRoute: () => root } as const

const routes = [
  createRoute({ ...at, path: '/', component: lazyRouteComponent(() => import('@/features/command/page')) }),
  createRoute({ ...at, path: '/alerts', component: lazyRouteComponent(() => import('@/features/alerts/page')) }),
  createRoute({
    ...at,
    path: '/alerts/$id',
    component: lazyRouteComponent(() => import('@/features/alerts/alert-page')),
  }),
  createRoute({ ...at, path: '/incidents', component: lazyRouteComponent(() => import('@/features/incidents/page')) }),
  createRoute({
    ...at,
    path: '/incidents/$id',
    component: lazyRouteComponent(() => import('@/features/incident/page')),
  }),
  createRoute({ ...at, path: '/approvals', component: lazyRouteComponent(() => import('@/features/approvals/page')) }),
  createRoute({ ...at, path: '/events', component: lazyRouteComponent(() => import('@/features/events/page')) }),
  createRoute({
    ...at,
    path: '/detections',
    component: lazyRouteComponent(() => import('@/features/detections/page')),
  }),
  createRoute({
    ...at,
    path: '/detections/new',
    component: lazyRouteComponent(() => import('@/features/detections/new-page')),
  }),
  createRoute({
    ...at,
    path: '/detections/$id',
    component: lazyRouteComponent(() => import('@/features/detections/rule-page')),
  }),
  createRoute({ ...at, path: '/coverage', component: lazyRouteComponent(() => import('@/features/coverage/page')) }),
  createRoute({
    ...at,
    path: '/indicators',
    component: lazyRouteComponent(() => import('@/features/indicators/page')),
  }),
  createRoute({
    ...at,
    path: '/indicators/$id',
    component: lazyRouteComponent(() => import('@/features/indicators/list-page')),
  }),
  createRoute({ ...at, path: '/ingest', component: lazyRouteComponent(() => import('@/features/ingest/page')) }),
  createRoute({ ...at, path: '/ledger', component: lazyRouteComponent(() => import('@/features/ledger/page')) }),
  createRoute({ ...at, path: '/jobs', component: lazyRouteComponent(() => import('@/features/jobs/page')) }),
  createRoute({ ...at, path: '/jobs/$id', component: lazyRouteComponent(() => import('@/features/jobs/job-page')) }),
  createRoute({
    ...at,
    path: '/installation/ledger',
    component: lazyRouteComponent(() => import('@/features/ledger/installation')),
  }),
  createRoute({ ...at, path: '/tenants', component: lazyRouteComponent(() => import('@/features/tenants/page')) }),
  createRoute({ ...at, path: '/settings', component: lazyRouteComponent(() => import('@/features/settings/page')) }),
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

/** A router of its own for every sign-in: nothing of one person's navigation is left for the next. */
export const makeRouter = (basepath: string) =>
  createRouter({
    basepath,
    routeTree: root.addChildren([...routes]),
    defaultPreload: 'intent',
    defaultPendingMs: 150,
    parseSearch,
    stringifySearch,
  })

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof makeRouter>
  }
}
