/** Registers or changes a target. */
import { useState } from 'react'
import { ApiError, patch, post } from '@/api/client'
import { waits } from '@/api/gate'
import type { Target } from '@/api/types'
import { useSubmit } from '@/app/submit'
import { toast } from '@/app/toast'
import { Btn, Field, InlineError, inputClass } from '@/ui'
import { ReasonField } from '@/ui/form-dialog'
import { Modal } from '@/ui/modal'
import { parseLabels, printLabels } from './labels'
import { isSsh, SshFields, sshForm, sshOf } from './ssh-fields'

const THIS_HOST = 'local'
/** The server alone knows the text to type; it names it in backquotes when it refuses. */
const confirmText = (error: unknown) =>
  error instanceof ApiError && error.code === 'confirmation_required'
    ? (/`confirm`[^`]*`([^`]+)`/.exec(error.message)?.[1] ?? null)
    : null

const ENVIRONMENTS = ['development', 'staging', 'production']
const CRITICALITIES = ['low', 'medium', 'high']
type Row = Pick<Target, 'environment' | 'criticality' | 'labels' | 'protected'>
const sorted = (labels: Record<string, string>) => JSON.stringify(Object.entries(labels).sort())
/** The server decides; this says it before anything is sent. */
export const lowered = (before: Row, after: Row) =>
  ENVIRONMENTS.indexOf(after.environment) < ENVIRONMENTS.indexOf(before.environment) ||
  CRITICALITIES.indexOf(after.criticality) < CRITICALITIES.indexOf(before.criticality) ||
  (before.protected && !after.protected) ||
  sorted(before.labels) !== sorted(after.labels)

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
    reason: '',
  })
  const [ssh, setSsh] = useState(sshForm(target?.ssh))
  const { error, busy, onSubmit } = useSubmit(['targets', 'gate-changes'])
  const lowers = target !== null && lowered(target, { ...form, labels: parseLabels(form.labels) })
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
      ...(lowers && { reason: form.reason.trim() }),
      ...(isSsh(form.name) && { ssh: sshOf(ssh, target?.ssh) }),
    }
    return target
      ? patch<unknown>(`/targets/${target.id}`, body, target.version)
      : post<unknown>('/targets', { kind: 'linux_host', name: form.name.trim(), ...body })
  }
  const done = (answer: unknown) => {
    if (waits(answer)) {
      const instead = answer.replaces ? ' The request before it for this target is withdrawn.' : ''
      toast({ text: `It waits for a second person; until then nothing changes.${instead}`, tone: 'ok' })
    }
    onClose()
  }
  return (
    <Modal
      open
      onClose={onClose}
      title={target ? `Change ${target.name}` : 'Register a target'}
      note="Policy decides by these words, never by a caller's."
    >
      <form onSubmit={onSubmit(send, done)} className="grid grid-cols-2 gap-3">
        <Field label="Name" hint="local, or ssh/, netns/, twin/ or sim/ and a name">
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
        {isSsh(form.name) && <SshFields form={ssh} before={target?.ssh} onChange={to => setSsh({ ...ssh, ...to })} />}
        {lowers && (
          <div className="col-span-2 flex flex-col gap-2 rounded-md p-2.5 soft-medium">
            <p className="text-xs">
              This holds actions back less: a second person must confirm it, and open plans for this target end then.
            </p>
            <ReasonField value={form.reason} onChange={reason => set({ reason })} hint="The second person reads it." />
          </div>
        )}
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
