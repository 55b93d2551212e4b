/** Links that are spent once: the administrator's first password, an invitation, a forgotten password. */
import { type FormEvent, type ReactNode, useState } from 'react'
import type { Me } from '@/api/types'
import { acceptInvitation, claim, dropLink, joinSignedIn, resetPassword, session, signOut } from '@/app/session'
import { Btn } from '@/ui/basic'
import { InlineError } from '@/ui/loaded'
import { Field } from '@/ui/parts'
import { Frame, useAct, useNewPassword, wide } from './frame'
import { PasswordForm } from './password'

type FormProps = {
  title: string
  note: ReactNode
  verb: string
  before?: ReactNode
  act: (password: string) => Promise<unknown>
  other: string
  onOther: () => void
}

function LinkForm({ title, note, verb, before, act, other, onOther }: FormProps) {
  const { fields, password, differ, ready } = useNewPassword()
  const { error, busy, run } = useAct()
  const submit = (e: FormEvent) => {
    e.preventDefault()
    if (ready) void run(() => act(password))
  }
  return (
    <Frame title={title} note={note}>
      <form onSubmit={submit} className="flex flex-col gap-3">
        {before}
        {fields}
        <InlineError error={error} />
        <Btn v="primary" type="submit" disabled={busy || differ} className="h-9">
          {busy ? 'Working…' : verb}
        </Btn>
        <Btn v="ghost" onClick={onOther}>
          {other}
        </Btn>
      </form>
    </Frame>
  )
}

export function ClaimForm({ secret, onDrop }: { secret: string; onDrop: () => void }) {
  return (
    <LinkForm
      title="Set the administrator's password"
      note="This one-time link works once and lives 30 minutes."
      verb="Set password and sign in"
      before={
        <Field label="Name" hint="The built-in administrator; more people are added under Settings.">
          <input className={wide} name="username" autoComplete="username" readOnly value="admin" />
        </Field>
      }
      act={password => claim(secret, password)}
      other="I have a password: sign in instead"
      onOther={onDrop}
    />
  )
}

export function ResetForm({ secret, onDrop }: { secret: string; onDrop: () => void }) {
  const [done, setDone] = useState(false)
  if (done)
    return (
      <PasswordForm title="Password changed" note="Every session of yours has ended. Sign in with the new password." />
    )
  return (
    <LinkForm
      title="Choose a new password"
      note="This link works once. Every session of yours ends when the password changes."
      verb="Change password"
      act={password => resetPassword(secret, password).then(() => setDone(true))}
      other="I know my password: sign in instead"
      onOther={onDrop}
    />
  )
}

/** Not signed in: a new person chooses a password; who has an account signs in, and the link waits in the address. */
export function InviteForm({ secret }: { secret: string }) {
  const [known, setKnown] = useState(false)
  if (known) {
    return (
      <PasswordForm title="Sign in to join" note="The invitation waits until you are signed in.">
        <Btn v="ghost" className="mt-3" onClick={() => setKnown(false)}>
          I have no account yet
        </Btn>
      </PasswordForm>
    )
  }
  return (
    <LinkForm
      title="You are invited"
      note="Choose a password for your new account. The link works once."
      verb="Join and sign in"
      act={password => acceptInvitation(secret, password)}
      other="I have an account already: sign in to join"
      onOther={() => setKnown(true)}
    />
  )
}

/** Signed in already: joining is one press, and the account stays the same. */
export function JoinPage({ me, secret }: { me: Me; secret: string }) {
  const { error, busy, run } = useAct()
  const stay = () => {
    dropLink()
    session.set({ ...session.get(), turn: session.get().turn + 1 })
  }
  return (
    <Frame
      title="Join another tenant"
      note={
        <>
          You are signed in as <b className="font-semibold">{me.user.name}</b>. Accept the invitation with this account?
        </>
      }
    >
      <div className="flex flex-col gap-3">
        <InlineError error={error} />
        <Btn v="primary" className="h-9" disabled={busy} onClick={() => void run(() => joinSignedIn(secret))}>
          {busy ? 'Joining…' : 'Join'}
        </Btn>
        <Btn v="ghost" onClick={stay}>
          Not now
        </Btn>
        <Btn v="ghost" onClick={() => void signOut()}>
          Sign out and use another account
        </Btn>
      </div>
    </Frame>
  )
}
