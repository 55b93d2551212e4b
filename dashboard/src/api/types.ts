/** The only door to the generated schema: everything else imports its names from here. */
import type { components } from './schema'

type S = components['schemas']

/** What a list lists; not every item has a name in the schema. */
type Item<K extends keyof S> = S[K] extends { items: (infer One)[] } ? One : never

/** The generator writes a free JSON object as an empty record; here it is what it is. */
type Free<T, K extends keyof T> = Omit<T, K> & Record<K, unknown>

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
/** A list's alert has the fields of `Alert` only. */
export type AlertDetail = Alert & Partial<S['AlertDetail']>
export type Phase = 'detected' | 'investigated' | 'contained' | 'resolved'
export type Incident = Omit<S['IncidentView'], 'phase'> & { phase: string }
export type Note = S['Note']
export type Investigation = S['Investigation']
export type TimelineEntry = S['TimelineEntry']
export type GraphNode = S['GraphNode']
export type GraphEdge = S['GraphEdge']
export type TreeNode = S['TreeNode']
export type Hypothesis = S['Hypothesis']
export type DiffLine = S['DiffLine']
export type Proof = S['Proof']
export type Action = Free<S['Action'], 'params' | 'from' | 'to'>
/** A list's plan lacks who may approve it. */
export type Plan = Omit<S['Plan'], 'actions'> &
  Partial<Pick<S['PlanDetail'], 'approvers' | 'can_approve' | 'cannot_approve_why'>> & { actions: Action[] }
export type EventView = Free<S['EventView'], 'fields' | 'ocsf'>
export type Target = S['Target']
export type Orphan = Free<Item<'List_Orphan'>, 'params'>
export type IngestStats = S['IngestStats']
export type DeadLetter = Item<'List_DeadLetter'>
export type Diagnostic = S['DiagnosticView']
type LogSource = { product?: string | null; category?: string | null; categories?: string[]; service?: string | null }
export type Rule = Omit<S['RuleView'], 'log_source'> & { log_source: LogSource } & Partial<
    Pick<S['RuleDetail'], 'source' | 'description' | 'references' | 'falsepositives' | 'triage' | 'samples'>
  >
export type RuleTest = S['TestAnswer']
export type Reloaded = S['ReloadAnswer']
export type Automation = S['Automation']
export type Token = S['Token'] & Partial<Pick<S['CreatedToken'], 'token'>>
export type TokenKind = S['TokenKind']
export type LedgerEntry = Free<S['Entry'], 'payload'>
export type LedgerVerify = S['Verification']
export type Me = S['Me']
export type MeMembership = S['MeMembership']
/** What one may do, and by which rule. The schema has another thing under this name. */
export type Decision = { permission: string; allowed: boolean; rule: string; environments?: Environment[] | null }
export type TenantState = S['TenantState']
export type Tenant = S['Tenant']
export type Deletion = S['Deletion']
export type Environment = S['Environment']
export type User = S['User']
export type Invitation = S['Invitation']
/** A repeated answer is without what is shown once. */
export type Link = Invitation & Partial<Pick<S['Link'], 'link'>>
export type Role = S['Role']
export type Roles = S['Roles']
export type ApiKey = S['ApiKey']
export type CreatedKey = ApiKey & Partial<Pick<S['CreatedKey'], 'key' | 'older_until'>>
export type Session = Item<'List_Session'>
/** How and when somebody proved who they are. */
export type Confirmation = S['Confirmation']
/** The other tenant is named while the grant holds. */
export type Grant = Item<'List_GrantView'>
export type FactorStatus = S['FactorStatus']
export type TotpOffer = S['TotpOffer']
export type RecoveryCodes = S['RecoveryCodes']
export type Passkey = S['Passkey']
export type RegisteredPasskey = S['RegisteredPasskey']
export type Ceremony = Free<S['Ceremony'], 'options'>
export type Method = S['Method']
export type Challenge = Required<Pick<S['SecondFactorProblem'], 'ticket' | 'methods' | 'expires_at'>>
export type TenantLimits = S['TenantLimits']
export type TenantSettings = S['TenantSettings']
export type SettingsBase = S['SettingsBase']
export type SettingsView = S['SettingsView']
export type SettingsVersion = Item<'List_Versioned_TenantSettings'>
/** Settings of the gate: what is in force, its versions, and what waits for a second person. */
export type GateSettingsView = S['GateSettingsView']
export type GateSettings = S['GateSettings']
export type GateVersion = S['GateVersion']
export type GateVersionDetail = S['GateVersionDetail']
export type GateLimits = S['GateSettings']['numbers']['limits']['production']
export type GateNumbers = S['Numbers']
export type GateTeam = S['Team']
export type GateFreeze = S['Freeze']
export type ProtectedEntry = S['ProtectedEntry']
export type NeverBlock = S['NeverBlock']
/** An effect that was there before its thing was protected. */
export type ProtectedEffect = Item<'List_ProtectedEffect'>
export type Autonomy = S['AutonomyView']
export type GateChange = Free<S['GateChange'], 'before' | 'after'>
export type StandingGrant = S['StandingGrant']
export type Evidence = Item<'List_Piece'>
export type Usage = S['Usage']
export type Overview = Omit<S['Overview'], 'activity' | 'plans' | 'incidents'> & {
  activity: LedgerEntry[]
  plans: { waiting: Plan[]; waiting_count: number }
  incidents: Omit<S['IncidentCounts'], 'items'> & { items: Incident[] }
}
export type Problem = Pick<S['Problem'], 'title' | 'status'> & Partial<S['Problem']>

export type Page<T> = { items: T[]; next_cursor?: string | null }
export type EventPage = Page<EventView> & { searched: S['Searched'] }
/** With an actor, entries are looked through: `searched` says how many were for this page. */
export type LedgerPage = Page<LedgerEntry> & { searched?: { entries: number; complete: boolean } | null }
export type BulkResult = S['BulkAnswer']

export type Job = S['BulkJob']
export type JobResult = S['ItemResult']

export const SEVERITIES: Severity[] = ['critical', 'high', 'medium', 'low', 'informational']
