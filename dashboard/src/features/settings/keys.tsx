/** API keys: credentials of machines. They belong to the tenant, not to a person; the secret is shown once. */
import { Ellipsis } from 'lucide-react'
import { lazy, Suspense, useState } from 'react'
import { del } from '@/api/client'
import { keysQuery } from '@/api/queries'
import type { ApiKey, CreatedKey } from '@/api/types'
import { ActBtn, useWhyNot } from '@/app/guard'
import { useNames } from '@/app/names'
import { acted } from '@/app/submit'
import { useList } from '@/app/use-list'
import { Ago, absolute, Card, Chip, Empty, Loaded, Menu, plural, short, Until } from '@/ui'
import { Once } from '@/ui/once'
import { Acts, LoadMore, Table, Td, Tr } from '@/ui/table'
import { useNow } from '@/ui/time'

const KeyDialog = lazy(() => import('./key-dialog'))
const RotateDialog = lazy(() => import('./rotate-dialog'))
const ConfirmDialog = lazy(() => import('@/ui/confirm-dialog'))

/** Whether a key still opens anything. */
export function keyState(key: ApiKey, now: number): { word: string; tone: string; live: boolean } {
  if (key.revoked_at) return { word: 'revoked', tone: 'neutral', live: false }
  if (key.expires_at && Date.parse(key.expires_at) <= now) return { word: 'expired', tone: 'neutral', live: false }
  if (key.secrets > 1) return { word: `${key.secrets} secrets`, tone: 'medium', live: true }
  return { word: 'active', tone: 'ok', live: true }
}

export function Keys() {
  const { query, items } = useList(keysQuery)
  const [made, setMade] = useState<CreatedKey | null>(null)
  const [editing, setEditing] = useState<ApiKey | 'new' | null>(null)
  return (
    <div className="flex flex-col gap-3">
      {made && (
        <Once
          title={`Key ${made.name}`}
          secret={made.key}
          note={made.older_until ? `The secrets before it are good until ${absolute(made.older_until)}.` : undefined}
          onClose={() => setMade(null)}
        />
      )}
      <Card
        title="Keys of this tenant"
        extra={
          <ActBtn need="key.write" size="sm" v="primary" onClick={() => setEditing('new')}>
            New key
          </ActBtn>
        }
      >
        <p className="border-b border-line px-3 py-2 text-xs text-fg-3">
          For programs. A key does what its permissions say, from where its addresses say, and never more than its
          maker. Rotate it with an overlap, and nothing has to stop.
        </p>
        <Loaded query={query} what="API keys">
          {() =>
            items?.length ? (
              <Table label="API keys" head={['Key', 'State', 'May', 'From', 'Made', 'Last used', 'Ends']}>
                {items.map(key => (
                  <Row key={key.id} apiKey={key} onEdit={() => setEditing(key)} onMade={setMade} />
                ))}
              </Table>
            ) : (
              <Empty title="No key yet">Make one for a script, a pipeline or a dashboard of your own.</Empty>
            )
          }
        </Loaded>
        <LoadMore query={query} />
      </Card>
      <Suspense>
        {editing && (
          <KeyDialog apiKey={editing === 'new' ? null : editing} onMade={setMade} onClose={() => setEditing(null)} />
        )}
      </Suspense>
    </div>
  )
}

type RowProps = { apiKey: ApiKey; onEdit: () => void; onMade: (key: CreatedKey) => void }

function Row({ apiKey: key, onEdit, onMade }: RowProps) {
  const state = keyState(key, useNow(15_000))
  const why = useWhyNot()('key.write')
  const names = useNames()
  const [asking, setAsking] = useState<'rotate' | 'revoke' | null>(null)
  const close = () => setAsking(null)
  return (
    <Tr dead={!state.live}>
      <Td>
        <span className="block font-medium">{key.name}</span>
        <span className="block font-mono text-2xs text-fg-3" title={key.id}>
          key {short(key.id)} · by {names(key.created_by)}
        </span>
      </Td>
      <Td>
        <Chip tone={state.tone}>{state.word}</Chip>
      </Td>
      <Td>
        <span title={[...key.permissions, ...key.routes].join('\n')}>
          {plural(key.permissions.length, 'permission')}
          {key.routes.length > 0 && <span className="text-fg-3"> · {plural(key.routes.length, 'route')}</span>}
        </span>
      </Td>
      <Td className="max-w-40 truncate font-mono">
        {key.addresses.length ? key.addresses.join(', ') : <span className="font-sans text-fg-3">anywhere</span>}
      </Td>
      <Td className="text-fg-2">
        <Ago at={key.created_at} suffix />
      </Td>
      <Td className="text-fg-2">{key.last_used_at ? <Ago at={key.last_used_at} suffix /> : 'never'}</Td>
      <Td className="text-fg-2">
        {key.revoked_at ? (
          ''
        ) : !key.expires_at ? (
          'never'
        ) : state.live ? (
          <Until at={key.expires_at} />
        ) : (
          <Ago at={key.expires_at} suffix />
        )}
      </Td>
      <Acts>
        {state.live && !why && (
          <Menu
            icon
            size="sm"
            v="ghost"
            label={`Change ${key.name}`}
            trigger={<Ellipsis size={15} />}
            items={[
              { id: 'edit', label: 'Edit…', hint: 'Permissions, routes, addresses, end', run: onEdit },
              {
                id: 'rotate',
                label: 'Rotate…',
                hint: 'A new secret; the old one ends later',
                run: () => setAsking('rotate'),
              },
              { id: 'revoke', label: 'Revoke…', hint: 'Refused on the next request', run: () => setAsking('revoke') },
            ]}
          />
        )}
        <Suspense>
          {asking === 'rotate' && <RotateDialog apiKey={key} onMade={onMade} onClose={close} />}
          {asking === 'revoke' && (
            <ConfirmDialog
              title={`Revoke ${key.name}`}
              note="All its secrets are refused on the next request. This cannot be taken back."
              verb="Revoke"
              act={() => acted(del(`/keys/${key.id}`, '*'), ['keys'])}
              onClose={close}
            />
          )}
        </Suspense>
      </Acts>
    </Tr>
  )
}
