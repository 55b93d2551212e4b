/** A cursor list as one array that keeps its identity until an answer changes it. */
import {
  type InfiniteData,
  type UseInfiniteQueryOptions,
  type UseInfiniteQueryResult,
  useInfiniteQuery,
} from '@tanstack/react-query'
import { useEffect, useMemo } from 'react'
import type { Page } from '@/api/types'

// biome-ignore lint/suspicious/noExplicitAny: the key's and the error's types do not matter here
type ListOptions<P> = UseInfiniteQueryOptions<P, any, InfiniteData<P>, any, string>
type ItemOf<P> = P extends Page<infer Item> ? Item : never

export function useList<P extends Page<unknown>>(options: ListOptions<P>) {
  const query = useInfiniteQuery(options)
  const items = useMemo(() => query.data?.pages.flatMap(page => page.items as ItemOf<P>[]), [query.data])
  return { query, items, more: query.hasNextPage, loadMore: () => void query.fetchNextPage() }
}

/** Pages to read on our own account when what was loaded holds too few rows that match. */
const MAX_FILL_PAGES = 10
const ENOUGH = 40

/** Reads on while a filter that only the page knows leaves too few rows. */
export function useFill(query: UseInfiniteQueryResult<InfiniteData<unknown>>, shown: number) {
  const { hasNextPage, isFetching, fetchNextPage } = query
  const pages = query.data?.pages.length ?? 0
  useEffect(() => {
    if (hasNextPage && !isFetching && shown < ENOUGH && pages < MAX_FILL_PAGES) void fetchNextPage()
  }, [hasNextPage, isFetching, fetchNextPage, shown, pages])
}

/** Of a filter with several values, what the server takes: it filters by one value each. */
export const single = (value: unknown): string | undefined => {
  const text = typeof value === 'string' ? value : ''
  return text && !text.includes(',') ? text : undefined
}
export const oneOf = (value: unknown, has: string) =>
  typeof value !== 'string' || value === '' || value.split(',').includes(has)
