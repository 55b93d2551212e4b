/** One's own account: password, second factors, recovery codes, and what one may do here. */
import { useQuery } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { post } from '@/api/client'
import { factorsQuery, myPermissionsQuery } from '@/api/queries'
import { useUser } from '@/app/session'
import { useSubmit } from '@/app/submit'
import { toast } from '@/app/toast'
import {
  Ago,
  absolute,
  Btn,
  Card,
  Chip,
  CONFIRMED_WITH,
  Field,
  InlineError,
  inputClass,
  Loaded,
  Until,
  words,
} from '@/ui'
import { RecoveryCodes, TotpSection } from './factors'
import { roleName, useRoles } from './names'
import { Passkeys } from './passkeys'

export function Account() {
  const factors = useQuery(factorsQuery)
  const { passkeys } = useUser()
  return (
    <div className="flex flex-col gap-3">
      <Who />
      <Password />
      <Loaded query={factors} what="Second factors">
        {status => (
          <>
            <TotpSection status={status} />
            <Passkeys available={passkeys} />
            <RecoveryCodes status={status} />
          </>
        )}
      </Loaded>
      <MyPermissions />
    </div>
  )
}

function Who() {
  const { user, tenant, confirmed, operator } = useUser()
  const { items } = useRoles()
  return (
    <Card body="flex flex-wrap items-center gap-x-6 gap-y-2 p-3 text-xs">
      <Fact name="Name">{user.name}</Fact>
      <Fact name="Tenant">{tenant.name}</Fact>
      <Fact name="Role">{roleName(user.role, items)}</Fact>
      {operator && <Chip tone="accent">operator of the installation</Chip>}
      {confirmed && (
        <Chip tone={confirmed.with === 'password' ? 'neutral' : 'ok'} title={absolute(confirmed.at)}>
          confirmed with {CONFIRMED_WITH[confirmed.with]} <Ago at={confirmed.at} suffix />
        </Chip>
      )}
    </Card>
  )
}

const Fact = ({ name, children }: { name: string; children: ReactNode }) => (
  <span>
    <span className="block text-2xs text-fg-3">{name}</span>
    <span className="font-medium">{children}</span>
  </span>
)

function Password() {
  const [current, setCurrent] = useState('')
  const [fresh, setFresh] = useState('')
  const { error, busy, onSubmit } = useSubmit(['sessions'])
  const done = () => {
    setCurrent('')
    setFresh('')
    toast({ text: 'Password changed. Your other sessions have ended.', tone: 'ok' })
  }
  return (
    <Card title="Password" body="p-3">
      <form
        onSubmit={onSubmit(() => post('/me/password', { current, new: fresh }), done)}
        className="flex flex-wrap items-end gap-3"
      >
        <Field label="Current password">
          <input
            required
            type="password"
            autoComplete="current-password"
            className={`${inputClass} w-56`}
            value={current}
            onChange={e => setCurrent(e.target.value)}
          />
        </Field>
        <Field label="New password (12 characters or more)">
          <input
            required
            minLength={12}
            type="password"
            autoComplete="new-password"
            className={`${inputClass} w-56`}
            value={fresh}
            onChange={e => setFresh(e.target.value)}
          />
        </Field>
        <Btn type="submit" disabled={busy || !current || fresh.length < 12}>
          {busy ? 'Changing…' : 'Change password'}
        </Btn>
        <span className="self-center text-xs text-fg-3">Every other session of yours ends.</span>
      </form>
      <InlineError error={error} className="mt-2" />
    </Card>
  )
}

function MyPermissions() {
  const query = useQuery(myPermissionsQuery)
  const { session_expires_at } = useUser()
  return (
    <Card
      title="What you may do here, and by which rule"
      extra={
        session_expires_at && (
          <span>
            this session ends in <Until at={session_expires_at} />
          </span>
        )
      }
    >
      <Loaded query={query} what="Permissions">
        {({ items }) => (
          <ul className="grid grid-cols-1 gap-x-6 p-2 text-xs md:grid-cols-2 xl:grid-cols-3">
            {items.map(decision => (
              <li key={decision.permission} className="flex min-h-6 items-center gap-2 px-1">
                <span className={decision.allowed ? 'w-3 text-ok' : 'w-3 text-fg-3'} aria-hidden="true">
                  {decision.allowed ? '✓' : '–'}
                </span>
                <span className="sr-only">{decision.allowed ? 'Allowed' : 'Not allowed'}:</span>
                <span className={decision.allowed ? '' : 'text-fg-3'}>{words(decision.permission)}</span>
                <span className="ml-auto truncate text-2xs text-fg-3" title={decision.rule}>
                  {decision.rule}
                </span>
              </li>
            ))}
          </ul>
        )}
      </Loaded>
    </Card>
  )
}
