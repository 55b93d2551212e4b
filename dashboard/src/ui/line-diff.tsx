/** Two texts line by line: what was taken away and what was added; long runs that stayed are folded. */
import { useState } from 'react'
import { cn } from './basic'
import { plural } from './format'

export type DiffLineRow = { kind: 'same' | 'added' | 'removed'; old?: number | null; new?: number | null; text: string }
type Part = { kind: 'lines'; rows: DiffLineRow[] } | { kind: 'fold'; rows: DiffLineRow[] }

const CONTEXT = 3
const WORTH_FOLDING = 4

/** Runs of lines that stayed, but for a few beside each change, become folds. */
export function folded(rows: DiffLineRow[]): Part[] {
  const near = rows.map((_, i) => rows.slice(Math.max(0, i - CONTEXT), i + CONTEXT + 1).some(r => r.kind !== 'same'))
  const parts: Part[] = []
  rows.forEach((row, i) => {
    const kind = near[i] ? 'lines' : 'fold'
    const last = parts.at(-1)
    if (last?.kind === kind) last.rows.push(row)
    else parts.push({ kind, rows: [row] })
  })
  return parts.map(part =>
    part.kind === 'fold' && part.rows.length < WORTH_FOLDING ? { ...part, kind: 'lines' } : part,
  )
}

export const counts = (rows: DiffLineRow[]) => ({
  added: rows.filter(r => r.kind === 'added').length,
  removed: rows.filter(r => r.kind === 'removed').length,
})

const MARK = { same: '', added: '+', removed: '−' }
const WORD = { same: 'same', added: 'added', removed: 'removed' }

export function LineDiff({ rows, label }: { rows: DiffLineRow[]; label: string }) {
  if (!rows.some(r => r.kind !== 'same')) return <p className="p-3 text-xs text-fg-3">The two are the same.</p>
  return (
    <div className="scroll overflow-x-auto" tabIndex={0} role="region" aria-label={label} data-line-diff>
      <table className="w-full font-mono text-[12px] leading-5" aria-label={label}>
        <thead className="sr-only">
          <tr>
            <th scope="col">Line before</th>
            <th scope="col">Line after</th>
            <th scope="col">Change</th>
            <th scope="col">Text</th>
          </tr>
        </thead>
        <tbody>
          {folded(rows).map(part => (
            <PartRows key={`${part.kind}${part.rows[0]?.old}/${part.rows[0]?.new}`} part={part} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

function PartRows({ part }: { part: Part }) {
  const [open, setOpen] = useState(part.kind === 'lines')
  if (!open)
    return (
      <tr>
        <td colSpan={4} className="bg-raised p-0">
          <button
            type="button"
            className="w-full px-3 text-left text-2xs leading-6 text-fg-3 hover:text-fg"
            onClick={() => setOpen(true)}
          >
            {plural(part.rows.length, 'line')} that stayed
          </button>
        </td>
      </tr>
    )
  return part.rows.map(row => (
    <tr
      key={`${row.kind}${row.old}/${row.new}`}
      data-kind={row.kind}
      className={cn(row.kind === 'added' && 'soft-ok', row.kind === 'removed' && 'soft-critical')}
    >
      <td className="num w-10 pr-2 text-right text-fg-3 select-none">{row.old ?? ''}</td>
      <td className="num w-10 pr-2 text-right text-fg-3 select-none">{row.new ?? ''}</td>
      <td className="w-5 text-center select-none">
        <span aria-hidden="true">{MARK[row.kind]}</span>
        <span className="sr-only">{WORD[row.kind]}</span>
      </td>
      <td className={cn('pr-3 whitespace-pre-wrap', row.kind === 'same' && 'text-fg-2')}>{row.text || ' '}</td>
    </tr>
  ))
}
