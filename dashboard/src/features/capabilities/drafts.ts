/** The actions of a plan that is being written, in their order. Pure, so that tests can walk it. */
import { ApiError } from '@/api/client'
import type { NewPlan } from '@/api/response'
import type { Capability } from '@/api/response-types'
import type { Entity, Target } from '@/api/types'
import { fieldsOf, type ParamField, paramsOf, type Typed, wrong } from './params'
import { hostTarget, prefilled } from './prefill'

/** As many as the server takes. */
export const MOST_ACTIONS = 16

export type Draft = {
  /** Its own for as long as the form is there: its place changes. */
  key: number
  /** None before it was chosen. */
  capability: Capability | undefined
  /** By name. */
  target: string
  typed: Typed
}

export const fieldsFor = ({ capability }: Draft): ParamField[] => (capability ? fieldsOf(capability.params_schema) : [])

/** What it can be done to. */
export const fitting = (capability: Capability | undefined, targets: Target[]) =>
  targets.filter(target => target.kind === capability?.target_kind)

type Given = { targets: Target[]; entities: Entity[]; asked?: string; target?: string }

/** As it stands before anybody typed: with what the incident gives, on the target that was asked for where it fits. */
export function begun(key: number, capability: Capability | undefined, given: Given): Draft {
  const { targets, entities, asked, target = '' } = given
  const fields = fieldsFor({ key, capability, target, typed: {} })
  const possible = fitting(capability, targets)
  const there = possible.some(one => one.name === target)
  return {
    key,
    capability,
    target: there ? target : hostTarget(possible, entities),
    typed: prefilled(fields, entities, asked),
  }
}

/** With the one at this place further down, or up where `by` is less than none. */
export function moved<T>(all: T[], at: number, by: number): T[] {
  const to = at + by
  const one = all[at]
  if (one === undefined || to < 0 || to >= all.length) return all
  const rest = all.toSpliced(at, 1)
  return rest.toSpliced(to, 0, one)
}

export const targetOf = (draft: Draft, targets: Target[]) =>
  fitting(draft.capability, targets).find(target => target.name === draft.target)

/** Whether something of it is missing or wrong. */
export const unfinished = (draft: Draft, targets: Target[]) =>
  !targetOf(draft, targets) || fieldsFor(draft).some(field => wrong(field, draft.typed[field.name]))

export const actionsOf = (drafts: Draft[]): NewPlan['actions'] =>
  drafts.flatMap(draft =>
    draft.capability
      ? {
          capability: draft.capability.name,
          target: { kind: draft.capability.target_kind, name: draft.target },
          params: paramsOf(fieldsFor(draft), draft.typed),
        }
      : [],
  )

/** `Block an IP address: 203.0.113.66 on web-1`: a list of plans tells them apart. The server takes 200 bytes. */
export function titled(drafts: Draft[]): string | undefined {
  const [first] = drafts
  if (!first?.capability) return undefined
  const required = fieldsFor(first).filter(field => field.required)
  const values = required.map(field => String(first.typed[field.name] ?? '').trim())
  const more = drafts.length > 1 ? `, and ${drafts.length - 1} more` : ''
  const title = `${first.capability.title}: ${values.length ? `${values.join(', ')} on ` : ''}${first.target}${more}`
  const fits = new TextEncoder().encode(title).length <= 200
  return fits ? title : undefined
}

/** Where a refusal names a place among the actions: `actions/1/params`, `actions[1].params`. */
const PLACE = /\bactions[/[.](\d+)/
/** How the server begins what is wrong with a parameter. */
const PARAMETER = /^`([a-z0-9_]+)[^`]*`: /

/** Whether a refusal can only be about this kind of action: its capability, its target or its parameter is named. */
function named({ code, message }: ApiError): ((draft: Draft) => boolean) | undefined {
  const last = message.match(/there is no capability (\S+)$/)?.[1]
  if (code === 'unknown_capability') return draft => draft.capability?.name === last
  if (code === 'unknown_target')
    return draft => message === `no target ${draft.capability?.target_kind} ${draft.target} is registered`
  const parameter = code === 'invalid_params' && message.match(PARAMETER)?.[1]
  return parameter ? draft => fieldsFor(draft).some(field => field.name === parameter) : undefined
}

/** The one action that a refusal is about; none where it is about the plan, or may be about several. */
export function concerned(error: unknown, drafts: Draft[]): Draft | undefined {
  if (!(error instanceof ApiError) || drafts.length < 2) return undefined
  const texts = [error.message, ...(error.problem.errors ?? []).map(reason => reason.detail)]
  const place = texts.map(text => text.match(PLACE)?.[1]).find(Boolean)
  if (place) return drafts[Number(place)]
  const fits = named(error)
  const found = fits ? drafts.filter(fits) : []
  return found.length === 1 ? found[0] : undefined
}
