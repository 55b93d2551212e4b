/** A filter with one value out of a few, beside a list. */
import type { ReactNode } from 'react'

type Props = {
  label: string
  value: string | undefined
  onValue: (value: string | undefined) => void
  children: ReactNode
}

export const Pick = ({ label, value, onValue, children }: Props) => (
  <select
    aria-label={label}
    value={value ?? ''}
    onChange={e => onValue(e.target.value || undefined)}
    className="h-7.5 max-w-56 rounded-md border border-control bg-surface px-1.5 text-xs text-fg-2"
  >
    <option value="">{`${label}: any`}</option>
    {children}
  </select>
)
