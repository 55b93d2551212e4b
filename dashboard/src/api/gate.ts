/** What the pages about the gate read, and what they change. */
import { queryOptions } from '@tanstack/react-query'
import { get, post, put } from './client'
import { list } from './queries'
import type * as T from './types'

export const gateSettingsQuery = queryOptions({
  queryKey: ['gate-settings'],
  queryFn: ({ signal }) => get<T.GateSettingsView>('/gate-settings', {}, signal),
})
export const gateVersionsQuery = list<T.GateVersion>('gate-versions', '/gate-settings/versions', {}, 20)
export const autonomyQuery = queryOptions({
  queryKey: ['autonomy'],
  queryFn: ({ signal }) => get<T.Autonomy>('/autonomy', {}, signal),
})
export const gateChangesQuery = list<T.GateChange>('gate-changes', '/gate-changes', { active: true }, 50)
export const standingGrantsQuery = list<T.StandingGrant>('standing-grants', '/standing-grants', {}, 50)

export const protectedEffectsQuery = list<T.ProtectedEffect>('protected-effects', '/gate-settings/effects', {}, 50)

/** What a change of the gate makes stale. */
export const GATE = ['gate-settings', 'gate-versions', 'protected-effects']
export const AUTONOMY = ['autonomy', 'gate-changes']

export const writeDraft = (settings: T.GateSettings, reason: string, seen: number) =>
  put<T.GateVersionDetail>('/gate-settings', { settings, reason }, seen)
export const activate = (number: number, reason: string) =>
  post<T.GateVersionDetail>(`/gate-settings/versions/${number}/activate`, { reason })

export type Scope = { environment?: T.Environment; capability?: string }
/** What holds at once is answered with everything that is set, and what waits with the change that waits. */
export const setLevel = (scope: Scope, level: number | null, reason: string, seen: number) =>
  put<T.Autonomy | T.GateChange>('/autonomy', { ...scope, level, reason }, seen)
export const waits = (answer: unknown): answer is T.GateChange =>
  typeof answer === 'object' && answer !== null && (answer as { state?: unknown }).state === 'pending'
