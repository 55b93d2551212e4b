/**
 * Rows never move under the analyst: what was shown keeps its place, changes show in place, and new objects wait to be
 * brought in. A change of `key` (another filter) starts afresh.
 */
import { useCallback, useRef, useState } from 'react'

type Row = { id: string }

export type Order = { key: string; ids: string[]; known: Map<string, Row>; waiting: number }

/** What is shown next, given what was shown and what the server now answers. Pure, so that tests can read it. */
export function nextOrder(before: Order | null, fresh: Row[], key: string): Order {
  if (!before || before.key !== key || !before.ids.length) {
    return { key, ids: fresh.map(r => r.id), known: new Map(fresh.map(r => [r.id, r])), waiting: 0 }
  }
  const known = new Map(before.known)
  for (const row of fresh) known.set(row.id, row)
  const shown = new Set(before.ids)
  let lastShown = -1
  fresh.forEach((row, i) => {
    if (shown.has(row.id)) lastShown = i
  })
  // Below the last row shown: the next page. Above it: new, and it waits.
  const more = fresh.slice(lastShown + 1).filter(r => !shown.has(r.id))
  const waiting = fresh.slice(0, lastShown + 1).filter(r => !shown.has(r.id)).length
  if (lastShown < 0) return { key, ids: before.ids, known, waiting: fresh.length }
  return { key, ids: [...before.ids, ...more.map(r => r.id)], known, waiting }
}

export function useStableRows<T extends Row>(fresh: T[] | undefined, key: string) {
  const order = useRef<Order | null>(null)
  const seen = useRef<T[] | undefined>(undefined)
  const [, render] = useState(0)
  if (fresh && (fresh !== seen.current || order.current?.key !== key)) {
    seen.current = fresh
    order.current = nextOrder(order.current, fresh, key)
  }
  const flush = useCallback(() => {
    order.current = seen.current ? nextOrder(null, seen.current, key) : null
    render(n => n + 1)
  }, [key])
  const now = order.current
  const rows = fresh && now ? (now.ids.map(id => now.known.get(id)) as T[]) : []
  return { rows, waiting: now?.waiting ?? 0, flush }
}
