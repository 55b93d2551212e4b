/** One tenant and what an operator can do with it. */
import { Ellipsis } from 'lucide-react'
import { lazy, Suspense, useState } from 'react'
import { post } from '@/api/client'
import type { Deletion, Link, Tenant, TenantState } from '@/api/types'
import { queryClient } from '@/app/query-client'
import { STATE_TONE } from '@/app/tenant-switch'
import { Ago, Chip, DemoTag, Menu, type MenuItem, Until } from '@/ui'
import { Acts, Td, Tr } from '@/ui/table'

const ReasonDialog = lazy(() => import('@/ui/reason-dialog'))
const RenameDialog = lazy(() => import('./rename-dialog'))
const InviteDialog = lazy(() => import('./invite-dialog'))
const DeleteDialog = lazy(() => import('./delete-dialog'))
const UsageDialog = lazy(() => import('./usage-dialog'))

type Change = 'suspend' | 'resume' | 'lock' | 'unlock' | 'cancel-deletion'
const CHANGES: Record<Change, { label: string; hint: string; note: string; from: TenantState[]; danger?: boolean }> = {
  suspend: {
    label: 'Suspend…',
    hint: 'Read only; events are taken',
    note: 'It can be read and takes events; nothing else changes in it. What is in force on targets stays, and its expiry goes on.',
    from: ['active'],
    danger: true,
  },
  resume: { label: 'Resume…', hint: 'As before', note: 'Everything works again.', from: ['suspended'] },
  lock: {
    label: 'Lock…',
    hint: 'Nobody signs in; events are taken',
    note: 'Nobody can work in it, and nothing acts. Its events are kept.',
    from: ['active', 'suspended'],
    danger: true,
  },
  unlock: { label: 'Unlock…', hint: 'As before', note: 'People can work in it again.', from: ['locked'] },
  'cancel-deletion': {
    label: 'Call off the deletion…',
    hint: 'The tenant is suspended then',
    note: 'Nothing is destroyed. The tenant is suspended afterwards: resume it when it should work again.',
    from: ['deleting'],
  },
}

type Props = {
  tenant: Tenant
  parent: Tenant | undefined
  onLink: (link: Link) => void
  onDeletion: (deletion: Deletion) => void
}
type Asking = Change | 'rename' | 'invite' | 'delete' | 'usage' | null

export function TenantRow({ tenant, parent, onLink, onDeletion }: Props) {
  const [asking, setAsking] = useState<Asking>(null)
  const gone = tenant.state === 'deleted'
  const changes = (Object.keys(CHANGES) as Change[]).filter(change => CHANGES[change].from.includes(tenant.state))
  const acts: MenuItem[] = [
    { id: 'usage', label: 'Usage', run: () => setAsking('usage') },
    { id: 'invite', label: 'Invite an administrator…', run: () => setAsking('invite') },
    { id: 'rename', label: 'Rename…', hint: 'Name, address, parent', run: () => setAsking('rename') },
    ...changes.map(change => ({
      id: change,
      label: CHANGES[change].label,
      hint: CHANGES[change].hint,
      run: () => setAsking(change),
    })),
    ...(tenant.state === 'deleting'
      ? []
      : [{ id: 'delete', label: 'Delete…', hint: 'With a time of grace', run: () => setAsking('delete') }]),
  ]
  return (
    <Tr dead={gone}>
      <Td>
        <span className="flex items-center gap-2 font-medium">
          {tenant.name} {tenant.demo && <DemoTag />}
        </span>
        <span className="block font-mono text-2xs text-fg-3">{tenant.slug}</span>
      </Td>
      <Td>
        <span className="flex items-center gap-2">
          <Chip tone={STATE_TONE[tenant.state]}>{tenant.state}</Chip>
          {tenant.state === 'deleting' && tenant.delete_after && (
            <span className="text-fg-3">
              destroyed in <Until at={tenant.delete_after} over="a moment" />
            </span>
          )}
          {tenant.state !== 'active' && tenant.state !== 'deleting' && tenant.state_changed_at && (
            <span className="text-fg-3">
              <Ago at={tenant.state_changed_at} suffix />
            </span>
          )}
        </span>
      </Td>
      <Td>{parent?.name ?? ''}</Td>
      <Td className="text-fg-2">
        <Ago at={tenant.created_at} suffix />
      </Td>
      <Acts>
        {!gone && (
          <Menu
            icon
            size="sm"
            v="ghost"
            label={`Change ${tenant.name}`}
            trigger={<Ellipsis size={15} aria-hidden="true" />}
            items={acts}
          />
        )}
        <Suspense>
          <Asked {...{ tenant, parent, onLink, onDeletion }} asking={asking} onClose={() => setAsking(null)} />
        </Suspense>
      </Acts>
    </Tr>
  )
}

function Asked({ asking, onClose, ...props }: Props & { asking: Asking; onClose: () => void }) {
  const { tenant, parent, onLink, onDeletion } = props
  if (!asking) return null
  if (asking === 'usage') return <UsageDialog tenant={tenant} onClose={onClose} />
  if (asking === 'rename') return <RenameDialog tenant={tenant} parent={parent} onClose={onClose} />
  if (asking === 'invite') return <InviteDialog tenant={tenant} onLink={onLink} onClose={onClose} />
  if (asking === 'delete') return <DeleteDialog tenant={tenant} onDeletion={onDeletion} onClose={onClose} />
  const { label, note, danger } = CHANGES[asking]
  return (
    <ReasonDialog
      open
      onClose={onClose}
      title={`${label.replace('…', '')}: ${tenant.name}`}
      note={note}
      verb={label.replace('…', '')}
      hint="Goes into the tenant’s and the installation’s ledger."
      danger={danger}
      act={async reason => {
        await post<Tenant>(`/tenants/${tenant.slug}/${asking}`, { reason })
        await Promise.all(['tenants', 'me'].map(key => queryClient.invalidateQueries({ queryKey: [key] })))
      }}
    />
  )
}
