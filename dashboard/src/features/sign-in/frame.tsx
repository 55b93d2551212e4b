/** The frame of every page before the session, and what their forms share. */
import { type ReactNode, useState } from 'react'
import { Logo } from '@/ui/logo'
import { Field, inputClass } from '@/ui/parts'

export function Frame({ title, note, children }: { title: string; note: ReactNode; children: ReactNode }) {
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
export function useAct() {
  const [error, setError] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  const run = async (act: () => Promise<unknown>) => {
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
  return { error, busy, run }
}

export const wide = `${inputClass} h-9 w-full`

/** A new password twice; `ready` is it, once both are the same. */
export function useNewPassword() {
  const [password, setPassword] = useState('')
  const [again, setAgain] = useState('')
  const differ = again !== '' && again !== password
  const fields = (
    <>
      <Field label="New password" hint="At least 12 characters. Long beats clever: four random words do well.">
        <input
          className={wide}
          name="password"
          type="password"
          autoComplete="new-password"
          required
          minLength={12}
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
    </>
  )
  return { fields, password, differ, ready: password !== '' && again === password }
}
