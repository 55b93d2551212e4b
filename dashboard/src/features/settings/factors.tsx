/** The authenticator app, and recovery codes for the day it is lost. */
import { lazy, Suspense, useState } from 'react'
import { del, post } from '@/api/client'
import type { FactorStatus, RecoveryCodes as Made, TotpOffer } from '@/api/types'
import { acted, useSubmit } from '@/app/submit'
import { Btn, Card, Chip, InlineError } from '@/ui'

const TotpDialog = lazy(() => import('./totp-dialog'))
const ConfirmDialog = lazy(() => import('@/ui/confirm-dialog'))
const CodesDialog = lazy(() => import('./codes-dialog'))
const STALE = ['factors', 'me']

export function TotpSection({ status }: { status: FactorStatus }) {
  const [offer, setOffer] = useState<TotpOffer | null>(null)
  const [removing, setRemoving] = useState(false)
  const { error, busy, run } = useSubmit(STALE)
  return (
    <Card
      title="Authenticator app"
      extra={<Chip tone={status.totp ? 'ok' : 'neutral'}>{status.totp ? 'on' : 'off'}</Chip>}
      body="p-3"
    >
      <div className="flex items-center gap-3">
        <p className="max-w-[640px] text-xs text-fg-2">
          Six digits from an app on your phone, asked for after the password. With it comes a set of recovery codes.
        </p>
        <span className="ml-auto">
          {status.totp ? (
            <Btn size="sm" v="ghost" onClick={() => setRemoving(true)}>
              Remove…
            </Btn>
          ) : (
            <Btn size="sm" disabled={busy} onClick={() => void run(() => post<TotpOffer>('/me/totp'), setOffer)}>
              {busy ? 'Preparing…' : 'Set up…'}
            </Btn>
          )}
        </span>
      </div>
      <InlineError error={error} className="mt-2" />
      <Suspense>
        {offer && <TotpDialog offer={offer} onClose={() => setOffer(null)} />}
        {removing && (
          <ConfirmDialog
            title="Remove the authenticator app"
            note="Signing in asks for the password alone then, unless you have a passkey."
            verb="Remove"
            act={() => acted(del('/me/totp', '*'), STALE)}
            onClose={() => setRemoving(false)}
          />
        )}
      </Suspense>
    </Card>
  )
}

export function RecoveryCodes({ status }: { status: FactorStatus }) {
  const [codes, setCodes] = useState<string[] | null>(null)
  const { error, busy, run } = useSubmit(STALE)
  const has = status.totp || status.passkeys > 0
  const left = status.recovery_codes_left
  return (
    <Card
      title="Recovery codes"
      extra={has && <Chip tone={left === 0 ? 'critical' : left < 4 ? 'medium' : 'neutral'}>{left} of 10 left</Chip>}
      body="p-3"
    >
      <div className="flex items-center gap-3">
        <p className="max-w-[640px] text-xs text-fg-2">
          {has
            ? 'Keep them where your second factor is not. New ones end the old ones.'
            : 'They come with your first second factor: an authenticator app or a passkey.'}
        </p>
        {has && (
          <Btn
            size="sm"
            className="ml-auto"
            disabled={busy}
            onClick={() =>
              void run(
                () => post<Made>('/me/recovery-codes'),
                made => setCodes(made.recovery_codes),
              )
            }
          >
            {busy ? 'Making…' : 'Make new codes'}
          </Btn>
        )}
      </div>
      <InlineError error={error} className="mt-2" />
      <Suspense>{codes && <CodesDialog codes={codes} onClose={() => setCodes(null)} />}</Suspense>
    </Card>
  )
}
