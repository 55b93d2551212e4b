/** Acts on one alert or many: shown at once, taken back when the server refuses, undoable where it can be undone. */
import type { InfiniteData } from '@tanstack/react-query'
import { post, postLater } from '@/api/client'
import type { Alert, BulkResult, Job, Page, Verdict } from '@/api/types'
import { queryClient } from '@/app/query-client'
import { toast } from '@/app/toast'
import { plural } from '@/ui/format'
import { verdictLabel } from '@/ui/labels'
import { patchAlerts } from './use-queue'

/** A verdict of null is taken back: the alert is open again. */
export type Change = { verdict?: Verdict | null; status?: Alert['status']; assignee?: string | null; reason?: string }
type Pages = InfiniteData<Page<Alert>, string>
const BATCH = 200
/** More alerts than this become a job, and one job takes so many. */
export const AT_ONCE = 1_000
export const IN_A_JOB = 10_000

const shownAs = (alert: Alert, change: Change): Alert => ({
  ...alert,
  ...(change.verdict && {
    verdict: change.verdict,
    verdict_reason: change.reason ?? null,
    status: 'resolved' as const,
  }),
  ...(change.verdict === null && {
    verdict: null,
    verdict_reason: null,
    status: alert.assignee ? ('in_progress' as const) : ('new' as const),
  }),
  ...(change.status && { status: change.status }),
  ...(change.assignee !== undefined && { assignee: change.assignee }),
})

function patchCaches(ids: Set<string>, f: (alert: Alert) => Alert) {
  queryClient.setQueriesData<Pages>({ queryKey: ['alerts'] }, pages =>
    patchAlerts(pages, a => (ids.has(a.id) ? f(a) : a)),
  )
  for (const id of ids) queryClient.setQueriesData<Alert>({ queryKey: ['alert', id] }, a => a && f(a))
}

/** Sends the change; answers how many were refused. */
export async function bulk(alerts: Alert[], change: Change): Promise<number> {
  const before = new Map(alerts.map(a => [a.id, a]))
  const ids = new Set(before.keys())
  patchCaches(ids, a => shownAs(a, change))
  const restore = (failed: Set<string>) => patchCaches(failed, a => before.get(a.id) ?? a)
  try {
    const failed = new Set<string>()
    for (let at = 0; at < alerts.length; at += BATCH) {
      const batch = alerts.slice(at, at + BATCH).map(a => a.id)
      const { results } = await post<BulkResult>('/alerts/bulk', { ids: batch, ...change })
      for (const r of results) if (r.code) failed.add(r.id)
    }
    restore(failed)
    return failed.size
  } catch (error) {
    restore(ids)
    throw error
  } finally {
    void queryClient.invalidateQueries({ queryKey: ['overview'] })
    for (const id of ids) void queryClient.invalidateQueries({ queryKey: ['alert', id] })
  }
}

/** The server goes through them by itself; the rows change as it does. */
async function begin(alerts: Alert[], change: Change) {
  const job = await postLater<Job>('/alerts/bulk', { ids: alerts.map(a => a.id), ...change })
  toast({
    text: `${plural(alerts.length, 'alert')} are being changed as a job`,
    link: { to: `/jobs/${job.id}`, label: 'See how far it is' },
  })
}

async function told(alerts: Alert[], change: Change, done: string, undo: () => void) {
  try {
    if (alerts.length > AT_ONCE) return await begin(alerts, change)
    const failed = await bulk(alerts, change)
    if (failed) toast({ text: `${failed} of ${plural(alerts.length, 'alert')} were refused`, tone: 'critical' })
    else toast({ text: done, undo })
  } catch (error) {
    toast({ text: (error as Error).message, tone: 'critical' })
  }
}

/** Takes the verdict back; the ledger keeps both. */
export const reopen = (alerts: Alert[], reason: string) => {
  const refused = (failed: number) => {
    if (failed) throw new Error(`${failed} of ${plural(alerts.length, 'alert')} were refused`)
  }
  return bulk(alerts, { verdict: null, reason }).then(refused)
}

/** Gives a verdict and closes. Undo takes it back; the ledger keeps both. */
export const close = (alerts: Alert[], verdict: Verdict, reason: string) =>
  told(
    alerts,
    { verdict, reason },
    `Closed ${plural(alerts.length, 'alert')} as ${verdictLabel(verdict).toLowerCase()}`,
    () =>
      void bulk(alerts, { verdict: null, reason: 'Closed by mistake: undone at once' }).catch((e: Error) =>
        toast({ text: e.message, tone: 'critical' }),
      ),
  )

export const assign = (alerts: Alert[], to: string | null, name: string) =>
  told(alerts, { assignee: to }, `Assigned ${plural(alerts.length, 'alert')} to ${name}`, () => {
    for (const owner of new Set(alerts.map(a => a.assignee ?? null))) {
      const theirs = alerts.filter(a => (a.assignee ?? null) === owner)
      void bulk(theirs, { assignee: owner }).catch((e: Error) => toast({ text: e.message, tone: 'critical' }))
    }
  })
