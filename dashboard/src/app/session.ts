/** Who is signed in, and what this person may do. */
import { useQuery } from '@tanstack/react-query'
import { del, post, setCsrf, setSessionHooks } from '@/api/client'
import { meQuery } from '@/api/queries'
import type { Me } from '@/api/types'
import { queryClient } from './query-client'
import { store } from './store'

/** Whether the session ended; `turn` grows with every sign-in, so that the gate reads anew. */
export const session = store({ out: false, turn: 0 })
const leave = () => session.set({ ...session.get(), out: true })

setSessionHooks({
  signedOut: leave,
  renew: async () => {
    const me = await queryClient.fetchQuery({ ...meQuery, staleTime: 0 })
    setCsrf(me.csrf ?? '')
    return me.csrf ?? ''
  },
})

export function useMe() {
  const query = useQuery(meQuery)
  if (query.data) setCsrf(query.data.csrf ?? '')
  return query
}

/** The signed-in person; only below the session gate. */
export function useUser(): Me {
  const { data } = useQuery(meQuery)
  if (!data) throw new Error('used outside the session gate')
  return data
}

export const useCan = () => {
  const { data } = useQuery(meQuery)
  return (permission: string) => data?.permissions.includes(permission) ?? false
}

async function enter() {
  queryClient.clear()
  await queryClient.fetchQuery({ ...meQuery, staleTime: 0 })
  session.set({ out: false, turn: session.get().turn + 1 })
}

export async function signIn(name: string, password: string) {
  await post('/session', { name, password })
  await enter()
}

export async function claim(secret: string, password: string) {
  await post('/session/claim', { secret, password })
  dropClaim()
  await enter()
}

export async function signOut() {
  try {
    await del('/session')
  } finally {
    queryClient.clear()
    leave()
  }
}

/** The secret of an admin link: it stays in the fragment until it is spent, so that a reload keeps it. */
export function claimSecret(hash = location.hash) {
  return /^#claim=(.+)$/.exec(hash)?.[1] ?? null
}
export function dropClaim() {
  history.replaceState(null, '', location.pathname + location.search)
}
