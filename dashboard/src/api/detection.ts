/** What the pages read of rules, exceptions, backtests and coverage. */
import { queryOptions } from '@tanstack/react-query'
import { get, type Query } from './client'
import type * as D from './detection-types'
import { list, one } from './queries'
import type { Page } from './types'

export const rulePath = (id: string, part = '') => `/rules/${encodeURIComponent(id)}${part}`

export const rulesQuery = (filter: Query) => list<D.RuleView>('rules', '/rules', filter, 200)
export const ruleQuery = (id: string) => one<D.RuleDetail>('rule', id, rulePath(id))
export const versionsQuery = (id: string) => ({
  ...list<D.RuleVersion>('rule-versions', rulePath(id, '/versions'), {}, 50),
  queryKey: ['rule', id, 'versions'] as const,
})
export const diffQuery = (id: string, from: string, to: string) =>
  queryOptions({
    queryKey: ['rule', id, 'diff', from, to],
    queryFn: ({ signal }) => get<D.RuleDiff>(rulePath(id, '/diff'), { from, to }, signal),
    enabled: from !== '' && to !== '' && from !== to,
  })
export const shadowMatchesQuery = (id: string) => ({
  ...list<D.ShadowMatch>('rule-matches', rulePath(id, '/matches'), {}, 100),
  queryKey: ['rule', id, 'matches'] as const,
})
export const backtestsQuery = (id: string) =>
  queryOptions({
    queryKey: ['rule', id, 'backtests'],
    queryFn: ({ signal }) => get<Page<D.Backtest>>(rulePath(id, '/backtests'), { limit: 20 }, signal),
  })
export const backtestQuery = (id: string, job: string) =>
  one<D.Backtest>('backtest', job, rulePath(id, `/backtests/${job}`))

export const throttleQuery = (id: string) => one<D.ThrottleView>('throttle', id, rulePath(id, '/throttle'))

export const valueListPath = (name: string) => `/value-lists/${encodeURIComponent(name)}`
export const valueListsQuery = list<D.ValueListRow>('value-lists', '/value-lists', {}, 200)
export const valueListQuery = (name: string) => ({
  ...one<D.ValueList>('value-list', name, valueListPath(name)),
  staleTime: 0,
})

export const pipelinePath = (name: string, part = '') => `/pipelines/${encodeURIComponent(name)}${part}`
export const pipelinesQuery = list<D.PipelineRow>('pipelines', '/pipelines', {}, 200)
export const pipelineQuery = (name: string) => one<D.Pipeline>('pipeline', name, pipelinePath(name))
export const pipelineVersionsQuery = (name: string) => ({
  ...list<D.PartVersion>('pipeline-versions', pipelinePath(name, '/versions'), {}, 50),
  queryKey: ['pipeline', name, 'versions'] as const,
})
/** The text of a version never changes. */
export const pipelineVersionQuery = (name: string, number: number) =>
  queryOptions({
    queryKey: ['pipeline', name, 'version', number],
    queryFn: ({ signal }) => get<D.PipelineVersion>(pipelinePath(name, `/versions/${number}`), {}, signal),
    staleTime: Number.POSITIVE_INFINITY,
  })

export const exceptionsQuery = (filter: Query) => list<D.Exception>('exceptions', '/exceptions', filter, 100)

export const coverageLogQuery = (filter: Query) =>
  queryOptions({
    queryKey: ['coverage-log', filter],
    queryFn: ({ signal }) => get<D.CoverageLog>('/coverage/log', filter, signal),
    refetchInterval: 60_000,
  })
export const attackQuery = queryOptions({
  queryKey: ['coverage-attack'],
  queryFn: ({ signal }) => get<D.AttackCoverage>('/coverage/attack', {}, signal),
})
export const fieldsQuery = queryOptions({
  queryKey: ['coverage-fields'],
  queryFn: ({ signal }) => get<D.FieldCoverage>('/coverage/fields', {}, signal),
})
