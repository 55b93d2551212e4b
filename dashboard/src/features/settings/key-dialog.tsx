/** Makes or changes an API key: what it may do, on which routes, from where, how fast, until when. */
import { useState } from 'react'
import { post, put } from '@/api/client'
import type { ApiKey, CreatedKey } from '@/api/types'
import { useSubmit } from '@/app/submit'
import { Btn, Field, InlineError, inputClass } from '@/ui'
import { Modal } from '@/ui/modal'
import { Matrix } from './matrix'

const DAY_MS = 86_400_000
const ENDS: [string, string][] = [
  ['30', 'in 30 days'],
  ['90', 'in 90 days'],
  ['365', 'in a year'],
  ['never', 'never'],
]

/** One entry a line; blank lines are none. */
export const lines = (text: string) =>
  text
    .split('\n')
    .map(line => line.trim())
    .filter(Boolean)

type Props = { apiKey: ApiKey | null; onMade: (key: CreatedKey) => void; onClose: () => void }

export default function KeyDialog({ apiKey, onMade, onClose }: Props) {
  const [form, setForm] = useState({
    name: apiKey?.name ?? '',
    permissions: apiKey?.permissions ?? [],
    routes: apiKey?.routes.join('\n') ?? '',
    addresses: apiKey?.addresses.join('\n') ?? '',
    rate: apiKey?.rate_per_s ? String(apiKey.rate_per_s) : '',
    ends: apiKey ? 'keep' : '90',
  })
  const { error, busy, onSubmit } = useSubmit(['keys'])
  const set = (change: Partial<typeof form>) => setForm({ ...form, ...change })
  const expires = () => {
    if (form.ends === 'keep') return apiKey?.expires_at ?? undefined
    return form.ends === 'never' ? undefined : new Date(Date.now() + Number(form.ends) * DAY_MS).toISOString()
  }
  const send = () => {
    const body = {
      name: form.name.trim(),
      permissions: form.permissions,
      routes: lines(form.routes),
      addresses: lines(form.addresses),
      rate_per_s: form.rate ? Number(form.rate) : undefined,
      expires_at: expires(),
    }
    return apiKey ? put<CreatedKey>(`/keys/${apiKey.id}`, body, apiKey.version) : post<CreatedKey>('/keys', body)
  }
  const done = (key: CreatedKey) => {
    if (!apiKey) onMade(key)
    onClose()
  }
  return (
    <Modal
      open
      onClose={onClose}
      title={apiKey ? `Change ${apiKey.name}` : 'New API key'}
      note={apiKey ? 'Its secrets stay as they are.' : 'The secret is shown once, after this.'}
      width={680}
    >
      <form onSubmit={onSubmit(send, done)} className="flex flex-col gap-3">
        <div className="grid grid-cols-2 gap-3">
          <Field label="Name">
            <input
              required
              maxLength={64}
              placeholder="Nightly report"
              className={inputClass}
              value={form.name}
              onChange={e => set({ name: e.target.value })}
            />
          </Field>
          <Field label="Ends">
            <select className={inputClass} value={form.ends} onChange={e => set({ ends: e.target.value })}>
              {apiKey && <option value="keep">as before</option>}
              {ENDS.map(([value, label]) => (
                <option key={value} value={value}>
                  {label}
                </option>
              ))}
            </select>
          </Field>
        </div>
        <Matrix
          low
          value={form.permissions}
          onChange={permissions => set({ permissions })}
          label="Permissions of the key"
        />
        <div className="grid grid-cols-2 gap-3">
          <Field label="Routes" hint="One a line: GET /api/v1/alerts/**. Empty: all that the permissions allow.">
            <textarea
              rows={3}
              spellCheck={false}
              className={`${inputClass} h-auto py-1.5 font-mono text-xs`}
              value={form.routes}
              onChange={e => set({ routes: e.target.value })}
            />
          </Field>
          <Field label="Addresses" hint="One a line: 192.0.2.7 or 10.0.0.0/8. Empty: anywhere.">
            <textarea
              rows={3}
              spellCheck={false}
              className={`${inputClass} h-auto py-1.5 font-mono text-xs`}
              value={form.addresses}
              onChange={e => set({ addresses: e.target.value })}
            />
          </Field>
        </div>
        <Field label="Requests a second" hint="Empty: the tenant’s limit for one principal.">
          <input
            type="number"
            min={1}
            className={`${inputClass} w-40`}
            value={form.rate}
            onChange={e => set({ rate: e.target.value })}
          />
        </Field>
        <InlineError error={error} onReload={onClose} />
        <div className="flex justify-end gap-2">
          <Btn onClick={onClose}>Cancel</Btn>
          <Btn type="submit" v="primary" disabled={busy || !form.name.trim() || !form.permissions.length}>
            {busy ? 'Saving…' : apiKey ? 'Save' : 'Make key'}
          </Btn>
        </div>
      </form>
    </Modal>
  )
}
