/** What a person can do with a plan or an action; the caches that it changes. */
import { post } from '@/api/client'
import * as response from '@/api/response'
import type { Action, Orphan, Plan } from '@/api/types'
import { queryClient } from '@/app/query-client'

async function refresh() {
  const keys = ['plan', 'plans', 'action', 'actions', 'approvals', 'incident', 'incidents', 'overview', 'ledger']
  keys.push('incident-ledger', 'orphans', 'evidence')
  await Promise.all(keys.map(key => queryClient.invalidateQueries({ queryKey: [key] })))
}

async function act<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } finally {
    // Also after a refusal: the plan has probably changed since it was read.
    await refresh()
  }
}

/** Binds to the hash that was on the screen: a plan that changed meanwhile is refused by the server. */
export const approve = (plan: Plan) => act(() => post<Plan>(`/plans/${plan.id}/approve`, { hash: plan.hash }))
export const reject = (plan: Plan, reason: string) => act(() => post<Plan>(`/plans/${plan.id}/reject`, { reason }))
export const execute = (plan: Plan) => act(() => post<Plan>(`/plans/${plan.id}/execute`))
/** A new plan of the same actions; with a reason, a freeze that denies it is set aside. */
export const replan = (plan: Plan, freeze_override?: string) =>
  act(() => post<Plan>(`/plans/${plan.id}/replan`, freeze_override ? { freeze_override } : undefined))
export const breakGlass = (plan: Plan, reason: string) => act(() => response.breakGlass(plan, reason))
export const createPlan = (plan: response.NewPlan) => act(() => response.createPlan(plan))
export const undoMany = (scope: response.UndoScope, reason: string) => act(() => response.undoMany(scope, reason))
const orphanAct = (verb: 'adopt' | 'undo') => (orphan: Orphan, reason: string) => {
  const { capability, key, action_id } = orphan
  return act(() => post<Plan>(`/targets/${orphan.target_id}/orphans/${verb}`, { capability, key, action_id, reason }))
}
export const adoptOrphan = orphanAct('adopt')
export const undoOrphan = orphanAct('undo')
export const undo = (action: Action, reason: string) =>
  act(() => post<Action>(`/actions/${action.id}/undo`, { reason: reason || undefined }))
