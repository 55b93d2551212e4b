/** Registers or changes a target. */
import { useState } from 'react'
import { ApiError, patch, post } from '@/api/client'
import type { Target } from '@/api/types'
import { useSubmit } from '@/app/submit'
import { Btn, Field, InlineError, inputClass } from '@/ui'
import { Modal } from '@/ui/modal'

/** `team=web, tier=1` to labels and back. */
export function parseLabels(text: string): Record<string, string> {
  const pairs = text.split(',').map(part => part.split('='))
  return Object.fromEntries(
    pairs.flatMap(([key, ...value]) => (key?.trim() ? [[key.trim(), value.join('=').trim()]] : [])),
  )
}
const printLabels = (labels: Record<string, string>) =>
  Object.entries(labels)
    .map(([k, v]) => `${k}=${v}`)
    .join(', ')

const THIS_HOST = 'local'
/** The server alone knows the text to type; it names it in backquotes when it refuses. */
const confirmText = (error: unknown) =>
  error instanceof ApiError && error.code === 'confirmation_required'
    ? (/`confirm`[^`]*`([^`]+)`/.exec(error.message)?.[1] ?? null)
    : null

export default function TargetDialog({ target, onClose }: { target: Target | null; onClose: () => void }) {
  const [form, setForm] = useState({
    name: target?.name ?? '',
    host: target?.host ?? '',
    environment: target?.environment ?? 'production',
    criticality: target?.criticality ?? 'medium',
    owner: target?.owner ?? '',
    labels: printLabels(target?.labels ?? {}),
    protected: target?.protected ?? false,
    confirm: '',
  })
  const { error, busy, onSubmit } = useSubmit(['targets'])
  const set = (change: Partial<typeof form>) => setForm({ ...form, ...change })
  const isLocal = form.name.trim() === THIS_HOST && !target
  const asked = confirmText(error)
  const send = () => {
    const body = {
      host: form.host.trim() || null,
      environment: form.environment,
      criticality: form.criticality,
      owner: form.owner.trim() || null,
      labels: parseLabels(form.labels),
      protected: form.protected,
      ...(form.confirm && { confirm: form.confirm }),
    }
    return target
      ? patch(`/targets/${target.id}`, body, target.version)
      : post('/targets', { kind: 'linux_host', name: form.name.trim(), ...body })
  }
  return (
    <Modal
      open
      onClose={onClose}
      title={target ? `Change ${target.name}` : 'Register a target'}
      note="Policy decides by these words, never by a caller's."
    >
      <form onSubmit={onSubmit(send, onClose)} className="grid grid-cols-2 gap-3">
        <Field label="Name" hint="local, netns/<name>, twin/<name> or sim/<name>">
          <input
            required
            disabled={!!target}
            className={inputClass}
            value={form.name}
            onChange={e => set({ name: e.target.value })}
          />
        </Field>
        <Field label="Host name" hint="As its telemetry says it">
          <input className={inputClass} value={form.host} onChange={e => set({ host: e.target.value })} />
        </Field>
        <Field label="Environment">
          <select
            className={inputClass}
            value={form.environment}
            onChange={e => set({ environment: e.target.value as Target['environment'] })}
          >
            <option value="production">Production</option>
            <option value="staging">Staging</option>
            <option value="development">Development</option>
          </select>
        </Field>
        <Field label="Criticality">
          <select
            className={inputClass}
            value={form.criticality}
            onChange={e => set({ criticality: e.target.value as Target['criticality'] })}
          >
            <option value="low">Low</option>
            <option value="medium">Medium</option>
            <option value="high">High</option>
          </select>
        </Field>
        <Field label="Owner">
          <input className={inputClass} value={form.owner} onChange={e => set({ owner: e.target.value })} />
        </Field>
        <Field label="Labels" hint="key=value, key=value">
          <input className={inputClass} value={form.labels} onChange={e => set({ labels: e.target.value })} />
        </Field>
        <label className="col-span-2 flex items-center gap-2">
          <input type="checkbox" checked={form.protected} onChange={e => set({ protected: e.target.checked })} />
          Protected: no action may ever touch it
        </label>
        {asked && (
          <div className="col-span-2 rounded-md p-2.5 soft-medium">
            <p className="mb-2 text-xs">
              {isLocal && 'This is the very host that the server runs on: actions here change its own network. '}
              Type <code className="font-mono font-semibold">{asked}</code> to confirm.
            </p>
            <Field label="Confirmation">
              <input
                required
                className={inputClass}
                autoComplete="off"
                value={form.confirm}
                onChange={e => set({ confirm: e.target.value })}
              />
            </Field>
          </div>
        )}
        {!asked && <InlineError error={error} className="col-span-2" />}
        <div className="col-span-2 flex justify-end gap-2">
          <Btn onClick={onClose}>Cancel</Btn>
          <Btn type="submit" v="primary" disabled={busy || (asked !== null && form.confirm !== asked)}>
            {busy ? 'Saving…' : target ? 'Save' : 'Register'}
          </Btn>
        </div>
      </form>
    </Modal>
  )
}
