import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type ApiError, del, get, patch, post, put, setCsrf, setSessionHooks } from '@/api/client'
import { download } from '@/api/download'
import { pagePath, sameListIn, tenantSlug } from '@/api/tenant'
import { Live } from '@/app/live'
import { queryClient } from '@/app/query-client'

type Sent = { url: string; method: string; headers: Headers; body: unknown }
type Answer = { status: number; body?: unknown; headers?: Record<string, string> } | Error

/** Answers in order; the last one for everything after it. */
function server(...answers: Answer[]) {
  const sent: Sent[] = []
  vi.stubGlobal('fetch', async (url: string, init: RequestInit = {}) => {
    sent.push({ url, method: init.method ?? 'GET', headers: new Headers(init.headers), body: init.body })
    const answer = answers[Math.min(sent.length, answers.length) - 1] as Answer
    if (answer instanceof Error) throw answer
    const text = answer.body === undefined ? null : JSON.stringify(answer.body)
    return new Response(answer.status === 204 ? null : text, { status: answer.status, headers: answer.headers })
  })
  return sent
}
const refused = (status: number, code: string, headers?: Record<string, string>) => ({
  status,
  headers,
  body: { title: code, status, code, detail: code },
})
const keys = (sent: Sent[]) => sent.map(s => s.headers.get('idempotency-key'))
const hooks = {
  signedOut: vi.fn(),
  renew: vi.fn(async () => 'fresh'),
  prove: vi.fn(async (_critical: boolean) => true),
  tenantChanged: vi.fn(),
}

beforeEach(() => {
  for (const hook of Object.values(hooks)) hook.mockClear()
  hooks.prove.mockResolvedValue(true)
  hooks.renew.mockResolvedValue('fresh')
  setSessionHooks(hooks)
  setCsrf('token')
  history.replaceState(null, '', '/t/acme/alerts')
})
afterEach(() => {
  vi.useRealTimers()
  history.replaceState(null, '', '/')
})

describe('a page that nobody looks at', () => {
  it('says so with what it reads, so that its session can go idle, until somebody is there again', async () => {
    const sent = server({ status: 200, body: {} })
    dispatchEvent(new Event('keydown'))
    await get('/alerts')
    vi.useFakeTimers({ now: Date.now() + 61_000, toFake: ['Date'] })
    await get('/alerts')
    await post('/plans', {})
    dispatchEvent(new Event('pointermove'))
    await get('/alerts')
    expect(sent.map(s => s.headers.get('shieldops-unattended'))).toEqual([null, '1', null, null])
  })
})

describe('the tenant', () => {
  it('is the one in the address, on every request', async () => {
    const sent = server({ status: 200, body: {} })
    await get('/alerts')
    history.replaceState(null, '', '/t/contoso/alerts')
    await post('/plans', {})
    history.replaceState(null, '', '/alerts')
    await get('/me')
    expect(sent.map(s => s.headers.get('shieldops-tenant'))).toEqual(['acme', 'contoso', null])
  })

  it('is read from a path that has one, and from no other', () => {
    expect(['/t/acme', '/t/acme/', '/t/a-1/x'].map(path => tenantSlug(path))).toEqual(['acme', 'acme', 'a-1'])
    expect(['/', '/tenants', '/t/', '/t/-a/x', '/t/A/x', '/x/t/acme'].map(path => tenantSlug(path))).toEqual(
      Array(6).fill(''),
    )
    expect(pagePath('/t/acme/alerts/alt_1')).toBe('/alerts/alt_1')
    expect(sameListIn('contoso', '/t/acme/alerts/alt_1')).toBe('/t/contoso/alerts')
  })

  it('keeps what was read apart: one tenant’s answer is no other’s', () => {
    queryClient.setQueryData(['alerts'], 'of acme')
    history.replaceState(null, '', '/t/contoso/alerts')
    expect(queryClient.getQueryData(['alerts'])).toBeUndefined()
    history.replaceState(null, '', '/t/acme/alerts')
    expect(queryClient.getQueryData(['alerts'])).toBe('of acme')
    queryClient.clear()
  })

  it('stands in the address of the socket, which takes no headers', () => {
    const urls: string[] = []
    const live = new Live({
      onFrames: () => {},
      open: url => {
        urls.push(url)
        return { close() {}, onopen: null, onmessage: null, onclose: null, onerror: null }
      },
    })
    live.start()
    live.stop()
    expect(urls[0]).toMatch(/\/api\/v1\/live\?tenant=acme$/)
  })

  it('goes with a download too, which a link could not say', async () => {
    URL.createObjectURL = vi.fn(() => 'blob:x')
    URL.revokeObjectURL = vi.fn()
    const clicked = vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(() => {})
    const sent = server({ status: 200, body: {} })
    await download('/ledger/export', { format: 'csv' }, 'ledger.csv')
    expect(clicked).toHaveBeenCalledTimes(1)
    expect(sent[0]?.url).toBe('/api/v1/ledger/export?format=csv')
    expect(sent[0]?.headers.get('shieldops-tenant')).toBe('acme')
  })
})

