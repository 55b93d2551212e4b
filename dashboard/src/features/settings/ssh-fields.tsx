/** How a target `ssh/<name>` is reached. The private key goes to the server and never comes back: its fingerprint does. */
import type { Target } from '@/api/types'
import { Field, inputClass } from '@/ui'

type Ssh = NonNullable<Target['ssh']>
export type SshForm = { address: string; port: string; user: string; known_hosts: string; private_key: string }

export const sshForm = (ssh?: Ssh | null): SshForm => ({
  address: ssh?.address ?? '',
  port: String(ssh?.port ?? 22),
  user: ssh?.user ?? '',
  known_hosts: ssh?.host_key ?? '',
  private_key: '',
})

export const isSsh = (name: string) => name.trim().startsWith('ssh/')

/** What is sent: nothing where nothing was changed; without a key, the one that is there stays. */
export function sshOf(form: SshForm, before?: Ssh | null) {
  const was = sshForm(before)
  if (before && (Object.keys(was) as (keyof SshForm)[]).every(name => was[name] === form[name])) return undefined
  return {
    address: form.address.trim(),
    port: Number(form.port),
    user: form.user.trim(),
    known_hosts: form.known_hosts.trim(),
    ...(form.private_key && { private_key: form.private_key }),
  }
}

const line = `${inputClass} w-full min-w-0`
type Props = { form: SshForm; before?: Ssh | null; onChange: (to: Partial<SshForm>) => void }

export function SshFields({ form, before, onChange }: Props) {
  const key = before
    ? `Left empty, the one that is there stays: ${before.key_fingerprint}`
    : 'An OpenSSH private key without a passphrase, used for nothing else. It is sealed and never shown again.'
  return (
    <fieldset className="col-span-2 grid min-w-0 grid-cols-[minmax(0,1fr)_76px] gap-3 rounded-md border border-line p-2.5">
      <legend className="px-1 text-xs font-medium text-fg-2">Over SSH</legend>
      <Field label="Address" hint="An IP address or a host name">
        <input required className={line} value={form.address} onChange={e => onChange({ address: e.target.value })} />
      </Field>
      <Field label="Port">
        <input
          required
          type="number"
          min={1}
          max={65_535}
          className={`${line} num`}
          value={form.port}
          onChange={e => onChange({ port: e.target.value })}
        />
      </Field>
      <div className="col-span-2 flex flex-col gap-3">
        <Field label="User" hint="Root, or one whom sudo asks for no password">
          <input required className={line} value={form.user} onChange={e => onChange({ user: e.target.value })} />
        </Field>
        <Field label="The host’s own key" hint="One line of known_hosts: no other key is accepted. Compare it first.">
          <Key value={form.known_hosts} onValue={known_hosts => onChange({ known_hosts })} required />
        </Field>
        <Field label={before ? 'Private key (optional)' : 'Private key'} hint={key}>
          <Key value={form.private_key} onValue={private_key => onChange({ private_key })} required={!before} />
        </Field>
      </div>
    </fieldset>
  )
}

type KeyProps = { value: string; onValue: (text: string) => void; required: boolean }
const Key = ({ value, onValue, ...rest }: KeyProps) => (
  <textarea
    {...rest}
    rows={2}
    spellCheck={false}
    autoComplete="off"
    className={`${inputClass} h-auto py-1.5 font-mono text-2xs`}
    value={value}
    onChange={e => onValue(e.target.value)}
  />
)
