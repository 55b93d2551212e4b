/** Names of people and of the system's own actors, from the ids that objects carry. */
import { useInfiniteQuery } from '@tanstack/react-query'
import { useCallback } from 'react'
import { usersQuery } from '@/api/queries'
import { short } from '@/ui/format'
import { useCan, useUser } from './session'

export function useNames() {
  const { user } = useUser()
  const can = useCan()
  const users = useInfiniteQuery({ ...usersQuery, enabled: can('user.read'), staleTime: 300_000 }).data
  return useCallback(
    (id: string): string => {
      if (id === user.id) return user.name
      const known = users?.pages.flatMap(p => p.items).find(u => u.id === id)
      if (known) return known.name
      if (id.startsWith('system')) return id.replace(/^system:?/, '') || 'system'
      return /^[a-z]+_[0-9a-z]{26}$/.test(id) ? short(id) : id
    },
    [user, users],
  )
}
