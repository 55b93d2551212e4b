/** What waits for a yes: each request with its votes and who is told when, and the chosen plan beside it. */
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Check, Clock, KeyRound } from 'lucide-react'
import { useMemo } from 'react'
import { planQuery } from '@/api/queries'
import { approvalsQuery } from '@/api/response'
import type { ApprovalRequest, EscalationStep } from '@/api/response-types'
import { useHotkeys } from '@/app/hotkeys'
import { useNames } from '@/app/names'
import { useSearchParams, useSetSearch } from '@/app/search'
import { useStableRows } from '@/app/stable-rows'
import { useList } from '@/app/use-list'
import { ConfirmedWith, Unanswered } from '@/features/plans/owed'
import { RISK_TONE } from '@/features/plans/parts'
import { PlanCard } from '@/features/plans/plan-card'
import { Ago, absolute, Chip, cn, Empty, Loaded, Marks, short, Until, useNow } from '@/ui'
import { NewPill } from '@/ui/new-pill'
import { LoadMore } from '@/ui/table'

type Row = ApprovalRequest & { id: string }

export function Inbox() {
  const { query, items } = useList(approvalsQuery)
  const fresh = useMemo(() => items?.map(request => ({ ...request, id: request.plan_id })), [items])
  const { rows, waiting, flush } = useStableRows<Row>({ items: fresh, key: 'waiting' })
  const open = useMemo(() => new Set(fresh?.map(row => row.id)), [fresh])
  const { id } = useSearchParams()
  const set = useSetSearch()
  const chosen = rows.find(row => row.id === id) ?? rows[0]
  const move = (by: number) => {
    const at = chosen ? rows.indexOf(chosen) : -1
    const next = rows[Math.min(Math.max(0, at + by), rows.length - 1)]
    if (!next) return
    set({ id: next.id })
    document.querySelector(`[data-request="${next.id}"]`)?.scrollIntoView({ block: 'nearest' })
  }
  useHotkeys([
    { keys: 'j', label: 'Next request', group: 'List', run: () => move(1) },
    { keys: 'k', label: 'Previous request', group: 'List', run: () => move(-1) },
  ])
  return (
    <Loaded query={query} what="Approvals">
      {() =>
        chosen ? (
          <div className="flex h-full min-h-0 max-md:flex-col">
            <div className="relative w-[340px] shrink-0 border-r border-line max-md:h-44 max-md:w-full max-md:border-r-0 max-md:border-b">
              <NewPill n={waiting} noun="request" onShow={flush} />
              <section className="scroll h-full overflow-y-auto p-2" aria-label="Requests" tabIndex={0}>
                <ul className="space-y-1">
                  {rows.map(row => (
                    <li key={row.id}>
                      <RequestRow
                        request={row}
                        on={row === chosen}
                        answered={!open.has(row.id)}
                        onOpen={() => set({ id: row.id })}
                      />
                    </li>
                  ))}
                </ul>
                <LoadMore query={query} />
              </section>
            </div>
            <section className="scroll min-w-0 flex-1 overflow-y-auto p-4" aria-label="Request" tabIndex={0}>
              <div className="mx-auto flex max-w-[860px] flex-col gap-3">
                {open.has(chosen.id) && <Facts request={chosen} />}
                <OnePlan id={chosen.id} />
              </div>
            </section>
          </div>
        ) : (
          <div className="relative h-full">
            <NewPill n={waiting} noun="request" onShow={flush} />
            <Empty title="No plan waits for a person">
              Investigations propose plans; anyone with the permission can approve, the requester never.
            </Empty>
          </div>
        )
      }
    </Loaded>
  )
}

const votesText = ({ votes, needed }: ApprovalRequest) =>
  needed === 0 ? 'no approval needed' : `${votes.length} of ${needed} ${needed === 1 ? 'approval' : 'approvals'}`

type RowProps = { request: ApprovalRequest; on: boolean; answered: boolean; onOpen: () => void }

