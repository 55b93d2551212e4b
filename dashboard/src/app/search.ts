/** Reads and changes the address's search part; every filter and open panel lives there. */
import { useNavigate, useSearch } from '@tanstack/react-router'
import { useCallback } from 'react'
import type { Search } from './router'

export const useSearchParams = (): Search => useSearch({ strict: false }) as Search

/** Changes some of the search; `undefined` takes a key away. Replaces the history entry unless told to push. */
export function useSetSearch() {
  const navigate = useNavigate()
  return useCallback(
    (patch: Partial<Search>, push = false) =>
      void navigate({ to: '.', search: (before: Search) => ({ ...before, ...patch }), replace: !push }),
    [navigate],
  )
}

/** Opens the side panel of one event, on whatever page one is. */
export function useOpenEvent() {
  const set = useSetSearch()
  return useCallback((id: string | undefined) => set({ event: id }), [set])
}

/** Goes to a page by its path, with these filters and nothing of the present ones. */
export function useNavigateTo() {
  const navigate = useNavigate()
  return useCallback((to: string, search: Partial<Search> = {}) => void navigate({ to, search }), [navigate])
}
