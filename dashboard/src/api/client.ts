/** One way to the API: same origin, session cookie, CSRF header on every change, problem+json as `ApiError`. */
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
/** `version`: what the caller saw; another's change meanwhile is refused and not overwritten. `*` is whatever there is. */
type Options = { query?: Query; body?: unknown; signal?: AbortSignal; version?: number | '*' }
type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'

let csrf = ''
let onSignedOut: () => void = () => {}
/** Fetches a fresh token when the server no longer takes ours; set by the session module. */
let renewCsrf: () => Promise<string> = async () => csrf

export const setCsrf = (token: string) => {
  csrf = token
}
export const setSessionHooks = (hooks: { signedOut: () => void; renew: () => Promise<string> }) => {
  onSignedOut = hooks.signedOut
  renewCsrf = hooks.renew
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

async function send(method: Method, path: string, { query, body, signal, version }: Options): Promise<Response> {
  const headers: Record<string, string> = { accept: 'application/json' }
  if (body !== undefined) headers['content-type'] = 'application/json'
  if (version !== undefined) headers['if-match'] = version === '*' ? '*' : `"${version}"`
  if (method !== 'GET' && csrf) headers['shieldops-csrf'] = csrf
  try {
    return await fetch(apiPath(path, query), {
      method,
      headers,
      credentials: 'same-origin',
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
    })
  } catch (cause) {
    if (signal?.aborted) throw cause
    const detail = 'The server did not answer. Check that it runs and that this address reaches it.'
    throw new ApiError(0, { title: 'No connection', status: 0, code: 'unreachable', detail })
  }
}

/** Sends one request; the answer's body, or `undefined` when there is none. */
export async function request<T>(method: Method, path: string, options: Options = {}): Promise<T> {
  let response = await send(method, path, options)
  if (response.status === 403 && method !== 'GET') {
    const problem = await problemOf(response.clone())
    if (problem.code === 'csrf') {
      csrf = await renewCsrf()
      response = await send(method, path, options)
    }
  }
  if (!response.ok) {
    const problem = await problemOf(response)
    if (response.status === 401 && !path.startsWith('/session')) onSignedOut()
    throw new ApiError(response.status, problem, Number(response.headers.get('retry-after')) || undefined)
  }
  if (response.status === 204 || response.headers.get('content-length') === '0') return undefined as T
  return (await response.json()) as T
}

export const get = <T>(path: string, query?: Query, signal?: AbortSignal) => request<T>('GET', path, { query, signal })
export const post = <T>(path: string, body?: unknown) => request<T>('POST', path, { body: body ?? {} })
export const patch = <T>(path: string, body: unknown, version?: number | '*') =>
  request<T>('PATCH', path, { body, version })
export const del = <T>(path: string) => request<T>('DELETE', path)
