/** Indicators: lists of addresses, names, hashes that are looked for in every event; what the pages read of them. */
import { queryOptions } from '@tanstack/react-query'
import { get, type Query } from './client'
import { list, one } from './queries'
import type { Diagnostic, Entity, Page, Severity } from './types'

export type IndicatorKind = 'ip' | 'cidr' | 'domain' | 'hash' | 'url' | 'email'
export type IndicatorList = {
  id: string
  name: string
  description: string
  source: string
  /** What it names raises nothing, whatever other lists say. */
  allow: boolean
  severity: Severity
  confidence?: number | null
  valid_days?: number | null
  enabled: boolean
  entries: number
  refused: number
  imported_at?: string | null
  created_at: string
  updated_at: string
  by: string
  version: number
  state: 'in_use' | 'loading' | 'empty' | 'disabled'
}
/** Where an indicator stands: which list, which line of it. */
export type Provenance = {
  list_id?: string | null
  list: string
  source?: string | null
  line?: number | null
  reference?: string | null
  confidence?: number | null
  added_at?: string | null
  expires_at?: string | null
}
export type Indicator = { kind: IndicatorKind; indicator: string; allow: boolean; provenance: Provenance }
export type Hit = {
  entity: Entity
  kind: IndicatorKind
  indicator: string
  provenance: Provenance
  severity: Severity
  allowed_by?: Provenance | null
  event_id: string
  first_seen: string
  last_seen: string
  count: number
  alert_id?: string | null
}
export type ImportAnswer = {
  list: IndicatorList
  imported: number
  refused: number
  staged: boolean
  diagnostics: Diagnostic[]
}

/** Lists are loaded in the background: nothing tells when, so what loads is asked again. */
const LOADING_MS = 1_500

export const indicatorListsQuery = list<IndicatorList>('indicator-lists', '/indicators/lists', {}, 100)
export const indicatorListQuery = (id: string) => ({
  ...one<IndicatorList>('indicator-list', id, `/indicators/lists/${id}`),
  refetchInterval: ({ state }: { state: { data?: IndicatorList } }) =>
    state.data?.state === 'loading' ? LOADING_MS : false,
})
/** What a list names, as it was last imported and loaded. */
export const entriesQuery = (of: IndicatorList, filter: Query) => ({
  ...list<Indicator>('indicators', '/indicators', { ...filter, list: of.id }, 100),
  queryKey: ['indicators', of.id, of.version, of.state, filter] as const,
})
export const lookUpQuery = (value: string) =>
  queryOptions({
    queryKey: ['indicators', 'value', value],
    queryFn: ({ signal }) => get<Page<Indicator>>('/indicators', { value }, signal),
    enabled: value !== '',
  })
export const hitsQuery = (filter: Query) => list<Hit>('indicator-hits', '/indicators/hits', filter, 100)
