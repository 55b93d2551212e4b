/**
 * One way to the API: same origin, session cookie, CSRF header on every change, the tenant of the address, problem+json as
 * `ApiError`. A POST carries an `Idempotency-Key` and a change the version that its maker saw.
 */
import { unattended } from './attended'
import { forgetIntent, intentKey, randomKey } from './intent'
import { tenantSlug } from './tenant'
import type { Problem } from './types'

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem,
    readonly retryAfter?: number,
  ) {
    super(problem.detail || problem.title)
    this.name = 'ApiError'
  }
  get code() {
    return this.problem.code
  }
  get requestId() {
    return this.problem.request_id
  }
}

export type Query = Record<string, string | number | boolean | undefined | null>
/** What the caller saw; another's change meanwhile is refused and not overwritten. `*` is whatever there is: for revoking. */
export type Seen = number | '*'
type Options = {
  query?: Query
  body?: unknown
  signal?: AbortSignal
  version?: Seen
  /** Answer with a job, and go on. */
  later?: boolean
  /** How a body of bytes is packed. */
  packed?: 'gzip' | 'zstd'
}
type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** What the client asks of the session, which sets it. */
type Hooks = {
  signedOut: () => void
  /** A fresh CSRF token, when the server no longer takes ours. */
  renew: () => Promise<string>
  /** Asks the person to prove who they are, with a passkey or a code where it is for something critical; false when they would not. */
  prove: (critical: boolean) => Promise<boolean>
  /** The tenant was suspended, locked or left while the page was open. */
  tenantChanged: () => void
}
let csrf = ''
let hooks: Hooks = {
  signedOut: () => {},
  renew: async () => csrf,
  prove: async () => false,
  tenantChanged: () => {},
}
export const setCsrf = (token: string) => {
  csrf = token
}
export const setSessionHooks = (set: Hooks) => {
  hooks = set
}

export const apiPath = (path: string, query: Query = {}) => {
  const params = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') params.set(key, String(value))
  }
  const text = params.toString()
  return `/api/v1${path}${text ? `?${text}` : ''}`
}

async function problemOf(response: Response): Promise<Problem> {
  const fallback: Problem = { title: response.statusText || `HTTP ${response.status}`, status: response.status }
  const body = (await response.json().catch(() => null)) as Problem | null
  const problem: Problem = body && typeof body === 'object' ? { ...fallback, ...body } : fallback
  return { ...problem, request_id: problem.request_id ?? response.headers.get('x-request-id') ?? undefined }
}

function headersFor(method: Method, options: Options, key: string | undefined, accept: string) {
  const { body, version, later, packed } = options
  const headers: Record<string, string> = { accept }
  const tenant = tenantSlug()
  if (tenant) headers['shieldops-tenant'] = tenant
  if (body !== undefined)
    headers['content-type'] = body instanceof Blob ? body.type || 'text/plain' : 'application/json'
  if (packed) headers['content-encoding'] = packed
  if (version !== undefined) headers['if-match'] = version === '*' ? '*' : `"${version}"`
  if (later) headers.prefer = 'respond-async'
  if (key) headers['idempotency-key'] = key
  if (method === 'GET' && unattended()) headers['shieldops-unattended'] = '1'
  if (method !== 'GET' && csrf) headers['shieldops-csrf'] = csrf
  return headers
}

async function send(method: Method, path: string, options: Options, key?: string, accept = 'application/json') {
  const { query, body, signal } = options
  try {
    return await fetch(apiPath(path, query), {
      method,
      headers: headersFor(method, options, key, accept),
      credentials: 'same-origin',
      body: body === undefined || body instanceof Blob ? body : JSON.stringify(body),
      signal,
    })
  } catch (cause) {
    if (signal?.aborted) throw cause
    const detail = 'The server did not answer. Check that it runs and that this address reaches it.'
    throw new ApiError(0, { title: 'No connection', status: 0, code: 'unreachable', detail })
  }
}

