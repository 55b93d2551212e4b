/** The roles there are: built-in ones, and the tenant's own. Roles do not nest. */
import { lazy, Suspense, useState } from 'react'
import { del } from '@/api/client'
import { rolesQuery } from '@/api/queries'
import type { Role } from '@/api/types'
import { ActBtn } from '@/app/guard'
import { acted } from '@/app/submit'
import { useList } from '@/app/use-list'
import { Ago, Btn, Card, Chip, cap, Loaded, plural } from '@/ui'
import { Acts, LoadMore, Table, Td, Tr } from '@/ui/table'
import { BUILT_IN } from './names'

const RoleDialog = lazy(() => import('./role-dialog'))
const ConfirmDialog = lazy(() => import('@/ui/confirm-dialog'))
type Open = { role: Role | null; from?: string[]; readOnly?: boolean; title?: string } | null

export function Roles() {
  const { query, items } = useList(rolesQuery)
  const [open, setOpen] = useState<Open>(null)
  const builtIn = query.data?.pages[0]?.built_in ?? []
  return (
    <div className="flex flex-col gap-3">
      <Card
        title="Roles of this tenant"
        extra={
          <ActBtn need="role.write" size="sm" v="primary" onClick={() => setOpen({ role: null })}>
            New role
          </ActBtn>
        }
      >
        <Loaded query={query} what="Roles">
          {() =>
            items?.length ? (
              <Table label="Custom roles" head={['Role', 'Permissions', 'Environments', 'Changed']}>
                {items.map(role => (
                  <Row key={role.id} role={role} onOpen={setOpen} />
                ))}
              </Table>
            ) : (
              <p className="px-3 py-4 text-xs text-fg-3">
                None yet. A role of your own gives exactly the permissions that a person needs, if you like in some
                environments only.
              </p>
            )
          }
        </Loaded>
        <LoadMore query={query} />
      </Card>
      {builtIn.length > 0 && (
        <Card title="Built in">
          <Table label="Built-in roles" head={['Role', 'What for', 'Permissions']}>
            {builtIn.map(({ name, permissions }) => (
              <Tr key={name}>
                <Td className="font-medium">{cap(name)}</Td>
                <Td className="text-fg-2">{BUILT_IN.find(r => r.id === name)?.means}</Td>
                <Td className="num">{permissions.length}</Td>
                <Acts>
                  <Btn
                    size="sm"
                    v="ghost"
                    onClick={() => setOpen({ role: null, from: permissions, readOnly: true, title: cap(name) })}
                  >
                    See
                  </Btn>
                  <ActBtn
                    need="role.write"
                    size="sm"
                    v="ghost"
                    onClick={() => setOpen({ role: null, from: permissions })}
                  >
                    Start from it
                  </ActBtn>
                </Acts>
              </Tr>
            ))}
          </Table>
        </Card>
      )}
      <Suspense>{open && <RoleDialog {...open} onClose={() => setOpen(null)} />}</Suspense>
    </div>
  )
}

function Row({ role, onOpen }: { role: Role; onOpen: (open: Open) => void }) {
  const [removing, setRemoving] = useState(false)
  return (
    <Tr>
      <Td className="font-medium">{role.name}</Td>
      <Td className="num">{plural(role.permissions.length, 'permission')}</Td>
      <Td>
        <span className="flex gap-1">
          {role.environments?.map(environment => (
            <Chip key={environment} tone="neutral">
              {environment}
            </Chip>
          )) ?? <span className="text-fg-3">all</span>}
        </span>
      </Td>
      <Td className="text-fg-2">
        <Ago at={role.updated_at} suffix />
      </Td>
      <Acts>
        <ActBtn need="role.write" size="sm" v="ghost" onClick={() => onOpen({ role })}>
          Edit
        </ActBtn>
        <ActBtn need="role.write" size="sm" v="ghost" onClick={() => setRemoving(true)}>
          Delete…
        </ActBtn>
        {removing && (
          <Suspense>
            <ConfirmDialog
              title={`Delete the role ${role.name}`}
              note="Refused while somebody has it: give them another role first."
              verb="Delete"
              act={() => acted(del(`/roles/${role.id}`, role.version), ['roles'])}
              onClose={() => setRemoving(false)}
            />
          </Suspense>
        )}
      </Acts>
    </Tr>
  )
}
