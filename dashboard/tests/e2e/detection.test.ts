/** A rule from its first line to what it raises and what silences it, as an engineer does it in the browser. */
import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openBrowser, violations } from './browser'
import { fresh, open } from './people'
import { type Server, signIn, startServer } from './server'

let server: Server
let context: BrowserContext
/** Events are sent and matched only where there is a server. */
const REAL = !!process.env.SHIELDOPS_E2E_URL
const marker = fresh('marker')
const title = `Logon of ${marker}`
const logon = (user: string, n: number) =>
  `${new Date().toISOString()} web-09 sshd[${1_000 + n}]: Accepted password for ${user} from 198.51.100.${n} port ${40_000 + n} ssh2`
const HIT = { message: logon(marker, 1) }
const MISS = { message: logon('somebody-else', 2) }

beforeAll(async () => {
  server = await startServer()
  context = await openBrowser()
  await signIn(context, server)
})
afterAll(async () => {
  await context?.close()
  server?.stop()
})

async function call(page: Page, method: string, path: string, body: unknown) {
  return page.evaluate(
    async ([method, path, body]) => {
      const me = await (await fetch('/api/v1/me')).json()
      const headers: Record<string, string> = {
        'shieldops-csrf': me.csrf,
        'idempotency-key': crypto.randomUUID(),
        'content-type': typeof body === 'string' ? 'text/plain' : 'application/json',
      }
      const answer = await fetch(path as string, {
        method: method as string,
        headers,
        body: typeof body === 'string' ? body : JSON.stringify(body),
      })
      return { status: answer.status, text: await answer.text() }
    },
    [method, path, body] as const,
  )
}

/** Puts text into the editor as one types it, replacing what is there. */
async function write(page: Page, text: string) {
  const editor = page.getByRole('textbox', { name: 'Rule in Sigma YAML' })
  await editor.click()
  await page.keyboard.press('Control+a')
  await page.keyboard.insertText(text)
}

const rule = (id: string, condition: string) => `title: ${title}
id: ${id}
status: experimental
description: Somebody logs on who is to be watched.
logsource:
  product: linux
  service: sshd
detection:
  selection:
    message|contains: ${marker}
  condition: ${condition}
level: high
tags:
  - attack.t1078
`
const ID = '7d0c1d7e-9a57-4a3e-8a5e-'
const id = ID + Math.random().toString(16).slice(2, 14).padEnd(12, '0')
let path = ''

