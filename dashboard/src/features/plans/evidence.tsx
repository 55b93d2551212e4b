/** What an action read to be kept: each piece with its hash. Taking one is an entry of the ledger. */
import { Download } from 'lucide-react'
import { useState } from 'react'
import { download } from '@/api/download'
import { evidenceQuery } from '@/api/response'
import type { Action, Evidence as Piece } from '@/api/types'
import { ActBtn } from '@/app/guard'
import { useList } from '@/app/use-list'
import { absolute, bytes, InlineError, Loaded } from '@/ui'
import { LoadMore } from '@/ui/table'

export default function Evidence({ action }: { action: Action }) {
  const { query, items } = useList(evidenceQuery(action.id))
  return (
    <div role="group" aria-label="Evidence">
      <Loaded query={query} what="Evidence">
        {() =>
          items?.length ? (
            <ul className="divide-y divide-line/60 rounded-md border border-line">
              {items.map(piece => (
                <Row key={piece.number} action={action.id} piece={piece} />
              ))}
            </ul>
          ) : (
            <p className="text-xs text-fg-3">Nothing was kept of it.</p>
          )
        }
      </Loaded>
      <LoadMore query={query} />
    </div>
  )
}

function Row({ action, piece }: { action: string; piece: Piece }) {
  const [error, setError] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  const take = async () => {
    setBusy(true)
    setError(null)
    try {
      await download(`/actions/${action}/evidence/${piece.number}`, {}, `evidence-${piece.number}.bin`)
    } catch (failure) {
      setError(failure)
    } finally {
      setBusy(false)
    }
  }
  return (
    <li className="px-2 py-1.5 text-xs">
      <div className="flex items-center gap-2">
        <span className="min-w-0 flex-1">
          <span className="block font-mono break-all">{piece.name}</span>
          <span className="block text-2xs text-fg-3">
            {bytes(piece.size)}, {piece.media_type}, read {absolute(piece.at)}
          </span>
          <span className="block font-mono text-2xs break-all text-fg-3">SHA-256 {piece.sha256}</span>
          {piece.note && <span className="block text-2xs text-medium">{piece.note}</span>}
        </span>
        <ActBtn
          need="incident.export"
          size="sm"
          disabled={busy}
          aria-label={`Download ${piece.name}`}
          onClick={() => void take()}
        >
          <Download size={13} aria-hidden="true" />
          {busy ? 'Reading…' : 'Download'}
        </ActBtn>
      </div>
      <InlineError error={error} className="mt-1" />
    </li>
  )
}
