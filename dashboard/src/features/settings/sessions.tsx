/** Open sessions: one's own in every tenant, and for who may see them everybody's of this tenant. */
import { lazy, Suspense, useState } from 'react'
import { del } from '@/api/client'
import { sessionsQuery } from '@/api/queries'
import type { Session } from '@/api/types'
import { ActBtn } from '@/app/guard'
import { useSearchParams, useSetSearch } from '@/app/search'
import { useCan, useUser } from '@/app/session'
import { acted } from '@/app/submit'
import { useList } from '@/app/use-list'
import { Ago, absolute, Btn, Card, Chip, CONFIRMED_WITH, Empty, Loaded, Until } from '@/ui'
import { Acts, LoadMore, Table, Td, Tr } from '@/ui/table'

const ConfirmDialog = lazy(() => import('@/ui/confirm-dialog'))

export function Sessions() {
  const { view } = useSearchParams()
  const can = useCan()
  const all = view === 'all' && can('session.read')
  const { query, items } = useList(sessionsQuery(all))
  return (
    <Card
      title={all ? 'Everybody in this tenant' : 'Yours, in every tenant'}
      extra={can('session.read') && <Which all={all} />}
    >
      <Loaded query={query} what="Sessions">
        {() =>
          items?.length ? (
            <Table label="Sessions" head={['Who', 'Browser', 'Address', 'Opened', 'Last used', 'Ends']}>
              {items.map(session => (
                <Row key={session.id} session={session} />
              ))}
            </Table>
          ) : (
            <Empty title="No open session" />
          )
        }
      </Loaded>
      <LoadMore query={query} />
    </Card>
  )
}

function Which({ all }: { all: boolean }) {
  const set = useSetSearch()
  return (
    <span className="flex gap-1" role="group" aria-label="Whose sessions">
      <Btn size="sm" v={all ? 'ghost' : 'default'} aria-pressed={!all} onClick={() => set({ view: undefined })}>
        Mine
      </Btn>
      <Btn size="sm" v={all ? 'default' : 'ghost'} aria-pressed={all} onClick={() => set({ view: 'all' })}>
        Everybody’s
      </Btn>
    </span>
  )
}

/** `Mozilla/5.0 (X11; Linux …) … Chrome/156 …` -> `Chrome on Linux`. */
export function browserOf(agent: string | null | undefined): string {
  if (!agent) return 'Unknown'
  const name = /(Firefox|Edg|OPR|Chrome|Safari|curl|shieldops)[/ ]/i.exec(agent)?.[1]
  const system = /(Windows|Android|iPhone|iPad|Mac OS X|Linux)/.exec(agent)?.[1]?.replace('Mac OS X', 'macOS')
  const known: Record<string, string> = { Edg: 'Edge', OPR: 'Opera' }
  const browser = name ? (known[name] ?? name) : agent.slice(0, 40)
  return system ? `${browser} on ${system}` : browser
}

function Row({ session }: { session: Session }) {
  const { user, tenant } = useUser()
  const [ending, setEnding] = useState(false)
  const own = session.user_id === user.id
  return (
    <Tr>
      <Td>
        <span className="flex items-center gap-2 font-medium">
          {session.user_name}
          {session.confirmed && (
            <Chip
              tone={session.confirmed.with === 'password' ? 'neutral' : 'ok'}
              title={`Confirmed at ${absolute(session.confirmed.at)}`}
            >
              {CONFIRMED_WITH[session.confirmed.with]}
            </Chip>
          )}
          {session.tenant_slug !== tenant.slug && <Chip tone="neutral">{session.tenant_slug}</Chip>}
        </span>
      </Td>
      <Td>
        <span title={session.user_agent ?? undefined}>{browserOf(session.user_agent)}</span>
      </Td>
      <Td className="font-mono">{session.client_addr ?? ''}</Td>
      <Td className="text-fg-2">
        <Ago at={session.created_at} suffix />
      </Td>
      <Td className="text-fg-2">{session.last_used_at ? <Ago at={session.last_used_at} suffix /> : 'now'}</Td>
      <Td className="text-fg-2">
        {session.expires_at && (
          <>
            in <Until at={session.expires_at} />
          </>
        )}
      </Td>
      <Acts>
        {own ? (
          <Btn size="sm" v="ghost" onClick={() => setEnding(true)}>
            End…
          </Btn>
        ) : (
          <ActBtn need="session.write" size="sm" v="ghost" onClick={() => setEnding(true)}>
            End…
          </ActBtn>
        )}
        {ending && (
          <Suspense>
            <ConfirmDialog
              title="End this session"
              note={`${session.user_name}, ${browserOf(session.user_agent)}: refused on its next request. If it is the one you are using, you will have to sign in again.`}
              verb="End session"
              act={() => acted(del(`/sessions/${session.id}`, '*'), ['sessions'])}
              onClose={() => setEnding(false)}
            />
          </Suspense>
        )}
      </Acts>
    </Tr>
  )
}