describe('a rule', () => {
  test('with an error says where and why, and cannot be saved', async () => {
    const page = await open(context, server, '/detections')
    await page.getByRole('button', { name: 'New rule' }).click()
    await page.waitForURL('**/detections/new')
    await write(page, rule(id, 'selektion'))
    const said = page.getByRole('list', { name: 'Diagnostics' })
    await said.getByText('selektion').waitFor()
    expect(await page.getByRole('button', { name: 'Make draft' }).isDisabled()).toBe(true)
    await write(page, rule(id, 'selection'))
    await page.getByText('It is a rule').waitFor()
    await page.getByLabel('Must match', { exact: true }).fill(JSON.stringify(HIT))
    await page.getByLabel('Must not match', { exact: true }).fill(JSON.stringify(HIT))
    await page.getByText('1 as expected, 1 not').waitFor()
    await page.getByLabel('Must not match', { exact: true }).fill(JSON.stringify(MISS))
    await page.getByText('2 as expected').waitFor()
    await page.getByRole('button', { name: 'Make draft' }).click()
    await page.getByRole('heading', { name: title }).waitFor()
    await page.waitForURL(`**/detections/${id}`)
    path = new URL(page.url()).pathname
    await page.locator('[data-rule-state=draft]').waitFor()
    await page.close()
  })

  test('is not enabled before its backtest, unless a person says so', async () => {
    const page = await open(context, server, path)
    await page.locator('[data-ready=false]').waitFor()
    await page.getByRole('button', { name: 'Enable…' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Reason', { exact: true }).fill('Because it looks right')
    const button = dialog.getByRole('button', { name: 'Enable without proof' })
    expect(await button.isDisabled()).toBe(true)
    await dialog.getByRole('checkbox').check()
    expect(await button.isDisabled()).toBe(false)
    await dialog.getByRole('button', { name: 'Cancel' }).click()
    await page.close()
  })

  test('is tried over what is kept, and then enabled', async () => {
    const page = await open(context, server, path)
    await page.getByRole('tab', { name: 'Backtest' }).click()
    await page.getByRole('button', { name: 'Run backtest' }).click()
    await page.locator('[data-backtest=done]').waitFor()
    await page.locator('[data-day-bars]').waitFor()
    await page.getByRole('tab', { name: 'Rule', exact: true }).click()
    await page.locator('[data-ready=true]').waitFor()
    await page.getByRole('button', { name: 'Enable…' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Reason', { exact: true }).fill('Its backtest is quiet')
    await dialog.getByRole('button', { name: 'Enable', exact: true }).click()
    await page.locator('[data-rule-state=enabled]').waitFor()
    await page.close()
  })

  test('is limited in its alerts, and a correlation builds on it', async () => {
    const page = await open(context, server, path)
    await page.getByRole('button', { name: 'Limit its alerts' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Alerts at most').fill('3')
    await dialog.getByLabel('Reason', { exact: true }).fill('Three a day are enough')
    await dialog.getByRole('button', { name: 'Limit', exact: true }).click()
    await page.getByText('At most 3 alerts in 1d').waitFor()
    await page.goto(new URL(page.url()).origin + page.url().replace(/.*(\/t\/[^/]+)\/.*/, '$1/detections/new'))
    const above = `${ID}${Math.random().toString(16).slice(2, 14).padEnd(12, '0')}`
    await write(
      page,
      `title: Again and again\nid: ${above}\nlevel: high\ncorrelation:\n  type: event_count\n  rules: ${id}\n  timespan: 10m\n  condition:\n    gte: 2\n`,
    )
    await page.getByText('It is a rule').waitFor()
    await page.getByPlaceholder('Stories that it is to find', { exact: false }).waitFor()
    await page.getByLabel('Must match', { exact: true }).fill(`${JSON.stringify(HIT)}\n${JSON.stringify(HIT)}`)
    await page.getByLabel('Must not match', { exact: true }).fill(JSON.stringify(HIT))
    await page.getByText('2 as expected').waitFor()
    await page.getByRole('button', { name: 'Make draft' }).click()
    await page.waitForURL(`**/detections/${above}`)
    await page.getByRole('region', { name: 'Correlation' }).waitFor()
    await page.close()
  })

  test('says why it fires and why it does not', async () => {
    const page = await open(context, server, `${path}?tab=test`)
    await page.getByLabel('One event').fill(JSON.stringify(MISS))
    await page.getByRole('button', { name: 'Explain this event' }).click()
    const found = page.locator('[data-fired]')
    await found.waitFor()
    expect(await found.getAttribute('data-fired')).toBe('false')
    await found.getByText('somebody-else').first().waitFor()
    await page.close()
  })

  test('keeps what ran while a new version is written, and shows what changed', async () => {
    const page = await open(context, server, `${path}?tab=edit`)
    await write(page, rule(id, 'selection').replace('level: high', 'level: critical'))
    await page.getByText('It is a rule').waitFor()
    await page.getByRole('button', { name: 'Save new version' }).click()
    await page.getByText(/Saved as version 2/).waitFor()
    await page.getByRole('tab', { name: /^Versions/ }).click()
    const diff = page.locator('[data-line-diff]').first()
    await diff.getByText('level: critical').waitFor()
    await diff.getByText('level: high').waitFor()
    await page.getByRole('tab', { name: 'Rule', exact: true }).click()
    await page.getByText('Version 2 is newer than the one that runs').waitFor()
    await page.close()
  })
})

describe('a pipeline', () => {
  const name = fresh('fields').replace(/-/g, '_')
  const text = (field: string) =>
    `name: Ours\npriority: 20\ntransformations:\n  - id: ours\n    type: field_name_mapping\n    mapping:\n      NoSuchField: ${field}\n`
  const put = async (page: Page, body: string) => {
    await page.getByRole('textbox', { name: 'Pipeline in YAML' }).click()
    await page.keyboard.press('Control+a')
    await page.keyboard.insertText(body)
  }
  const reason = async (page: Page, verb: string) => {
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Reason', { exact: true }).fill('a try')
    await dialog.getByRole('button', { name: verb, exact: true }).click()
    await dialog.waitFor({ state: 'detached' })
  }

  test('that is wrong says where; one that is right is made, used, compared and taken away', async () => {
    const page = await open(context, server, '/detections?tab=pipelines')
    await page.getByRole('button', { name: 'New pipeline' }).click()
    await page.getByLabel('Name', { exact: true }).fill(name)
    await put(page, text('a').replace('field_name_mapping', 'field_name_maping'))
    await page.getByRole('list', { name: 'Diagnostics' }).getByText('unknown-transformation').waitFor()
    expect(await page.getByRole('button', { name: /^Make pipeline/ }).isDisabled()).toBe(true)
    await put(page, text('one'))
    await page.getByText(/^It can be used/).waitFor()
    await page.getByRole('button', { name: /^Make pipeline/ }).click()
    await page.getByText('It is not in use', { exact: false }).waitFor()
    await page.getByRole('button', { name: 'Use version 1…' }).first().click()
    await reason(page, 'Put to use')
    await page.getByText('The newest version is in use.').waitFor()
    await put(page, text('two'))
    await page.getByText(/^It can be used/).waitFor()
    await page.getByRole('button', { name: /^Save new version/ }).click()
    await page.getByText('Version 1 is in use; version 2 is newer.').waitFor()
    await page.getByRole('button', { name: 'Compare version 1 with the newest' }).click()
    await page.locator('[data-line-diff] [data-kind=removed]').getByText('NoSuchField: one').waitFor()
    await page.locator('[data-line-diff] [data-kind=added]').getByText('NoSuchField: two').waitFor()
    await page.getByRole('button', { name: 'Take out of use…' }).click()
    await reason(page, 'Take out of use')
    await page.getByRole('button', { name: 'Delete…' }).click()
    await page.getByRole('dialog').getByLabel(`Type ${name} to confirm`).fill(name)
    await page.getByRole('button', { name: 'Delete pipeline' }).click()
    await page.getByRole('button', { name: 'New pipeline' }).waitFor()
    await expect.poll(() => page.getByRole('button', { name, exact: true }).count()).toBe(0)
    await page.close()
  })
})

describe.each(['dark', 'light'])('what an engineer works with is accessible in the %s theme', theme => {
  let loose: BrowserContext
  beforeAll(async () => {
    loose = await openBrowser(true)
    await signIn(loose, server)
  })
  afterAll(() => loose?.close())
  test.each(['', '?tab=edit', '?tab=versions', '?tab=backtest', '?tab=test'])('%s', async tab => {
    const page = await loose.newPage()
    await page.addInitScript(t => localStorage.setItem('theme', t), theme)
    await page.goto(server.url + path + tab)
    await page.locator('main h1').first().waitFor()
    await page.waitForTimeout(700)
    if (tab === '?tab=test') {
      await page.getByLabel('One event').fill(JSON.stringify(MISS))
      await page.getByRole('button', { name: 'Explain this event' }).click()
      await page.locator('[data-fired]').waitFor()
    }
    const found = await violations(page)
    await page.close()
    expect(found).toEqual([])
  })
})

describe.skipIf(!REAL)('what it raises', () => {
  const alerts = async (page: Page) => {
    const answer = await page.request.get(`${server.url}/api/v1/alerts?rule_id=${id}`)
    return ((await answer.json()) as { items: { id: string; count: number }[] }).items
  }

  test('is an alert, which an exception silences from then on', async () => {
    const page = await open(context, server, path)
    expect((await call(page, 'POST', '/api/v1/events?source=e2e', logon(marker, 1))).status).toBe(200)
    await expect.poll(async () => (await alerts(page)).length).toBe(1)
    const [alert] = await alerts(page)
    await page.goto(`${server.url}/alerts/${alert?.id}`)
    await page.getByRole('link', { name: 'Make an exception of it' }).first().click()
    const dialog = page.getByRole('dialog', { name: 'New exception' })
    await dialog.getByLabel('Name').fill(`Known: ${marker}`)
    // The whole line is offered; what stays the same in the next one is a part of it.
    await dialog.getByLabel('How it is compared 1').selectOption('contains')
    await dialog.getByLabel('Value 1').fill(marker)
    await dialog.getByLabel('Reason', { exact: true }).fill('It is the test')
    await dialog.getByRole('button', { name: 'Make exception' }).click()
    await page.getByRole('button', { name: `Known: ${marker}` }).waitFor()
    const before = await alerts(page)
    expect((await call(page, 'POST', '/api/v1/events?source=e2e', logon(marker, 2))).status).toBe(200)
    await expect
      .poll(async () => {
        const answer = await page.request.get(`${server.url}/api/v1/rules/${id}`)
        return ((await answer.json()) as { scorecard: { excepted_matches: number } }).scorecard.excepted_matches
      })
      .toBe(1)
    expect(await alerts(page)).toEqual(before)
    await page.close()
  })

  test('on a list of indicators is a hit with the list and line that name it', async () => {
    const name = fresh('feed')
    const page = await open(context, server, '/indicators')
    await page.getByRole('button', { name: 'New list' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Name', { exact: true }).fill(name)
    await dialog.getByRole('button', { name: 'Make list' }).click()
    await page.getByRole('heading', { name }).waitFor()
    await page.getByRole('button', { name: 'Import…' }).click()
    await dialog.getByLabel('Or paste it').fill('198.51.100.77\nno indicator at all')
    await dialog.getByRole('button', { name: 'Import' }).click()
    await page.getByRole('dialog', { name: '1 indicator imported' }).waitFor()
    await page.getByRole('button', { name: 'Done' }).click()
    await page.getByRole('table', { name: 'Indicators of the list' }).getByText('198.51.100.77').waitFor()
    await page.getByText('In use', { exact: true }).waitFor()
    expect((await call(page, 'POST', '/api/v1/events?source=e2e', logon(marker, 77))).status).toBe(200)
    await page.getByRole('tab', { name: 'Hits' }).click()
    await page.getByRole('table', { name: 'List of hits' }).getByText('line 1').waitFor()
    await page.close()
  })
})
