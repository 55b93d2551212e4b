/** Plans: those that wait for a person first, then what ran, and what was refused. */

import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { plansQuery } from '@/api/queries'
import type { Plan } from '@/api/types'
import { useHotkeys } from '@/app/hotkeys'
import { useSearchParams, useSetSearch } from '@/app/search'
import { useCan } from '@/app/session'
import { useStableRows } from '@/app/stable-rows'
import { oneOf, single, useFill, useList } from '@/app/use-list'
import { PlanCard } from '@/features/plans/plan-card'
import { Btn, cn, Empty, Loaded, NoPermission, short } from '@/ui'
import { NewPill } from '@/ui/new-pill'
import { Inbox } from './inbox'

const VIEWS = [
  { id: 'waiting', label: 'Waiting', state: 'proposed' },
  { id: 'running', label: 'Running and done', state: 'approved,executing,executed' },
  { id: 'ended', label: 'Rejected and expired', state: 'rejected,denied,expired,superseded' },
  { id: 'all', label: 'All', state: undefined },
] as const
type View = (typeof VIEWS)[number]

export default function ApprovalsPage() {
  const can = useCan()
  return can('plan.read') ? <Approvals /> : <NoPermission need="plan.read" />
}

function Approvals() {
  const { view = 'waiting' } = useSearchParams()
  const setSearch = useSetSearch()
  const chosen = VIEWS.find(v => v.id === view) ?? VIEWS[0]
  return (
    <div className="flex h-full min-h-0 flex-col">
      <div className="flex min-h-11 shrink-0 flex-wrap items-center gap-1 border-b border-line px-3 py-1">
        <h1 className="mr-2 text-sm font-semibold">Approvals</h1>
        <div role="tablist" aria-label="Plans by state" className="flex flex-wrap items-center gap-0.5">
          {VIEWS.map(v => (
            <button
              key={v.id}
              role="tab"
              type="button"
              aria-selected={chosen.id === v.id}
              onClick={() => setSearch({ view: v.id === 'waiting' ? undefined : v.id, id: undefined })}
              className={cn(
                'flex h-7 items-center rounded-md px-2 text-sm',
                chosen.id === v.id ? 'bg-active font-medium text-fg' : 'text-fg-2 hover:bg-hover',
              )}
            >
              {v.label}
            </button>
          ))}
        </div>
      </div>
      <div className="relative min-h-0 flex-1">{chosen.id === 'waiting' ? <Inbox /> : <Plans view={chosen} />}</div>
    </div>
  )
}

function Plans({ view: chosen }: { view: View }) {
  const { query, items, more, loadMore } = useList(plansQuery({ state: single(chosen.state) }))
  const match = (plan: Plan) => oneOf(chosen.state, plan.state)
  const { rows, waiting, flush } = useStableRows<Plan>({ items, key: chosen.id, match })
  useFill(query, rows.length)
  const [active, setActive] = useState(0)
  const move = (by: number) => {
    const next = Math.min(Math.max(0, active + by), Math.max(0, rows.length - 1))
    setActive(next)
    document.querySelectorAll('[data-plan]')[next]?.scrollIntoView({ block: 'nearest' })
  }
  useHotkeys([
    { keys: 'j', label: 'Next plan', group: 'List', run: () => move(1) },
    { keys: 'k', label: 'Previous plan', group: 'List', run: () => move(-1) },
  ])
  return (
    <>
      <NewPill n={waiting} noun="plan" onShow={flush} />
      <section className="scroll h-full overflow-y-auto p-4" aria-label="Plans" tabIndex={0}>
        <Loaded query={query} what="Plans">
          {() =>
            rows.length ? (
              <div className="mx-auto flex max-w-[860px] flex-col gap-4">
                {rows.map((plan, i) => (
                  <div key={plan.id}>
                    {plan.incident_id && (
                      <p className="mb-1 text-xs text-fg-3">
                        For incident{' '}
                        <Link
                          to="/incidents/$id"
                          params={{ id: plan.incident_id }}
                          className="font-mono text-accent hover:underline"
                        >
                          {short(plan.incident_id)}
                        </Link>
                      </p>
                    )}
                    <PlanCard plan={plan} focused={i === active} />
                  </div>
                ))}
                {more && (
                  <Btn className="self-center" onClick={loadMore}>
                    Load more
                  </Btn>
                )}
              </div>
            ) : (
              <Empty title="No plan here">
                Investigations propose plans; anyone with the permission can approve, the requester never.
              </Empty>
            )
          }
        </Loaded>
      </section>
    </>
  )
}
