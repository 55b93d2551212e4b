/** The second step of a sign-in: a code, a passkey, or a recovery code; the ticket lives five minutes. */
import { Fingerprint } from 'lucide-react'
import { type FormEvent, useState } from 'react'
import type { Challenge, Method } from '@/api/types'
import { finishSignIn, type Proof, passkeyProof } from '@/app/session'
import { Btn } from '@/ui/basic'
import { InlineError } from '@/ui/loaded'
import { Field } from '@/ui/parts'
import { Until } from '@/ui/time'
import { Frame, useAct, wide } from './frame'

const OTHER: Record<Method, string> = {
  totp: 'Use a code of the authenticator app',
  passkey: 'Use a passkey',
  recovery_code: 'Use a recovery code',
}

export function SecondFactor({ challenge, onBack }: { challenge: Challenge; onBack: () => void }) {
  const { methods, ticket, expires_at } = challenge
  const first: Method = methods.includes('totp') ? 'totp' : (methods[0] ?? 'recovery_code')
  const [method, setMethod] = useState<Method>(first)
  const [text, setText] = useState('')
  const { error, busy, run } = useAct()
  const send = (proof: () => Proof | Promise<Proof>) => void run(async () => finishSignIn(ticket, await proof()))
  const submit = (e: FormEvent) => {
    e.preventDefault()
    if (method === 'passkey') send(passkeyProof)
    else send(() => (method === 'totp' ? { code: text.trim() } : { recovery_code: text.trim() }))
  }
  return (
    <Frame
      title="One more step"
      note={
        <>
          Your password was right. Answer within <Until at={expires_at} over="no time: sign in again" />.
        </>
      }
    >
      <form onSubmit={submit} className="flex flex-col gap-3">
        {method !== 'passkey' && (
          <Field
            label={method === 'totp' ? 'Code of your authenticator app' : 'Recovery code'}
            hint={method === 'totp' ? 'Six digits, new every 30 seconds.' : 'Each of your ten codes works once.'}
          >
            <input
              key={method}
              // biome-ignore lint/a11y/noAutofocus: the page has one field
              autoFocus
              required
              className={`${wide} font-mono`}
              inputMode={method === 'totp' ? 'numeric' : undefined}
              autoComplete={method === 'totp' ? 'one-time-code' : 'off'}
              value={text}
              onChange={e => setText(e.target.value)}
            />
          </Field>
        )}
        <InlineError error={error} />
        <Btn v="primary" type="submit" disabled={busy} className="h-9">
          {method === 'passkey' && <Fingerprint size={15} aria-hidden="true" />}
          {busy ? 'Checking…' : method === 'passkey' ? 'Use a passkey' : 'Sign in'}
        </Btn>
        {methods
          .filter(other => other !== method)
          .map(other => (
            <Btn
              key={other}
              v="ghost"
              onClick={() => {
                setMethod(other)
                setText('')
              }}
            >
              {OTHER[other]}
            </Btn>
          ))}
        <Btn v="ghost" onClick={onBack}>
          Back
        </Btn>
      </form>
    </Frame>
  )
}
