/** The tenant's ledger. */
import { useCan } from '@/app/session'
import { NoPermission } from '@/ui'
import { Ledger } from './book'

export default function LedgerPage() {
  const can = useCan()
  return can('ledger.read') ? (
    <Ledger of="/ledger" title="Ledger" need="ledger.export" />
  ) : (
    <NoPermission need="ledger.read" />
  )
}
