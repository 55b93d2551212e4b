/** Sign in, or spend an admin link (`/#claim=…`) and set the administrator's password. No default password exists. */
import { type FormEvent, type ReactNode, useState } from 'react'
import { claim, claimSecret, dropClaim, signIn } from '@/app/session'
import { Btn, Field, inputClass } from '@/ui/basic'
import { Logo } from '@/ui/logo'
import { InlineError } from '@/ui/states'

function Frame({ title, note, children }: { title: string; note: ReactNode; children: ReactNode }) {
  return (
    <main className="grid h-full place-items-center p-6">
      <div className="w-full max-w-[360px]">
        <div className="mb-6 flex items-center gap-2.5">
          <Logo size={28} />
          <span className="text-lg font-semibold tracking-tight">ShieldOps</span>
        </div>
        <h1 className="text-xl font-semibold tracking-tight">{title}</h1>
        <p className="mt-1 mb-5 text-fg-2">{note}</p>
        {children}
      </div>
    </main>
  )
}

/** Runs an act and keeps what it answered. */
function useAct() {
  const [error, setError] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  const run = async (act: () => Promise<void>) => {
    setBusy(true)
    setError(null)
    try {
      await act()
    } catch (failure) {
      setError(failure)
    } finally {
      setBusy(false)
    }
  }
  return { error, busy, run, setError }
}

const wide = `${inputClass} h-9 w-full`

export function SignIn() {
  const [secret, setSecret] = useState(claimSecret)
  return secret ? <Claim secret={secret} onDrop={() => setSecret(null)} /> : <PasswordForm />
}

function PasswordForm() {
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const { error, busy, run } = useAct()
  const submit = (e: FormEvent) => {
    e.preventDefault()
    void run(() => signIn(name.trim(), password))
  }
  return (
    <Frame title="Sign in" note="With the name and password of your account.">
      <form onSubmit={submit} className="flex flex-col gap-3">
        <Field label="Name">
          <input
            className={wide}
            name="username"
            autoComplete="username"
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
      </form>
      <p className="mt-5 text-xs text-fg-3">
        First start, or no password yet? The server prints a one-time admin link when it starts: open that link.
      </p>
    </Frame>
  )
}

function Claim({ secret, onDrop }: { secret: string; onDrop: () => void }) {
  const [password, setPassword] = useState('')
  const [again, setAgain] = useState('')
  const { error, busy, run } = useAct()
  const differ = again !== '' && again !== password
  const submit = (e: FormEvent) => {
    e.preventDefault()
    if (again !== password) return
    void run(() => claim(secret, password))
  }
  const giveUp = () => {
    dropClaim()
    onDrop()
  }
  return (
    <Frame title="Set the administrator's password" note="This one-time link works once and lives 30 minutes.">
      <form onSubmit={submit} className="flex flex-col gap-3">
        <Field label="Name" hint="The built-in administrator; more people are added under Settings.">
          <input className={wide} name="username" autoComplete="username" readOnly value="admin" />
        </Field>
        <Field label="New password" hint="Long beats clever: four random words do well.">
          <input
            className={wide}
            name="password"
            type="password"
            autoComplete="new-password"
            required
            value={password}
            onChange={e => setPassword(e.target.value)}
          />
        </Field>
        <Field label="New password again" error={differ ? 'The two passwords differ.' : undefined}>
          <input
            className={wide}
            name="password-again"
            type="password"
            autoComplete="new-password"
            required
            value={again}
            onChange={e => setAgain(e.target.value)}
          />
        </Field>
        <InlineError error={error} />
        <Btn v="primary" type="submit" disabled={busy || differ} className="h-9">
          {busy ? 'Setting…' : 'Set password and sign in'}
        </Btn>
        <Btn v="ghost" onClick={giveUp}>
          I have a password: sign in instead
        </Btn>
      </form>
    </Frame>
  )
}
