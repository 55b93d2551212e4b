/** What the pages about plans and actions read. Of a capability the schema says no more than that it is an object. */
import type { components } from './schema'
import type { Action } from './types'

type S = components['schemas']

export type Obligations = S['Obligations']
export type Reason = S['Reason']
export type Override = S['Override']
export type UndoReport = S['UndoReport']
export type UndoItem = S['UndoItem']
export type Prospect = S['Prospect']
export type JournalStep = Omit<S['JournalStep'], 'detail'> & { detail: unknown }
export type ActionDetail = Action & { journal?: JournalStep[] }

/** A moment at which more people are told. */
export type EscalationStep = S['EscalationStep']
/** A plan that waits for approval. */
export type ApprovalRequest = S['List_ApprovalRequest']['items'][number]

/** Why policy decided as it did. */
export type FiredRule = S['Fired']
export type Flip = S['Flip']
export type PolicyExplanation = S['PlanExplanation']

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
