/** An object's short label; a link where it has a page. */
import { Link } from '@tanstack/react-router'
import type { LedgerOf } from '@/api/queries'
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

/** In the installation's ledger only tenants have a page: its people and keys are of no one tenant. */
export function SubjectLink({ id, of = '/ledger' }: { id: string; of?: LedgerOf }) {
  const openEvent = useOpenEvent()
  // Not everything that an entry is about is an object: `anonymous`.
  const label = id.includes('_') ? `${id.split('_')[0]} ${short(id)}` : id
  if (of === '/installation/ledger') return <OfInstallation id={id} label={label} />
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
  return <Plain id={id} label={label} />
}

const Plain = ({ id, label }: { id: string; label: string }) => (
  <span className="inline-flex h-6 shrink-0 items-center whitespace-nowrap font-mono text-2xs text-fg-3" title={id}>
    {label}
  </span>
)

const OfInstallation = ({ id, label }: { id: string; label: string }) =>
  id.startsWith('tnt_') ? (
    <Link to="/tenants" className={CLASS} title={id}>
      {label}
    </Link>
  ) : (
    <Plain id={id} label={label} />
  )

/** A person's name, or what of the system it was: `triage`. */
export const actorName = (entry: LedgerEntry) => (entry.actor_name || entry.actor).replace(/^system:/, '')
