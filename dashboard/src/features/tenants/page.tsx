/** The tenants of the installation, for its operators. What is done here stands in both ledgers. */
import { Plus } from 'lucide-react'
import { lazy, Suspense, useState } from 'react'
import { tenantsQuery } from '@/api/queries'
import type { Deletion, Link, Tenant, TenantState } from '@/api/types'
import { useSearchParams, useSetSearch } from '@/app/search'
import { useUser } from '@/app/session'
import { useList } from '@/app/use-list'
import { Btn, Empty, Loaded, NoPermission, PageBar } from '@/ui'
import { Once, wholeLink } from '@/ui/once'
import { LoadMore, Table } from '@/ui/table'
import { DeletionReport } from './deletion-report'
import { TenantRow } from './row'

const CreateDialog = lazy(() => import('./create-dialog'))
const STATES: TenantState[] = ['active', 'suspended', 'locked', 'deleting', 'deleted']

export default function TenantsPage() {
  const { operator } = useUser()
  return operator ? <Tenants /> : <NoPermission need="tenant.read" />
}

function Tenants() {
  const { state } = useSearchParams()
  const set = useSetSearch()
  const { query, items } = useList(tenantsQuery({ state }))
  const [creating, setCreating] = useState(false)
  const [link, setLink] = useState<Link | null>(null)
  const [deletion, setDeletion] = useState<Deletion | null>(null)
  return (
    <div className="flex h-full min-h-0 flex-col">
      <PageBar title="Tenants" note="Each has a key and a ledger of its own.">
        <select
          aria-label="State"
          value={state ?? ''}
          onChange={e => set({ state: e.target.value || undefined })}
          className="h-7.5 rounded-md border border-line-strong bg-surface px-1.5 text-xs text-fg-2"
        >
          <option value="">Every state</option>
          {STATES.map(s => (
            <option key={s} value={s}>
              {s}
            </option>
          ))}
        </select>
        <Btn v="primary" onClick={() => setCreating(true)}>
          <Plus size={14} aria-hidden="true" />
          New tenant
        </Btn>
      </PageBar>
      <div className="scroll flex min-h-0 flex-1 flex-col gap-3 overflow-y-auto p-4">
        {link && (
          <Once
            title={`Invitation for ${link.name}`}
            secret={wholeLink(link.link)}
            note="Whoever has it can use it: hand it over on a way you trust."
            onClose={() => setLink(null)}
          />
        )}
        {deletion && <DeletionReport deletion={deletion} onClose={() => setDeletion(null)} />}
        <div className="rounded-lg border border-line bg-surface">
          <Loaded query={query} what="Tenants">
            {() =>
              items?.length ? (
                <Table label="Tenants" head={['Tenant', 'State', 'Parent', 'Made']}>
                  {items.map(tenant => (
                    <TenantRow
                      key={tenant.id}
                      tenant={tenant}
                      parent={parentOf(tenant, items)}
                      onLink={setLink}
                      onDeletion={setDeletion}
                    />
                  ))}
                </Table>
              ) : (
                <Empty title={state ? `No tenant is ${state}` : 'No tenant'} />
              )
            }
          </Loaded>
          <LoadMore query={query} />
        </div>
      </div>
      <Suspense>{creating && <CreateDialog onClose={() => setCreating(false)} onLink={setLink} />}</Suspense>
    </div>
  )
}

const parentOf = (tenant: Tenant, all: Tenant[]) => all.find(other => other.id === tenant.parent)
