/** What can be done with the alerts that are selected. */
import { X } from 'lucide-react'
import { Btn, fmt, Kbd } from '@/ui'
import { AT_ONCE, IN_A_JOB } from './acts'

type Props = {
  n: number
  write: boolean
  /** The list holds more than is selected. */
  more: boolean
  /** It is still being read to its end. */
  reading: boolean
  onAll: () => void
  onResolve: () => void
  onTake: () => void
  onClear: () => void
}

export function BulkBar({ n, write, more, reading, onAll, onResolve, onTake, onClear }: Props) {
  const tooMany = n > IN_A_JOB
  return (
    <div
      role="toolbar"
      aria-label="Bulk actions"
      className="absolute bottom-4 left-1/2 z-20 flex -translate-x-1/2 items-center gap-1 rounded-lg bg-raised p-1.5 shadow-pop"
    >
      <span className="num px-2 text-sm font-medium whitespace-nowrap" role="status">
        {fmt(n)} selected{reading && ', reading on…'}
        {!reading && n > AT_ONCE && <span className="font-normal text-fg-3"> · runs as a job</span>}
      </span>
      {more && (
        <Btn size="sm" v="ghost" onClick={onAll}>
          Select all
          <Kbd k="mod+a" />
        </Btn>
      )}
      {write && (
        <>
          <Btn size="sm" disabled={reading || tooMany} onClick={onResolve}>
            Close…
            <Kbd k="e" />
          </Btn>
          <Btn size="sm" disabled={reading || tooMany} onClick={onTake}>
            Assign to me
            <Kbd k="a" />
          </Btn>
        </>
      )}
      {tooMany && <span className="px-1 text-xs text-medium">one job takes {fmt(IN_A_JOB)}: narrow the list down</span>}
      <Btn size="sm" v="ghost" icon onClick={onClear} aria-label="Clear selection">
        <X size={13} />
      </Btn>
    </div>
  )
}
