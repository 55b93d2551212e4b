/** Which row is active and which are selected, by id: new rows above change neither. */
import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import type { Alert } from '@/api/types'
import { useSearchParams, useSetSearch } from '@/app/search'

/** The address follows the active row, but not every step of a held key. */
const URL_MS = 300
const NOTHING: ReadonlySet<string> = new Set()

export function useSelection(rows: Alert[]) {
  const { id } = useSearchParams()
  const setSearch = useSetSearch()
  const [activeId, setActiveId] = useState<string | undefined>(id)
  const [selected, setSelected] = useState(NOTHING)
  const anchor = useRef(0)
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  useEffect(() => () => clearTimeout(timer.current), [])
  const found = activeId ? rows.findIndex(a => a.id === activeId) : -1
  const active = found < 0 ? 0 : found
  // The first row is pinned by its id too: new rows above it must not take its place.
  const firstId = found < 0 ? rows[0]?.id : undefined
  useEffect(() => {
    if (firstId) setActiveId(firstId)
  }, [firstId])

  const activate = useCallback(
    (index: number) => {
      const next = rows[Math.min(Math.max(0, index), rows.length - 1)]
      if (!next) return
      setActiveId(next.id)
      clearTimeout(timer.current)
      timer.current = setTimeout(() => setSearch({ id: next.id }), URL_MS)
    },
    [rows, setSearch],
  )
  const toggle = useCallback(
    (index: number, range = false) => {
      const [from, to] = range ? [Math.min(anchor.current, index), Math.max(anchor.current, index)] : [index, index]
      anchor.current = index
      setSelected(before => {
        const next = new Set(before)
        const on = !before.has(rows[index]?.id ?? '')
        for (const row of rows.slice(from, to + 1)) {
          if (on) next.add(row.id)
          else next.delete(row.id)
        }
        return next
      })
    },
    [rows],
  )
  const clear = useCallback(() => setSelected(NOTHING), [])
  const chosen = useMemo(() => rows.filter(a => selected.has(a.id)), [rows, selected])
  return { active, activate, selected, chosen, toggle, clear }
}
