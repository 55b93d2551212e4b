/**
 * Idempotency keys: one for each thing that a person means to do. When an answer was lost, the same act again carries the
 * same key, so that it is done once; after a definite answer it is a new intent.
 */
import { tenantSlug } from './tenant'

/** Acts whose outcome is not known; more than a page has at once are forgotten, the oldest first. */
const MOST_OPEN = 50
const open = new Map<string, string>()

/** Bodies with passwords are not kept, and these paths do nothing twice. */
const notKept = (path: string) => /^\/(session(\/|$)|me\/|invitations\/accept)/.test(path)

export function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
}

export function intentKey(path: string, body: unknown): string {
  if (notKept(path)) return randomKey()
  const act = `${tenantSlug()} ${path} ${JSON.stringify(body)}`
  const key = open.get(act) ?? randomKey()
  open.set(act, key)
  const oldest = open.keys().next()
  if (open.size > MOST_OPEN && !oldest.done) open.delete(oldest.value)
  return key
}

export function forgetIntent(key: string) {
  for (const [act, kept] of open) if (kept === key) open.delete(act)
}
