/** Loading, empty, failed, not permitted: the same four on every page. */
import { Lock, TriangleAlert } from 'lucide-react'
import { type ReactNode, useEffect, useState } from 'react'
import { ApiError } from '@/api/client'
import { Btn } from './basic'

/** True once `ms` have passed: a quick answer shows no skeleton at all. */
export function useDelayed(ms = 150) {
  const [late, setLate] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), ms)
    return () => clearTimeout(timer)
  }, [ms])
  return late
}

export function Skeleton({ rows = 8, row = 34, label = 'Loading' }: { rows?: number; row?: number; label?: string }) {
  const late = useDelayed()
  return (
    <div role="status" aria-label={label} className="h-full overflow-hidden px-3">
      {late &&
        Array.from({ length: rows }, (_, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: placeholders have no identity
          <div key={i} className="flex items-center gap-3 border-b border-line/60" style={{ height: row }}>
            <span className="size-3.5 rounded-sm bg-line" />
            <span className="h-2.5 rounded-full bg-line" style={{ width: `${28 + ((i * 37) % 40)}%` }} />
            <span className="ml-auto h-2.5 w-16 rounded-full bg-line" />
          </div>
        ))}
    </div>
  )
}

export function Empty({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className="grid h-full min-h-32 place-items-center p-6">
      <div className="max-w-md text-center">
        <p className="text-base font-medium">{title}</p>
        {children && <div className="mt-1 text-fg-3">{children}</div>}
        {action && <div className="mt-3 flex justify-center gap-2">{action}</div>}
      </div>
    </div>
  )
}

export function NoPermission({ need }: { need: string }) {
  return (
    <div className="grid h-full min-h-32 place-items-center p-6" role="alert">
      <div className="max-w-md text-center">
        <Lock size={18} className="mx-auto mb-2 text-fg-3" aria-hidden="true" />
        <p className="text-base font-medium">You may not see this</p>
        <p className="mt-1 text-fg-3">
          It needs the permission <code className="font-mono text-xs text-fg-2">{need}</code>. An administrator can give
          you a role that has it, under Settings, Users.
        </p>
      </div>
    </div>
  )
}

/** What failed, the server's own words, the request id, and a way to try again. */
export function ErrorPanel({ error, what, retry }: { error: unknown; what: string; retry?: () => void }) {
  const api = error instanceof ApiError ? error : undefined
  if (api?.status === 403) return <NoPermission need={api.message} />
  return (
    <div className="grid h-full min-h-32 place-items-center p-6" role="alert">
      <div className="max-w-lg text-center">
        <TriangleAlert size={18} className="mx-auto mb-2 text-high" aria-hidden="true" />
        <p className="text-base font-medium">
          {api?.status === 404 ? `${what}: not found` : `${what} could not be read`}
        </p>
        <p className="mt-1 text-fg-2">{api ? api.message : String(error)}</p>
        <ErrorIds error={error} />
        {retry && (
          <Btn className="mt-3" onClick={retry}>
            Try again
          </Btn>
        )}
      </div>
    </div>
  )
}

function ErrorIds({ error }: { error: unknown }) {
  if (!(error instanceof ApiError)) return null
  const parts = [error.code, error.requestId && `request ${error.requestId}`].filter(Boolean)
  return parts.length ? <p className="mt-1 font-mono text-2xs text-fg-3">{parts.join(' · ')}</p> : null
}

/** A failed act, beside the control that failed. */
export function InlineError({ error, className = '' }: { error: unknown; className?: string }) {
  if (!error) return null
  const api = error instanceof ApiError ? error : undefined
  return (
    <div role="alert" className={`rounded-md px-2.5 py-1.5 text-xs soft-critical ${className}`}>
      <p>{api ? api.message : String(error)}</p>
      {api?.problem.errors?.map(e => (
        <p key={`${e.code}${e.detail}`}>
          {e.detail} <code className="font-mono text-2xs">{e.code}</code>
        </p>
      ))}
      {api && (api.code || api.requestId) && (
        <p className="mt-0.5 font-mono text-2xs opacity-90">
          {[api.code, api.requestId && `request ${api.requestId}`].filter(Boolean).join(' · ')}
        </p>
      )}
    </div>
  )
}

type Readable<T> = {
  data: T | undefined
  error: unknown
  isPending: boolean
  isError: boolean
  refetch: () => unknown
}

/** Renders a query: skeleton, error, or the data; stale data stays when a refetch fails, and says so. */
export function Loaded<T>({
  query,
  what,
  children,
  skeleton,
}: {
  query: Readable<T>
  what: string
  children: (data: T) => ReactNode
  skeleton?: ReactNode
}) {
  if (query.data !== undefined) {
    return (
      <>
        {query.isError && (
          <div role="status" className="px-3 py-1 text-xs soft-medium">
            Not fresh: the last reading failed ({String((query.error as Error).message)}).{' '}
            <button type="button" className="underline" onClick={() => query.refetch()}>
              Try again
            </button>
          </div>
        )}
        {children(query.data)}
      </>
    )
  }
  if (query.isError) return <ErrorPanel error={query.error} what={what} retry={() => query.refetch()} />
  return skeleton ?? <Skeleton label={`Loading ${what.toLowerCase()}`} />
}
