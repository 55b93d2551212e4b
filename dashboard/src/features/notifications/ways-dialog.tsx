/** Changes where people are told. The secret of the webhook is written and never read. */
import { useState } from 'react'
import { NOTICES, type Notifications, setWays } from '@/api/notices'
import { useSubmit } from '@/app/submit'
import { toast } from '@/app/toast'
import { Btn, Field, inputClass } from '@/ui'
import { FormDialog } from '@/ui/form-dialog'
import { CopyBtn } from '@/ui/once'

const SECRET_BYTES = 32
const FEWEST = 32

/** Random bytes as text that goes into a header as it is. */
export function randomSecret() {
  const bytes = crypto.getRandomValues(new Uint8Array(SECRET_BYTES))
  return btoa(String.fromCharCode(...bytes))
}

export default function WaysDialog({ view, onClose }: { view: Notifications; onClose: () => void }) {
  const [email, setEmail] = useState(view.email)
  const [url, setUrl] = useState(view.webhook?.url ?? '')
  const [secret, setSecret] = useState('')
  const [made, setMade] = useState(false)
  const { error, busy, onSubmit } = useSubmit(NOTICES)
  const to = url.trim()
  const keeps = view.webhook != null
  const short = secret !== '' && secret.length < FEWEST
  const send = () => setWays({ email, webhook: to ? { url: to, ...(secret && { secret }) } : null }, view.version)
  const done = () => {
    toast({ text: 'People are told this way from now on.', tone: 'ok' })
    onClose()
  }
  return (
    <FormDialog
      {...{ error, busy, onClose }}
      title="Where people are told"
      note="Nothing waits for a letter, and none of them permits anything."
      verb="Save"
      incomplete={short || (to !== '' && !keeps && !secret)}
      onSubmit={onSubmit(send, done)}
    >
      <label className="flex items-start gap-2 text-sm">
        <input type="checkbox" className="mt-1" checked={email} onChange={e => setEmail(e.target.checked)} />
        <span>
          E-mail to members whose login is an address
          {!view.email_ready && (
            <span className="block text-xs text-fg-3">
              The installation names no mail server: until then none goes.
            </span>
          )}
        </span>
      </label>
      <Field label="Address of the webhook" hint="https only, and on the public internet. Empty: none.">
        <input
          type="url"
          className={`${inputClass} font-mono`}
          maxLength={2_000}
          placeholder="https://hooks.example.org/shieldops"
          value={url}
          onChange={e => setUrl(e.target.value)}
        />
      </Field>
      {to !== '' && (
        <>
          <Field
            label="Secret"
            hint={keeps ? 'Empty: the one that is set stays.' : 'The receiver proves by it who sent a request.'}
            error={short ? `Want at least ${FEWEST} characters.` : undefined}
          >
            <input
              type={made ? 'text' : 'password'}
              autoComplete="off"
              spellCheck={false}
              maxLength={256}
              className={`${inputClass} font-mono`}
              value={secret}
              onChange={e => {
                setSecret(e.target.value)
                setMade(false)
              }}
            />
          </Field>
          <div className="flex items-center gap-2">
            <Btn
              size="sm"
              onClick={() => {
                setSecret(randomSecret())
                setMade(true)
              }}
            >
              Make one
            </Btn>
            {made && <CopyBtn text={secret} label="Copy it now: it is not shown again" />}
          </div>
        </>
      )}
    </FormDialog>
  )
}
