/** What the pages about plans and actions read where the generated schema has no name for it. */
import type { components } from './schema'
import type { Action, RiskLevel } from './types'

type S = components['schemas']

export type Obligations = S['Obligations']
export type Reason = S['Reason']
export type Override = S['Override']
export type UndoReport = S['UndoReport']
export type UndoItem = S['UndoItem']
export type Prospect = S['Prospect']
export type JournalStep = { step: number; at: string; kind: string; detail: unknown }
export type ActionDetail = Action & { journal?: JournalStep[] }

/** A moment at which more people are told. */
export type EscalationStep = { tells: string; at: string; over: boolean }
/** A plan that waits for approval. */
export type ApprovalRequest = {
  plan_id: string
  hash: string
  title: string
  risk: RiskLevel
  simulated: boolean
  incident_id?: string | null
  requester: string
  needed: number
  votes: S['Approval'][]
  strong_session: boolean
  because: Reason[]
  asked_at: string
  expires_at: string
  steps: EscalationStep[]
  unanswered: boolean
  may_vote: boolean
  may_not_because?: string | null
}

/** Why policy decided as it did. */
export type Fact = { path: string; value: unknown }
export type FiredRule = {
  kind: 'deny' | 'obligation'
  code: string
  detail: string
  file: string
  lines: number[]
  facts: Fact[]
}
export type Flip = { changes: { path: string; from: unknown; to: unknown }[] }
export type PolicyExplanation = {
  allow: boolean
  approvals_needed: number
  fired: FiredRule[]
  nearest?: Flip | null
  fewer_approvals?: Flip | null
  evaluations: number
}

/** The part of JSON Schema that parameters are described with. */
export type ParamSchema = {
  type?: string
  description?: string
  default?: unknown
  examples?: unknown[]
  enum?: unknown[]
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
  pattern?: string
  minItems?: number
  maxItems?: number
  items?: ParamSchema
}
export type ParamsSchema = { type?: string; required?: string[]; properties?: Record<string, ParamSchema> }
export type Capability = {
  name: string
  title: string
  target_kind: string
  params_schema: ParamsSchema
  class: 'read_only' | 'reversible' | 'transient' | 'irreversible'
  purpose: 'containment' | 'change'
  effects: string[]
  settle_ms: number
  base_risk: number
  twin: 'network' | 'rooted'
  docs: string
}
