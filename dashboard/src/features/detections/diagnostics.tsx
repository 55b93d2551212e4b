/** What the rule reader says, like a compiler: where, what, and how to fix it. */
import type { Diagnostic } from '@/api/types'
import { Btn, Chip } from '@/ui'

const TONE: Record<string, string> = { error: 'critical', warning: 'medium', info: 'low' }

type ListProps = { items: Diagnostic[]; onGo?: (d: Diagnostic) => void }

export function DiagnosticList({ items, onGo }: ListProps) {
  return (
    <ul className="space-y-1.5 text-xs" aria-label="Diagnostics">
      {items.map(d => (
        <li key={`${d.file}${d.code}${d.line}${d.column}${d.message}`} className="flex gap-2">
          <Chip tone={TONE[d.severity] ?? 'medium'}>{d.severity}</Chip>
          <span className="min-w-0">
            <Place d={d} onGo={onGo} /> {d.message}
            {d.fix && <span className="text-fg-3"> {d.fix}</span>}{' '}
            <code className="font-mono text-2xs text-fg-3">{d.code}</code>
          </span>
        </li>
      ))}
    </ul>
  )
}

function Place({ d, onGo }: { d: Diagnostic; onGo: ListProps['onGo'] }) {
  const at = d.line > 0 ? `${d.line}:${d.column}` : ''
  if (onGo && at)
    return (
      <button
        type="button"
        className="num rounded-sm font-mono text-2xs text-accent hover:underline"
        onClick={() => onGo(d)}
      >
        <span className="sr-only">Go to </span>
        {at}
      </button>
    )
  return <span className="num font-mono text-2xs text-fg-3">{[d.file, at].filter(Boolean).join(':')}</span>
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
