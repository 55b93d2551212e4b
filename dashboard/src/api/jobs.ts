/** Work that takes longer than a request: what the pages read of it. */
import { list, one } from './queries'
import type * as T from './types'

const RUNNING_MS = 1_500

export const jobsQuery = list<T.Job>('jobs', '/jobs')
/** Frames tell of its progress; a job that runs is asked too, so that a lost frame does not leave it standing. */
export const jobQuery = (id: string) => ({
  ...one<T.Job>('job', id, `/jobs/${id}`),
  refetchInterval: ({ state }: { state: { data?: T.Job } }) => (state.data?.state === 'running' ? RUNNING_MS : false),
})
