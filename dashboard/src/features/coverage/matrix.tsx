/** The heat map: a column a tactic, a cell a technique. Arrows move, Enter opens; the level is told, not only coloured. */
import { type KeyboardEvent, useRef } from 'react'
import type { Technique } from '@/api/detection-types'
import { cn, words } from '@/ui'
import { type Column, LEVEL } from './levels'

type Props = { columns: Column[]; chosen: string | undefined; onChoose: (id: string) => void }

export function Matrix({ columns, chosen, onChoose }: Props) {
  const box = useRef<HTMLDivElement>(null)
  const onKeyDown = (e: KeyboardEvent) => {
    const at = (document.activeElement as HTMLElement | null)?.dataset.cell
    if (!at) return
    const [column = 0, row = 0] = at.split('/').map(Number)
    const step = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[e.key]
    if (!step) return
    const next = Math.min(Math.max(0, column + (step[0] ?? 0)), columns.length - 1)
    const last = (columns[next]?.techniques.length ?? 1) - 1
    const to = Math.min(Math.max(0, row + (step[1] ?? 0)), last)
    e.preventDefault()
    box.current?.querySelector<HTMLElement>(`[data-cell="${next}/${to}"]`)?.focus()
  }
  const firstChosen = columns.findIndex(c => c.techniques.some(t => t.id === chosen))
  return (
    <div
      ref={box}
      className="scroll min-h-0 flex-1 overflow-auto p-4"
      onKeyDown={onKeyDown}
      role="region"
      aria-label="Heat map"
      tabIndex={-1}
    >
      <div className="flex gap-1">
        {columns.map((column, c) => (
          <div key={column.tactic} className="flex min-w-20 max-w-36 flex-1 flex-col gap-1">
            <h2 className="h-10 text-xs font-medium" id={`tactic-${column.tactic}`}>
              <span className="block truncate" title={words(column.tactic)}>
                {words(column.tactic)}
              </span>
              <span className="num font-normal text-fg-3">{Math.round(column.covered * 100)} % detected</span>
            </h2>
            <ul className="flex flex-col gap-1" aria-labelledby={`tactic-${column.tactic}`}>
              {column.techniques.map((technique, r) => (
                <Cell
                  key={technique.id}
                  technique={technique}
                  at={`${c}/${r}`}
                  on={technique.id === chosen}
                  stop={firstChosen < 0 ? c === 0 && r === 0 : c === firstChosen && technique.id === chosen}
                  onChoose={onChoose}
                />
              ))}
            </ul>
          </div>
        ))}
      </div>
    </div>
  )
}

type CellProps = { technique: Technique; at: string; on: boolean; stop: boolean; onChoose: (id: string) => void }

function Cell({ technique, at, on, stop, onChoose }: CellProps) {
  const { label } = LEVEL[technique.level]
  const title = `${technique.id}: ${label.toLowerCase()}, ${technique.rule_count} rules`
  return (
    <li>
      <button
        type="button"
        data-cell={at}
        data-level={technique.level}
        tabIndex={stop ? 0 : -1}
        aria-pressed={on}
        title={title}
        onClick={() => onChoose(technique.id)}
        className={cn(
          'cov flex h-6.5 items-center rounded-sm px-1.5 font-mono text-2xs',
          technique.parent ? 'ml-2 w-[calc(100%-0.5rem)]' : 'w-full',
          `cov-${technique.level}`,
          technique.level === 'none' && 'border border-dashed border-line-strong',
          on && 'ring-2 ring-accent ring-offset-1 ring-offset-bg',
        )}
      >
        {technique.id}
        <span className="sr-only">, {label.toLowerCase()}, </span>
        <span className="num ml-auto">
          {technique.rule_count}
          <span className="sr-only"> {technique.rule_count === 1 ? 'rule' : 'rules'}</span>
        </span>
      </button>
    </li>
  )
}
