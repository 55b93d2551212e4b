/** One plan, by its address: where a letter leads. Looking at it decides nothing. */
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { planQuery } from '@/api/queries'
import { useCan } from '@/app/session'
import { Loaded, NoPermission, PageBar, short } from '@/ui'
import { PlanCard } from './plan-card'

export default function PlanPage() {
  const can = useCan()
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  return can('plan.read') ? <OnePlan id={id} /> : <NoPermission need="plan.read" />
}

function OnePlan({ id }: { id: string }) {
  const query = useQuery(planQuery(id))
  return (
    <div className="flex h-full min-h-0 flex-col">
      <PageBar title={`Plan ${short(id)}`}>
        {query.data?.incident_id && (
          <Link
            to="/incidents/$id"
            params={{ id: query.data.incident_id }}
            className="text-xs text-accent hover:underline"
          >
            Incident {short(query.data.incident_id)}
          </Link>
        )}
        <Link to="/approvals" className="text-xs text-accent hover:underline">
          All plans
        </Link>
      </PageBar>
      <section className="scroll min-h-0 flex-1 overflow-y-auto p-4" aria-label="Plan" tabIndex={0}>
        <div className="mx-auto max-w-[860px]">
          <Loaded query={query} what="Plan">
            {plan => <PlanCard plan={plan} focused />}
          </Loaded>
        </div>
      </section>
    </div>
  )
}
