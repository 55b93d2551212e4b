/** Ledger entries as rows: when, who, what, about which objects; a row opens its whole entry. */
import { useState } from 'react'
import type { LedgerOf } from '@/api/queries'
import type { LedgerEntry } from '@/api/types'
import { Ago, cn, dayClock, fmt, short, words } from '@/ui'
import { DiffTable } from '@/ui/diff-table'
import { actorName, SubjectLink } from './subject'

type Props = { entries: LedgerEntry[]; of?: LedgerOf; onActor?: (actor: string) => void }

export function LedgerRows({ entries, of = '/ledger', onActor }: Props) {
  return (
    <ol>
      {entries.map(entry => (
        <Row key={entry.seq} entry={entry} of={of} onActor={onActor} />
      ))}
    </ol>
  )
}

function Row({ entry, of, onActor }: { entry: LedgerEntry; of: LedgerOf; onActor: Props['onActor'] }) {
  const [open, setOpen] = useState(false)
  return (
    <li className="border-b border-line/60">
      <div
        className={cn(
          'grid min-h-9 grid-cols-[64px_124px_170px_130px_minmax(0,1fr)_96px_44px] items-center gap-2 px-4 text-xs',
          open && 'bg-active',
        )}
      >
        <button
          type="button"
          aria-expanded={open}
          onClick={() => setOpen(!open)}
          className="num h-6 text-left font-mono text-2xs text-accent hover:underline"
        >
          #{fmt(entry.seq)}
        </button>
        <time className="num text-fg-3">{dayClock(entry.time)}</time>
        <span className="truncate font-medium">{words(entry.kind)}</span>
        {onActor ? (
          <button
            type="button"
            title="What else they did"
            onClick={() => onActor(entry.actor)}
            className="h-6 truncate text-left text-fg-2 hover:underline"
          >
            {actorName(entry)}
          </button>
        ) : (
          <span className="truncate text-fg-2">{actorName(entry)}</span>
        )}
        <span className="flex min-w-0 items-center gap-2 overflow-hidden">
          {entry.subjects.slice(0, 5).map(id => (
            <SubjectLink key={id} id={id} of={of} />
          ))}
          {entry.subjects.length > 5 && <span className="text-fg-3">+{entry.subjects.length - 5}</span>}
        </span>
        <span className="truncate font-mono text-2xs text-fg-3" title={entry.hash}>
          {entry.hash.slice(0, 12)}
        </span>
        <Ago at={entry.time} className="num text-right text-fg-3" />
      </div>
      {open && <Whole entry={entry} />}
    </li>
  )
}

const facts = (payload: unknown) => (typeof payload === 'object' && payload !== null ? { ...payload } : {}) as Facts
type Facts = Record<string, unknown>

/** An entry with before and after shows what changed; everything else of it stands below as it is. */
function Whole({ entry }: { entry: LedgerEntry }) {
  const { before, after, ...rest } = facts(entry.payload)
  const changed = before !== undefined || after !== undefined
  const payload = changed ? rest : entry.payload
  const shown = {
    ...(Object.keys(facts(payload)).length > 0 && { payload }),
    subjects: entry.subjects.map(id => `${id} (${short(id)})`),
    hash: entry.hash,
  }
  return (
    <div className="mx-4 my-2 flex flex-col gap-2">
      {changed && <DiffTable before={before} after={after} label={`What entry ${entry.seq} changed`} />}
      <pre
        tabIndex={0}
        className="scroll max-h-72 overflow-auto rounded-md border border-line bg-bg p-2.5 font-mono text-[11.5px] leading-4.5 text-fg-2"
      >
        {JSON.stringify(shown, null, 2)}
      </pre>
    </div>
  )
}
