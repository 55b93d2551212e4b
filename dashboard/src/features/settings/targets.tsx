/** Targets: rows that people register. Policy reads only these; `local`, this very host, wants a typed confirmation. */
import { lazy, Suspense, useState } from 'react'
import { del } from '@/api/client'
import { targetsQuery } from '@/api/queries'
import type { Target } from '@/api/types'
import { useCan } from '@/app/session'
import { useSubmit } from '@/app/submit'
import { useList } from '@/app/use-list'
import { Btn, Card, Chip, cap, InlineError, Loaded, Marks, words } from '@/ui'
import { Acts, Table, Td, Tr } from '@/ui/table'
import { Orphans } from './orphans'

const TargetDialog = lazy(() => import('./target-dialog'))

export function Targets() {
  const { items } = useList(targetsQuery)
  const can = useCan()
  return (
    <>
      <TargetList />
      {!!items?.length && can('target.read') && <Orphans targets={items} />}
    </>
  )
}

function TargetList() {
  const { query, items } = useList(targetsQuery)
  const can = useCan()
  const [editing, setEditing] = useState<Target | 'new' | null>(null)
  const write = can('target.write')
  return (
    <Card
      title="Targets"
      extra={
        write && (
          <Btn size="sm" v="primary" onClick={() => setEditing('new')}>
            Register a target
          </Btn>
        )
      }
    >
      <p className="border-b border-line px-3 py-2 text-xs text-fg-3">
        Nothing can be acted on that is not registered here. The host name is how an investigation finds a target.
      </p>
      <Loaded query={query} what="Targets">
        {() =>
          items?.length ? (
            <Table label="Targets" head={['Target', 'Host name', 'Environment', 'Criticality', 'Owner']} acts={write}>
              {items.map(target => (
                <Row key={target.id} target={target} write={write} onEdit={() => setEditing(target)} />
              ))}
            </Table>
          ) : (
            <p className="p-4 text-fg-3">No target is registered: plans cannot be made.</p>
          )
        }
      </Loaded>
      {editing && (
        <Suspense>
          <TargetDialog target={editing === 'new' ? null : editing} onClose={() => setEditing(null)} />
        </Suspense>
      )}
    </Card>
  )
}

function Row({ target, write, onEdit }: { target: Target; write: boolean; onEdit: () => void }) {
  const { error, busy, run } = useSubmit(['targets'])
  const [sure, setSure] = useState(false)
  const labels = Object.entries(target.labels)
  return (
    <Tr>
      <Td>
        <span className="flex flex-wrap items-center gap-1.5">
          <span className="font-mono font-medium">{target.name}</span>
          <span className="text-fg-3">{words(target.kind)}</span>
          <Marks demo={target.demo} simulated={target.simulated} />
          {target.protected && <Chip tone="ok">protected</Chip>}
          {labels.map(([key, value]) => (
            <Chip key={key} tone="neutral">
              {key}={value}
            </Chip>
          ))}
        </span>
        {target.ssh && (
          <span className="mt-0.5 block break-all text-2xs text-fg-3" title={`Key ${target.ssh.key_fingerprint}`}>
            {target.ssh.user}@{target.ssh.address}, port {target.ssh.port}
          </span>
        )}
        <InlineError error={error} className="mt-1" />
      </Td>
      <Td className="font-mono">{target.host ?? ''}</Td>
      <Td>{cap(target.environment)}</Td>
      <Td>{cap(target.criticality)}</Td>
      <Td className="text-fg-2">{target.owner}</Td>
      {write && (
        <Acts>
          <Btn size="sm" v="ghost" onClick={onEdit}>
            Edit
          </Btn>
          <Btn
            size="sm"
            v={sure ? 'danger' : 'ghost'}
            disabled={busy}
            onBlur={() => setSure(false)}
            onClick={() => (sure ? void run(() => del(`/targets/${target.id}`, target.version)) : setSure(true))}
          >
            {sure ? 'Really remove' : 'Remove'}
          </Btn>
        </Acts>
      )}
    </Tr>
  )
}
