import { describe, expect, it } from 'vitest'
import type { Alert } from '@/api/types'
import { nextOrder } from '@/app/stable-rows'
import { facetCounts, toQuery } from '@/features/alerts/filters'
import { mergeHead, splitQuery } from '@/features/alerts/use-queue'
import { makeWorld } from './fixtures/api.mjs'

const rows = (...ids: string[]) => ids.map(id => ({ id }))

describe('rows never move under the analyst', () => {
  it('new ones above wait, the next page is appended', () => {
    const first = nextOrder(null, rows('c', 'b', 'a'), 'k')
    const next = nextOrder(first, rows('e', 'd', 'c', 'b', 'a', 'z'), 'k')
    expect(next.ids).toEqual(['c', 'b', 'a', 'z'])
    expect(next.waiting).toBe(2)
  })
  it('what no longer answers the filter keeps its place', () => {
    const next = nextOrder(nextOrder(null, rows('c', 'b', 'a'), 'k'), rows('c', 'a'), 'k')
    expect(next.ids).toEqual(['c', 'b', 'a'])
    expect(next.waiting).toBe(0)
  })
  it('another filter starts afresh', () => {
    const next = nextOrder(nextOrder(null, rows('c', 'b'), 'k'), rows('x'), 'other')
    expect(next.ids).toEqual(['x'])
  })
  it('a whole new answer waits too', () => {
    const next = nextOrder(nextOrder(null, rows('b', 'a'), 'k'), rows('y', 'x'), 'k')
    expect([next.ids, next.waiting]).toEqual([['b', 'a'], 2])
  })
})

describe('the queue', () => {
  const { alerts } = makeWorld()
  const [first, second, third] = alerts as [Alert, Alert, Alert]

  it('puts the newest page on top and drops nothing that is loaded', () => {
    const pages = { pages: [{ items: [second, third] }], pageParams: [''] }
    const changed = { ...second, status: 'resolved' as const }
    const merged = mergeHead(pages, { items: [first, changed] })
    expect(merged?.pages[0]?.items.map(a => [a.id, a.status])).toEqual([
      [first.id, 'new'],
      [second.id, 'resolved'],
      [third.id, 'new'],
    ])
  })
  it('asks the server for single values and matches the rest itself', () => {
    const { server, match } = splitQuery(toQuery({ view: 'worst', verdict: 'duplicate' }, 'usr_me'))
    expect(server.status).toBeUndefined()
    expect(server.severity).toBeUndefined()
    expect(server.verdict).toBe('duplicate')
    expect(match({ ...first, severity: 'high', status: 'new', verdict: 'duplicate' })).toBe(true)
    expect(match({ ...first, severity: 'low', status: 'new', verdict: 'duplicate' })).toBe(false)
    expect(match({ ...first, severity: 'high', status: 'resolved', verdict: 'duplicate' })).toBe(false)
  })
  it('counts every severity, also those that do not occur', () => {
    const counts = facetCounts([first], 'severity', [])
    expect(counts).toHaveLength(5)
    expect(counts.find(c => c.value === first.severity)?.count).toBe(1)
  })
})
