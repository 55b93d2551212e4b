/** The policies that judge plans: those built in, the versions of a tenant's own, and what these would have decided. */
import { queryOptions } from '@tanstack/react-query'
import { get, post } from './client'
import { sooner } from './poll'
import { list, one } from './queries'
import type { components } from './schema'
import type { GateChange } from './types'

type S = components['schemas']
export type Policies = S['PoliciesView']
export type PolicyFile = S['List_PolicyFile']['items'][number]
export type PolicyVersion = S['PolicyVersion']
export type PolicyDetail = S['PolicyVersionDetail']
export type PolicyTests = S['PolicyTests']
export type PolicyDiff = S['PolicyVersionDifference']
export type PolicyReplay = S['PolicyReplay']
export type PolicyReport = NonNullable<PolicyReplay['report']>
export type PolicySide = PolicyReport['differences'][number]['before']

/** What putting a version in force, or a replay, makes stale. */
export const POLICIES = [
  'policies',
  'policy-versions',
  'policy-version',
  'policy-diff',
  'policy-replays',
  'gate-changes',
]
const RUNNING_MS = 1_500

export const policiesQuery = queryOptions({
  queryKey: ['policies'],
  queryFn: ({ signal }) => get<Policies>('/policies', {}, signal),
})
export const builtInQuery = list<PolicyFile>('policies-built-in', '/policies/built-in', {}, 100)
export const policyVersionsQuery = list<PolicyVersion>('policy-versions', '/policies/versions', {}, 50)
export const policyVersionQuery = (number: number) =>
  one<PolicyDetail>('policy-version', String(number), `/policies/versions/${number}`)
/** From one version to another; 0 is none of the tenant's own. */
export const policyDiffQuery = (from: number, to: number) =>
  queryOptions({
    queryKey: ['policy-diff', from, to],
    queryFn: ({ signal }) => get<PolicyDiff>('/policies/diff', { from, to }, signal),
  })
export const policyReplaysQuery = {
  ...list<PolicyReplay>('policy-replays', '/policies/replays', {}, 50),
  refetchInterval: sooner<PolicyReplay>(replay => replay.state === 'running', RUNNING_MS),
}
export const replayPolicies = (version: number) => post<{ id: string }>('/policies/replays', { version })
export const activatePolicies = (number: number, reason: string) =>
  post<PolicyDetail>(`/policies/versions/${number}/activate`, { reason })
/** Another person confirms it. */
export const deactivatePolicies = (reason: string) => post<GateChange>('/policies/deactivate', { reason })
