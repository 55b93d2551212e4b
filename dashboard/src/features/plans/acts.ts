/** What a person can do with a plan or an action; the caches that it changes. */
import { post } from '@/api/client'
import type { Action, Plan } from '@/api/types'
import { queryClient } from '@/app/query-client'

async function refresh() {
  const keys = ['plan', 'plans', 'action', 'incident', 'incidents', 'overview', 'incident-ledger', 'ledger']
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
export const replan = (plan: Plan) => act(() => post<Plan>(`/plans/${plan.id}/replan`))
export const undo = (action: Action, reason: string) =>
  act(() => post<Action>(`/actions/${action.id}/undo`, { reason: reason || undefined }))
