/** What a tenant holds and sends, for the operator: figures only, nothing of its content. */
import { useQuery } from '@tanstack/react-query'
import { tenantUsageQuery } from '@/api/queries'
import type { Tenant } from '@/api/types'
import { Loaded } from '@/ui'
import { Modal } from '@/ui/modal'
import { UsageView, useDays } from '@/ui/usage-view'

export default function UsageDialog({ tenant, onClose }: { tenant: Tenant; onClose: () => void }) {
  const { from, to } = useDays(30)
  const query = useQuery(tenantUsageQuery(tenant.slug, from, to))
  return (
    <Modal open onClose={onClose} title={`Usage of ${tenant.name}`} note="The last 30 days." width={760}>
      <Loaded query={query} what="Usage">
        {usage => <UsageView usage={usage} />}
      </Loaded>
    </Modal>
  )
}
