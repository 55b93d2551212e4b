/** What a plan reaches and what hangs on it, by kind. Pure, so that tests can walk it. */
import type { Action, Plan } from '@/api/types'

export type Kind = { kind: string; found: string[] }

/** `peer:203.0.113.7` by its kind; each thing once. */
export function byKind(resources: string[], name = (_kind: string, value: string) => value): Kind[] {
  const kinds = new Map<string, Set<string>>()
  for (const resource of resources) {
    const [, kind, value] = /^([a-z_]+):(.+)$/.exec(resource) ?? []
    if (kind && value) kinds.set(kind, (kinds.get(kind) ?? new Set()).add(name(kind, value)))
  }
  return [...kinds].map(([kind, found]) => ({ kind, found: [...found] }))
}

/** Targets by the names that the plan's actions give them. */
export function reachOf(plan: Plan): Kind[] {
  const names = new Map<string, string>(plan.actions.map(action => [action.target_id, action.target.name]))
  const resources = plan.actions.flatMap(action => action.resources ?? [])
  return byKind(resources, (kind, value) => (kind === 'target' ? (names.get(value) ?? value) : value))
}

type Dependant = NonNullable<Action['dependants']>[number]

/** What hangs on the actions of a plan, each once. */
export function dependantsOf(plan: Plan): Dependant[] {
  const all = plan.actions.flatMap(action => action.dependants ?? [])
  return [...new Map(all.map(one => [`${one.kind} ${one.name} ${one.detail}`, one])).values()]
}

/** Of how many earlier actions the time is known; the fewest of its actions. */
export const measured = (plan: Plan) => Math.min(...plan.actions.map(action => action.estimate?.measured ?? 0))
