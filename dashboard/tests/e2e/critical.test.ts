/** What is critical, from the incident to the undo of the last hour: three people in three browsers, two of whom say yes. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launch, newContext } from './browser'
import { accept, addAuthenticator, call, fresh, invite, makeSide, open, type Side, totp } from './people'
import { type Server, startServer } from './server'

const REAL = !!process.env.SHIELDOPS_E2E_URL
if (!REAL) console.warn('SKIPPED: two people for what is critical want a server: set SHIELDOPS_E2E_URL')
const [HOST, ADDRESS] = ['app-07', '198.51.100.61']
const TARGET = `sim/${HOST}`

/** Somebody who votes, on the page that has their passkey, or whose app shows a code. */
type Voter = { name: string; page: Page; prove: () => Promise<void> }

let server: Server
let browser: Browser
let side: Side
let page: Page
let first: Voter
let second: Voter
let planPath = ''
const context = () => newContext(browser)
const url = (path: string) => `${server.url}/t/${side.slug}${path}`
const confirming = (page: Page) => page.getByRole('dialog', { name: 'Confirm who you are' })
/** By what a dialog before it does not hide. */
const planCard = (page: Page) => page.locator('article[data-plan]')
const actionOf = (page: Page) => page.getByRole('region', { name: /^Action linux.isolate_host/ })

async function join(word: string): Promise<{ name: string; page: Page }> {
  const [name, own] = [fresh(word), await context()]
  await accept(own, await invite(side, server, name, 'admin'))
  const page = await open(own, server, `/t/${side.slug}/settings?tab=account`)
  return { name, page }
}

/** The codes are shown once; to use one proves little, so that the next vote asks again. */
async function spendRecoveryCode(page: Page) {
  const recovery_code = await page
    .getByRole('list', { name: 'Recovery codes' })
    .getByRole('listitem')
    .first()
    .innerText()
  await page.getByRole('button', { name: 'I have kept them' }).click()
  const { status, text } = await call(page, side.slug, '/api/v1/me/reauthenticate', { recovery_code })
  expect(`${status} ${text}`).toMatch(/^20[04] /)
}

async function withPasskey(person: { name: string; page: Page }): Promise<Voter> {
  const { page } = person
  await addAuthenticator(page)
  await page.getByLabel('Name of a new passkey').fill('Key on the ring')
  await page.getByRole('button', { name: 'Add a passkey' }).click()
  await spendRecoveryCode(page)
  return { ...person, prove: () => confirming(page).getByRole('button', { name: 'Use a passkey' }).click() }
}

async function withApp(person: { name: string; page: Page }): Promise<Voter> {
  const { page } = person
  await page.getByRole('button', { name: 'Set up…' }).click()
  const secret = (await page.locator('[data-totp-secret]').getAttribute('data-totp-secret')) ?? ''
  await page.getByLabel('Code that the app shows').fill(totp(secret))
  await page.getByRole('button', { name: 'Turn on' }).click()
  await spendRecoveryCode(page)
  const prove = async () => {
    // A code is taken once, and this one may still be the one that turned it on: the next is taken already.
    await confirming(page)
      .getByLabel('Code of your authenticator app')
      .fill(totp(secret, Date.now() + 30_000))
    await confirming(page).getByRole('button', { name: 'Confirm' }).click()
  }
  return { ...person, prove }
}

/** Passwords that were guessed for a minute, and one that worked. */
function guessed(): string {
  const line = (before_s: number, what: string) =>
    `${new Date(Date.now() - before_s * 1_000).toISOString()} ${HOST} sshd[4120]: ${what} from ${ADDRESS} port 41222 ssh2`
  const refused = [60, 50, 40, 30, 20, 10].map(before_s => line(before_s, 'Failed password for root'))
  return [...refused, line(5, 'Accepted password for deploy')].join('\n')
}

/** Says yes on the page of the plan; the server asks for more than the code of a moment ago, and takes it then. */
async function vote({ page, prove }: Voter) {
  await page.goto(server.url + planPath)
  await planCard(page)
    .getByRole('button', { name: /^Approve/ })
    .click()
  await confirming(page).getByText('A recovery code does not count', { exact: false }).waitFor()
  expect(await planCard(page).getAttribute('data-state')).toBe('proposed')
  await prove()
  await confirming(page).waitFor({ state: 'detached' })
}

