/** What takes two people, through two browsers and a real server: settings of the gate, autonomy, and the row of a target. */
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launch, newContext } from './browser'
import { accept, call, fresh, invite, makeSide, open, type Side } from './people'
import { PASSWORD, type Server, startServer } from './server'

const REAL = !!process.env.SHIELDOPS_E2E_URL
if (!REAL) console.warn('SKIPPED: two people at the gate want a server: set SHIELDOPS_E2E_URL')

let server: Server
let browser: Browser
let side: Side
let second: BrowserContext
const context = () => newContext(browser)
const settings = (who: BrowserContext, tab: string) => open(who, server, `/t/${side.slug}/settings?tab=${tab}`)

beforeAll(async () => {
  if (!REAL) return
  server = await startServer()
  browser = await launch()
  const operator = await context()
  side = await makeSide(operator, await context(), server, 'gate')
  second = await context()
  await accept(second, await invite(side, server, fresh('second'), 'admin'))
  await operator.close()
})
afterAll(async () => {
  await browser?.close()
  server?.stop()
})

/** Gives the reason; proves who one is where the server asks for it. */
async function reason(page: Page, verb: string) {
  const dialog = page.getByRole('dialog').filter({ has: page.getByRole('button', { name: verb, exact: true }) })
  await dialog.waitFor()
  const text = dialog.getByLabel(/^Reason/)
  if (await text.count()) await text.fill('a try')
  await dialog.getByRole('button', { name: verb, exact: true }).click()
  const proof = page.getByRole('dialog').getByLabel('Password', { exact: true })
  await Promise.race([dialog.waitFor({ state: 'detached' }), proof.waitFor()])
  if (await proof.isVisible()) {
    await proof.fill(PASSWORD)
    await proof.press('Enter')
    await dialog.waitFor({ state: 'detached' })
  }
}

