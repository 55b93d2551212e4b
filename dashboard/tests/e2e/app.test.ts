/** The journey of a person through a real browser, and no serious accessibility problem on any page in either theme. */
import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openBrowser, violations } from './browser'
import { PASSWORD, type Server, signIn, startServer } from './server'

let server: Server
/** Under the real policy. */
let strict: BrowserContext
/** Without it, only so that axe can be injected. */
let loose: BrowserContext
let incidentPath = '/incidents'
let rulePath = '/detections'
let alertPath = '/alerts'
let planPath = '/approvals'

beforeAll(async () => {
  server = await startServer()
  strict = await openBrowser()
  loose = await openBrowser(true)
  await signIn(strict, server)
  await signIn(loose, server)
  const newest = async (list: string) => {
    const answer = await strict.request.get(`${server.url}/api/v1/${list}?limit=1`)
    return ((await answer.json()) as { items: { id: string; incident_id?: string }[] }).items[0]
  }
  const first = async (list: string) => (await newest(list))?.id
  // A server that has just started is still playing the recording: its plan is the last thing to come.
  const deadline = Date.now() + 180_000
  while (!(await first('plans')) && Date.now() < deadline) await new Promise(resolve => setTimeout(resolve, 250))
  const [incident, rule, alert] = [
    // The one with a plan: other tests make incidents too.
    (await newest('plans'))?.incident_id ?? (await first('incidents')),
    await first('rules'),
    await first('alerts'),
  ]
  if (incident) incidentPath = `/incidents/${incident}`
  if (rule) rulePath = `/detections/${encodeURIComponent(rule)}`
  const plan = await first('plans')
  if (plan) planPath = `/plans/${plan}`
  if (alert) alertPath = `/alerts/${alert}`
})

afterAll(async () => {
  await strict?.close()
  await loose?.close()
  server?.stop()
})

async function open(context: BrowserContext, path: string): Promise<Page> {
  const page = await context.newPage()
  await page.goto(server.url + path)
  await page.locator('main h1').first().waitFor()
  return page
}

const PAGES = [
  '/',
  '/alerts',
  'alert',
  '/incidents',
  'incident',
  'incident?tab=plans',
  'incident?tab=alerts',
  'incident?tab=processes',
  'incident?tab=notes',
  'incident?tab=ledger',
  '/approvals?view=all',
  'plan',
  '/actions',
  '/actions?tab=undo',
  '/capabilities',
  '/capabilities?capability=linux.block_ip',
  '/events',
  '/detections',
  '/detections?tab=exceptions',
  '/detections?tab=lists',
  '/detections?tab=pipelines',
  '/detections?tab=pipelines&view=new',
  '/detections/new',
  'rule',
  ...['test', 'backtest', 'exceptions', 'matches', 'checked'].map(tab => `rule?tab=${tab}`),
  '/coverage',
  '/coverage?tab=checked',
  '/indicators',
  '/indicators?tab=hits',
  '/indicators?q=203.0.113.66',
  '/ingest',
  '/ingest?tab=fields',
  '/jobs',
  '/policies',
  '/policies?tab=built-in',
  '/notifications',
  '/installation/ledger',
  '/ledger',
  ...[
    'account',
    'sessions',
    'members',
    'roles',
    'grants',
    'keys',
    'tokens',
    'targets',
    'automation',
    'autonomy',
    'limits',
    'protected',
    'teams',
    'standing',
    'changes',
    'rules',
    'usage',
  ].map(tab => `/settings?tab=${tab}`),
  '/tenants',
]
const pathOf = (name: string) =>
  name
    .replace(/^incident/, incidentPath)
    .replace(/^rule(?=$|\?)/, rulePath)
    .replace(/^alert$/, alertPath)
    .replace(/^plan$/, planPath)

test('no CSP, Trusted Types or script error on any page', async () => {
  const bad: string[] = []
  const page = await strict.newPage()
  page.on('console', m => m.type() === 'error' && bad.push(m.text()))
  page.on('pageerror', e => bad.push(String(e)))
  for (const name of PAGES) {
    await page.goto(server.url + pathOf(name))
    await page.locator('main h1').first().waitFor()
    await page.waitForTimeout(300)
  }
  await page.keyboard.press('Control+k')
  await page.getByLabel('Search or run a command').waitFor()
  await page.keyboard.press('Escape')
  await page.close()
  expect(bad).toEqual([])
})

