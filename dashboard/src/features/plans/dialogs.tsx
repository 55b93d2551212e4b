/** What a plan's card asks before it acts: a reason, said with what will happen. */
import type { Plan } from '@/api/types'
import { useNavigateTo } from '@/app/search'
import ReasonDialog from '@/ui/reason-dialog'
import { breakGlass, reject, replan } from './acts'
import UndoMany from './undo-many'

export type Asking = 'reject' | 'veto' | 'glass' | 'aside' | 'undo'
type Props = { plan: Plan; onClose: () => void }

export default function Dialogs({ asking, ...props }: Props & { asking: Asking }) {
  if (asking === 'undo') {
    const { plan, onClose } = props
    const scope = { plan_id: plan.id }
    return <UndoMany {...{ scope, onClose }} title="Undo this plan" note={plan.title} verb="Undo plan" />
  }
  if (asking === 'glass') return <Glass {...props} />
  if (asking === 'aside') return <Aside {...props} />
  const veto = asking === 'veto'
  return (
    <ReasonDialog
      open
      onClose={props.onClose}
      title={veto ? 'Veto this plan' : 'Reject this plan'}
      note={props.plan.title}
      verb={veto ? 'Veto plan' : 'Reject plan'}
      act={reason => reject(props.plan, reason)}
    />
  )
}

function Glass({ plan, onClose }: Props) {
  const frozen = plan.state === 'denied'
  return (
    <ReasonDialog
      open
      onClose={onClose}
      danger
      title="Break glass"
      note={`${plan.title}. It runs at once ${frozen ? 'in spite of the freeze' : 'without the approvals that it needs'}.`}
      verb="Break glass and run"
      hint="Goes into the ledger with your name, and to every administrator."
      act={reason => breakGlass(plan, reason)}
    >
      <p className="rounded-md px-2.5 py-1.5 text-xs soft-critical">
        All administrators are told at once. What policy denies, its caps and protected things hold all the same. Your
        session must have given a passkey or a code in the last five minutes.
      </p>
    </ReasonDialog>
  )
}

function Aside({ plan, onClose }: Props) {
  const go = useNavigateTo()
  return (
    <ReasonDialog
      open
      onClose={onClose}
      title="Set the freeze aside"
      note={`${plan.title}. It is planned again, against the target as it is now.`}
      verb="Plan in spite of it"
      hint="Goes into the ledger with your name, and to everybody."
      act={reason => replan(plan, reason).then(made => go(`/plans/${made.id}`))}
    >
      <p className="rounded-md px-2.5 py-1.5 text-xs soft-medium">
        Everybody is told at once. Nothing runs by this: the new plan needs its approvals as ever.
      </p>
    </ReasonDialog>
  )
}
