/** The virtualised triage grid. A screen reader hears the true row count; focus stays on the grid. */
import { useVirtualizer } from '@tanstack/react-virtual'
import { ArrowDown } from 'lucide-react'
import { type Ref, useCallback, useEffect, useImperativeHandle, useMemo, useRef, useState } from 'react'
import type { Alert } from '@/api/types'
import { useNames } from '@/app/names'
import { rowHeight, useDensity } from '@/app/prefs'
import { cn, useNow } from '@/ui'
import { AlertRow, COLUMNS, type ColumnId, gridOf, hiddenAt } from './row'

export type TableHandle = { scrollTo: (index: number) => void; focus: () => void }
const OVERSCAN = 6
/** This close to the end, the next page is asked for. */
const NEAR_END = 20

type Props = {
  rows: Alert[]
  active: number
  selected: ReadonlySet<string>
  sort: string | undefined
  label: string
  more: boolean
  onPick: (index: number) => void
  onOpen: (index: number) => void
  onToggle: (index: number, range: boolean) => void
  onSort: (sort: string | undefined) => void
  onEnd: () => void
  ref?: Ref<TableHandle>
}

export function AlertTable({ rows, active, selected, sort, label, more, onSort, onEnd, ref, ...on }: Props) {
  const box = useRef<HTMLDivElement>(null)
  const height = rowHeight(useDensity())
  const names = useNames()
  const now = useNow(10_000)
  const columns = useColumns(box)
  const grid = gridOf(columns)
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => height,
    overscan: OVERSCAN,
  })
  // biome-ignore lint/correctness/useExhaustiveDependencies: measured anew when the row height changes
  useEffect(() => virtual.measure(), [height])
  useImperativeHandle(ref, () => ({
    scrollTo: index => virtual.scrollToIndex(index, { align: 'auto' }),
    focus: () => box.current?.focus(),
  }))
  const items = virtual.getVirtualItems()
  const last = items.at(-1)?.index ?? 0
  useEffect(() => {
    if (more && last >= rows.length - NEAR_END) onEnd()
  }, [more, last, rows.length, onEnd])
  // Handlers keep their identity, so that a row renders only when its own props change.
  const latest = useRef(on)
  latest.current = on
  const pick = useCallback((i: number) => latest.current.onPick(i), [])
  const open = useCallback((i: number) => latest.current.onOpen(i), [])
  const toggle = useCallback((i: number, range: boolean) => latest.current.onToggle(i, range), [])
  const pool = Math.ceil(innerHeight / height) + OVERSCAN * 2 + 2
  return (
    <div
      ref={box}
      className="scroll relative h-full overflow-x-hidden overflow-y-auto outline-none"
      role="grid"
      aria-label={label}
      aria-rowcount={more ? -1 : rows.length + 1}
      aria-multiselectable="true"
      tabIndex={0}
      aria-activedescendant={rows[active] ? `r-${rows[active].id}` : undefined}
    >
      <div
        role="row"
        tabIndex={-1}
        aria-rowindex={1}
        className="sticky top-0 z-10 grid h-8 items-center border-b border-line bg-surface pr-3 text-xs text-fg-3"
        style={{ gridTemplateColumns: grid }}
      >
        <div role="columnheader" tabIndex={-1}>
          <span className="sr-only">Select</span>
        </div>
        {columns.map(c => (
          <div
            key={c.id}
            role="columnheader"
            tabIndex={-1}
            aria-sort={c.sort ? (sort === c.sort ? 'descending' : 'none') : undefined}
            className="min-w-0 px-1.5"
          >
            {c.sort ? (
              <button
                type="button"
                tabIndex={-1}
                onClick={() => onSort(sort === c.sort ? undefined : c.sort)}
                className={cn(
                  'flex h-6 w-full items-center gap-1 rounded-sm font-medium hover:text-fg',
                  c.id === 'age' && 'justify-end',
                  c.id === 'severity' && 'justify-center',
                )}
              >
                {c.label}
                {sort === c.sort && <ArrowDown size={11} aria-hidden="true" />}
              </button>
            ) : (
              <span className="font-medium">{c.label}</span>
            )}
          </div>
        ))}
      </div>
      <div role="rowgroup" className="relative" style={{ height: virtual.getTotalSize() }}>
        {items.map(item => {
          const alert = rows[item.index]
          if (!alert) return null
          return (
            <AlertRow
              key={item.index % pool}
              alert={alert}
              columns={columns}
              grid={grid}
              index={item.index}
              y={item.start}
              height={height}
              active={item.index === active}
              selected={selected.has(alert.id)}
              now={now}
              names={names}
              onPick={pick}
              onOpen={open}
              onToggle={toggle}
            />
          )
        })}
      </div>
    </div>
  )
}

function useColumns(box: React.RefObject<HTMLDivElement | null>) {
  const [hidden, setHidden] = useState('')
  useEffect(() => {
    const element = box.current
    if (!element) return
    const watcher = new ResizeObserver(([entry]) => entry && setHidden(hiddenAt(entry.contentRect.width).join()))
    watcher.observe(element)
    return () => watcher.disconnect()
  }, [box])
  return useMemo(() => {
    const gone = hidden.split(',') as ColumnId[]
    return COLUMNS.filter(c => !gone.includes(c.id))
  }, [hidden])
}
