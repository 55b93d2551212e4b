/**
 * What the browser tests run against: a real server named by SHIELDOPS_E2E_URL and its one-time admin link
 * SHIELDOPS_E2E_ADMIN_LINK (or SHIELDOPS_E2E_PASSWORD of `admin`), or, without them, the built files over fixtures.
 */
import { spawn } from 'node:child_process'
import type { BrowserContext } from 'playwright-core'

export const PASSWORD = process.env.SHIELDOPS_E2E_PASSWORD ?? 'four random words here'
const FIXTURE_PORT = 4311

export type Server = { url: string; adminLink: string | null; real: boolean; stop: () => void }

export async function startServer(): Promise<Server> {
  const url = process.env.SHIELDOPS_E2E_URL?.replace(/\/$/, '')
  if (url) return { url, adminLink: process.env.SHIELDOPS_E2E_ADMIN_LINK ?? null, real: true, stop: () => {} }
  console.warn('SHIELDOPS_E2E_URL is not set: running against fixtures, not against a server')
  const child = spawn(process.execPath, ['tests/fixtures/serve.mjs', String(FIXTURE_PORT)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await new Promise(resolve => child.stdout.once('data', resolve))
  const local = `http://127.0.0.1:${FIXTURE_PORT}`
  await fetch(`${local}/api/v1/__reset?out`, { method: 'POST' })
  return { url: local, adminLink: `${local}/#claim=fixture`, real: false, stop: () => child.kill() }
}

/** Signs in: with the admin link the first time, with the password afterwards. */
export async function signIn(context: BrowserContext, server: Server) {
  const page = await context.newPage()
  const answer = await page.request.get(`${server.url}/api/v1/me`)
  if (answer.ok()) return page.close()
  if (server.adminLink) {
    await page.goto(server.adminLink)
    const fields = page.getByLabel(/New password/)
    await fields.first().fill(PASSWORD)
    await fields.last().fill(PASSWORD)
    await page.getByRole('button', { name: /Set password/ }).click()
    const claimed = page.getByRole('heading', { name: 'Command centre' })
    const refused = page.getByRole('alert')
    await claimed.or(refused).first().waitFor()
    if (await claimed.isVisible()) return page.close()
  }
  await page.goto(server.url)
  await page.getByLabel('Name', { exact: true }).fill('admin')
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await page.getByRole('heading', { name: 'Command centre' }).waitFor()
  await page.close()
}
