/** Two tenants with an administrator each, made as an operator makes them; and what the tests of tenancy share. */
import { createHmac } from 'node:crypto'
import type { BrowserContext, Page } from 'playwright-core'
import { PASSWORD, type Server, signIn } from './server'

export type Side = { slug: string; name: string; admin: string; context: BrowserContext }
/** Names that are new on a server that has seen these tests before. */
export const fresh = (word: string) => `${word}-${Date.now().toString(36)}${Math.random().toString(36).slice(2, 5)}`

/** Opens a page of the app; the heading is there when it is. */
export async function open(context: BrowserContext, server: Server, path: string): Promise<Page> {
  const page = await context.newPage()
  await page.goto(server.url + path)
  await page.locator('main h1').first().waitFor()
  return page
}

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** The six digits that an app shows now. Source: RFC 6238, with SHA-1 and 30 seconds. */
export function totp(secret: string, now = Date.now()): string {
  const bits = [...secret.replace(/=+$/, '')].map(c => BASE32.indexOf(c).toString(2).padStart(5, '0')).join('')
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map(byte => Number.parseInt(byte, 2)))
  const step = Buffer.alloc(8)
  step.writeBigUInt64BE(BigInt(Math.floor(now / 30_000)))
  const mac = createHmac('sha1', key).update(step).digest()
  const at = (mac.at(-1) ?? 0) & 15
  return String((mac.readUInt32BE(at) & 0x7fff_ffff) % 1_000_000).padStart(6, '0')
}

/** The secret in the box that shows it once. */
export const shown = (page: Page) => page.locator('[data-secret]').first().innerText()

/** Spends an invitation in a context where nobody is signed in. */
export async function accept(context: BrowserContext, link: string): Promise<void> {
  const page = await context.newPage()
  await page.goto(link)
  const fields = page.getByLabel(/^New password/)
  await fields.first().fill(PASSWORD)
  await fields.last().fill(PASSWORD)
  await page.getByRole('button', { name: 'Join and sign in' }).click()
  await page.locator('[data-tenant]').waitFor()
  await page.close()
}

/** A tenant by the page of an operator, and its first administrator in a context of its own. */
export async function makeSide(operator: BrowserContext, context: BrowserContext, server: Server, word: string) {
  const slug = fresh(word)
  const [name, admin] = [`Tenant ${slug}`, `${slug}-admin`]
  await signIn(operator, server)
  const page = await open(operator, server, '/tenants')
  await page.getByRole('button', { name: 'New tenant' }).click()
  const dialog = page.getByRole('dialog', { name: 'New tenant' })
  await dialog.getByLabel('Name', { exact: true }).fill(name)
  await dialog.getByLabel('Address').fill(slug)
  await dialog.getByLabel(/First administrator/).fill(admin)
  await dialog.getByRole('button', { name: 'Make tenant' }).click()
  const link = await shown(page)
  await page.close()
  await accept(context, link)
  return { slug, name, admin, context } satisfies Side
}

/** Invites by the page of an administrator; answers the link. */
export async function invite(side: Side, server: Server, name: string, role: string): Promise<string> {
  const page = await open(side.context, server, `/t/${side.slug}/settings?tab=members`)
  await page.getByLabel('Name or e-mail address').fill(name)
  await page.getByLabel('Role', { exact: true }).selectOption(role)
  await page.getByRole('button', { name: 'Make invitation link' }).click()
  const link = await shown(page)
  await page.close()
  return link
}

/** Passkeys without a hand on a key: they belong to this page, and end with it. */
export async function addAuthenticator(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page)
  await session.send('WebAuthn.enable')
  await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  })
}

/** What another program does in this person's session. */
export async function call(page: Page, slug: string, path: string, body: unknown) {
  return page.evaluate(
    async ([slug, path, body]) => {
      const tenant = { 'shieldops-tenant': slug as string }
      const me = await (await fetch('/api/v1/me', { headers: tenant })).json()
      const headers = {
        ...tenant,
        'shieldops-csrf': me.csrf as string,
        'idempotency-key': crypto.randomUUID(),
        'content-type': 'application/json',
      }
      const answer = await fetch(path as string, { method: 'POST', headers, body: JSON.stringify(body) })
      return { status: answer.status, text: await answer.text() }
    },
    [slug, path, body] as const,
  )
}
