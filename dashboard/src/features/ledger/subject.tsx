/** An object's short label; a link where it has a page. */
import { Link } from '@tanstack/react-router'
import type { LedgerEntry } from '@/api/types'
import { useOpenEvent } from '@/app/search'
import { short } from '@/ui/format'

const CLASS = 'inline-flex h-6 shrink-0 items-center whitespace-nowrap font-mono text-2xs text-accent hover:underline'

/** Where the settings show a kind of object. */
const SETTINGS: Record<string, string> = {
  usr: 'members',
  ivt: 'members',
  rol: 'roles',
  gnt: 'grants',
  key: 'keys',
  tok: 'tokens',
  tgt: 'targets',
  ses: 'sessions',
}

export function SubjectLink({ id }: { id: string }) {
  const openEvent = useOpenEvent()
  // Not everything that an entry is about is an object: `anonymous`.
  const label = id.includes('_') ? `${id.split('_')[0]} ${short(id)}` : id
  if (id.startsWith('inc_'))
    return (
      <Link to="/incidents/$id" params={{ id }} className={CLASS}>
        {label}
      </Link>
    )
  if (id.startsWith('alt_'))
    return (
      <Link to="/alerts/$id" params={{ id }} className={CLASS}>
        {label}
      </Link>
    )
  if (id.startsWith('evt_'))
    return (
      <button type="button" className={CLASS} onClick={() => openEvent(id)}>
        {label}
      </button>
    )
  const tab = SETTINGS[id.split('_')[0] ?? '']
  if (tab)
    return (
      <Link to="/settings" search={{ tab }} className={CLASS} title={id}>
        {label}
      </Link>
    )
  return (
    <span className="inline-flex h-6 shrink-0 items-center whitespace-nowrap font-mono text-2xs text-fg-3" title={id}>
      {label}
    </span>
  )
}

/** A person's name, or what of the system it was: `triage`. */
export const actorName = (entry: LedgerEntry) => (entry.actor_name || entry.actor).replace(/^system:/, '')
