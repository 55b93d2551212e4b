/** Confirm who you are: with a second factor where there is one, else with the password. */
import { useQuery } from '@tanstack/react-query'
import { Fingerprint } from 'lucide-react'
import { type FormEvent, useState } from 'react'
import { post } from '@/api/client'
import { factorsQuery, meQuery } from '@/api/queries'
import type { FactorStatus } from '@/api/types'
import { passkeysWork } from '@/api/webauthn'
import { Btn } from '@/ui/basic'
import { InlineError, Loaded } from '@/ui/loaded'
import { Modal } from '@/ui/modal'
import { Field, inputClass } from '@/ui/parts'
import { queryClient } from './query-client'
import { asking } from './reauth'
import { passkeyProof } from './session'

const CRITICAL =
  'This takes a passkey or a code of an authenticator app, given in the last five minutes. A recovery code does not count.'

/** Nothing that one has would do. */
const NoDevice = ({ onClose }: { onClose: () => void }) => (
  <div className="flex flex-col gap-3">
    <p className="text-sm">You have neither: add one in Settings, under Account, then come back.</p>
    <Btn className="self-end" onClick={onClose}>
      Close
    </Btn>
  </div>
)

export default function ReauthDialog() {
  const open = asking.use(a => a)
  const factors = useQuery({ ...factorsQuery, enabled: open !== null })
  if (!open) return null
  return (
    <Modal
      open
      front
      onClose={() => open.settle(false)}
      title="Confirm who you are"
      note={
        open.critical
          ? CRITICAL
          : 'Credentials change only within five minutes of this. What you began goes on afterwards.'
      }
    >
      <Loaded query={factors} what="Your second factors">
        {status =>
          open.critical && !status.totp && !status.passkeys ? (
            <NoDevice onClose={() => open.settle(false)} />
          ) : (
            <Prove
              status={status}
              critical={open.critical}
              onDone={() => open.settle(true)}
              onCancel={() => open.settle(false)}
            />
          )
        }
      </Loaded>
    </Modal>
  )
}

type With = 'password' | 'code' | 'recovery_code'
const LABEL: Record<With, string> = {
  password: 'Password',
  code: 'Code of your authenticator app',
  recovery_code: 'Recovery code',
}

type ProveProps = { status: FactorStatus; critical: boolean; onDone: () => void; onCancel: () => void }

function Prove({ status, critical, onDone, onCancel }: ProveProps) {
  const strong = status.totp || status.passkeys > 0
  const [how, setHow] = useState<With>(strong ? (status.totp ? 'code' : 'recovery_code') : 'password')
  const [text, setText] = useState('')
  const [error, setError] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  // Where only a passkey will do there is nothing to type.
  const typed = !critical || status.totp
  const run = async (proof: () => Promise<object>) => {
    setBusy(true)
    setError(null)
    try {
      await post('/me/reauthenticate', await proof())
      void queryClient.invalidateQueries({ queryKey: meQuery.queryKey })
      onDone()
    } catch (failure) {
      setError(failure)
      setBusy(false)
    }
  }
  const submit = (e: FormEvent) => {
    e.preventDefault()
    void run(async () => ({ [how]: text.trim() }))
  }
  return (
    <form onSubmit={submit} className="flex flex-col gap-3">
      {status.passkeys > 0 && passkeysWork() && (
        <Btn v="primary" className="h-9" disabled={busy} onClick={() => void run(passkeyProof)}>
          <Fingerprint size={15} aria-hidden="true" />
          Use a passkey
        </Btn>
      )}
      {typed && (
        <Field label={LABEL[how]}>
          <input
            key={how}
            // biome-ignore lint/a11y/noAutofocus: the dialog has one field
            autoFocus
            required
            className={`${inputClass} h-9 w-full`}
            type={how === 'password' ? 'password' : 'text'}
            inputMode={how === 'code' ? 'numeric' : undefined}
            autoComplete={how === 'password' ? 'current-password' : how === 'code' ? 'one-time-code' : 'off'}
            value={text}
            onChange={e => setText(e.target.value)}
          />
        </Field>
      )}
      {strong && status.totp && !critical && (
        <Btn
          v="ghost"
          size="sm"
          className="self-start"
          onClick={() => {
            setHow(how === 'code' ? 'recovery_code' : 'code')
            setText('')
          }}
        >
          {how === 'code' ? 'Use a recovery code instead' : 'Use the authenticator app instead'}
        </Btn>
      )}
      <InlineError error={error} />
      <div className="flex justify-end gap-2">
        <Btn onClick={onCancel}>Cancel</Btn>
        {typed && (
          <Btn type="submit" v={status.passkeys > 0 ? 'default' : 'primary'} disabled={busy || !text.trim()}>
            {busy ? 'Checking…' : 'Confirm'}
          </Btn>
        )}
      </div>
    </form>
  )
}
