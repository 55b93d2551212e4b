/** Name and password, then a second factor where the account has one; or a passkey alone. */
import { Fingerprint } from 'lucide-react'
import { type FormEvent, type ReactNode, useState } from 'react'
import type { Challenge } from '@/api/types'
import { passkeysWork } from '@/api/webauthn'
import { signIn, signInWithPasskey } from '@/app/session'
import { Btn } from '@/ui/basic'
import { InlineError } from '@/ui/loaded'
import { Field } from '@/ui/parts'
import { Frame, useAct, wide } from './frame'
import { SecondFactor } from './second-factor'

type Props = { title?: string; note?: ReactNode; children?: ReactNode }

export function PasswordForm({
  title = 'Sign in',
  note = 'With the name and password of your account.',
  children,
}: Props) {
  const [challenge, setChallenge] = useState<Challenge | null>(null)
  if (challenge) return <SecondFactor challenge={challenge} onBack={() => setChallenge(null)} />
  return (
    <Frame title={title} note={note}>
      <Fields onChallenge={setChallenge} />
      {children ?? (
        <p className="mt-5 text-xs text-fg-3">
          First start, or no password yet? The server prints a one-time admin link when it starts: open that link.
          Whoever forgot a password gets a reset link from an administrator.
        </p>
      )}
    </Frame>
  )
}

function Fields({ onChallenge }: { onChallenge: (challenge: Challenge) => void }) {
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const { error, busy, run } = useAct()
  const submit = (e: FormEvent) => {
    e.preventDefault()
    void run(async () => {
      const challenge = await signIn(name.trim(), password)
      if (challenge) onChallenge(challenge)
    })
  }
  return (
    <form onSubmit={submit} className="flex flex-col gap-3">
      <Field label="Name">
        <input
          className={wide}
          name="username"
          autoComplete="username webauthn"
          required
          value={name}
          onChange={e => setName(e.target.value)}
        />
      </Field>
      <Field label="Password">
        <input
          className={wide}
          name="password"
          type="password"
          autoComplete="current-password"
          required
          value={password}
          onChange={e => setPassword(e.target.value)}
        />
      </Field>
      <InlineError error={error} />
      <Btn v="primary" type="submit" disabled={busy} className="h-9">
        {busy ? 'Signing in…' : 'Sign in'}
      </Btn>
      {passkeysWork() && (
        <Btn className="h-9" disabled={busy} onClick={() => void run(signInWithPasskey)}>
          <Fingerprint size={15} aria-hidden="true" />
          Sign in with a passkey
        </Btn>
      )}
    </form>
  )
}