const pause = (seconds: number) => new Promise(resolve => setTimeout(resolve, seconds * 1000))
/** A wait that a person does not notice as a failure; a longer one is theirs to decide. */
const SHORT_WAIT_S = 3
const MOST_WAITS = 4
/** Codes after which nothing of the request was done and the same request may come again soon. */
const WAITS = new Set(['rate_limited', 'queue_full', 'back_pressure', 'idempotency_in_flight'])
/** Codes that a fresh proof of who one is takes away. */
const PROOFS = new Set(['reauthentication_required', 'strong_session_required'])
const TENANT_CODES = new Set(['tenant_suspended', 'tenant_locked'])

type Tries = { waits: number; renewed: boolean; proved: boolean }

/** Whether the same request, with the same Idempotency-Key, can now be sent again. */
async function again(error: ApiError, tries: Tries): Promise<boolean> {
  if (error.code === 'csrf' && !tries.renewed) {
    tries.renewed = true
    csrf = await hooks.renew()
    return true
  }
  if (error.code && PROOFS.has(error.code) && !tries.proved) {
    tries.proved = true
    return hooks.prove(error.code === 'strong_session_required')
  }
  const wait = error.retryAfter
  if (!wait || !WAITS.has(error.code ?? '') || wait > SHORT_WAIT_S || tries.waits >= MOST_WAITS) return false
  tries.waits++
  await pause(wait)
  return true
}

/** A wrong password while signed in is no end of the session. */
const endsSession = (path: string) => !/^\/(session(\/|$)|me\/|invitations\/accept)/.test(path)

/** One answer, after whatever can be tried again was. */
export async function answered(method: Method, path: string, options: Options, accept?: string): Promise<Response> {
  // Bytes have no text to tell one intent from another.
  const bytes = options.body instanceof Blob
  const key = method !== 'POST' ? undefined : bytes ? randomKey() : intentKey(path, options.body)
  const tries: Tries = { waits: 0, renewed: false, proved: false }
  for (;;) {
    const response = await send(method, path, options, key, accept)
    if (response.ok) {
      if (key) forgetIntent(key)
      return response
    }
    const retryAfter = Number(response.headers.get('retry-after')) || undefined
    const error = new ApiError(response.status, await problemOf(response), retryAfter)
    if (await again(error, tries)) continue
    // After a failure of the server it is not known what was done: the same act again is the same intent.
    if (key && response.status < 500) forgetIntent(key)
    if (response.status === 401 && endsSession(path)) hooks.signedOut()
    if (TENANT_CODES.has(error.code ?? '') && path !== '/me') hooks.tenantChanged()
    throw error
  }
}

/** Sends one request; the answer's body, or `undefined` when there is none. */
export async function request<T>(method: Method, path: string, options: Options = {}): Promise<T> {
  const response = await answered(method, path, options)
  if (response.status === 204 || response.headers.get('content-length') === '0') return undefined as T
  return (await response.json()) as T
}

export const get = <T>(path: string, query?: Query, signal?: AbortSignal) => request<T>('GET', path, { query, signal })
export const post = <T>(path: string, body?: unknown) => request<T>('POST', path, { body: body ?? {} })
/** The answer is a job that tells how far it is. */
export const postLater = <T>(path: string, body: unknown) => request<T>('POST', path, { body, later: true })
const PACKED: Record<string, 'gzip' | 'zstd'> = { gz: 'gzip', zst: 'zstd' }
/** Sends bytes as they are. */
export const upload = <T>(path: string, query: Query, body: Blob, packed?: string) =>
  request<T>('POST', path, { query, body, packed: packed ? PACKED[packed] : undefined })
export const put = <T>(path: string, body: unknown, version: Seen) => request<T>('PUT', path, { body, version })
export const patch = <T>(path: string, body: unknown, version: Seen) => request<T>('PATCH', path, { body, version })
export const del = <T>(path: string, version: Seen, query?: Query) => request<T>('DELETE', path, { version, query })
