/** What a job is called and how it stands. Pure. */
import type { Job, JobResult } from '@/api/types'
import { fmt, words } from '@/ui/format'
import { percent } from '@/ui/progress'

const KINDS: Record<string, string> = {
  'alerts.update': 'Bulk triage of alerts',
  'rules.backtest': 'Backtest of a rule',
  'policies.replay': 'Replay of policies',
}
export const kindOf = (job: Pick<Job, 'kind'>) => KINDS[job.kind] ?? words(job.kind)

/** What is counted; the progress of some is in per cent. */
export const inPerCent = (job: Pick<Job, 'kind'>) => job.kind === 'rules.backtest' || job.kind === 'policies.replay'
export const amount = (job: Pick<Job, 'kind' | 'done' | 'total'>) =>
  inPerCent(job) ? `${percent(job.done, job.total)} %` : `${fmt(job.done)} of ${fmt(job.total)}`

export type Standing = { label: string; tone: 'accent' | 'ok' | 'critical' | 'medium' }
export function standing(job: Pick<Job, 'state' | 'failed'>): Standing {
  if (job.state === 'running') return { label: 'Running', tone: 'accent' }
  if (job.state === 'failed') return { label: 'Ended early', tone: 'critical' }
  return job.failed > 0 ? { label: 'Done, some refused', tone: 'medium' } : { label: 'Done', tone: 'ok' }
}

export const barTone = (job: Pick<Job, 'state'>) =>
  job.state === 'failed' ? 'critical' : job.state === 'done' ? 'ok' : 'accent'

/** Whole seconds from its beginning to its end, or to the last that was heard of it. */
export const seconds = (job: Pick<Job, 'created_at' | 'updated_at'>) =>
  (Date.parse(job.updated_at) - Date.parse(job.created_at)) / 1000

export const isRefused = (result: JobResult) => result.status >= 400

/** Why items were refused, the commonest first. */
export function reasons(results: JobResult[]): { code: string; count: number }[] {
  const counts = new Map<string, number>()
  for (const result of results.filter(isRefused)) {
    const code = result.code ?? `HTTP ${result.status}`
    counts.set(code, (counts.get(code) ?? 0) + 1)
  }
  return [...counts].map(([code, count]) => ({ code, count })).sort((a, b) => b.count - a.count)
}
