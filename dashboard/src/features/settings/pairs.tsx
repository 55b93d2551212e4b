/** Separation of duty: pairs of permissions that no one may hold together here. */
import { Plus, X } from 'lucide-react'
import { useState } from 'react'
import { Btn, inputClass } from '@/ui'

/** Two permissions; the generator knows no pairs. */
type Pair = string[]
type Props = { value: Pair[]; permissions: string[]; onChange: (value: Pair[]) => void }

const samePair = (a: Pair, b: Pair) => a.every(one => b.includes(one))

export function Pairs({ value, permissions, onChange }: Props) {
  const [one, setOne] = useState('')
  const [other, setOther] = useState('')
  const pair: Pair = [one, other]
  const fits = one !== '' && other !== '' && one !== other && !value.some(known => samePair(known, pair))
  const add = () => {
    onChange([...value, pair])
    setOne('')
    setOther('')
  }
  return (
    <div className="flex flex-col gap-2">
      <h3 className="text-xs font-semibold">Separation of duty</h3>
      <p className="text-xs text-fg-3">
        No one may hold both of a pair. It is checked when a role is given, so nobody can get there by a second role.
      </p>
      <ul aria-label="Pairs" className="flex flex-wrap gap-2">
        {value.map(known => (
          <li
            key={known.join(' ')}
            className="flex h-7 items-center gap-1.5 rounded-md border border-line pr-0.5 pl-2 font-mono text-2xs"
          >
            {known[0]} <span className="text-fg-3">and</span> {known[1]}
            <Btn
              v="ghost"
              icon
              size="sm"
              aria-label={`Remove the pair ${known.join(' and ')}`}
              onClick={() => onChange(value.filter(p => p !== known))}
            >
              <X size={12} aria-hidden="true" />
            </Btn>
          </li>
        ))}
        {!value.length && <li className="text-xs text-fg-3">No pair yet.</li>}
      </ul>
      <div className="flex items-center gap-2">
        <Pick label="One permission" value={one} permissions={permissions} onValue={setOne} />
        <span className="text-xs text-fg-3">and</span>
        <Pick label="The other permission" value={other} permissions={permissions} onValue={setOther} />
        <Btn size="sm" disabled={!fits} onClick={add}>
          <Plus size={13} aria-hidden="true" />
          Add pair
        </Btn>
      </div>
    </div>
  )
}

type PickProps = { label: string; value: string; permissions: string[]; onValue: (value: string) => void }
const Pick = ({ label, value, permissions, onValue }: PickProps) => (
  <select
    aria-label={label}
    className={`${inputClass} font-mono text-xs`}
    value={value}
    onChange={e => onValue(e.target.value)}
  >
    <option value="">Choose…</option>
    {permissions
      .filter(permission => !permission.startsWith('tenant.'))
      .map(permission => (
        <option key={permission}>{permission}</option>
      ))}
  </select>
)
