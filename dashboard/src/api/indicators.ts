/** Indicators: lists of addresses, names, hashes that are looked for in every event; what the pages read of them. */
import { queryOptions } from '@tanstack/react-query'
import { get, type Query } from './client'
import { list, one } from './queries'
import type { components } from './schema'
import type { Page } from './types'

export type IndicatorKind = 'ip' | 'cidr' | 'domain' | 'hash' | 'url' | 'email'
type S = components['schemas']
type Item<K extends keyof S> = S[K] extends { items: (infer One)[] } ? One : never

export type IndicatorList = Omit<S['IndicatorListView'], 'state'> & {
  state: 'in_use' | 'loading' | 'empty' | 'disabled'
}
/** Where an indicator stands: which list, which line of it. */
export type Provenance = S['Provenance']
export type Indicator = Omit<Item<'List_IndicatorView'>, 'kind'> & { kind: IndicatorKind }
export type Hit = S['Hit']
export type ImportAnswer = S['ImportAnswer']

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
