/** Lets nobody past without a session: sign-in page, or the app. The address stays, so that one lands where one wanted. */
import { RouterProvider } from '@tanstack/react-router'
import { Lock } from 'lucide-react'
import { lazy, Suspense, useState } from 'react'
import { ApiError } from '@/api/client'
import { tenantBase, tenantSlug } from '@/api/tenant'
import type { Me } from '@/api/types'
import { Btn } from '@/ui/basic'
import { ErrorPanel, Skeleton } from '@/ui/states'
import { makeRouter } from './router'
import { linkSecret, session, settle, signOut, useMe } from './session'

const SignIn = lazy(() => import('@/features/sign-in').then(module => ({ default: module.SignIn })))
const JoinPage = lazy(() => import('@/features/sign-in').then(module => ({ default: module.JoinPage })))

export function Gate() {
  return (
    <Suspense fallback={<Waiting />}>
      <Entrance />
    </Suspense>
  )
}

function Entrance() {
  const { out, turn } = session.use(s => s)
  const me = useMe()
  // A link wins over a session: whoever opens it wants to spend it.
  const link = linkSecret()
  const error = me.error instanceof ApiError ? me.error : null
  if (link?.kind === 'invite' && me.data && !out) return <JoinPage me={me.data} secret={link.secret} />
  if (link?.kind === 'invite' && me.isPending && !out) return <Waiting />
  if (link || out || error?.status === 401) return <SignIn key={link?.kind ?? 'password'} />
  if (error?.status === 403 || error?.status === 404) return <NotHere error={error} />
  if (me.data) return <Routes key={`${turn} ${tenantSlug()}`} me={me.data} />
  if (!me.isError) return <Waiting />
  return (
    <main className="h-full">
      <ErrorPanel error={me.error} what="Your session" retry={() => me.refetch()} />
    </main>
  )
}

const Waiting = () => (
  <main className="h-full">
    <Skeleton label="Loading the dashboard" />
  </main>
)

function Routes({ me }: { me: Me }) {
  const [router] = useState(() => {
    settle(me)
    return makeRouter(tenantBase(tenantSlug()))
  })
  return <RouterProvider router={router} />
}

/** The tenant in the address is locked, or it is none of this person's: which of the two is all that is told. */
function NotHere({ error }: { error: ApiError }) {
  const slug = tenantSlug()
  const locked = error.code === 'tenant_locked'
  return (
    <main className="grid h-full place-items-center p-6">
      <div className="max-w-md text-center">
        <Lock size={20} className="mx-auto mb-2 text-fg-3" aria-hidden="true" />
        <h1 className="text-lg font-semibold tracking-tight">
          {locked ? 'This tenant is locked' : 'There is no such tenant here'}
        </h1>
        <p className="mt-1 text-fg-2">
          {locked
            ? 'Nobody can work in it now; its events are kept. The operator of the installation can unlock it.'
            : `“${slug}” does not exist, or it is not one of yours.`}
        </p>
        {!locked && error.status === 403 && <p className="mt-1 text-fg-2">{error.message}</p>}
        <div className="mt-4 flex justify-center gap-2">
          {slug && (
            <Btn v="primary" onClick={() => location.assign('/')}>
              Go to your own tenant
            </Btn>
          )}
          <Btn onClick={() => void signOut()}>Sign out</Btn>
        </div>
      </div>
    </main>
  )
}
