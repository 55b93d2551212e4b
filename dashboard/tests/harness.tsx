/** Renders the whole app against a fixture world: no network, the real router, the real cache. */
import { QueryClientProvider } from '@tanstack/react-query'
import { render } from '@testing-library/react'
import { vi } from 'vitest'
import { Gate } from '@/app/gate'
import { queryClient } from '@/app/query-client'
import { session } from '@/app/session'
import { answer, makeWorld, type World } from './fixtures/api.mjs'

export type Call = { method: string; path: string; body: unknown; headers: Headers }

export function serve(world: World, override?: (call: Call) => { status: number; body?: unknown } | undefined) {
  const calls: Call[] = []
  vi.stubGlobal('fetch', async (url: string, init: RequestInit = {}) => {
    const body = typeof init.body === 'string' ? JSON.parse(init.body) : (init.body ?? undefined)
    const call = { method: init.method ?? 'GET', path: url, body, headers: new Headers(init.headers) }
    calls.push(call)
    const result = override?.(call) ?? answer(world, call.method, url, body)
    const type = result.status >= 400 ? 'application/problem+json' : 'application/json'
    const text = result.body === undefined ? null : JSON.stringify(structuredClone(result.body))
    return new Response(result.status === 204 ? null : text, {
      status: result.status,
      headers: { 'content-type': type },
    })
  })
  return calls
}

export async function openApp(path: string, world = makeWorld(), override?: Parameters<typeof serve>[1]) {
  const calls = serve(world, override)
  queryClient.clear()
  session.set({ out: false, turn: session.get().turn + 1 })
  history.replaceState(null, '', path)
  const view = render(
    <QueryClientProvider client={queryClient}>
      <Gate />
    </QueryClientProvider>,
  )
  return { world, calls, ...view }
}