async function registerTarget() {
  await page.getByRole('button', { name: 'Register a target' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Name', { exact: true }).fill(TARGET)
  await dialog.getByLabel('Host name').fill(HOST)
  await dialog.getByRole('button', { name: 'Register' }).click()
  await page.getByRole('row').filter({ hasText: TARGET }).waitFor()
}

async function makeToken() {
  await page.goto(url('/settings?tab=tokens'))
  await page.getByLabel('Name', { exact: true }).fill('the log of the host')
  await page.getByRole('button', { name: 'Make token' }).click()
  return page.getByTestId('new-token').innerText()
}

beforeAll(async () => {
  if (!REAL) return
  server = await startServer()
  browser = await launch()
  const operator = await context()
  side = await makeSide(operator, await context(), server, 'critical')
  await operator.close()
  first = await withPasskey(await join('first'))
  second = await withApp(await join('second'))
  page = await open(side.context, server, `/t/${side.slug}/settings?tab=targets`)
})
afterAll(async () => {
  await browser?.close()
  server?.stop()
})

describe.skipIf(!REAL)('what is critical', () => {
  test('comes in as an incident, under the eyes of whoever looks at the list', async () => {
    await registerTarget()
    const token = await makeToken()
    await page.goto(url('/incidents'))
    const sent = await fetch(`${server.url}/api/v1/events?source=sshd`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: guessed(),
    })
    expect(await sent.json()).toMatchObject({ accepted: 7, rejected: 0 })
    await page.getByRole('link', { name: `Password guessing from ${ADDRESS}` }).click()
    await page.getByRole('heading', { name: `Password guessing from ${ADDRESS}` }).waitFor()
  })

  test('is planned from the incident by one who may not say yes to it', async () => {
    await page.getByRole('button', { name: 'Plan a response' }).click()
    await page.getByRole('menuitem', { name: /^Something else/ }).click()
    await page.getByRole('button', { name: /^Isolate a host/ }).click()
    const form = page.getByRole('form', { name: /^Plan: Isolate a host/ })
    expect(await form.getByLabel('Target').inputValue()).toBe(TARGET)
    await form.getByLabel(/^Why/).fill('somebody got in')
    await form.getByRole('button', { name: 'Make plan' }).click()
    await page.waitForURL('**/plans/pln_*')
    planPath = new URL(page.url()).pathname
    const plan = planCard(page)
    await plan.getByText('critical', { exact: true }).waitFor()
    await plan.getByText('Policy allows it with 2 approvals by different people, none by the requester.').waitFor()
    await plan.getByText(`These people may: ${first.name}, ${second.name}.`, { exact: false }).waitFor()
    expect(await plan.getByRole('button', { name: /^Approve|^Run/ }).count()).toBe(0)
  })

  test('is done after two said yes, each with a proof of that moment, and neither twice', async () => {
    await vote(first)
    const theirs = planCard(first.page)
    await theirs.getByText(`These people may: ${second.name}.`, { exact: false }).waitFor()
    await theirs.getByText(`Approved by ${first.name}`).filter({ hasText: 'confirmed with a passkey' }).waitFor()
    expect(await theirs.getByRole('button', { name: /^Approve|^Run/ }).count()).toBe(0)
    const hash = await theirs.getByText(/^hash /).getAttribute('title')
    const path = `/api/v1${planPath.replace(/^.*(?=\/plans)/, '')}/approve`
    expect(await call(page, side.slug, path, { hash })).toMatchObject({ status: 403 })
    // Said again it is the same yes.
    const again = await call(first.page, side.slug, path, { hash })
    expect((JSON.parse(again.text) as { approvals: unknown[] }).approvals.length).toBe(1)
    expect(await theirs.getAttribute('data-state')).toBe('proposed')
    await vote(second)
    await expect.poll(() => actionOf(page).getAttribute('data-state')).toBe('verified')
    const votes = planCard(page).getByText(/^Approved by/)
    expect(await votes.filter({ hasText: 'confirmed with a code of an authenticator app' }).count()).toBe(1)
    expect(await votes.count()).toBe(2)
  })

  test('is undone with the last hour once another person agrees: it lets go an open incident', async () => {
    await page.goto(url('/actions?tab=undo'))
    await page.getByRole('radio', { name: /^A person/ }).check()
    await page.getByRole('button', { name: 'Preview' }).click()
    await page.getByRole('button', { name: 'Undo 1 action…' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Reason').fill('it was a test of ours')
    await dialog.getByRole('button', { name: 'Undo now' }).click()
    await page.getByText(/the undo waits for approval of pln_/).waitFor()
    await first.page.goto(url('/approvals'))
    await first.page.getByRole('button', { name: /^Undo: Isolate a host/ }).click()
    const undo = planCard(first.page)
    await undo.getByText('This lets go what contains an open incident, and its plan was critical').waitFor()
    await undo.getByRole('button', { name: 'Approve and run' }).click()
    await page.goto(server.url + planPath)
    await expect.poll(() => actionOf(page).getAttribute('data-state')).toBe('undone')
    await actionOf(page).getByText('Reachable').nth(1).waitFor()
    await page.goto(url('/ledger'))
    await page.locator('[data-verified=true]').waitFor()
  })
})
