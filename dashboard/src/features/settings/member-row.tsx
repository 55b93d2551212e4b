/** One member: role, state, and the ways to help or end them. */
import { Ellipsis } from 'lucide-react'
import { lazy, Suspense, useState } from 'react'
import { del, patch, post } from '@/api/client'
import type { Link, User } from '@/api/types'
import { useWhyNot } from '@/app/guard'
import { useUser } from '@/app/session'
import { acted, useSubmit } from '@/app/submit'
import { toast } from '@/app/toast'
import { Ago, Avatar, Chip, InlineError, Menu, type MenuItem } from '@/ui'
import { Acts, Td, Tr } from '@/ui/table'
import { roleName, useRoles } from './names'
import { RoleSelect } from './role-select'

const ConfirmDialog = lazy(() => import('@/ui/confirm-dialog'))
const STALE = ['users', 'invitations', 'sessions']
type Asking = 'remove' | 'factors' | null

export function MemberRow({ user, onLink }: { user: User; onLink: (link: Link) => void }) {
  const { user: me } = useUser()
  const why = useWhyNot()('user.write')
  const { items } = useRoles()
  const { error, busy, run } = useSubmit(STALE)
  const [asking, setAsking] = useState<Asking>(null)
  const self = user.id === me.id
  const change = (body: object) => void run(() => patch<User>(`/users/${user.id}`, body, user.version))
  const acts: MenuItem[] = [
    {
      id: 'reset',
      label: 'Make a reset link',
      hint: 'For who forgot the password',
      disabled: self,
      run: () => void run(() => post<Link>(`/users/${user.id}/reset`), onLink),
    },
    {
      id: 'factors',
      label: 'Remove second factors…',
      hint: user.second_factor ? 'For who lost them' : 'There is none',
      disabled: self || !user.second_factor,
      run: () => setAsking('factors'),
    },
    {
      id: 'disable',
      label: user.disabled ? 'Enable' : 'Disable',
      hint: user.disabled ? 'May work here again' : 'Refused on the next request; can be enabled again',
      disabled: self,
      run: () => change({ disabled: !user.disabled }),
    },
    { id: 'remove', label: 'Remove from this tenant…', disabled: self, run: () => setAsking('remove') },
  ]
  return (
    <Tr dead={user.disabled}>
      <Td>
        <span className="flex items-center gap-2.5">
          <Avatar name={user.display ?? user.name} size={22} />
          <span className="font-medium">
            {user.name}
            {self && <span className="font-normal text-fg-3"> (you)</span>}
          </span>
          {user.disabled && <Chip tone="neutral">disabled</Chip>}
          {!user.has_password && <Chip tone="medium">no password yet</Chip>}
        </span>
        <InlineError error={error} className="mt-1" />
      </Td>
      <Td>
        {why ? (
          <span title={why}>{roleName(user.role, items)}</span>
        ) : (
          <RoleSelect
            aria-label={`Role of ${user.name}`}
            value={user.role}
            disabled={busy}
            onRole={role => change({ role })}
          />
        )}
      </Td>
      <Td>{user.second_factor ? <Chip tone="ok">on</Chip> : <Chip tone="neutral">none</Chip>}</Td>
      <Td className="text-fg-2">{user.last_sign_in_at ? <Ago at={user.last_sign_in_at} suffix /> : 'never'}</Td>
      <Acts>
        {!why && (
          <Menu icon size="sm" v="ghost" label={`Change ${user.name}`} trigger={<Ellipsis size={15} />} items={acts} />
        )}
        {asking && <Ask user={user} what={asking} onClose={() => setAsking(null)} />}
      </Acts>
    </Tr>
  )
}

function Ask({ user, what, onClose }: { user: User; what: 'remove' | 'factors'; onClose: () => void }) {
  const factors = what === 'factors'
  const act = async () => {
    await acted(factors ? del(`/users/${user.id}/factors`, '*') : del(`/users/${user.id}`, user.version), STALE)
    toast({
      text: factors ? `${user.name} signs in with the password alone now` : `${user.name} is no member any more`,
    })
  }
  return (
    <Suspense>
      <ConfirmDialog
        title={factors ? `Remove the second factors of ${user.name}` : `Remove ${user.name} from this tenant`}
        note={
          factors
            ? 'Authenticator app, passkeys and recovery codes go. Only for a person who is a member here and nowhere else; else the operator of the installation does it.'
            : 'Their sessions and tokens of this tenant end at once. What they did stays in the ledger with their name.'
        }
        verb="Remove"
        act={act}
        onClose={onClose}
      />
    </Suspense>
  )
}