describe('an Idempotency-Key', () => {
  it('is on every POST, and another for every act', async () => {
    const sent = server({ status: 201, body: {} })
    await post('/plans', { a: 1 })
    await post('/plans', { a: 1 })
    await get('/plans')
    const [first, second, third] = keys(sent)
    expect(first).toMatch(/^[0-9a-f]{32}$/)
    expect(second).not.toBe(first)
    expect(third).toBeNull()
  })

  it('stays the same when the answer was lost and the person tries again', async () => {
    const sent = server(new TypeError('lost'), refused(504, 'timeout'), { status: 201, body: {} })
    await post('/plans', { a: 1 }).catch(() => {})
    await post('/plans', { a: 1 }).catch(() => {})
    await post('/plans', { a: 1 })
    await post('/plans', { a: 1 })
    const [lost, timeout, done, later] = keys(sent)
    expect([timeout, done]).toEqual([lost, lost])
    expect(later).not.toBe(lost)
  })

  it('is of one tenant and one body', async () => {
    const sent = server(new TypeError('lost'))
    await post('/plans', { a: 1 }).catch(() => {})
    await post('/plans', { a: 2 }).catch(() => {})
    history.replaceState(null, '', '/t/contoso/plans')
    await post('/plans', { a: 1 }).catch(() => {})
    expect(new Set(keys(sent)).size).toBe(3)
  })

  it('is new after a refusal: nothing was done', async () => {
    const sent = server(refused(409, 'conflict'))
    await post('/plans', {}).catch(() => {})
    await post('/plans', {}).catch(() => {})
    expect(new Set(keys(sent)).size).toBe(2)
  })

  it('is repeated by itself while the first request still runs', async () => {
    vi.useFakeTimers()
    const sent = server(refused(409, 'idempotency_in_flight', { 'retry-after': '1' }), { status: 201, body: { id: 1 } })
    const answer = post('/plans', {})
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await answer).toEqual({ id: 1 })
    expect(new Set(keys(sent)).size).toBe(1)
  })
})

describe('If-Match', () => {
  it('is the version that the person saw, or a star where only something ends', async () => {
    const sent = server({ status: 200, body: {} })
    await patch('/users/usr_1', {}, 3)
    await put('/roles/rol_1', {}, 7)
    await del('/sessions/ses_1', '*')
    expect(sent.map(s => s.headers.get('if-match'))).toEqual(['"3"', '"7"', '*'])
  })

  it('that is stale is an error of its own, and nothing is sent again', async () => {
    const sent = server(refused(412, 'precondition_failed'))
    const error = (await put('/roles/rol_1', {}, 1).catch(e => e)) as ApiError
    expect([error.status, sent.length]).toEqual([412, 1])
  })
})

describe('a wait that the server asks for', () => {
  it('is kept when it is short, and told when it is long', async () => {
    vi.useFakeTimers()
    const sent = server(refused(429, 'rate_limited', { 'retry-after': '2' }), { status: 200, body: 'here' })
    const answer = get('/alerts')
    await vi.advanceTimersByTimeAsync(1_900)
    expect(sent).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(200)
    expect(await answer).toBe('here')
    server(refused(429, 'queue_full', { 'retry-after': '30' }))
    const error = (await get('/alerts').catch(e => e)) as ApiError
    expect([error.code, error.retryAfter]).toEqual(['queue_full', 30])
  })

  it('is not kept for ever', async () => {
    vi.useFakeTimers()
    const sent = server(refused(429, 'rate_limited', { 'retry-after': '1' }))
    const answer = get('/alerts').catch(e => e)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(((await answer) as ApiError).code).toBe('rate_limited')
    expect(sent).toHaveLength(5)
  })
})

describe('proving again who one is', () => {
  it('repeats the very same request, once', async () => {
    const sent = server(refused(403, 'reauthentication_required'), { status: 201, body: { id: 'key_1' } })
    expect(await post('/keys', { name: 'ci' })).toEqual({ id: 'key_1' })
    expect(hooks.prove).toHaveBeenCalledTimes(1)
    expect(sent.map(s => s.body)).toEqual(['{"name":"ci"}', '{"name":"ci"}'])
    expect(new Set(keys(sent)).size).toBe(1)
    server(refused(403, 'reauthentication_required'))
    await expect(post('/keys', {})).rejects.toThrow('reauthentication_required')
    expect(hooks.prove).toHaveBeenCalledTimes(2)
  })

  it('asks for a passkey or a code where something critical is refused', async () => {
    const sent = server(refused(403, 'strong_session_required'), { status: 200, body: { state: 'executed' } })
    expect(await post('/plans/pln_1/approve', { hash: 'h' })).toEqual({ state: 'executed' })
    expect(hooks.prove.mock.calls).toEqual([[true]])
    expect(sent).toHaveLength(2)
    server(refused(403, 'reauthentication_required'), { status: 201, body: {} })
    await post('/keys', {})
    expect(hooks.prove.mock.calls).toEqual([[true], [false]])
  })

  it('leaves the request undone when the person would not', async () => {
    hooks.prove.mockResolvedValue(false)
    const sent = server(refused(403, 'reauthentication_required'))
    await expect(del('/me/totp', '*')).rejects.toThrow('reauthentication_required')
    expect(sent).toHaveLength(1)
  })

  it('with a wrong password does not end the session', async () => {
    server(refused(401, 'wrong_credentials'))
    await post('/me/reauthenticate', { password: 'x' }).catch(() => {})
    expect(hooks.signedOut).not.toHaveBeenCalled()
    await get('/alerts').catch(() => {})
    expect(hooks.signedOut).toHaveBeenCalledTimes(1)
  })
})

it('a tenant that was suspended meanwhile is told to the page', async () => {
  server(refused(403, 'tenant_suspended'))
  await post('/plans', {}).catch(() => {})
  expect(hooks.tenantChanged).toHaveBeenCalledTimes(1)
})
