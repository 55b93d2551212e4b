/** Who is signed in, in which tenant, and what this person may do there. */
import { useQuery } from '@tanstack/react-query'
import { ApiError, del, post, setCsrf, setSessionHooks } from '@/api/client'
import { meQuery } from '@/api/queries'
import { sameListIn, tenantBase, tenantSlug } from '@/api/tenant'
import type { Ceremony, Challenge, Me } from '@/api/types'
import { queryClient } from './query-client'
import { prove } from './reauth'
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
  prove,
  tenantChanged: () => void queryClient.invalidateQueries({ queryKey: meQuery.queryKey }),
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

/** What changes nothing stays possible in a suspended tenant. */
export const isRead = (permission: string) => /\.(read|export)$/.test(permission)

/** `stop`: it only stops something, such as a no to a plan, and stays possible in a suspended tenant too. */
export type May = (permission: string, what?: 'stop') => boolean

export const useCan = (): May => {
  const { data } = useQuery(meQuery)
  const readOnly = data?.tenant.state === 'suspended'
  return (permission, what) =>
    (data?.permissions.includes(permission) ?? false) && (!readOnly || what === 'stop' || isRead(permission))
}

/** Where one lands who asked for no page: what the role is for. */
const HOMES: Record<string, string> = { analyst: '/alerts', operator: '/approvals', auditor: '/ledger' }

/** Puts the tenant into an address that has none yet: from here on every request of this page names it. */
export function settle(me: Me) {
  if (tenantSlug()) return
  const page = location.pathname === '/' ? (HOMES[me.user.role] ?? '/') : location.pathname
  history.replaceState(null, '', tenantBase(me.tenant.slug) + page + location.search + location.hash)
  queryClient.setQueryData(meQuery.queryKey, me)
}

/** Another tenant is another document: nothing that was read in this one is left in memory. */
export const switchTenant = (slug: string) => location.assign(sameListIn(slug))

async function enter() {
  queryClient.clear()
  await queryClient.fetchQuery({ ...meQuery, staleTime: 0 }).catch(() => undefined)
  session.set({ out: false, turn: session.get().turn + 1 })
}

/** Signs in; a challenge is answered when a second factor is wanted too. */
export async function signIn(name: string, password: string): Promise<Challenge | null> {
  try {
    await post('/session', { name, password })
  } catch (error) {
    if (error instanceof ApiError && error.code === 'second_factor_required')
      return error.problem as unknown as Challenge
    throw error
  }
  await enter()
  return null
}

export type Proof = { code: string } | { recovery_code: string } | { passkey_ticket: string; credential: unknown }

/** Lets the browser answer with a passkey: the same for signing in, as second factor, and to prove again who one is. */
export async function passkeyProof() {
  const [{ ticket, options }, { askPasskey }] = await Promise.all([
    post<Ceremony>('/session/passkey/begin'),
    import('@/api/webauthn'),
  ])
  return { passkey_ticket: ticket, credential: await askPasskey(options) }
}

export async function finishSignIn(ticket: string, proof: Proof) {
  await post('/session/second-factor', { ticket, ...proof })
  await enter()
}

export async function signInWithPasskey() {
  const { passkey_ticket, credential } = await passkeyProof()
  await post('/session/passkey/finish', { ticket: passkey_ticket, credential })
  await enter()
}

export async function claim(secret: string, password: string) {
  await post('/session/claim', { secret, password })
  dropLink()
  await enter()
}

/** A new person joins with a password and is signed in. */
export async function acceptInvitation(link: string, password: string) {
  await post('/invitations/accept', { link, password })
  dropLink()
  await enter()
}

/** A known person joins while signed in, and lands in the tenant. */
export async function joinSignedIn(link: string) {
  const joined = await post<{ tenant: string }>('/invitations/accept', { link })
  dropLink()
  location.assign(`${tenantBase(joined.tenant)}/`)
}

export async function resetPassword(link: string, password: string) {
  await post('/session/reset', { link, password })
  dropLink()
}

export async function signOut() {
  try {
    await del('/session', '*')
  } finally {
    queryClient.clear()
    leave()
  }
}

export type LinkKind = 'claim' | 'invite' | 'reset'

/** The secret of a link: it stays in the fragment until it is spent, so that a reload keeps it. */
export function linkSecret(hash = location.hash): { kind: LinkKind; secret: string } | null {
  const [, kind, secret] = /^#(claim|invite|reset)=(.+)$/.exec(hash) ?? []
  return kind && secret ? { kind: kind as LinkKind, secret } : null
}
export function dropLink() {
  history.replaceState(null, '', location.pathname + location.search)
}
