/** Lets nobody past without a session: sign-in page, or the app. The address stays, so that one lands where one wanted. */
import { RouterProvider } from '@tanstack/react-router'
import { useState } from 'react'
import { ApiError } from '@/api/client'
import { SignIn } from '@/features/sign-in'
import { ErrorPanel, Skeleton } from '@/ui/states'
import { makeRouter } from './router'
import { claimSecret, session, useMe } from './session'

export function Gate() {
  const { out, turn } = session.use(s => s)
  const me = useMe()
  // An admin link wins over a session: whoever opens it wants to set the password.
  const claiming = claimSecret() !== null
  const refused = me.error instanceof ApiError && me.error.status === 401
  if (claiming || out || refused) return <SignIn key={claiming ? 'claim' : 'password'} />
  if (me.data) return <Routes key={turn} />
  return (
    <main className="h-full">
      {me.isError ? (
        <ErrorPanel error={me.error} what="Your session" retry={() => me.refetch()} />
      ) : (
        <Skeleton label="Loading the dashboard" />
      )}
    </main>
  )
}

function Routes() {
  const [router] = useState(makeRouter)
  return <RouterProvider router={router} />
}
