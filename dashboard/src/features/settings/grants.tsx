/** Grants: the people of the parent tenant may act here for a time, with one role. */
import { lazy, type ReactNode, Suspense, useState } from 'react'
import { del } from '@/api/client'
import { grantsQuery } from '@/api/queries'
import type { Grant } from '@/api/types'
import { ActBtn } from '@/app/guard'
import { useNames } from '@/app/names'
import { acted } from '@/app/submit'
import { useList } from '@/app/use-list'
import { Ago, Card, Chip, cap, Loaded, short, Until } from '@/ui'
import { Acts, LoadMore, Table, Td, Tr } from '@/ui/table'
import { useNow } from '@/ui/time'

const GrantDialog = lazy(() => import('./grant-dialog'))
const ConfirmDialog = lazy(() => import('@/ui/confirm-dialog'))

const isLive = (grant: Grant, now: number) => !grant.revoked_at && Date.parse(grant.expires_at) > now

export function Grants() {
  const [making, setMaking] = useState(false)
  return (
    <div className="flex flex-col gap-3">
      <List
        held={false}
        title="Given by this tenant"
        none="Nobody from another tenant may act here."
        extra={
          <ActBtn need="grant.write" size="sm" v="primary" onClick={() => setMaking(true)}>
            Let the parent in
          </ActBtn>
        }
      />
      <List held title="Held by this tenant" none="No other tenant lets the people of this one in." />
      <Suspense>{making && <GrantDialog onClose={() => setMaking(false)} />}</Suspense>
    </div>
  )
}

type ListProps = { held: boolean; title: string; none: string; extra?: ReactNode }

function List({ held, title, none, extra }: ListProps) {
  const { query, items } = useList(grantsQuery(held))
  return (
    <Card title={title} extra={extra}>
      <Loaded query={query} what="Grants">
        {() =>
          items?.length ? (
            <Table label={title} head={[held ? 'In tenant' : 'To tenant', 'Role', 'Why', 'By', 'Given', 'Ends']}>
              {items.map(grant => (
                <Row key={grant.id} grant={grant} held={held} />
              ))}
            </Table>
          ) : (
            <p className="px-3 py-4 text-xs text-fg-3">{none}</p>
          )
        }
      </Loaded>
      <LoadMore query={query} />
    </Card>
  )
}

function Row({ grant, held }: { grant: Grant; held: boolean }) {
  const names = useNames()
  const live = isLive(grant, useNow(15_000))
  const [ending, setEnding] = useState(false)
  const other = held ? grant.tenant : grant.grantee
  return (
    <Tr dead={!live}>
      <Td>
        {grant.other_name ? (
          <span className="font-medium" title={other}>
            {grant.other_name}
          </span>
        ) : (
          <span className="font-mono" title={other}>
            tnt {short(other)}
          </span>
        )}
      </Td>
      <Td>
        <Chip tone="neutral">{cap(grant.role)}</Chip>
      </Td>
      <Td className="max-w-72 truncate">
        <span title={grant.reason}>{grant.reason}</span>
      </Td>
      <Td>{names(grant.granted_by)}</Td>
      <Td className="text-fg-2">
        <Ago at={grant.created_at} suffix />
      </Td>
      <Td className="text-fg-2">
        {grant.revoked_at ? 'ended early' : live ? <Until at={grant.expires_at} /> : 'over'}
      </Td>
      <Acts>
        {live && !held && (
          <ActBtn need="grant.write" size="sm" v="ghost" onClick={() => setEnding(true)}>
            End…
          </ActBtn>
        )}
        {ending && (
          <Suspense>
            <ConfirmDialog
              title="End this grant"
              note="Whoever acts by it is refused on the next request."
              verb="End grant"
              act={() => acted(del(`/grants/${grant.id}`, '*'), ['grants'])}
              onClose={() => setEnding(false)}
            />
          </Suspense>
        )}
      </Acts>
    </Tr>
  )
}
