/** Sets up an authenticator app: scan, confirm with a code, keep the recovery codes. */
import { useState } from 'react'
import { post } from '@/api/client'
import type { RecoveryCodes, TotpOffer } from '@/api/types'
import { useSubmit } from '@/app/submit'
import { Btn, Field, InlineError, inputClass } from '@/ui'
import { Modal } from '@/ui/modal'
import { CopyBtn } from '@/ui/once'
import { Qr } from '@/ui/qr'
import { Codes } from './codes'

/** In groups of four, so that it can be typed. */
const spaced = (secret: string) => secret.replace(/(.{4})(?=.)/g, '$1 ')

export default function TotpDialog({ offer, onClose }: { offer: TotpOffer; onClose: () => void }) {
  const [codes, setCodes] = useState<string[] | null>(null)
  return (
    <Modal
      open
      onClose={onClose}
      title={codes ? 'Authenticator app is on' : 'Set up an authenticator app'}
      note={codes ? undefined : 'Scan the picture with the app, then type the six digits that it shows.'}
      width={520}
    >
      {codes ? <Codes codes={codes} onDone={onClose} /> : <Scan offer={offer} onCodes={setCodes} onCancel={onClose} />}
    </Modal>
  )
}

type ScanProps = { offer: TotpOffer; onCodes: (codes: string[]) => void; onCancel: () => void }

function Scan({ offer, onCodes, onCancel }: ScanProps) {
  const [code, setCode] = useState('')
  const { error, busy, onSubmit } = useSubmit(['factors', 'me'])
  const confirm = () => post<RecoveryCodes>('/me/totp/confirm', { ticket: offer.ticket, code: code.replace(/\s/g, '') })
  return (
    <form onSubmit={onSubmit(confirm, made => onCodes(made.recovery_codes))} className="flex flex-col gap-4">
      <div className="flex gap-4">
        <Qr text={offer.uri} label="QR code with the secret for your authenticator app" />
        <div className="flex min-w-0 flex-col gap-2">
          <p className="text-xs text-fg-2">No camera? Type this secret into the app instead:</p>
          <code className="font-mono text-xs leading-5 break-words select-all" data-totp-secret={offer.secret}>
            {spaced(offer.secret)}
          </code>
          <span>
            <CopyBtn text={offer.secret} label="Copy secret" />
          </span>
        </div>
      </div>
      <Field label="Code that the app shows">
        <input
          required
          // biome-ignore lint/a11y/noAutofocus: the dialog has one field
          autoFocus
          inputMode="numeric"
          autoComplete="one-time-code"
          maxLength={7}
          className={`${inputClass} h-9 w-40 font-mono text-base tracking-widest`}
          value={code}
          onChange={e => setCode(e.target.value)}
        />
      </Field>
      <InlineError error={error} />
      <div className="flex justify-end gap-2">
        <Btn onClick={onCancel}>Cancel</Btn>
        <Btn type="submit" v="primary" disabled={busy || code.replace(/\s/g, '').length !== 6}>
          {busy ? 'Checking…' : 'Turn on'}
        </Btn>
      </div>
    </form>
  )
}
