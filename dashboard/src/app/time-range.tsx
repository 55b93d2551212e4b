/** The time of a search: one of a few spans, or two moments. */
import { useState } from 'react'
import { Btn, inputClass } from '@/ui'
import { useSearchParams, useSetSearch } from './search'

const SPANS = [
  ['', 'All time'],
  ['900', 'Last 15 minutes'],
  ['3600', 'Last hour'],
  ['86400', 'Last 24 hours'],
  ['604800', 'Last 7 days'],
  ['custom', 'From … to …'],
] as const

/** `2026-11-21T12:30` in the zone of the browser, as the input wants it. */
const toLocal = (iso: string | undefined) => {
  if (!iso) return ''
  const at = new Date(iso)
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
}
const toIso = (local: string) => (local ? new Date(local).toISOString() : undefined)

export function TimeRange() {
  const { from, to } = useSearchParams()
  const set = useSetSearch()
  const [span, setSpan] = useState(from || to ? 'custom' : '')
  const choose = (value: string) => {
    setSpan(value)
    if (value === '') set({ from: undefined, to: undefined })
    else if (value !== 'custom') set({ from: new Date(Date.now() - Number(value) * 1000).toISOString(), to: undefined })
  }
  return (
    <div className="flex items-center gap-1.5">
      {span === 'custom' && (
        <>
          <input
            type="datetime-local"
            aria-label="From"
            className={`${inputClass} text-xs`}
            value={toLocal(from)}
            onChange={e => set({ from: toIso(e.target.value) })}
          />
          <input
            type="datetime-local"
            aria-label="To"
            className={`${inputClass} text-xs`}
            value={toLocal(to)}
            onChange={e => set({ to: toIso(e.target.value) })}
          />
        </>
      )}
      <select
        aria-label="Time range"
        value={span}
        onChange={e => choose(e.target.value)}
        className="h-7.5 rounded-md border border-line-strong bg-surface px-1.5 text-xs text-fg-2"
      >
        {SPANS.map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
      {(from || to) && (
        <Btn size="sm" v="ghost" onClick={() => choose('')}>
          Clear
        </Btn>
      )}
    </div>
  )
}
