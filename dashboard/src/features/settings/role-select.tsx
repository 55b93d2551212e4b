/** Chooses a role: the built-in ones and the tenant's own. */
import type { ComponentProps } from 'react'
import { inputClass } from '@/ui'
import { BUILT_IN, roleName, useRoles } from './names'

type Props = { value: string; onRole: (role: string) => void; builtInOnly?: boolean } & Omit<
  ComponentProps<'select'>,
  'value' | 'onChange'
>

export function RoleSelect({ value, onRole, builtInOnly, ...props }: Props) {
  const { items } = useRoles()
  const own = builtInOnly ? [] : (items ?? [])
  const known = BUILT_IN.some(r => r.id === value) || own.some(r => r.id === value)
  return (
    <select {...props} className={`${inputClass} max-w-72`} value={value} onChange={e => onRole(e.target.value)}>
      {!known && <option value={value}>{roleName(value, items)}</option>}
      <optgroup label="Built in">
        {BUILT_IN.map(r => (
          <option key={r.id} value={r.id} title={r.means}>
            {r.label}
          </option>
        ))}
      </optgroup>
      {own.length > 0 && (
        <optgroup label="Of this tenant">
          {own.map(r => (
            <option key={r.id} value={r.id}>
              {r.name}
            </option>
          ))}
        </optgroup>
      )}
    </select>
  )
}
