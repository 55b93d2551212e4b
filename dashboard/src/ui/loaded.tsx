/** A reading that is shown, or why it is not; and an act that failed. */
import { Lock } from 'lucide-react'
import type { ReactNode } from 'react'
import { ApiError } from '@/api/client'
import { queryClient } from '@/app/query-client'
import { Btn } from './basic'
import { span } from './format'
import { ErrorPanel, Skeleton } from './states'

export function NoPermission({ need }: { need: string }) {
  return (
    <div className="grid h-full min-h-32 place-items-center p-6" role="alert">
      <div className="max-w-md text-center">
        <Lock size={18} className="mx-auto mb-2 text-fg-3" aria-hidden="true" />
        <p className="text-base font-medium">You may not see this</p>
        <p className="mt-1 text-fg-3">
          It needs the permission <code className="font-mono text-xs text-fg-2">{need}</code>. An administrator can give
          you a role that has it, under Settings, Members.
        </p>
      </div>
    </div>
  )
}

type InlineProps = {
  error: unknown
  className?: string
  /** After somebody else's change: what shows the object as it is now. */
  onReload?: () => void
}

/** Somebody else was first: nothing of theirs was overwritten. */
function Stale({ className, onReload }: { className: string; onReload?: () => void }) {
  const reload = () => {
    void queryClient.invalidateQueries()
    onReload?.()
  }
  return (
    <div role="alert" className={`flex items-center gap-2 rounded-md px-2.5 py-1.5 text-xs soft-medium ${className}`}>
      <p>Somebody changed this meanwhile, and nothing was overwritten. Reload it and make your change again.</p>
      <Btn size="sm" className="ml-auto" onClick={reload}>
        Reload
      </Btn>
    </div>
  )
}

/** A failed act, beside the control that failed. */
export function InlineError({ error, className = '', onReload }: InlineProps) {
  if (!error) return null
  const api = error instanceof ApiError ? error : undefined
  if (api?.status === 412) return <Stale className={className} onReload={onReload} />
  return (
    <div role="alert" className={`rounded-md px-2.5 py-1.5 text-xs soft-critical ${className}`}>
      <p>{error instanceof Error ? error.message : String(error)}</p>
      {api?.retryAfter && <p>Try again in {span(api.retryAfter)}.</p>}
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