describe.each(['dark', 'light'])('accessible in the %s theme', theme => {
  test.each(PAGES)('%s', async name => {
    const page = await loose.newPage()
    await page.addInitScript(t => localStorage.setItem('theme', t), theme)
    await page.goto(server.url + pathOf(name))
    await page.locator('main h1').first().waitFor()
    await page.waitForTimeout(500)
    const found = await violations(page)
    await page.close()
    expect(found).toEqual([])
  })
})

test('the palette, the shortcut sheet, the event panel and dialogs are accessible', async () => {
  const page = await open(loose, '/events')
  await page.getByRole('row').first().click()
  await page.getByRole('complementary', { name: /^Event/ }).waitFor()
  expect(await violations(page)).toEqual([])
  await page.keyboard.press('?')
  await page.getByRole('dialog').waitFor()
  expect(await violations(page)).toEqual([])
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'Halt automation' }).click()
  await page.getByRole('dialog').waitFor()
  expect(await violations(page)).toEqual([])
  await page.close()
})

const DIALOGS: [string, string][] = [
  ['/settings?tab=keys', 'New key'],
  ['/settings?tab=roles', 'New role'],
  ['/settings?tab=roles', 'See'],
  ['/settings?tab=grants', 'Let the parent in'],
  ['/settings?tab=account', 'Set up…'],
  ['/settings?tab=teams', 'New team'],
  ['/settings?tab=autonomy', 'New freeze'],
  ['/settings?tab=standing', 'New grant'],
  ['/settings?tab=targets', 'Register a target'],
  ['/tenants', 'New tenant'],
  ['plan', 'Reject…'],
  ['rule', 'Run in shadow…'],
  ['rule?tab=exceptions', 'New exception'],
  ['/detections', 'Import'],
  ['/notifications', 'Change…'],
  ['/indicators', 'New list'],
]
test.each(DIALOGS)('the dialog on %s behind “%s” is accessible', async (path, button) => {
  const page = await open(loose, pathOf(path))
  await page.getByRole('button', { name: button }).first().click()
  await page.getByRole('dialog').waitFor()
  await page.waitForTimeout(300)
  expect(await violations(page)).toEqual([])
  await page.close()
})

test('the menus of members and tenants are accessible', async () => {
  for (const [path, name] of [
    ['/settings?tab=members', /^Change /],
    ['/tenants', /^Change /],
  ] as const) {
    const page = await open(loose, path)
    await page.getByRole('button', { name }).first().click()
    await page.getByRole('menuitem').first().waitFor()
    expect(await violations(page)).toEqual([])
    await page.close()
  }
})

test('the ways in are accessible', async () => {
  const nobody = await openBrowser(true)
  for (const path of ['/', '/#invite=sov_x', '/#reset=sor_x', '/t/none/alerts']) {
    const page = await nobody.newPage()
    await page.goto(server.url + path)
    await page.locator('main h1').first().waitFor()
    expect(await violations(page)).toEqual([])
    await page.close()
  }
  await nobody.close()
})

test('everything by keyboard: triage, go to, palette', async () => {
  const page = await open(strict, '/alerts')
  const grid = page.getByRole('grid', { name: 'Alert triage queue' })
  await grid.waitFor()
  const active = () => grid.getAttribute('aria-activedescendant')
  const first = await active()
  await page.keyboard.press('j')
  await expect.poll(active).not.toBe(first)
  await page.keyboard.press('g')
  await page.keyboard.press('d')
  await page.waitForURL('**/detections')
  await page.keyboard.press('Control+k')
  await page.getByLabel('Search or run a command').fill('ledger')
  await page.keyboard.press('Enter')
  await page.waitForURL('**/ledger')
  await page.close()
})

