/** The installation's own ledger: tenants made and destroyed, operators, what the host did. For operators. */
import { useUser } from '@/app/session'
import { NoPermission } from '@/ui'
import { Ledger } from './book'

export default function InstallationLedgerPage() {
  const { operator } = useUser()
  return operator ? (
    <Ledger of="/installation/ledger" title="Installation ledger" />
  ) : (
    <NoPermission need="tenant.read" />
  )
}
