/** People and their roles. A second person is what lets a plan be approved. */
import { type ComponentProps, useState } from 'react'
import { patch, post } from '@/api/client'
import { usersQuery } from '@/api/queries'
import type { User } from '@/api/types'
import { useCan, useUser } from '@/app/session'
import { useList } from '@/app/use-list'
import { Avatar, Btn, Card, Chip, Field, InlineError, inputClass, Loaded } from '@/ui'
import { useSubmit } from './form'

type Role = 'admin' | 'analyst' | 'viewer'
const ROLES: { id: Role; label: string }[] = [
  { id: 'admin', label: 'Admin: everything' },
  { id: 'analyst', label: 'Analyst: triage, plans, approvals, undo' },
  { id: 'viewer', label: 'Viewer: read' },
]

export function Users() {
  const { query, items } = useList(usersQuery)
  const can = useCan()
  const write = can('user.write')
  return (
    <div className="flex flex-col gap-3">
      {write && <NewUser />}
      <Card title="Users">
        <p className="border-b border-line px-3 py-2 text-xs text-fg-3">
          Nobody approves a plan that they asked for: with one person, plans of that person wait for a second one.
        </p>
        <Loaded query={query} what="Users">
          {() => (
            <ul>
              {items?.map(user => (
                <Row key={user.id} user={user} write={write} />
              ))}
            </ul>
          )}
        </Loaded>
      </Card>
    </div>
  )
}

function NewUser() {
  const [name, setName] = useState('')
  const [role, setRole] = useState<Role>('analyst')
  const [password, setPassword] = useState('')
  const { error, busy, onSubmit } = useSubmit(['users'])
  const send = () => post<User>('/users', { name: name.trim(), role, password })
  const done = () => {
    setName('')
    setPassword('')
  }
  return (
    <Card title="Add a user" body="p-3">
      <form onSubmit={onSubmit(send, done)} className="flex flex-wrap items-end gap-3">
        <Field label="Name">
          <input
            required
            className={inputClass}
            autoComplete="off"
            value={name}
            onChange={e => setName(e.target.value)}
          />
        </Field>
        <Field label="Role">
          <RoleSelect value={role} onRole={setRole} />
        </Field>
        <Field label="First password (12 characters or more)">
          <input
            required
            type="password"
            autoComplete="new-password"
            className={inputClass}
            value={password}
            onChange={e => setPassword(e.target.value)}
          />
        </Field>
        <Btn type="submit" v="primary" disabled={busy || !name.trim() || !password}>
          {busy ? 'Adding…' : 'Add user'}
        </Btn>
      </form>
      <InlineError error={error} className="mt-2" />
    </Card>
  )
}

type RoleProps = { value: Role; onRole: (role: Role) => void } & Omit<ComponentProps<'select'>, 'value' | 'onChange'>

function RoleSelect({ value, onRole, ...props }: RoleProps) {
  return (
    <select {...props} className={inputClass} value={value} onChange={e => onRole(e.target.value as Role)}>
      {ROLES.map(r => (
        <option key={r.id} value={r.id}>
          {r.label}
        </option>
      ))}
    </select>
  )
}

function Row({ user, write }: { user: User; write: boolean }) {
  const { user: me } = useUser()
  const { error, busy, run } = useSubmit(['users'])
  const [password, setPassword] = useState<string | null>(null)
  const change = (body: object, then?: () => void) => void run(() => patch(`/users/${user.id}`, body), then)
  return (
    <li className="border-b border-line/60 px-3 py-1.5 last:border-0">
      <div className="flex min-h-8 flex-wrap items-center gap-3 text-xs">
        <Avatar name={user.name} size={22} />
        <span className="min-w-40 font-medium">
          {user.name}
          {user.id === me.id && <span className="font-normal text-fg-3"> (you)</span>}
        </span>
        {user.disabled && <Chip tone="neutral">disabled</Chip>}
        {!user.has_password && <Chip tone="medium">no password yet</Chip>}
        {write ? (
          <span className="ml-auto flex items-center gap-2">
            <RoleSelect
              aria-label={`Role of ${user.name}`}
              value={user.role as Role}
              disabled={busy}
              onRole={role => change({ role })}
            />
            <Btn size="sm" v="ghost" onClick={() => setPassword(password === null ? '' : null)}>
              Set password
            </Btn>
            <Btn
              size="sm"
              v="ghost"
              disabled={busy || user.id === me.id}
              onClick={() => change({ disabled: !user.disabled })}
            >
              {user.disabled ? 'Enable' : 'Disable'}
            </Btn>
          </span>
        ) : (
          <span className="ml-auto text-fg-2">{user.role}</span>
        )}
      </div>
      {password !== null && (
        <form
          className="flex items-end gap-2 pb-1 pl-8"
          onSubmit={e => {
            e.preventDefault()
            change({ password }, () => setPassword(null))
          }}
        >
          <Field label={`New password of ${user.name}`}>
            <input
              required
              type="password"
              autoComplete="new-password"
              className={inputClass}
              value={password}
              onChange={e => setPassword(e.target.value)}
            />
          </Field>
          <Btn type="submit" disabled={busy || !password}>
            Save
          </Btn>
        </form>
      )}
      <InlineError error={error} className="my-1" />
    </li>
  )
}
