/** Links that were made and what became of them; an open one can be withdrawn. */
import { del } from '@/api/client'
import { invitationsQuery } from '@/api/queries'
import type { Invitation } from '@/api/types'
import { ActBtn } from '@/app/guard'
import { useNames } from '@/app/names'
import { useSubmit } from '@/app/submit'
import { useList } from '@/app/use-list'
import { Ago, Card, Chip, InlineError, Loaded, Until } from '@/ui'
import { Acts, LoadMore, Table, Td, Tr } from '@/ui/table'
import { useNow } from '@/ui/time'
import { roleName, useRoles } from './names'

/** What became of a link. */
export function linkState(link: Invitation, now: number): { word: string; tone: string; open: boolean } {
  if (link.spent_at) return { word: 'used', tone: 'ok', open: false }
  if (link.revoked_at) return { word: 'withdrawn', tone: 'neutral', open: false }
  if (Date.parse(link.expires_at) <= now) return { word: 'expired', tone: 'neutral', open: false }
  return { word: 'open', tone: 'accent', open: true }
}

export function Invitations() {
  const { query, items } = useList(invitationsQuery)
  return (
    <Card title="Invitations and reset links">
      <Loaded query={query} what="Invitations">
        {() =>
          items?.length ? (
            <Table label="Invitations" head={['For', 'State', 'Role', 'Made by', 'Made', 'Ends']}>
              {items.map(link => (
                <Row key={link.id} link={link} />
              ))}
            </Table>
          ) : (
            <p className="px-3 py-4 text-xs text-fg-3">None was made yet.</p>
          )
        }
      </Loaded>
      <LoadMore query={query} />
    </Card>
  )
}

function Row({ link }: { link: Invitation }) {
  const { items } = useRoles()
  const names = useNames()
  const state = linkState(link, useNow(15_000))
  const { error, busy, run } = useSubmit(['invitations'])
  return (
    <Tr dead={!state.open}>
      <Td>
        <span className="flex items-center gap-2 font-medium">
          {link.name}
          {link.kind === 'reset' && <Chip tone="neutral">new password</Chip>}
        </span>
        <InlineError error={error} className="mt-1" />
      </Td>
      <Td>
        <Chip tone={state.tone}>{state.word}</Chip>
      </Td>
      <Td>{link.kind === 'invite' ? roleName(link.role, items) : ''}</Td>
      <Td>{names(link.invited_by)}</Td>
      <Td>
        <Ago at={link.created_at} suffix />
      </Td>
      <Td>
        {state.open && (
          <>
            in <Until at={link.expires_at} />
          </>
        )}
      </Td>
      <Acts>
        {state.open && (
          <ActBtn
            need="user.write"
            size="sm"
            v="ghost"
            disabled={busy}
            onClick={() => void run(() => del(`/invitations/${link.id}`, '*'))}
          >
            Withdraw
          </ActBtn>
        )}
      </Acts>
    </Tr>
  )
}
