/** A way from the incident to a plan: what its entities suggest, and the whole catalogue. */
import { ShieldPlus } from 'lucide-react'
import { capabilitiesQuery } from '@/api/response'
import type { Incident } from '@/api/types'
import { useNavigateTo } from '@/app/search'
import { useCan } from '@/app/session'
import { useList } from '@/app/use-list'
import { Menu } from '@/ui'
import { ranked, suggested } from '../capabilities/prefill'

const MOST = 6

export function Respond({ incident }: { incident: Incident }) {
  const can = useCan()
  const may = can('plan.create') && can('plan.read')
  const { items } = useList({ ...capabilitiesQuery, enabled: may, staleTime: Number.POSITIVE_INFINITY })
  const go = useNavigateTo()
  if (!may) return null
  const plan = (capability?: string) => go('/capabilities', { incident: incident.id, capability })
  return (
    <Menu
      label="Plan a response"
      trigger={
        <>
          <ShieldPlus size={14} aria-hidden="true" />
          Plan a response
        </>
      }
      items={[
        ...suggested(items ?? [], ranked(incident))
          .slice(0, MOST)
          .map(one => ({ id: one.capability, label: one.title, hint: one.value, run: () => plan(one.capability) })),
        { id: 'all', label: 'Something else…', hint: 'Every capability', run: () => plan() },
      ]}
    />
  )
}
