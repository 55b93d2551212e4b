/** Who works in this tenant, and who is invited. A second person is what lets a plan be approved. */

import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { post } from '@/api/client'
import { settingsQuery, usersQuery } from '@/api/queries'
import type { Link } from '@/api/types'
import { ActBtn } from '@/app/guard'
import { useCan } from '@/app/session'
import { useSubmit } from '@/app/submit'
import { useList } from '@/app/use-list'
import { Card, Empty, Field, InlineError, inputClass, Loaded } from '@/ui'
import { Once, wholeLink } from '@/ui/once'
import { LoadMore, Table } from '@/ui/table'
import { Invitations } from './invitations'
import { MemberRow } from './member-row'
import { RoleSelect } from './role-select'

export function Members() {
  const { query, items } = useList(usersQuery)
  const can = useCan()
  const [made, setMade] = useState<Link | null>(null)
  return (
    <div className="flex flex-col gap-3">
      {can('user.write') && <Invite onMade={setMade} />}
      {made && (
        <Once
          title={made.kind === 'reset' ? `Link to a new password for ${made.name}` : `Invitation for ${made.name}`}
          secret={wholeLink(made.link)}
          note="Whoever has it can use it: hand it over on a way you trust."
          onClose={() => setMade(null)}
        />
      )}
      <Card title="People of this tenant">
        <p className="border-b border-line px-3 py-2 text-xs text-fg-3">
          Nobody approves a plan that they asked for: with one person, plans of that person wait for a second one.
        </p>
        <Loaded query={query} what="Members">
          {() =>
            items?.length ? (
              <Table label="Members" head={['Name', 'Role', 'Second factor', 'Last sign-in']}>
                {items.map(user => (
                  <MemberRow key={user.id} user={user} onLink={setMade} />
                ))}
              </Table>
            ) : (
              <Empty title="No member" />
            )
          }
        </Loaded>
        <LoadMore query={query} />
      </Card>
      <Invitations />
    </div>
  )
}

function Invite({ onMade }: { onMade: (link: Link) => void }) {
  const can = useCan()
  const proposed = useQuery({ ...settingsQuery, enabled: can('settings.read') }).data?.effective.default_role
  const [name, setName] = useState('')
  const [chosen, setRole] = useState<string | null>(null)
  const role = chosen ?? proposed ?? 'viewer'
  const { error, busy, onSubmit } = useSubmit(['invitations'])
  const done = (link: Link) => {
    setName('')
    onMade(link)
  }
  return (
    <Card title="Invite a person" body="p-3">
      <form
        onSubmit={onSubmit(() => post<Link>('/invitations', { name: name.trim(), role }), done)}
        className="flex flex-wrap items-end gap-3"
      >
        <Field label="Name or e-mail address">
          <input
            required
            maxLength={64}
            className={`${inputClass} w-64`}
            autoComplete="off"
            value={name}
            onChange={e => setName(e.target.value)}
          />
        </Field>
        <Field label="Role">
          <RoleSelect value={role} onRole={setRole} />
        </Field>
        <ActBtn need="user.write" type="submit" v="primary" disabled={busy || !name.trim()}>
          {busy ? 'Making…' : 'Make invitation link'}
        </ActBtn>
      </form>
      <p className="mt-2 text-xs text-fg-3">
        You get a link to hand over. A new person chooses a password with it; who has an account joins with that one.
      </p>
      <InlineError error={error} className="mt-2" />
    </Card>
  )
}
