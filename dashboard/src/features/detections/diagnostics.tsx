/** What the rule loader says: where, what, how to fix it. */
import type { Diagnostic } from '@/api/types'
import { Btn, Chip } from '@/ui'

export function DiagnosticList({ items }: { items: Diagnostic[] }) {
  return (
    <ul className="space-y-1.5 text-xs">
      {items.map(d => (
        <li key={`${d.file}${d.code}${d.line}${d.column}${d.message}`} className="flex gap-2">
          <Chip tone={d.severity === 'error' ? 'critical' : 'medium'}>{d.severity}</Chip>
          <span className="min-w-0">
            <span className="num font-mono text-2xs text-fg-3">
              {d.line > 0 ? `${d.file}:${d.line}:${d.column}` : d.file}{' '}
            </span>
            {d.message}
            {d.fix && <span className="text-fg-3"> {d.fix}</span>}
          </span>
        </li>
      ))}
    </ul>
  )
}

/** After a reload: what was found, until it is closed. */
export function Diagnostics({ items, onClose }: { items: Diagnostic[]; onClose: () => void }) {
  return (
    <div
      role="status"
      className="fixed right-4 bottom-4 z-40 max-h-[50vh] w-[520px] overflow-y-auto rounded-lg bg-raised p-3 shadow-pop"
    >
      <div className="mb-2 flex items-center">
        <h2 className="font-medium">The loader says</h2>
        <Btn size="sm" v="ghost" className="ml-auto" onClick={onClose}>
          Close
        </Btn>
      </div>
      <DiagnosticList items={items} />
    </div>
  )
}