test('open the incident, approve, see it verified, undo, verify the ledger', async () => {
  const page = await open(strict, incidentPath)
  const plan = page.getByRole('article', { name: /^Plan:/ }).first()
  await plan.waitFor()
  const action = plan.getByRole('region', { name: /^Action/ }).first()
  if ((await plan.getAttribute('data-state')) === 'proposed') {
    await plan.getByRole('button', { name: /Approve/ }).click()
  }
  await expect.poll(() => action.getAttribute('data-state')).toBe('verified')
  await plan.getByText('Refused').waitFor()
  const phase = page.getByRole('list', { name: 'Incident phase' }).locator('[aria-current=step]')
  await expect.poll(() => phase.textContent()).toBe('Contained')
  await action.getByRole('button', { name: /Undo/ }).click()
  // It lets go what contains an open incident: that wants a reason.
  await page.getByRole('dialog').getByRole('textbox').fill('a false alarm')
  await page.getByRole('dialog').getByRole('button', { name: 'Undo' }).click()
  await expect.poll(() => action.getAttribute('data-state')).toBe('undone')
  await expect.poll(() => plan.getByText('Reachable').count()).toBe(2)
  await expect.poll(() => phase.textContent()).toBe('Investigated')
  await page.goto(`${server.url}/ledger`)
  await page.locator('[data-verified=true]').waitFor()
  await page.close()
})

test('plan a response from the incident: its address and host are filled in, and the plan belongs to it', async () => {
  const page = await open(strict, incidentPath)
  await page.getByRole('button', { name: 'Plan a response' }).click()
  await page.getByRole('menuitem', { name: /^Block an IP address/ }).click()
  await page.waitForURL('**/capabilities?**')
  const form = page.getByRole('form', { name: /^Plan: Block an IP address/ })
  expect(await form.getByLabel('Address', { exact: true }).inputValue()).toMatch(/^\d+\.\d+\.\d+\.\d+$/)
  const target = form.getByLabel('Target')
  // Where no target is a host of the incident, the person chooses one.
  if (!(await target.inputValue())) await target.selectOption({ index: 1 })
  await form.getByLabel(/^Why/).fill('it came back')
  await form.getByRole('button', { name: 'Make plan' }).click()
  await page.waitForURL('**/plans/pln_*')
  const back = page.getByRole('link', { name: /^Incident / })
  await back.waitFor()
  expect(await back.getAttribute('href')).toContain(incidentPath)
  const plan = page.getByRole('article', { name: /^Plan:/ })
  await plan.getByRole('region', { name: 'How far it goes' }).getByText('Blast radius').waitFor()
  const reject = plan.getByRole('button', { name: 'Reject…' })
  if (await reject.count()) {
    await reject.click()
    await page.getByRole('dialog').getByLabel('Reason').fill('only a try')
    await page.getByRole('dialog').getByRole('button', { name: 'Reject plan' }).click()
    await expect.poll(() => plan.getAttribute('data-state')).toBe('rejected')
  }
  await page.close()
})

test('who is told: a webhook is set, a test is sent, and what becomes of it is listed', async () => {
  const page = await open(strict, '/notifications')
  await page.getByRole('button', { name: 'Change…' }).click()
  // Not the one that asks for the password.
  const dialog = page.getByRole('dialog').filter({ has: page.getByRole('button', { name: 'Save' }) })
  await dialog.getByLabel('Address of the webhook').fill('https://hooks.example.org/shieldops')
  await dialog.getByRole('button', { name: 'Make one' }).click()
  await dialog.getByRole('button', { name: 'Save' }).click()
  const proof = page.getByLabel('Password', { exact: true })
  await Promise.race([dialog.waitFor({ state: 'detached' }), proof.waitFor()])
  if (await proof.isVisible()) {
    await proof.fill(PASSWORD)
    await proof.press('Enter')
    await dialog.waitFor({ state: 'detached' })
  }
  await page.getByText('https://hooks.example.org/shieldops').waitFor()
  await page.getByRole('button', { name: 'Send a test' }).click()
  await page.getByText(/A test is on its way/).waitFor()
  const bring = page.getByRole('button', { name: /new letter/ })
  const row = page.getByRole('row').filter({ hasText: 'A test' }).first()
  await bring.or(row).first().waitFor()
  if (await bring.isVisible()) await bring.click()
  await row.waitFor()
  await page.getByLabel('State').selectOption('sent')
  await page.waitForURL('**state=sent')
  await page.close()
})
