/** Who is told of what waits for them, by which way, and what became of each letter. */
import { queryOptions } from '@tanstack/react-query'
import { get, post, put, type Query } from './client'
import { sooner } from './poll'
import { list } from './queries'
import type { components } from './schema'

type S = components['schemas']
export type Notifications = S['NotificationsView']
export type Letter = S['List_Letter']['items'][number]
export type LetterState = S['LetterState']
export type Way = S['Channel']
export type NoticeKind = S['NoticeKind']
export type WaysBody = S['NotificationsBody']

/** What a change of the ways, or a test of them, makes stale. */
export const NOTICES = ['notifications', 'letters']

export const notificationsQuery = queryOptions({
  queryKey: ['notifications'],
  queryFn: ({ signal }) => get<Notifications>('/notifications', {}, signal),
})
/** No frame tells of letters: the list is read again, sooner while one is on its way. */
const QUIET_MS = 20_000
const ON_ITS_WAY_MS = 4_000
export const lettersQuery = (filter: Query) => ({
  ...list<Letter>('letters', '/notifications/outbox', filter, 100),
  refetchInterval: sooner<Letter>(letter => letter.state === 'queued', ON_ITS_WAY_MS, QUIET_MS),
})
export const setWays = (body: WaysBody, seen: number) => put<Notifications>('/notifications', body, seen)
/** To one's own address and to the webhook. */
export const testWays = () => post<S['Tested']>('/notifications/test')