describe.skipIf(!REAL)('two people at the gate', () => {
  test('a limit is raised by one and put in force by the other', async () => {
    const page = await settings(side.context, 'limits')
    await page.getByLabel('Actions an hour, production').fill('40')
    await page.getByRole('button', { name: 'Write a draft…' }).click()
    await reason(page, 'Write draft')
    await page.getByText('takes two').waitFor()
    const own = page.getByRole('button', { name: 'Put in force…' })
    expect(await own.getAttribute('aria-description')).toMatch(/another person/)
    const other = await settings(second, 'limits')
    await other.getByRole('button', { name: 'Put in force…' }).click()
    await reason(other, 'Put in force')
    await other.getByText('version 1 is in force', { exact: true }).waitFor()
    await page.getByText('version 1 is in force', { exact: true }).waitFor()
    await Promise.all([page.close(), other.close()])
  })

  test('automation may act where two want it, and is lowered by one', async () => {
    const page = await settings(side.context, 'autonomy')
    const level = page.getByLabel('Autonomy: The whole tenant')
    await level.selectOption('4')
    await reason(page, 'Set it')
    await page.getByText('Levels that wait for a second person').waitFor()
    expect(await level.inputValue()).toBe('')
    const other = await settings(second, 'changes')
    await other.getByRole('button', { name: 'Confirm…' }).click()
    await reason(other, 'Confirm change')
    await other.getByText(/Nothing waits/).waitFor()
    await expect.poll(() => level.inputValue()).toBe('4')
    await level.selectOption('1')
    await reason(page, 'Set it')
    await expect.poll(() => level.inputValue()).toBe('1')
    await Promise.all([page.close(), other.close()])
  })

  test('a target is lowered by two, and granted to automation for a time', async () => {
    const page = await settings(side.context, 'targets')
    await page.getByRole('button', { name: 'Register a target' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Name', { exact: true }).fill('sim/gate')
    await dialog.getByRole('button', { name: 'Register' }).click()
    const row = page.getByRole('row').filter({ hasText: 'sim/gate' })
    await row.getByRole('button', { name: 'Edit' }).click()
    await dialog.getByLabel('Environment').selectOption('staging')
    await dialog.getByLabel(/^Reason/).fill('it moved')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await page.getByText(/waits for a second person/).waitFor()
    expect(await row.innerText()).toContain('Production')
    const other = await settings(second, 'changes')
    await other.getByRole('button', { name: 'Confirm…' }).click()
    await reason(other, 'Confirm change')
    await row.getByText('Staging').waitFor()
    await page.goto(`${server.url}/t/${side.slug}/settings?tab=standing`)
    await page.getByRole('button', { name: 'New grant' }).click()
    await dialog.getByLabel('What automation may do').selectOption('linux.block_ip')
    await dialog.getByLabel('Environment').selectOption('staging')
    await dialog.getByLabel('sim/gate').check()
    await reason(page, 'Grant')
    await page.getByRole('cell', { name: 'sim/gate' }).waitFor()
    await Promise.all([page.close(), other.close()])
  })

  test('a freeze holds what changes: it is set aside with a reason, and what contains goes on', async () => {
    const page = await settings(side.context, 'autonomy')
    await page.getByRole('button', { name: 'New freeze' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Name', { exact: true }).fill('the fair')
    await dialog.getByLabel('From').fill('2020-01-01T00:00')
    await dialog.getByLabel('To').fill('2090-01-01T00:00')
    await dialog.getByLabel(/^Reason/).fill('the shop is full')
    await dialog.getByRole('button', { name: 'Take it' }).click()
    await page.getByRole('button', { name: 'Write a draft…' }).click()
    await reason(page, 'Write draft')
    await page.getByText('only tightens').waitFor()
    await page.getByRole('button', { name: 'Put in force…' }).click()
    await reason(page, 'Put in force')
    await page.getByText('only tightens').waitFor({ state: 'detached' })
    await page.goto(`${server.url}/t/${side.slug}/capabilities?capability=linux.block_ip`)
    const form = page.getByRole('form', { name: /^Plan: / })
    await form.getByLabel('Target').selectOption('sim/gate')
    await form.getByText(/are frozen: the fair\. This contains, so it goes on all the same/).waitFor()
    // No capability of today changes how things work: the browser is told that this one does.
    await page.route(/\/api\/v1\/capabilities\b/, async route => {
      const answer = await route.fetch()
      const body = (await answer.json()) as { items: { purpose: string }[] }
      for (const item of body.items) item.purpose = 'change'
      await route.fulfill({ response: answer, json: body })
    })
    await page.reload()
    await form.getByLabel('Target').selectOption('sim/gate')
    await form.getByLabel('Address', { exact: true }).fill('198.51.100.77')
    await form.getByLabel(/^Why the freeze is set aside/).fill('the outage is worse')
    const sent = page.waitForRequest(request => request.method() === 'POST' && request.url().endsWith('/api/v1/plans'))
    await form.getByRole('button', { name: 'Make plan' }).click()
    expect((await sent).postDataJSON()).toMatchObject({ freeze_override: 'the outage is worse' })
    await page.waitForURL('**/plans/pln_*')
    // The server knows better: nothing held it, so nobody was told of anything.
    await page.getByText(/^Policy allows it/).waitFor()
    expect(await page.getByText('A freeze was set aside').count()).toBe(0)
    await page.close()
  })

  test('policies of one person are replayed and put in force by the other, and taken out by both', async () => {
    const files = [
      {
        path: 'quiet.rego',
        text: `package tenant.quiet

import data.shieldops.plan

deny contains {"code": "quiet", "detail": "the till is in use"} if {
	some action in plan.changing
	action.target.labels.role == "till"
}
`,
      },
      {
        path: 'quiet_test.rego',
        text: `package tenant.quiet_test

import data.tenant.quiet

test_nothing_denies_where_nothing_changes if count(quiet.deny) == 0 with input as {"actions": []}
`,
      },
    ]
    const page = await open(side.context, server, `/t/${side.slug}/policies`)
    await page.getByText('No policies of your own').waitFor()
    const { status, text } = await call(page, side.slug, '/api/v1/policies/versions', { files, reason: 'the till' })
    expect(`${status} ${text}`).toMatch(/^201 /)
    await page.reload()
    await page.getByRole('region', { name: 'Version 1' }).waitFor()
    const own = page.getByRole('button', { name: 'Activate…' })
    expect(await own.getAttribute('aria-description')).toMatch(/You wrote it/)
    const other = await open(second, server, `/t/${side.slug}/policies?view=replay`)
    const activate = other.getByRole('button', { name: 'Activate…' })
    expect(await activate.getAttribute('aria-description')).toMatch(/not replayed/)
    await other.getByRole('button', { name: 'Run replay' }).click()
    await other.locator('[data-replay]').waitFor()
    await expect.poll(() => activate.getAttribute('aria-disabled')).toBeNull()
    await activate.click()
    await reason(other, 'Put in force')
    await other.getByText('built in and version 1').waitFor()
    await page.getByText('built in and version 1').waitFor()
    await page.getByRole('tab', { name: 'Changes to the built-in ones' }).click()
    await page.getByRole('region', { name: 'quiet.rego' }).getByText('the till is in use', { exact: false }).waitFor()
    await page.getByRole('button', { name: 'Deactivate…' }).click()
    await reason(page, 'Ask for it')
    await other.goto(`${server.url}/t/${side.slug}/settings?tab=changes`)
    await other.getByRole('button', { name: 'Confirm…' }).click()
    await reason(other, 'Confirm change')
    await page.getByText('built in only').waitFor()
    await Promise.all([page.close(), other.close()])
  })
})
