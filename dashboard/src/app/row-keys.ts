/** `j` and `k` through the rows of a list that are links: the focus moves, Enter opens. */
import type { RefObject } from 'react'
import { useHotkeys } from './hotkeys'

export function useRowKeys(box: RefObject<HTMLElement | null>, noun: string) {
  const go = (by: number) => {
    const rows = [...(box.current?.querySelectorAll<HTMLElement>('a[data-row]') ?? [])]
    const at = rows.indexOf(document.activeElement as HTMLElement)
    const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(Math.max(0, at + by), rows.length - 1)
    rows[next]?.focus()
  }
  useHotkeys([
    { keys: 'j', label: `Next ${noun}`, group: 'List', run: () => go(1) },
    { keys: 'k', label: `Previous ${noun}`, group: 'List', run: () => go(-1) },
  ])
}
