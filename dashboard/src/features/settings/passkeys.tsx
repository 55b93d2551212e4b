/** Passkeys: sign in with this device or a key, without a password. */
import { Fingerprint } from 'lucide-react'
import { lazy, Suspense, useState } from 'react'
import { del, post } from '@/api/client'
import { passkeysQuery } from '@/api/queries'
import type { Ceremony, Passkey, RegisteredPasskey } from '@/api/types'
import { makePasskey, passkeysWork } from '@/api/webauthn'
import { acted, useSubmit } from '@/app/submit'
import { useList } from '@/app/use-list'
import { Ago, Btn, Card, Field, InlineError, inputClass, Loaded } from '@/ui'
import { LoadMore } from '@/ui/table'

const ConfirmDialog = lazy(() => import('@/ui/confirm-dialog'))
const CodesDialog = lazy(() => import('./codes-dialog'))
const STALE = ['passkeys', 'factors', 'me']

async function register(name: string) {
  const { ticket, options } = await post<Ceremony>('/me/passkeys/begin')
  return post<RegisteredPasskey>('/me/passkeys/finish', { ticket, name, credential: await makePasskey(options) })
}

export function Passkeys({ available }: { available: boolean }) {
  const { query, items } = useList({ ...passkeysQuery, enabled: available })
  const [codes, setCodes] = useState<string[] | null>(null)
  if (!available || !passkeysWork()) {
    return (
      <Card title="Passkeys" body="p-3 text-xs text-fg-2">
        {available
          ? 'This browser has no passkeys here: they want https, or localhost.'
          : 'Not available on this server: passkeys are bound to a name, so the configuration must have a public_url that is no bare address.'}
      </Card>
    )
  }
  return (
    <Card title="Passkeys">
      <p className="border-b border-line px-3 py-2 text-xs text-fg-3">
        A passkey signs you in by fingerprint, face or security key, and cannot be phished: it works under this address
        only.
      </p>
      <Loaded query={query} what="Passkeys">
        {() =>
          items?.length ? (
            <ul aria-label="Passkeys">
              {items.map(passkey => (
                <Row key={passkey.id} passkey={passkey} />
              ))}
            </ul>
          ) : (
            <p className="px-3 py-3 text-xs text-fg-3">None yet.</p>
          )
        }
      </Loaded>
      <LoadMore query={query} />
      <Add onCodes={made => setCodes(made.length ? made : null)} />
      <Suspense>{codes && <CodesDialog codes={codes} onClose={() => setCodes(null)} />}</Suspense>
    </Card>
  )
}

function Add({ onCodes }: { onCodes: (codes: string[]) => void }) {
  const [name, setName] = useState('')
  const { error, busy, onSubmit } = useSubmit(STALE)
  const done = (made: RegisteredPasskey) => {
    setName('')
    onCodes(made.recovery_codes)
  }
  return (
    <form onSubmit={onSubmit(() => register(name.trim()), done)} className="border-t border-line p-3">
      <div className="flex flex-wrap items-end gap-3">
        <Field label="Name of a new passkey">
          <input
            required
            maxLength={64}
            placeholder="Laptop"
            className={`${inputClass} w-56`}
            value={name}
            onChange={e => setName(e.target.value)}
          />
        </Field>
        <Btn type="submit" disabled={busy || !name.trim()}>
          <Fingerprint size={14} aria-hidden="true" />
          {busy ? 'Waiting for the browser…' : 'Add a passkey'}
        </Btn>
      </div>
      <InlineError error={error} className="mt-2" />
    </form>
  )
}

function Row({ passkey }: { passkey: Passkey }) {
  const [removing, setRemoving] = useState(false)
  return (
    <li className="flex min-h-10 items-center gap-3 border-b border-line/60 px-3 text-xs last:border-0">
      <Fingerprint size={15} className="text-fg-3" aria-hidden="true" />
      <span className="font-medium">{passkey.name}</span>
      <span className="text-fg-3">
        added <Ago at={passkey.created_at} suffix />
      </span>
      <span className="text-fg-3">
        {passkey.last_used_at ? (
          <>
            used <Ago at={passkey.last_used_at} suffix />
          </>
        ) : (
          'not used yet'
        )}
      </span>
      <Btn size="sm" v="ghost" className="ml-auto" onClick={() => setRemoving(true)}>
        Remove…
      </Btn>
      {removing && (
        <Suspense>
          <ConfirmDialog
            title={`Remove the passkey ${passkey.name}`}
            note="It no longer signs you in. The key on the device stays there until you delete it there too."
            verb="Remove"
            act={() => acted(del(`/me/passkeys/${passkey.id}`, '*'), STALE)}
            onClose={() => setRemoving(false)}
          />
        </Suspense>
      )}
    </li>
  )
}
