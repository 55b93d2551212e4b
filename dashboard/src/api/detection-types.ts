/** Detection as code: what the server says of rules, versions, exceptions, backtests and coverage. */
import type { Diagnostic, Page, Rule, Severity, Verdict } from './types'

export type RuleState = 'draft' | 'shadow' | 'enabled' | 'retired'
export type TestVerdict = 'passed' | 'failed' | 'none'

export type Scorecard = {
  /** Of the alerts that a person judged, how many were right; a benign one is right, the rule saw what it looks for. */
  precision?: number | null
  judged: number
  true_positives: number
  false_positives: number
  benign: number
  alerts_per_day: number
  last_fired?: string | null
  shadow_matches: number
  excepted_matches: number
}
export type Correlation = {
  type: string
  group_by: string[]
  timespan: string
  timespan_s: number
  /** Ids of its rules, in its order. */
  members: string[]
  /** It raises no alerts itself: another one builds on it. */
  silent: boolean
}

export type Proof = {
  backtest?: string | null
  backtest_at?: string | null
  ready: boolean
  missing: string[]
}
export type RuleTests = Rule['tests'] & { passed?: number; failed?: number; verdict?: TestVerdict }

/** A rule in a list. What only some servers say is optional, so that a page shows what there is. */
export type RuleView = Omit<Rule, 'tests' | 'origin' | 'switched'> & {
  switched?: (Rule['switched'] & { unproved?: boolean }) | null
  origin: 'built_in' | 'directory' | 'tenant'
  state?: RuleState
  overrides?: boolean
  head?: number | null
  live?: number | null
  tests: RuleTests
  exceptions?: number
  scorecard?: Scorecard
  /** How it is made of other rules; absent for a rule of single events. */
  correlation?: Correlation | null
}
export type RuleDetail = RuleView & { proof?: Proof }

export type FieldMatch = { selection: string; field: string; value: string; pattern: string }
export type TestResult = {
  event: string
  expected?: string | null
  matched: boolean
  ok?: boolean | null
  fields: FieldMatch[]
}
export type Check = {
  rule_id?: string | null
  title?: string | null
  diagnostics: Diagnostic[]
  tests: { results: TestResult[]; passed: number; failed: number }
}

type LogSourceText = { product?: string | null; category?: string | null; service?: string | null }
export type Explanation = {
  matched: boolean
  log_source: {
    matches: boolean
    rule: LogSourceText
    event: { product?: string | null; categories?: string[]; service?: string | null }
  }
  condition_holds: boolean
  selections: { name: string; matched: boolean; items: ExplainedItem[] }[]
  summary: string
  state?: string | null
  excepted_by?: string | null
  /** Lines of the rule that were not asked, because there are too many. */
  left_out?: number
  /** The event as rules read it. */
  event?: string
}
export type ExplainedItem = {
  field?: string | null
  pattern: string
  matched: boolean
  present: boolean
  values: string[]
}

export type RuleVersion = {
  number: number
  version: string
  at: string
  by: string
  by_name?: string | null
  note?: string | null
  live: boolean
  head: boolean
}
export type DiffRow = { kind: 'same' | 'added' | 'removed'; old?: number | null; new?: number | null; text: string }
export type RuleDiff = { from: string; to: string; text: string; lines: DiffRow[] }

export type ShadowMatch = { event_id: string; at: string; source: string; version: string }

type IncidentRef = { id: string; title: string; severity: Severity; verdict?: Verdict | null }
export type BacktestReport = {
  events_read: number
  events_in_window: number
  matches: number
  alerts: number
  per_day: { day: string; alerts: number; matches: number }[]
  entities: { kind: string; value: string; matches: number }[]
  sample: { event_id: string; at: string; source: string }[]
  incidents: { caught: (IncidentRef & { how: string })[]; missed: IncidentRef[]; more: number }
  not_checked: { what: string; events: number; detail: string }[]
  took_ms: number
  complete: boolean
}
export type Backtest = {
  id: string
  rule_id: string
  version: string
  from: string
  to: string
  state: 'running' | 'done' | 'failed'
  at: string
  by: string
  report?: BacktestReport | null
}

export type Exception = {
  id: string
  title: string
  /** Sigma filter YAML. */
  filter: string
  rules: string[]
  owner: string
  reason: string
  created_at: string
  by: string
  by_name?: string | null
  expires_at: string
  active: boolean
  version: number
  diagnostics: Diagnostic[]
}

export type CoverageStatus = 'evaluated' | 'shadow' | 'not_checked' | 'silent'
export type CoverageWindow = {
  source: string
  from: string
  to: string
  status: CoverageStatus
  /** Why nothing was checked. */
  why: string
  events: number
  late: number
  skipped: number
}
export type CoverageLog = {
  from: string
  to: string
  checked_until?: string | null
  rows: { source: string; minute: string; rules: string; evaluated: number; late: number; skipped: number }[]
  windows: CoverageWindow[]
  gaps: number
  /** There is more than one answer holds. */
  truncated?: boolean
}
export type CoverageLevel = 'none' | 'data' | 'detected' | 'tested' | 'automated'
export type Technique = {
  id: string
  tactics: string[]
  data: boolean
  detected: boolean
  tested: boolean
  automated: boolean
  level: CoverageLevel
  /** The first hundred. */
  rules: { id: string; title: string; state: string; data: boolean; tested: boolean }[]
  rule_count: number
  sources: string[]
}
export type AttackCoverage = { techniques: Technique[]; totals: Record<string, number> }
type EventSource = { product?: string | null; categories?: string[]; service?: string | null }
export type FieldCoverage = {
  sources: {
    source: string
    log_sources: EventSource[]
    /** Events that were looked at. */
    events: number
    fields: { name: string; events: number }[]
    unread: string[]
  }[]
  missing: { rule_id: string; title: string; field: string; log_source?: LogSourceText | null; sources: string[] }[]
  truncated: boolean
}
export type RulePage = Page<RuleView>
