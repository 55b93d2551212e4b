/** Makes or changes a custom role: a name, a table of permissions, and where it reaches. */
import { useState } from 'react'
import { post, put } from '@/api/client'
import type { Environment, Role } from '@/api/types'
import { useSubmit } from '@/app/submit'
import { Btn, cap, Field, InlineError, inputClass, plural } from '@/ui'
import { Modal } from '@/ui/modal'
import { Matrix } from './matrix'

const ENVIRONMENTS: Environment[] = ['production', 'staging', 'development']
type Props = { role: Role | null; from?: string[]; readOnly?: boolean; title?: string; onClose: () => void }

export default function RoleDialog({ role, from = [], readOnly, title, onClose }: Props) {
  const [name, setName] = useState(role?.name ?? '')
  const [permissions, setPermissions] = useState(role?.permissions ?? from)
  const [environments, setEnvironments] = useState<Environment[] | null>(role?.environments ?? null)
  const { error, busy, onSubmit } = useSubmit(['roles', 'me', 'my-permissions'])
  const send = () => {
    const body = { name: name.trim(), permissions, ...(environments && { environments }) }
    return role ? put<Role>(`/roles/${role.id}`, body, role.version) : post<Role>('/roles', body)
  }
  if (readOnly) {
    return (
      <Modal open onClose={onClose} title={title ?? 'Role'} width={640}>
        <Matrix value={permissions} label={`Permissions of ${title}`} />
      </Modal>
    )
  }
  const none = environments !== null && environments.length === 0
  return (
    <Modal
      open
      onClose={onClose}
      title={role ? `Change ${role.name}` : 'New role'}
      note="It holds for its members on their next request. Nobody gives more than they have."
      width={640}
    >
      <form onSubmit={onSubmit(send, onClose)} className="flex flex-col gap-3">
        <Field label="Name">
          <input
            required
            maxLength={64}
            className={`${inputClass} w-72`}
            value={name}
            placeholder="Night shift"
            onChange={e => setName(e.target.value)}
          />
        </Field>
        <Matrix value={permissions} onChange={setPermissions} label="Permissions of the role" />
        <Environments value={environments} onChange={setEnvironments} />
        <InlineError error={error} onReload={onClose} />
        <div className="flex items-center justify-end gap-2">
          <span className="mr-auto text-xs text-fg-3" role="status">
            {plural(permissions.length, 'permission')}
          </span>
          <Btn onClick={onClose}>Cancel</Btn>
          <Btn type="submit" v="primary" disabled={busy || !name.trim() || !permissions.length || none}>
            {busy ? 'Saving…' : role ? 'Save' : 'Make role'}
          </Btn>
        </div>
      </form>
    </Modal>
  )
}

type EnvironmentProps = { value: Environment[] | null; onChange: (value: Environment[] | null) => void }

function Environments({ value, onChange }: EnvironmentProps) {
  const toggle = (environment: Environment) =>
    onChange(value?.includes(environment) ? value.filter(e => e !== environment) : [...(value ?? []), environment])
  return (
    <fieldset className="flex flex-wrap items-center gap-x-4 gap-y-1 text-xs">
      <legend className="mb-1 font-medium text-fg-2">Where it may plan, approve, undo and change targets</legend>
      <label className="flex h-6 items-center gap-1.5">
        <input type="radio" name="where" checked={value === null} onChange={() => onChange(null)} />
        Everywhere
      </label>
      <label className="flex h-6 items-center gap-1.5">
        <input type="radio" name="where" checked={value !== null} onChange={() => onChange(value ?? ['development'])} />
        Only in
      </label>
      {ENVIRONMENTS.map(environment => (
        <label key={environment} className="flex h-6 items-center gap-1.5">
          <input
            type="checkbox"
            disabled={value === null}
            checked={value?.includes(environment) ?? false}
            onChange={() => toggle(environment)}
          />
          {cap(environment)}
        </label>
      ))}
    </fieldset>
  )
}
