/** Detection as code: what the server says of rules, versions, exceptions, backtests and coverage. */
import type { components } from './schema'

type S = components['schemas']
type Item<K extends keyof S> = S[K] extends { items: (infer One)[] } ? One : never
/** The generator writes a free object as an empty record; of a rule it is this. */
type RuleSource = { product?: string | null; category?: string | null; categories?: string[]; service?: string | null }

export type RuleState = S['State']
export type Scorecard = S['Scorecard']
export type Correlation = S['CorrelationView']
export type Proof = S['RuleProof']
export type RuleView = Omit<S['RuleView'], 'log_source' | 'origin'> & {
  log_source: RuleSource
  origin: 'built_in' | 'directory' | 'tenant'
}
export type RuleDetail = Omit<S['RuleDetail'], keyof RuleView> & RuleView
export type TestResult = S['TestResult']
export type Check = S['CheckAnswer']
export type Explanation = Omit<S['Explanation'], 'log_source'> & {
  log_source: Omit<S['LogSources'], 'rule'> & { rule: RuleSource }
}
export type ExplainedItem = S['AskedLine']
export type Throttle = S['Limit']
export type ThrottleView = S['RuleThrottle']
export type ValueListRow = S['ValueListView']
export type ValueList = S['ValueListDetail']
export type PipelineRow = S['PipelineView']
export type Pipeline = S['PipelineDetail']
export type PipelineCheck = S['PipelineCheck']
export type PipelineVersion = S['PipelineVersion']
export type PartVersion = S['PartVersionView']
export type RuleVersion = S['VersionView']
export type RuleDiff = S['Difference']
export type ShadowMatch = Item<'List_Match'>
export type BacktestReport = S['Report']
export type Backtest = S['Backtest']
export type Exception = S['ExceptionView']

export type CoverageStatus = S['Status']
export type CoverageWindow = S['Stretch']
export type CoverageLog = S['Log']
export type CoverageLevel = S['Level']
export type Technique = S['Technique']
export type AttackCoverage = S['Matrix']
export type FieldCoverage = Omit<S['Fields'], 'missing'> & {
  missing: (Omit<S['MissingField'], 'log_source'> & { log_source: RuleSource })[]
}
