/** A freeze that holds where the plan is to act: what contains passes it, what changes is denied unless it is set aside. */
import { useQuery } from '@tanstack/react-query'
import { gateSettingsQuery } from '@/api/gate'
import type { Capability } from '@/api/response-types'
import type { Environment, GateFreeze } from '@/api/types'
import { useCan } from '@/app/session'
import { cap, useNow } from '@/ui'
import { ReasonField } from '@/ui/form-dialog'
import { frozen, when } from '../gate/frozen'

/** By environment; none for who may not read the settings: the plan itself says then that it is denied. */
export function useFreezes(): (environment: Environment) => GateFreeze[] {
  const may = useCan()('automation.read')
  const { data } = useQuery({ ...gateSettingsQuery, enabled: may })
  const now = useNow(10_000)
  return environment => (data ? frozen(data.settings, environment, now) : [])
}

/** Whether a freeze denies it: containment and reading pass. */
export const heldBack = ({ purpose, class: kind }: Capability) => purpose === 'change' && kind !== 'read_only'

/** One action that meets freezes where it is to act. */
export type Met = { capability: Capability; environment: Environment; freezes: GateFreeze[] }
type Props = { met: Met[]; reason: string; onReason: (reason: string) => void }

const sentence = ({ environment, freezes }: Met) =>
  `Changes in ${environment} are frozen: ${freezes.map(one => one.name).join(', ')}.`

/** Why it goes on although there is a freeze. */
function passes(met: Met[]) {
  if (met.length > 1) return 'What is planned contains or reads'
  return met[0]?.capability.class === 'read_only' ? 'This only reads' : 'This contains'
}

export function FrozenNote({ met, reason, onReason }: Props) {
  const may = useCan()('plan.approve')
  const held = met.filter(one => heldBack(one.capability))
  // Each environment once.
  const places = (held.length ? held : met).filter(
    (one, at, all) => all.findIndex(other => other.environment === one.environment) === at,
  )
  if (!places.length) return null
  if (!held.length) {
    const text = `${places.map(sentence).join(' ')} ${passes(met)}, so it goes on all the same.`
    return <p className="rounded-md px-2.5 py-1.5 text-xs soft-info">{text}</p>
  }
  return (
    <section aria-label="Change freeze" className="flex flex-col gap-2 rounded-md border border-medium/40 p-2.5">
      {places.map(place => (
        <div key={place.environment} className="text-xs text-fg-2">
          <p className="font-medium text-medium">{sentence(place)}</p>
          {place.freezes.map(one => (
            <p key={`${one.name} ${when(one)}`}>{`${cap(one.reason)}; ${when(one)}.`}</p>
          ))}
        </div>
      ))}
      {may ? (
        <ReasonField
          optional
          label="Why the freeze is set aside"
          hint="Everybody is told at once, and the plan needs its approvals as ever. Left empty, the plan is denied while the freeze holds."
          value={reason}
          onChange={onReason}
        />
      ) : (
        <p className="text-xs text-fg-2">
          The plan is denied while it holds. Who has the permission plan.approve may set it aside, with a reason.
        </p>
      )}
    </section>
  )
}
