/** Before and after, side by side: what changed first; what stayed the same on demand. */
import { useState } from 'react'
import { Btn, cn } from './basic'
import { type Change, diff, printed } from './diff'
import { plural } from './format'

type Props = { before: unknown; after: unknown; label: string }
const MARK = { added: '+', removed: '−', changed: '~', same: '' }
const WORD = { added: 'added', removed: 'removed', changed: 'changed', same: 'unchanged' }

export function DiffTable({ before, after, label }: Props) {
  const [whole, setWhole] = useState(false)
  const all = diff(before, after)
  const changed = all.filter(row => row.kind !== 'same')
  const rest = all.length - changed.length
  const shown = whole ? all : changed
  return (
    <div className="overflow-hidden rounded-md border border-line" data-diff>
      <table className="w-full table-fixed text-left text-xs" aria-label={label}>
        <thead className="text-fg-3">
          <tr className="h-7 border-b border-line bg-surface">
            <th scope="col" className="w-[26%] px-2.5 font-medium">
              Field
            </th>
            <th scope="col" className="px-2.5 font-medium">
              Before
            </th>
            <th scope="col" className="px-2.5 font-medium">
              After
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map((row, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a field can stand there twice
            <Row key={`${row.path} ${i}`} row={row} />
          ))}
          {!shown.length && (
            <tr>
              <td colSpan={3} className="px-2.5 py-2 text-fg-3">
                Nothing differs.
              </td>
            </tr>
          )}
        </tbody>
      </table>
      {rest > 0 && (
        <div className="border-t border-line bg-surface px-1 py-0.5">
          <Btn size="sm" v="ghost" onClick={() => setWhole(!whole)}>
            {whole ? 'Only what changed' : `Show ${plural(rest, 'field')} that stayed`}
          </Btn>
        </div>
      )}
    </div>
  )
}

function Row({ row }: { row: Change }) {
  const { kind } = row
  return (
    <tr className="border-b border-line/60 align-top last:border-0" data-kind={kind}>
      <th scope="row" className="px-2.5 py-1.5 font-mono text-2xs font-normal break-words text-fg-2">
        <span className="mr-1 inline-block w-2 text-fg-3" aria-hidden="true">
          {MARK[kind]}
        </span>
        <span className="sr-only">{WORD[kind]}: </span>
        {row.path || 'value'}
      </th>
      <Value value={row.before} tone={kind === 'removed' || kind === 'changed' ? 'soft-critical' : ''} />
      <Value value={row.after} tone={kind === 'added' || kind === 'changed' ? 'soft-ok' : ''} />
    </tr>
  )
}

const Value = ({ value, tone }: { value: unknown; tone: string }) => (
  <td className="px-2.5 py-1 font-mono text-2xs break-words">
    <span className={cn('inline-block max-w-full rounded-sm px-1 py-0.5', tone || 'text-fg-3')}>{printed(value)}</span>
  </td>
)
