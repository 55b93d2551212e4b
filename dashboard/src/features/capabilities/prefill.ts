/** What an incident suggests to do, and with which values the form of it begins. Pure, so that tests can walk it. */
import type { Capability } from '@/api/response-types'
import type { Entity, EntityKind, Incident, Target } from '@/api/types'
import { fieldsOf, initial, type ParamField, type Typed, wrong } from './params'

/** Its entities, those that its title names first: an incident touches many accounts, and is about few. */
export const ranked = ({ title, entities }: Pick<Incident, 'title' | 'entities'>) => {
  const words = new Set(title.split(/\s+/))
  return [...entities].sort((a, b) => Number(words.has(b.value)) - Number(words.has(a.value)))
}

/** Which kind of entity a parameter names. */
const NAMES: Record<string, EntityKind> = { address: 'ip', user: 'user', domain: 'domain', path: 'file', files: 'file' }

/** The values of the entities that this field takes, each once. */
export function candidates(field: ParamField, entities: Entity[]): string[] {
  const kind = NAMES[field.name]
  const values = entities.filter(entity => entity.kind === kind).map(entity => entity.value)
  return [...new Set(values)].filter(value => wrong(field, value) === null)
}

/** The field with its candidates; of a list all that fit in, of anything else the first, unless another was asked for. */
function filling(field: ParamField, entities: Entity[], asked?: string): string {
  const found = candidates(field, entities)
  if (field.kind === 'lines') return found.slice(0, field.schema.maxItems ?? found.length).join('\n')
  return asked !== undefined && found.includes(asked) ? asked : (found[0] ?? '')
}

export function prefilled(fields: ParamField[], entities: Entity[], asked?: string): Typed {
  const typed = initial(fields)
  for (const field of fields) if (NAMES[field.name]) typed[field.name] = filling(field, entities, asked)
  return typed
}

/** By its name, its host, or the end of its name: `sim/web-01` is the host `web-01`. */
const isOf = (target: Target, hosts: Set<string>) =>
  [target.name, target.host, target.name.split('/').at(-1)].some(name => name != null && hosts.has(name))

/** The one target that is a host of the incident; none where several are, or none is. */
export function hostTarget(targets: Target[], entities: Entity[]): string {
  const hosts = new Set(entities.filter(entity => entity.kind === 'host').map(entity => entity.value))
  const fits = targets.filter(target => isOf(target, hosts))
  return fits.length === 1 ? (fits[0]?.name ?? '') : ''
}

export type Suggestion = { capability: string; title: string; value: string }
const CLASS_RANK: Capability['class'][] = ['reversible', 'read_only', 'transient', 'irreversible']

/** Capabilities whose every required parameter an entity of the incident gives; what can be taken back comes first. */
export function suggested(capabilities: Capability[], entities: Entity[]): Suggestion[] {
  const rank = (one: Capability) => CLASS_RANK.indexOf(one.class)
  return [...capabilities]
    .sort((a, b) => rank(a) - rank(b) || a.base_risk - b.base_risk)
    .flatMap(capability => {
      const fields = fieldsOf(capability.params_schema)
      const required = fields.filter(field => field.required)
      if (!required.length) return []
      const values = required.map(field => filling(field, entities))
      return values.every(Boolean)
        ? [{ capability: capability.name, title: capability.title, value: values.join(', ') }]
        : []
    })
}
