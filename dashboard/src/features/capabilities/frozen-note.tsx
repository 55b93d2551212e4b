/** A freeze that holds where the plan is to act: what contains passes it, what changes is denied unless it is set aside. */
import { useQuery } from '@tanstack/react-query'
import { gateSettingsQuery } from '@/api/gate'
import type { Capability } from '@/api/response-types'
import type { GateFreeze, Target } from '@/api/types'
import { useCan } from '@/app/session'
import { cap, useNow } from '@/ui'
import { ReasonField } from '@/ui/form-dialog'
import { frozen, when } from '../gate/frozen'

/** None for who may not read the settings: the plan itself says then that it is denied. */
export function useFreezes(target: Target | undefined): GateFreeze[] {
  const may = useCan()('automation.read')
  const { data } = useQuery({ ...gateSettingsQuery, enabled: may && target !== undefined })
  const now = useNow(10_000)
  return data && target ? frozen(data.settings, target.environment, now) : []
}

/** Whether a freeze denies it: containment and reading pass. */
export const heldBack = ({ purpose, class: kind }: Capability) => purpose === 'change' && kind !== 'read_only'

type Props = {
  capability: Capability
  target: Target
  freezes: GateFreeze[]
  reason: string
  onReason: (reason: string) => void
}

export function FrozenNote({ capability, target, freezes, reason, onReason }: Props) {
  const may = useCan()('plan.approve')
  const first = freezes[0]
  if (!first) return null
  const held = `Changes in ${target.environment} are frozen: ${freezes.map(one => one.name).join(', ')}.`
  if (!heldBack(capability)) {
    const what = capability.class === 'read_only' ? 'This only reads' : 'This contains'
    return (
      <p className="rounded-md px-2.5 py-1.5 text-xs soft-info">{`${held} ${what}, so it goes on all the same.`}</p>
    )
  }
  return (
    <section aria-label="Change freeze" className="flex flex-col gap-2 rounded-md border border-medium/40 p-2.5">
      <div className="text-xs text-fg-2">
        <p className="font-medium text-medium">{held}</p>
        {freezes.map(one => (
          <p key={`${one.name} ${when(one)}`}>{`${cap(one.reason)}; ${when(one)}.`}</p>
        ))}
      </div>
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
