/**
 * Rows never move under the analyst: what was shown keeps its place, changes show in place, and new objects wait to be
 * brought in. A change of `key` (another filter) starts afresh.
 */
import { useCallback, useMemo, useRef, useState } from 'react'

type Row = { id: string }

export type Order<T extends Row = Row> = { key: string; ids: string[]; known: Map<string, T>; waiting: number }

/** What is shown next, given what was shown and what the server now answers. Pure, so that tests can read it. */
export function nextOrder<T extends Row>(before: Order<T> | null, fresh: T[], key: string): Order<T> {
  if (!before || before.key !== key || !before.ids.length) {
    return { key, ids: fresh.map(r => r.id), known: new Map(fresh.map(r => [r.id, r])), waiting: 0 }
  }
  const known = new Map(before.known)
  for (const row of fresh) known.set(row.id, row)
  const shown = new Set(before.ids)
  const lastShown = fresh.findLastIndex(row => shown.has(row.id))
  // Nothing of what is shown is left: everything that came is new.
  if (lastShown < 0) return { key, ids: before.ids, known, waiting: fresh.length }
  // Below the last row shown: the next page. Above it: new, and it waits.
  const more = fresh.slice(lastShown + 1)
  const waiting = fresh.slice(0, lastShown).filter(row => !shown.has(row.id)).length
  return { key, ids: more.length ? [...before.ids, ...more.map(r => r.id)] : before.ids, known, waiting }
}

type Fresh<T> = { items: T[] | undefined; key: string; match?: (row: T) => boolean }

/**
 * The rows to show. `match` is what the server cannot filter by: a row that once passed stays, greyed or not, until the
 * list is brought up to date by `flush`.
 */
export function useStableRows<T extends Row>({ items, key, match }: Fresh<T>) {
  const [epoch, setEpoch] = useState(0)
  const view = `${key}#${epoch}`
  const admitted = useRef({ view: '', ids: new Set<string>() })
  const order = useRef<Order<T> | null>(null)
  const seen = useRef<T[] | undefined>(undefined)
  if (admitted.current.view !== view) admitted.current = { view, ids: new Set() }
  if (items && (items !== seen.current || order.current?.key !== view)) {
    const { ids } = admitted.current
    seen.current = items
    const fresh = items.filter(row => !match || ids.has(row.id) || match(row))
    for (const row of fresh) ids.add(row.id)
    order.current = nextOrder(order.current, fresh, view)
  }
  const now = items ? order.current : null
  const ids = now?.ids ?? NONE
  const rows = useMemo(() => (now ? now.ids.flatMap(id => now.known.get(id) ?? []) : []), [now])
  const flush = useCallback(() => setEpoch(e => e + 1), [])
  return { ids, rows, waiting: now?.waiting ?? 0, flush }
}
const NONE: string[] = []
