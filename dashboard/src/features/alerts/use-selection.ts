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
  const [some, setSome] = useState(NOTHING)
  /** Everything that is listed, and what is still being read. */
  const [everything, setEverything] = useState(false)
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

  const selected = useMemo(() => (everything ? new Set(rows.map(a => a.id)) : some), [everything, rows, some])
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
      const next = new Set(selected)
      const on = !selected.has(rows[index]?.id ?? '')
      for (const row of rows.slice(from, to + 1)) {
        if (on) next.add(row.id)
        else next.delete(row.id)
      }
      setEverything(false)
      setSome(next)
    },
    [rows, selected],
  )
  const clear = useCallback(() => {
    setSome(NOTHING)
    setEverything(false)
  }, [])
  const all = useCallback(() => setEverything(true), [])
  const chosen = useMemo(() => rows.filter(a => selected.has(a.id)), [rows, selected])
  return { active, activate, selected, chosen, toggle, clear, all, everything }
}
