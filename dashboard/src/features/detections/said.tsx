/** What the server says of a text that is being written: errors and hints, each a way to its place. */
import type { Diagnostic } from '@/api/types'
import type { Asked } from '@/app/use-asked'
import { cn, plural } from '@/ui'
import { DiagnosticList } from './diagnostics'
import { errorsOf } from './use-check'

type Props = {
  items: Diagnostic[]
  checked: Asked<{ diagnostics: Diagnostic[] }>
  /** What is said while it is read, and where nothing is wrong. */
  reading: string
  fine: string
  onGo: (d: Diagnostic) => void
}

export function Said({ items, checked, reading, fine, onGo }: Props) {
  const errors = errorsOf(checked.check)
  const hints = items.length - errors
  return (
    <div className="max-h-[34%] shrink-0 overflow-y-auto border-t border-line" data-diagnostics={items.length}>
      <div className="flex h-8 items-center gap-2 px-3 text-xs" role="status">
        {checked.error ? (
          <span className="text-critical">{(checked.error as Error).message}</span>
        ) : !checked.check ? (
          <span className="text-fg-3">{reading}</span>
        ) : errors ? (
          <b className="font-medium text-critical">{plural(errors, 'error')}</b>
        ) : (
          <b className="font-medium text-ok">{fine}</b>
        )}
        {hints > 0 && <span className="text-medium">{plural(hints, 'hint')}</span>}
        <span className={cn('ml-auto text-fg-3', !checked.checking && 'invisible')}>checking…</span>
      </div>
      {items.length > 0 && (
        <div className="px-3 pb-2">
          <DiagnosticList items={items} onGo={onGo} />
        </div>
      )}
    </div>
  )
}
