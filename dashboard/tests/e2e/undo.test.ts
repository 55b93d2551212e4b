/** From the catalogue to a plan that another person approves, and back: the undo of the last hour. */
import type { Browser, BrowserContext } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launch, newContext } from './browser'
import { accept, fresh, invite, makeSide, open, type Side } from './people'
import { type Server, startServer } from './server'

const REAL = !!process.env.SHIELDOPS_E2E_URL
if (!REAL) console.warn('SKIPPED: the undo of the last hour wants a server: set SHIELDOPS_E2E_URL')
const ADDRESSES = ['198.51.100.9', '198.51.100.10']

let server: Server
let browser: Browser
let side: Side
let second: BrowserContext
const context = () => newContext(browser)
const at = (who: BrowserContext, path: string) => open(who, server, `/t/${side.slug}${path}`)

beforeAll(async () => {
  if (!REAL) return
  server = await startServer()
  browser = await launch()
  const operator = await context()
  side = await makeSide(operator, await context(), server, 'undo')
  second = await context()
  await accept(second, await invite(side, server, fresh('second'), 'admin'))
  await operator.close()
})
afterAll(async () => {
  await browser?.close()
  server?.stop()
})

async function registerTarget() {
  const page = await at(side.context, '/settings?tab=targets')
  await page.getByRole('button', { name: 'Register a target' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Name', { exact: true }).fill('sim/undo')
  await dialog.getByRole('button', { name: 'Register' }).click()
  await page.getByRole('row').filter({ hasText: 'sim/undo' }).waitFor()
  await page.close()
}

/** One person plans it with the form, the other says yes on the page of the plan. */
async function block(address: string) {
  const page = await at(side.context, '/capabilities?capability=linux.block_ip')
  const form = page.getByRole('form', { name: /^Plan: / })
  await form.getByLabel('Target').selectOption('sim/undo')
  await form.getByLabel('Address', { exact: true }).fill(address)
  await form.getByLabel(/^Why/).fill('it sprays passwords')
  await form.getByRole('button', { name: 'Make plan' }).click()
  await page.waitForURL('**/plans/pln_*')
  const path = new URL(page.url()).pathname
  const other = await open(second, server, path)
  await other.getByRole('button', { name: /^Approve/ }).click()
  const action = page.getByRole('region', { name: /^Action linux.block_ip/ })
  await expect.poll(() => action.getAttribute('data-state')).toBe('verified')
  await Promise.all([page.close(), other.close()])
}

describe.skipIf(!REAL)('undo of the last hour', () => {
  test('is shown before it is done, and read back afterwards', async () => {
    await registerTarget()
    for (const address of ADDRESSES) await block(address)
    const page = await at(side.context, '/actions?tab=undo')
    await page.getByRole('radio', { name: /^A person/ }).check()
    await page.getByRole('button', { name: 'Preview' }).click()
    await page.getByText('2 of 2 actions can be undone at once.').waitFor()
    // The newest first: what came later may rest on what came before.
    const rows = page.getByRole('table', { name: 'What would be undone' }).getByRole('row')
    expect(await rows.nth(1).innerText()).toContain(ADDRESSES[1])
    await page.getByRole('button', { name: 'Undo 2 actions…' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Reason').fill('a scanner of ours')
    await dialog.getByRole('button', { name: 'Undo now' }).click()
    await page.getByText('2 of 2 actions undone and read back.').waitFor()
    await page.goto(`${server.url}/t/${side.slug}/actions?state=undone`)
    await expect.poll(() => page.getByRole('cell', { name: 'Undone', exact: true }).count()).toBe(2)
    await page.close()
  })
})
