/** Loading, empty, failed: the same on every page. */
import { Link } from '@tanstack/react-router'
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

/** The server refused to show it, in its own words. */
function Refused({ error }: { error: ApiError }) {
  return (
    <div className="grid h-full min-h-32 place-items-center p-6" role="alert">
      <div className="max-w-md text-center">
        <Lock size={18} className="mx-auto mb-2 text-fg-3" aria-hidden="true" />
        <p className="text-base font-medium">You may not see this</p>
        <p className="mt-1 text-fg-2">{error.message}</p>
        <ErrorIds error={error} />
      </div>
    </div>
  )
}

/** The tenant takes no session without a second factor; adding one is what such a session may do. */
function FactorNeeded() {
  return (
    <div className="grid h-full min-h-32 place-items-center p-6" role="alert">
      <div className="max-w-md text-center">
        <Lock size={18} className="mx-auto mb-2 text-fg-3" aria-hidden="true" />
        <p className="text-base font-medium">This tenant wants a second factor</p>
        <p className="mt-1 text-fg-2">
          Add an authenticator app or a passkey under{' '}
          <Link to="/settings" search={{ tab: 'account' }} className="text-accent underline">
            Settings, Account
          </Link>
          , then sign out and in again with it.
        </p>
      </div>
    </div>
  )
}

/** What failed, the server's own words, the request id, and a way to try again. */
export function ErrorPanel({ error, what, retry }: { error: unknown; what: string; retry?: () => void }) {
  const api = error instanceof ApiError ? error : undefined
  if (api?.code === 'second_factor_needed_here') return <FactorNeeded />
  if (api?.status === 403) return <Refused error={api} />
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
