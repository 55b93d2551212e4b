/** Why a plan that was agreed to does not run: somebody may still say no, or a halt holds it. */
import { useQuery } from '@tanstack/react-query'
import { heldQuery } from '@/api/response'
import type { Plan } from '@/api/types'
import { useAutomation } from '@/app/automation'
import { useCan } from '@/app/session'
import { Ago, absolute, Btn, plural, Until, useNow } from '@/ui'

/** A run that met a halt: what it has not begun waits. */
export function Paused({ plan }: { plan: Plan }) {
  const resumed = useAutomation()?.halted === false
  if (!plan.paused_at) return null
  const left = plan.actions.filter(action => action.state === 'planned').length
  return (
    <p role="status" className="rounded-md px-2.5 py-1.5 text-xs soft-medium">
      Paused <Ago at={plan.paused_at} suffix />: automation was halted in the middle of the run.{' '}
      {`${left} of ${plural(plan.actions.length, 'action')} ${left === 1 ? 'is' : 'are'} not begun. `}
      {resumed ? 'Automation was resumed, and it goes on' : 'It goes on when a person resumes automation'}, unless what
      was agreed to is too old by then: the rest is not begun, and has to be planned again.
    </p>
  )
}

/** The ledger alone knows why a wait began anew; who may not read it sees only until when. */
function ClockSet({ plan }: { plan: Plan }) {
  const may = useCan()('ledger.read')
  const { data } = useQuery({ ...heldQuery(plan.id, plan.version), enabled: may })
  const held = data?.items[0]
  if (!held) return null
  return (
    <>
      {' '}
      The clock of the server was set <Ago at={held.time} suffix />: nobody knows how much of its time had passed, so
      all of it began again.
    </>
  )
}

type VetoProps = { plan: Plan; until: string; canVeto: boolean; halted: boolean; onVeto: () => void }

/** Approved, and it waits: the time that is left to say no. */
export function VetoBox({ plan, until, canVeto, halted, onVeto }: VetoProps) {
  const over = Date.parse(until) <= useNow()
  return (
    <div className="flex flex-wrap items-center gap-2 rounded-md px-2.5 py-1.5 text-xs soft-medium">
      <p className="min-w-0 flex-1">
        {over ? (
          halted ? (
            'The time to say no is over; automation is halted, so it does not run.'
          ) : (
            'The time to say no is over: it starts now.'
          )
        ) : (
          <>
            Runs by itself in <Until at={until} over="a moment" className="num font-semibold" />, at {absolute(until)},
            unless somebody says no.
          </>
        )}
        <ClockSet plan={plan} />
      </p>
      {canVeto && (
        <Btn size="sm" v="danger" onClick={onVeto}>
          Veto…
        </Btn>
      )}
    </div>
  )
}
