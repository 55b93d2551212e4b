/** Fields of an event in two columns; a value can be searched for. */
import { Link } from '@tanstack/react-router'

/** The line itself: text that travelled as JSON (`{"message": "…"}`) is shown as the line it was. */
export function lineOf(raw: string): string {
  if (!raw.startsWith('{')) return raw
  try {
    const { message } = JSON.parse(raw) as { message?: unknown }
    return typeof message === 'string' && message ? message : raw
  } catch {
    return raw
  }
}

export type FieldRow = [field: string, value: string]

/** One level of dotted names out of any JSON. */
export function flatten(value: unknown, prefix = ''): FieldRow[] {
  if (value === null || value === undefined || value === '') return []
  if (Array.isArray(value) && value.every(v => typeof v !== 'object')) return [[prefix, value.join(', ')]]
  if (typeof value === 'object') {
    return Object.entries(value).flatMap(([key, inner]) => flatten(inner, prefix ? `${prefix}.${key}` : key))
  }
  return [[prefix, String(value)]]
}

export function FieldTable({ rows }: { rows: FieldRow[] }) {
  if (!rows.length) return <p className="text-xs text-fg-3">None.</p>
  return (
    <dl className="grid grid-cols-[132px_minmax(0,1fr)] gap-x-2 text-xs leading-6">
      {rows.map(([field, value]) => (
        <div key={field} className="contents">
          <dt className="truncate font-mono text-fg-3" title={field}>
            {field}
          </dt>
          <dd className="font-mono break-all leading-6">
            <Link
              to="/events"
              search={{ q: value.slice(0, 200) }}
              className="inline-block min-h-6 min-w-6 rounded-sm hover:bg-hover hover:underline"
              title="Search events with this text"
            >
              {value}
            </Link>
          </dd>
        </div>
      ))}
    </dl>
  )
}