function RequestRow({ request, on, answered, onOpen }: RowProps) {
  return (
    <button
      type="button"
      data-request={request.plan_id}
      aria-current={on || undefined}
      onClick={onOpen}
      className={cn('w-full rounded-md px-2 py-1.5 text-left', on ? 'bg-active' : 'hover:bg-hover')}
    >
      <span className={cn('block truncate text-sm font-medium', answered && 'text-fg-3')}>{request.title}</span>
      <span className="mt-0.5 flex flex-wrap items-center gap-1.5 text-2xs text-fg-3">
        <Chip tone={RISK_TONE[request.risk]}>{request.risk}</Chip>
        {answered ? 'answered' : votesText(request)}
        {request.unanswered && !answered && <Unanswered />}
        <Marks simulated={request.simulated} />
        <span className="ml-auto">
          <Ago at={request.asked_at} suffix />
        </span>
      </span>
    </button>
  )
}

/** Who has to answer, who did, who is told when; and why this person may not. */
function Facts({ request }: { request: ApprovalRequest }) {
  const names = useNames()
  return (
    <section aria-label="Request for approval" className="rounded-lg border border-line bg-surface px-3 py-2.5 text-xs">
      <div className="flex flex-wrap items-center gap-2">
        <h2 className="text-sm font-medium">{votesText(request)}</h2>
        {request.unanswered && <Unanswered />}
        <span className="ml-auto text-fg-3">
          asked by {names(request.requester)}, <Ago at={request.asked_at} suffix />; ends in{' '}
          <Until at={request.expires_at} over="a moment" className="num text-fg-2" />
        </span>
      </div>
      {request.incident_id && (
        <p className="mt-1 text-fg-3">
          For incident{' '}
          <Link
            to="/incidents/$id"
            params={{ id: request.incident_id }}
            className="font-mono text-accent hover:underline"
          >
            {short(request.incident_id)}
          </Link>
        </p>
      )}
      <ul className="mt-1.5 space-y-1 text-fg-2" aria-label="Votes and who is told">
        {request.votes.map(vote => (
          <li key={vote.id} className="flex gap-1.5">
            <Check size={13} className="mt-0.5 shrink-0 text-ok" aria-hidden="true" />
            <span>
              {vote.user_name} said yes, <Ago at={vote.at} suffix />
              <ConfirmedWith confirmed={vote.confirmed} />
            </span>
          </li>
        ))}
        {request.steps.map(step => (
          <Step key={step.tells} step={step} />
        ))}
        {request.strong_session && (
          <li className="flex gap-1.5">
            <KeyRound size={13} className="mt-0.5 shrink-0 text-fg-3" aria-hidden="true" />
            <span>Your vote needs a passkey or a code of an authenticator app; you are asked for it.</span>
          </li>
        )}
      </ul>
      {request.may_not_because && (
        <p className="mt-1.5 rounded-md px-2 py-1 soft-info">You may not vote: {request.may_not_because}.</p>
      )}
    </section>
  )
}

function Step({ step }: { step: EscalationStep }) {
  // The server's word is as old as the answer; the clock goes on.
  const over = Date.parse(step.at) <= useNow(5000)
  return (
    <li className="flex gap-1.5">
      <Clock size={13} className={cn('mt-0.5 shrink-0', over ? 'text-medium' : 'text-fg-3')} aria-hidden="true" />
      <span>
        {over ? (
          <>
            The {step.tells} were told, <Ago at={step.at} suffix />
          </>
        ) : (
          <>
            The {step.tells} are told in <Until at={step.at} />
          </>
        )}{' '}
        <span className="text-fg-3">({absolute(step.at)})</span>
      </span>
    </li>
  )
}

function OnePlan({ id }: { id: string }) {
  const query = useQuery(planQuery(id))
  return (
    <Loaded query={query} what="Plan">
      {plan => <PlanCard key={plan.id} plan={plan} focused />}
    </Loaded>
  )
}
