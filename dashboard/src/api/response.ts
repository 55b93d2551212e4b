/** What the pages about plans and actions read, and what they ask for. */
import { queryOptions } from '@tanstack/react-query'
import { get, post, type Query } from './client'
import { list, one } from './queries'
import type * as R from './response-types'
import type { Action, Evidence, LedgerPage, Plan } from './types'

export const approvalsQuery = list<R.ApprovalRequest>('approvals', '/approvals', {}, 100)
export const actionsQuery = (filter: Query) => list<Action>('actions', '/actions', filter, 100)
export const actionDetailQuery = (id: string) => one<R.ActionDetail>('action', id, `/actions/${id}`)
export const capabilitiesQuery = list<R.Capability>('capabilities', '/capabilities', {}, 100)
export const evidenceQuery = (action: string) => ({
  ...list<Evidence>('evidence', `/actions/${action}/evidence`, {}, 100),
  queryKey: ['evidence', action] as const,
})
/** Asked of the policies in force now: an old answer is no answer. */
export const explanationQuery = (plan: string, version: number) =>
  queryOptions({
    queryKey: ['explanation', plan, version] as const,
    queryFn: ({ signal }) => get<R.PolicyExplanation>(`/plans/${plan}/explanation`, {}, signal),
    staleTime: 0,
  })
/** The last time its wait began anew, because the clock was set. */
export const heldQuery = (plan: string, version: number) =>
  queryOptions({
    queryKey: ['plan-held', plan, version] as const,
    queryFn: ({ signal }) => get<LedgerPage>('/ledger', { subject: plan, kind: 'run.held', limit: 1 }, signal),
  })

export type Whose = { automation: true } | { user: string } | { rule: string }
/** Which actions are to be undone. */
export type UndoScope = { plan_id: string } | { effect_of: string } | { by: Whose; from: string; to: string }
export const previewUndo = (scope: UndoScope) => post<R.UndoReport>('/undo', { ...scope, preview: true })
export const undoMany = (scope: UndoScope, reason: string) => post<R.UndoReport>('/undo', { ...scope, reason })

/** What becomes of the actions that were done when one of them does not succeed. */
export type OnFailure = NonNullable<Plan['on_failure']>
export type NewPlan = {
  /** In their order, 1 to 16. */
  actions: { capability: string; target: { kind: string; name: string }; params: Record<string, unknown> }[]
  title?: string
  why?: string
  incident_id?: string
  on_failure?: OnFailure
  /** Why a freeze that denies it is set aside. */
  freeze_override?: string
}
export const createPlan = (plan: NewPlan) => post<Plan>('/plans', plan)
export const breakGlass = (plan: Plan, reason: string) =>
  post<Plan>(`/plans/${plan.id}/break-glass`, { hash: plan.hash, reason })
