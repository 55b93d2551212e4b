/** The only door to the generated schema: everything else imports its names from here. */
import type { components } from './schema'

type S = components['schemas']

export type Severity = S['Severity']
export type RiskLevel = S['Risk']
export type Verdict = S['Verdict']
export type AlertStatus = S['AlertStatus']
export type IncidentStatus = S['IncidentStatus']
export type PlanState = S['PlanState']
export type ActionState = S['ActionState']
export type EntityKind = S['EntityKind']
export type Entity = S['Entity']
export type RiskTerm = S['RiskTerm']
export type Alert = S['Alert']
export type AlertDetail = S['AlertDetail']
export type Incident = S['Incident']
export type Phase = NonNullable<Incident['phase']>
export type Note = S['Note']
export type Investigation = S['Investigation']
export type TimelineEntry = S['TimelineEntry']
export type GraphNode = S['GraphNode']
export type GraphEdge = S['GraphEdge']
export type TreeNode = S['TreeNode']
export type Hypothesis = S['Hypothesis']
export type DiffLine = S['DiffLine']
export type Proof = S['Proof']
export type Action = S['Action']
export type Plan = S['Plan']
export type EventView = S['EventView']
export type Target = S['Target']
export type IngestStats = S['IngestStats']
export type DeadLetter = S['DeadLetter']
export type Diagnostic = S['Diagnostic']
export type Rule = S['Rule']
export type RuleTest = S['RuleTest']
export type Capability = S['Capability']
export type Automation = S['Automation']
export type Token = S['Token']
export type User = S['User']
export type LedgerEntry = S['LedgerEntry']
export type LedgerVerify = S['LedgerVerify']
export type Me = S['Me']
export type Overview = S['Overview']
export type Problem = S['Problem']

export type Page<T> = { items: T[]; next_cursor?: string | null }
export type EventPage = Page<EventView> & {
  searched?: { from?: string | null; to?: string | null; events: number; complete: boolean }
}
export type BulkResult = { results: { id: string; ok: boolean; code?: string | null }[] }

export const SEVERITIES: Severity[] = ['critical', 'high', 'medium', 'low', 'informational']
