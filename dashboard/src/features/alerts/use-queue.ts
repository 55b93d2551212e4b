/** The rows of the queue: pages from the server, kept fresh by frames, never moving by themselves. */
import type { InfiniteData } from '@tanstack/react-query'
import { useEffect, useMemo } from 'react'
import { get, type Query } from '@/api/client'
import { alertsQuery } from '@/api/queries'
import type { Alert, Page } from '@/api/types'
import type { Frame } from '@/app/live'
import { onAlertFrames } from '@/app/live-sync'
import { queryClient } from '@/app/query-client'
import { useSearchParams } from '@/app/search'
import { useUser } from '@/app/session'
import { useStableRows } from '@/app/stable-rows'
import { oneOf, single, useFill, useList } from '@/app/use-list'
import { compare, type SortId, toQuery, valuesOf } from './filters'

type Pages = InfiniteData<Page<Alert>, string>
/** More changed alerts than this at once: one reading of the list instead of one per alert. */
const MAX_SINGLE = 20
const HEAD_MS = 1_000

export function patchAlerts(pages: Pages | undefined, change: (alert: Alert) => Alert): Pages | undefined {
  if (!pages) return pages
  return { ...pages, pages: pages.pages.map(p => ({ ...p, items: p.items.map(change) })) }
}

/** Puts the newest page on top of what is loaded; nothing loaded is dropped. */
export function mergeHead(pages: Pages | undefined, head: Page<Alert>): Pages | undefined {
  if (!pages?.pages[0]) return pages
  const known = new Map(pages.pages.flatMap(p => p.items).map(a => [a.id, a]))
  const fresh = head.items.filter(a => !known.has(a.id))
  const changed = new Map(head.items.map(a => [a.id, a]))
  const patched = patchAlerts(pages, a => changed.get(a.id) ?? a) as Pages
  const [first, ...rest] = patched.pages
  return first ? { ...patched, pages: [{ ...first, items: [...fresh, ...first.items] }, ...rest] } : patched
}

function useFrames(options: ReturnType<typeof alertsQuery>) {
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const filter = options.queryKey[1]
    const update = (f: (pages: Pages | undefined) => Pages | undefined) =>
      queryClient.setQueryData<Pages>(options.queryKey, f)
    const readHead = () => {
      timer ??= setTimeout(() => {
        timer = undefined
        void get<Page<Alert>>('/alerts', { ...filter, limit: 200 })
          .then(head => update(pages => mergeHead(pages, head)))
          .catch(() => undefined)
      }, HEAD_MS)
    }
    const readOne = (id: string) =>
      void get<Alert>(`/alerts/${id}`)
        .then(alert => update(pages => patchAlerts(pages, a => (a.id === id ? { ...a, ...alert } : a))))
        .catch(() => undefined)
    const stop = onAlertFrames((frames: Frame[]) => {
      const loaded = new Set(
        queryClient.getQueryData<Pages>(options.queryKey)?.pages.flatMap(p => p.items.map(a => a.id)),
      )
      const known = frames.flatMap(f => (f.id && loaded.has(f.id) ? [f.id] : []))
      if (known.length < frames.length || known.length > MAX_SINGLE) readHead()
      if (known.length <= MAX_SINGLE) for (const id of known) readOne(id)
    })
    return () => {
      stop()
      clearTimeout(timer)
    }
  }, [options])
}

/** What the server filters by: one value of each; the rest is matched here. */
export function splitQuery(wanted: Query) {
  const server: Query = {
    ...wanted,
    severity: single(wanted.severity),
    status: single(wanted.status),
    verdict: single(wanted.verdict),
    rule_id: single(wanted.rule_id),
  }
  const match = (a: Alert) =>
    oneOf(wanted.severity, a.severity) &&
    oneOf(wanted.status, a.status) &&
    oneOf(wanted.verdict, a.verdict ?? '') &&
    oneOf(wanted.rule_id, a.rule_id)
  return { server, match }
}

export function useQueue() {
  const search = useSearchParams()
  const { user } = useUser()
  const wanted = toQuery(search, user.id)
  const { server, match } = splitQuery(wanted)
  const serverKey = JSON.stringify(server)
  const options = useMemo(() => ({ ...alertsQuery(JSON.parse(serverKey)), staleTime: 60_000 }), [serverKey])
  const { query, items } = useList(options)
  useFrames(options)
  const tactics = valuesOf(search, 'tactic')
  const stable = useStableRows<Alert>({
    items,
    key: JSON.stringify([wanted, tactics]),
    match: a => match(a) && (!tactics.length || a.attack.tactics.some(t => tactics.includes(t))),
  })
  const { ids, rows: all } = stable
  useFill(query, all.length)
  const byId = useMemo(() => new Map(all.map(a => [a.id, a])), [all])
  // The order is made once for a set of rows: a changed risk does not move its row.
  // biome-ignore lint/correctness/useExhaustiveDependencies: `byId` changes with every update, the order must not
  const order = useMemo(() => {
    const sort = search.sort as SortId | undefined
    if (!sort) return ids
    return [...ids].sort((a, b) => {
      const [x, y] = [byId.get(a), byId.get(b)]
      return x && y ? compare(sort, x, y) : 0
    })
  }, [ids, search.sort])
  const rows = useMemo(() => order.flatMap(id => byId.get(id) ?? []), [order, byId])
  return { query, rows, loaded: items?.length ?? 0, waiting: stable.waiting, flush: stable.flush }
}
