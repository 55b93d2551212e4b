/** One row: plain cells of one or two elements, icons as CSS masks. Cheap enough to fling through. */
import { memo, type ReactNode } from 'react'
import type { Alert } from '@/api/types'
import { ALERT_STATUS, fmt, mainEntity, short, since, verdictLabel, words } from '@/ui'

export type ColumnId = 'severity' | 'risk' | 'title' | 'entity' | 'tactic' | 'status' | 'owner' | 'age'
export type Column = {
  id: ColumnId
  label: string
  width: number
  sort?: 'severity' | 'risk' | 'age'
  className: string
}

/** Width 0: takes what is left. */
export const COLUMNS: Column[] = [
  { id: 'severity', label: 'Sev', width: 44, sort: 'severity', className: 'text-center' },
  { id: 'risk', label: 'Risk', width: 64, sort: 'risk', className: '' },
  { id: 'title', label: 'Alert', width: 0, className: '' },
  { id: 'entity', label: 'Entity', width: 158, className: 'mono text-fg-2' },
  { id: 'tactic', label: 'Tactic', width: 150, className: 'text-fg-2' },
  { id: 'status', label: 'Status', width: 118, className: 'text-fg-2' },
  { id: 'owner', label: 'Owner', width: 96, className: 'text-fg-2' },
  { id: 'age', label: 'Age', width: 52, sort: 'age', className: 'num text-right text-fg-3' },
]

/** Columns leave in this order as the table narrows; the title never does. */
const DROP: [number, ColumnId[]][] = [
  [1060, ['tactic']],
  [900, ['tactic', 'owner']],
  [720, ['tactic', 'owner', 'status']],
  [560, ['tactic', 'owner', 'status', 'risk']],
]
export const hiddenAt = (width: number): ColumnId[] => DROP.filter(([limit]) => width < limit).at(-1)?.[1] ?? []
export const gridOf = (columns: Column[]) =>
  ['30px', ...columns.map(c => (c.width ? `${c.width}px` : 'minmax(180px,1fr)'))].join(' ')

const riskTone = (risk: number) => (risk > 80 ? 'critical' : risk > 60 ? 'high' : risk > 40 ? 'medium' : 'info')
const isClosed = (alert: Alert) => alert.status === 'resolved' || alert.status === 'suppressed'

type CellContext = { now: number; names: (id: string) => string }
const CELL: Record<ColumnId, (alert: Alert, context: CellContext) => ReactNode> = {
  severity: a => (
    <i className={`sev sev-${a.severity}`} title={a.severity}>
      <span className="sr-only">{a.severity}</span>
    </i>
  ),
  risk: a => (
    <span
      className="riskbar num"
      style={{ '--v': `${a.risk_score}%`, '--c': `var(--${riskTone(a.risk_score)}-fill)` } as object}
    >
      {a.risk_score}
    </span>
  ),
  title: a => (
    <span className="tt">
      <span className="truncate">{a.rule_title}</span>
      {a.count > 1 && <b title={`${fmt(a.count)} matches`}>×{fmt(a.count)}</b>}
      {a.incident_id && (
        <b className="inc" title="Part of this incident">
          {short(a.incident_id)}
        </b>
      )}
      {a.demo && <b className="demo">demo</b>}
    </span>
  ),
  entity: a => {
    const entity = mainEntity(a.entities, ['ip', 'host', 'user', 'domain', 'process', 'file', 'url', 'hash'])
    return entity ? <span className={`ent ent-${entity.kind}`}>{entity.value}</span> : ''
  },
  tactic: a => (a.attack.tactics[0] ? words(a.attack.tactics[0]) : ''),
  status: a => (a.verdict ? verdictLabel(a.verdict) : ALERT_STATUS[a.status]),
  owner: (a, { names }) => (a.assignee ? names(a.assignee) : '–'),
  age: (a, { now }) => since(a.last_seen, now),
}

type RowProps = CellContext & {
  alert: Alert
  columns: Column[]
  grid: string
  index: number
  y: number
  height: number
  active: boolean
  selected: boolean
  onPick: (index: number) => void
  onOpen: (index: number) => void
  onToggle: (index: number, range: boolean) => void
}

export const AlertRow = memo(function AlertRow({
  alert,
  columns,
  grid,
  index,
  y,
  height,
  active,
  selected,
  ...rest
}: RowProps) {
  return (
    <div
      role="row"
      id={`r-${alert.id}`}
      aria-rowindex={index + 2}
      aria-selected={selected}
      tabIndex={-1}
      onClick={() => rest.onPick(index)}
      onDoubleClick={() => rest.onOpen(index)}
      style={{ transform: `translateY(${y}px)`, height, lineHeight: `${height - 1}px`, gridTemplateColumns: grid }}
      className={`trow${active ? ' active' : ''}${selected ? ' selected' : ''}${isClosed(alert) ? ' closed' : ''}`}
    >
      <div
        role="gridcell"
        tabIndex={-1}
        onClick={e => {
          e.stopPropagation()
          rest.onToggle(index, e.shiftKey)
        }}
      >
        <span
          role="checkbox"
          tabIndex={-1}
          aria-checked={selected}
          aria-label={`Select ${alert.rule_title}`}
          className="cbx"
        />
      </div>
      {columns.map(column => (
        <div key={column.id} role="gridcell" tabIndex={-1} className={column.className}>
          {CELL[column.id](alert, rest)}
        </div>
      ))}
    </div>
  )
})
