/** What the pages read, one place for each path and cache key. */
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { get, type Query } from './client'
import type * as T from './types'

/** A list that is read page by page. */
export function list<Item, P extends T.Page<Item> = T.Page<Item>>(
  key: string,
  path: string,
  filter: Query = {},
  limit = 50,
) {
  return infiniteQueryOptions({
    queryKey: [key, filter] as const,
    initialPageParam: '' as string,
    queryFn: ({ pageParam, signal }) => get<P>(path, { ...filter, limit, cursor: pageParam }, signal),
    getNextPageParam: page => page.next_cursor || undefined,
  })
}

export const one = <Item>(key: string, id: string, path: string, query: Query = {}) =>
  queryOptions({
    queryKey: [key, id, query] as const,
    queryFn: ({ signal }) => get<Item>(path, query, signal),
    enabled: id !== '',
  })

export const meQuery = queryOptions({
  queryKey: ['me'],
  queryFn: ({ signal }) => get<T.Me>('/me', {}, signal),
  staleTime: 5 * 60_000,
  retry: (count, error) => ![401, 403, 404].includes((error as { status?: number }).status ?? 0) && count < 2,
})

export const overviewQuery = (hours: number) =>
  queryOptions({
    queryKey: ['overview', hours],
    queryFn: ({ signal }) => get<T.Overview>('/overview', { hours }, signal),
    refetchInterval: 60_000,
  })

export const alertsQuery = (filter: Query) => list<T.Alert>('alerts', '/alerts', filter, 200)
export const alertQuery = (id: string) => one<T.AlertDetail>('alert', id, `/alerts/${id}`)

export const incidentsQuery = (filter: Query) => list<T.Incident>('incidents', '/incidents', filter, 100)
export const incidentQuery = (id: string) => one<T.Incident>('incident', id, `/incidents/${id}`)
export const investigationQuery = (id: string, revision?: number) =>
  one<T.Investigation>('investigation', id, `/incidents/${id}/investigation`, { revision })
export const notesQuery = (id: string) => one<T.Page<T.Note>>('notes', id, `/incidents/${id}/notes`)
export const incidentLedgerQuery = (id: string) =>
  list<T.LedgerEntry>('incident-ledger', `/incidents/${id}/ledger`, {}, 100)

export const plansQuery = (filter: Query) => list<T.Plan>('plans', '/plans', filter)
export const planQuery = (id: string) => one<T.Plan>('plan', id, `/plans/${id}`)
export const actionQuery = (id: string) => one<T.Action>('action', id, `/actions/${id}`)

export const eventsQuery = (filter: Query) => list<T.EventView, T.EventPage>('events', '/events', filter, 100)
export const eventQuery = (id: string) => ({
  ...one<T.EventView>('event', id, `/events/${id}`),
  staleTime: Number.POSITIVE_INFINITY,
})

export const ingestQuery = queryOptions({
  queryKey: ['ingest'],
  queryFn: ({ signal }) => get<T.IngestStats>('/ingest/stats', {}, signal),
  refetchInterval: 5_000,
})
export const deadLettersQuery = list<T.DeadLetter>('dead-letters', '/dead-letters')

export const ledgerQuery = (filter: Query, of: LedgerOf = '/ledger') =>
  list<T.LedgerEntry, T.LedgerPage>(of, of, filter, 100)
/** The tenant's own, or the installation's. */
export type LedgerOf = '/ledger' | '/installation/ledger'
export const ledgerVerifyQuery = (of: LedgerOf = '/ledger') =>
  queryOptions({
    queryKey: ['ledger-verify', of],
    queryFn: ({ signal }) => get<T.LedgerVerify>(`${of}/verify`, {}, signal),
    staleTime: 60_000,
  })

export const automationQuery = queryOptions({
  queryKey: ['automation'],
  queryFn: ({ signal }) => get<T.Automation>('/automation', {}, signal),
})
export const targetsQuery = list<T.Target>('targets', '/targets', {}, 200)
/** Read from the target itself. */
export const orphansQuery = (target: string) => ({
  ...list<T.Orphan>('orphans', `/targets/${target}/orphans`, {}, 200),
  queryKey: ['orphans', target] as const,
})
export const tokensQuery = list<T.Token>('tokens', '/tokens', {}, 200)
export const usersQuery = list<T.User>('users', '/users', {}, 200)
export const invitationsQuery = list<T.Invitation>('invitations', '/invitations', {}, 100)
export const rolesQuery = list<T.Role, T.Roles>('roles', '/roles', {}, 200)
export const keysQuery = list<T.ApiKey>('keys', '/keys', {}, 100)
export const sessionsQuery = (all: boolean) => list<T.Session>('sessions', '/sessions', { all: all || undefined }, 100)
export const grantsQuery = (held: boolean) => list<T.Grant>('grants', '/grants', { held: held || undefined }, 100)
export const settingsQuery = queryOptions({
  queryKey: ['settings'],
  queryFn: ({ signal }) => get<T.SettingsView>('/settings', {}, signal),
})
export const settingsVersionsQuery = list<T.SettingsVersion>('settings-versions', '/settings/versions', {}, 20)
export const usageQuery = (from: string, to: string) =>
  queryOptions({
    queryKey: ['usage', from, to],
    queryFn: ({ signal }) => get<T.Usage>('/usage', { from, to }, signal),
  })

export const myPermissionsQuery = queryOptions({
  queryKey: ['my-permissions'],
  queryFn: ({ signal }) => get<T.Page<T.Decision>>('/me/permissions', {}, signal),
  staleTime: 60_000,
})
export const factorsQuery = queryOptions({
  queryKey: ['factors'],
  queryFn: ({ signal }) => get<T.FactorStatus>('/me/factors', {}, signal),
})
export const passkeysQuery = list<T.Passkey>('passkeys', '/me/passkeys', {}, 100)

export const tenantsQuery = (filter: Query) => list<T.Tenant>('tenants', '/tenants', filter, 100)
export const tenantUsageQuery = (slug: string, from: string, to: string) =>
  queryOptions({
    queryKey: ['tenant-usage', slug, from, to],
    queryFn: ({ signal }) => get<T.Usage>(`/tenants/${slug}/usage`, { from, to }, signal),
  })
