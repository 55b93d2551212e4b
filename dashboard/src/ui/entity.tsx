/** An entity as every page shows it, with the ways onward from it. */
import { Link } from '@tanstack/react-router'
import type { Entity, Incident } from '@/api/types'
import { cn } from './basic'
import { ENTITY_KIND } from './labels'

export const entityKey = (entity: Entity) => `${entity.kind}:${entity.value}`

/** The entity that names an alert in one column: who acts comes before where it happens. */
const RANK: Entity['kind'][] = ['ip', 'user', 'host', 'domain', 'process', 'file', 'url', 'hash']
export function mainEntity(entities: Entity[], prefer: Entity['kind'][] = RANK): Entity | undefined {
  return [...entities].sort((a, b) => prefer.indexOf(a.kind) - prefer.indexOf(b.kind))[0]
}

export function EntityName({ entity, className }: { entity: Entity; className?: string }) {
  return (
    <span
      className={cn(`ent ent-${entity.kind} max-w-full truncate font-mono text-xs text-fg-2`, className)}
      title={`${ENTITY_KIND[entity.kind]} ${entity.value}`}
    >
      {entity.value}
    </span>
  )
}

/** The name as a link to the events that speak of it. */
export function EntityLink({ entity }: { entity: Entity }) {
  return (
    <Link
      to="/events"
      search={{ entity: entityKey(entity) }}
      className="inline-flex h-6 max-w-full items-center rounded-sm border border-line px-1.5 hover:border-line-strong hover:bg-hover"
      title={`${ENTITY_KIND[entity.kind]} ${entity.value}: search its events`}
    >
      <EntityName entity={entity} />
    </Link>
  )
}

/** `2 addresses, 1 host`: what an incident touches, in a few words. */
export function touches(incident: Incident) {
  const nouns: Partial<Record<Entity['kind'], [string, string]>> = {
    ip: ['address', 'addresses'],
    host: ['host', 'hosts'],
    user: ['user', 'users'],
    file: ['file', 'files'],
    domain: ['domain', 'domains'],
  }
  return Object.entries(nouns)
    .map(([kind, [one, many]]) => [incident.entities.filter(e => e.kind === kind).length, one, many] as const)
    .filter(([n]) => n > 0)
    .map(([n, one, many]) => `${n} ${n === 1 ? one : many}`)
    .join(', ')
}
