/** A cursor list as one array that keeps its identity until an answer changes it. */
import { type InfiniteData, type UseInfiniteQueryOptions, useInfiniteQuery } from '@tanstack/react-query'
import { useEffect, useMemo, useRef } from 'react'
import type { Page } from '@/api/types'

// biome-ignore lint/suspicious/noExplicitAny: the key's and the error's types do not matter here
type ListOptions<P> = UseInfiniteQueryOptions<P, any, InfiniteData<P>, any, string>
type ItemOf<P> = P extends Page<infer Item> ? Item : never

export function useList<P extends Page<unknown>>(options: ListOptions<P>) {
  const query = useInfiniteQuery(options)
  const items = useMemo(() => query.data?.pages.flatMap(page => page.items as ItemOf<P>[]), [query.data])
  return { query, items, more: query.hasNextPage, loadMore: () => void query.fetchNextPage() }
}

/** An element that asks for more when it comes into view. */
export function useAutoMore(more: boolean, busy: boolean, loadMore: () => void) {
  const mark = useRef<HTMLDivElement>(null)
  const act = useRef(loadMore)
  act.current = loadMore
  useEffect(() => {
    const element = mark.current
    if (!element || !more || busy || typeof IntersectionObserver === 'undefined') return
    const watcher = new IntersectionObserver(entries => entries.some(e => e.isIntersecting) && act.current())
    watcher.observe(element)
    return () => watcher.disconnect()
  }, [more, busy])
  return mark
}
