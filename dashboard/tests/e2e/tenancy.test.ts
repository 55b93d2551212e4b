/** Tenants, people and credentials through a real browser and a real server. */
import { readFileSync } from 'node:fs'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launch, newContext } from './browser'
import { accept, addAuthenticator, fresh, invite, makeSide, open, type Side, shown, totp } from './people'
import { PASSWORD, type Server, startServer } from './server'

const REAL = !!process.env.SHIELDOPS_E2E_URL
if (!REAL) console.warn('SKIPPED: tenants, passkeys and keys in a browser want a server: set SHIELDOPS_E2E_URL')

let server: Server
let browser: Browser
let alpha: Side
let beta: Side
const context = () => newContext(browser)

beforeAll(async () => {
  if (!REAL) return
  server = await startServer()
  browser = await launch()
  const operator = await context()
  alpha = await makeSide(operator, await context(), server, 'alpha')
  beta = await makeSide(operator, await context(), server, 'beta')
  await operator.close()
})
afterAll(async () => {
  await browser?.close()
  server?.stop()
})

/** Everything that a page showed and received: its text, every answer, the tenant of every request and socket. */
function listen(page: Page) {
  const heard = {
    bodies: [] as string[],
    tenants: new Set<string>(),
    sockets: [] as string[],
    pending: [] as Promise<void>[],
  }
  page.on('request', request => {
    if (request.url().includes('/api/v1/')) heard.tenants.add(request.headers()['shieldops-tenant'] ?? '')
  })
  page.on('response', response => {
    if (!response.url().includes('/api/v1/')) return
    const kept = response.text().then(
      text => void heard.bodies.push(`${response.url()} ${text}`),
      () => {},
    )
    heard.pending.push(kept)
  })
  page.on('websocket', socket => {
    heard.sockets.push(socket.url())
    socket.on('framereceived', frame => void heard.bodies.push(String(frame.payload)))
  })
  return heard
}

const LISTS = ['', 'alerts', 'incidents', 'approvals', 'events', 'detections', 'ingest', 'ledger']
const TABS = [
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
]

async function visit(page: Page, slug: string, path: string) {
  await page.goto(`${server.url}/t/${slug}/${path}`)
  await page.locator('main h1').first().waitFor()
  await page.waitForLoadState('networkidle')
  // What only this tenant has, in the list that shows it: not there before the list is.
  if (path.endsWith('tab=roles')) await page.getByRole('cell', { name: `marker-of-${slug}` }).waitFor()
  return page.locator('body').innerText()
}

/** What is only in one tenant: a role and an invitation with its own words. */
async function plant(side: Side) {
  const word = `marker-of-${side.slug}`
  await invite(side, server, `${word}-guest`, 'viewer')
  const page = await open(side.context, server, `/t/${side.slug}/settings?tab=roles`)
  await page.getByRole('button', { name: 'New role' }).click()
  await page.getByLabel('Name', { exact: true }).fill(word)
  await page.getByLabel('Alert: read').check()
  await page.getByRole('button', { name: 'Make role' }).click()
  await page.getByRole('cell', { name: word }).waitFor()
  await page.close()
}

describe.skipIf(!REAL)('two tenants side by side', () => {
  beforeAll(async () => {
    await plant(alpha)
    await plant(beta)
  })

  test('nothing of one is in the other: not in the page, not in an answer, not in a frame', async () => {
    const sides: [Side, Side][] = [
      [alpha, beta],
      [beta, alpha],
    ]
    const pages = await Promise.all(sides.map(([side]) => side.context.newPage()))
    const heard = pages.map(listen)
    const texts: string[] = ['', '']
    for (const path of [...LISTS, ...TABS.map(tab => `settings?tab=${tab}`)]) {
      const shownNow = await Promise.all(sides.map(([side], i) => visit(pages[i] as Page, side.slug, path)))
      for (const [i, text] of shownNow.entries()) texts[i] += text
    }
    for (const [i, [own, other]] of sides.entries()) {
      const mine = heard[i] as ReturnType<typeof listen>
      await Promise.all(mine.pending)
      expect(texts[i]).toContain(`marker-of-${own.slug}`)
      expect(texts[i]).not.toContain(other.slug)
      expect(mine.bodies.length).toBeGreaterThan(20)
      expect(mine.bodies.filter(body => body.includes(other.slug))).toEqual([])
      expect([...mine.tenants]).toEqual([own.slug])
      expect(mine.sockets.length).toBeGreaterThan(0)
      for (const url of mine.sockets) expect(new URL(url).searchParams.get('tenant')).toBe(own.slug)
    }
    await Promise.all(pages.map(page => page.close()))
  })

  test('the address of the other tenant opens nothing, and does not say whether it exists', async () => {
    const page = await alpha.context.newPage()
    for (const slug of [beta.slug, 'there-is-none']) {
      await page.goto(`${server.url}/t/${slug}/alerts`)
      await page.getByRole('heading', { name: 'There is no such tenant here' }).waitFor()
      expect(await page.locator('body').innerText()).not.toContain(beta.name)
    }
    await page.getByRole('button', { name: 'Go to your own tenant' }).click()
    await page.waitForURL(`**/t/${alpha.slug}/**`)
    await page.close()
  })

  test('one person in both: two tabs never mix, and the switcher leads from one to the other', async () => {
    const link = await invite(beta, server, alpha.admin, 'analyst')
    const first = await alpha.context.newPage()
    await first.goto(link)
    await first.getByRole('button', { name: 'Join', exact: true }).click()
    await first.waitForURL(`**/t/${beta.slug}/**`)
    const second = await alpha.context.newPage()
    const [inBeta, inAlpha] = [listen(first), listen(second)]
    for (const tab of ['roles', 'members', 'roles']) {
      const [betaText, alphaText] = [
        await visit(first, beta.slug, `settings?tab=${tab}`),
        await visit(second, alpha.slug, `settings?tab=${tab}`),
      ]
      if (tab === 'roles') {
        expect([betaText, alphaText].map(text => text.includes(`marker-of-${alpha.slug}`))).toEqual([false, true])
        expect([betaText, alphaText].map(text => text.includes(`marker-of-${beta.slug}`))).toEqual([true, false])
      }
    }
    expect([[...inBeta.tenants], [...inAlpha.tenants]]).toEqual([[beta.slug], [alpha.slug]])
    await second.bringToFront()
    await second.keyboard.press('g')
    await second.keyboard.press('o')
    await second.keyboard.press('Enter')
    await second.waitForURL(`**/t/${beta.slug}/settings`)
    await first.bringToFront()
    await first.keyboard.press('Control+k')
    await first.getByLabel('Search or run a command').fill(`switch to ${alpha.name}`)
    await first.keyboard.press('Enter')
    await first.waitForURL(`**/t/${alpha.slug}/settings`)
    await Promise.all([first.close(), second.close()])
  })
})

describe.skipIf(!REAL)('who may what', () => {
  test('an invited viewer joins, sees little, and is told why the rest is not there', async () => {
    const name = fresh('viewer')
    const link = await invite(alpha, server, name, 'viewer')
    const guest = await context()
    await accept(guest, link)
    const page = await open(guest, server, `/t/${alpha.slug}/settings`)
    const nav = page.getByRole('navigation', { name: 'Settings' })
    expect(await nav.getByRole('link').allInnerTexts()).toEqual([
      'Account',
      'Sessions',
      'Tokens',
      'Targets',
      'Automation',
      'Autonomy and freezes',
      'Response limits',
      'Protected',
      'Teams',
      'Standing grants',
      'Waiting changes',
      'Usage',
    ])
    expect(await page.getByRole('link', { name: 'Tenants' }).count()).toBe(0)
    await page.goto(`${server.url}/t/${alpha.slug}/settings?tab=keys`)
    await page.getByText('key.read', { exact: true }).waitFor()
    await page.goto(`${server.url}/t/${alpha.slug}/ledger`)
    const button = page.getByRole('button', { name: 'Export' })
    expect(await button.getAttribute('aria-description')).toMatch(/ledger\.export.*viewer/)
    await page.goto(link)
    await page.getByRole('button', { name: 'Join', exact: true }).click()
    await page.getByRole('alert').getByText('invalid_link').waitFor()
    await guest.close()
  })

  test('a member that is removed is out on the next request', async () => {
    const name = fresh('leaver')
    const guest = await context()
    await accept(guest, await invite(alpha, server, name, 'analyst'))
    const theirs = await open(guest, server, `/t/${alpha.slug}/alerts`)
    const page = await open(alpha.context, server, `/t/${alpha.slug}/settings?tab=members`)
    await page.getByRole('button', { name: `Change ${name}` }).click()
    await page.getByRole('menuitem', { name: /Remove from this tenant/ }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
    await page.getByRole('button', { name: `Change ${name}` }).waitFor({ state: 'detached' })
    await theirs.reload()
    await theirs.getByRole('heading', { name: /Sign in|no such tenant/ }).waitFor()
    await Promise.all([page.close(), guest.close()])
  })
})

async function call(secret: string, path: string) {
  const answer = await fetch(server.url + path, { headers: { authorization: `Bearer ${secret}` } })
  return answer.status
}

describe.skipIf(!REAL)('credentials', () => {
  test('a key does what it says, is rotated without a gap, and ends when revoked', async () => {
    const name = fresh('key')
    const page = await open(alpha.context, server, `/t/${alpha.slug}/settings?tab=keys`)
    await page.getByRole('button', { name: 'New key' }).click()
    await page.getByLabel('Name', { exact: true }).fill(name)
    await page.getByLabel('Alert: read').check()
    await page.getByRole('button', { name: 'Make key' }).click()
    const first = await shown(page)
    expect([await call(first, '/api/v1/alerts'), await call(first, '/api/v1/users')]).toEqual([200, 403])
    await page.getByRole('button', { name: 'Done' }).click()
    await page.getByRole('button', { name: `Change ${name}` }).click()
    await page.getByRole('menuitem', { name: /Rotate/ }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Rotate' }).click()
    const second = await shown(page)
    expect(second).not.toBe(first)
    expect([await call(first, '/api/v1/alerts'), await call(second, '/api/v1/alerts')]).toEqual([200, 200])
    await page.getByText('2 secrets').waitFor()
    await page.getByRole('button', { name: `Change ${name}` }).click()
    await page.getByRole('menuitem', { name: /Revoke/ }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click()
    await page.getByText('revoked').waitFor()
    expect([await call(first, '/api/v1/alerts'), await call(second, '/api/v1/alerts')]).toEqual([401, 401])
    await page.close()
  })

  test('whoever proved who they are too long ago does so again, and what they began goes on', async () => {
    const name = fresh('proved')
    const page = await open(alpha.context, server, `/t/${alpha.slug}/settings?tab=keys`)
    const keys: (string | undefined)[] = []
    // The server holds a proof for five minutes; the first request is refused here as it would be after them.
    await page.route('**/api/v1/keys', async route => {
      if (route.request().method() !== 'POST') return route.fallback()
      keys.push(route.request().headers()['idempotency-key'])
      if (keys.length > 1) return route.fallback()
      const problem = { title: 'Confirm who you are first', status: 403, code: 'reauthentication_required' }
      return route.fulfill({ status: 403, contentType: 'application/problem+json', body: JSON.stringify(problem) })
    })
    await page.getByRole('button', { name: 'New key' }).click()
    await page.getByLabel('Name', { exact: true }).fill(name)
    await page.getByLabel('Alert: read').check()
    await page.getByRole('button', { name: 'Make key' }).click()
    const dialog = page.getByRole('dialog', { name: 'Confirm who you are' })
    await dialog.getByLabel('Password').fill('not the password')
    await dialog.getByRole('button', { name: 'Confirm' }).click()
    await dialog.getByText('wrong_credentials').waitFor()
    await dialog.getByLabel('Password').fill(PASSWORD)
    await dialog.getByRole('button', { name: 'Confirm' }).click()
    expect(await shown(page)).toMatch(/^sko_/)
    await page.getByText(name, { exact: true }).waitFor()
    expect([keys.length, new Set(keys).size]).toEqual([2, 1])
    await page.close()
  })

  test('an authenticator app is set up, and a recovery code opens the account once', async () => {
    const page = await open(beta.context, server, `/t/${beta.slug}/settings?tab=account`)
    await page.getByRole('button', { name: 'Set up…' }).click()
    await page.getByRole('img', { name: /QR code/ }).waitFor()
    const secret = await page.locator('[data-totp-secret]').getAttribute('data-totp-secret')
    await page.getByLabel('Code that the app shows').fill(totp(secret ?? ''))
    await page.getByRole('button', { name: 'Turn on' }).click()
    const code = await page.getByRole('list', { name: 'Recovery codes' }).getByRole('listitem').first().innerText()
    await page.getByRole('button', { name: 'I have kept them' }).click()
    const again = async () => {
      await page.getByRole('button', { name: 'Sign out' }).click()
      await page.getByLabel('Name', { exact: true }).fill(beta.admin)
      await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
      await page.getByRole('button', { name: 'Sign in', exact: true }).click()
      await page.getByRole('button', { name: 'Use a recovery code' }).click()
      await page.getByLabel('Recovery code').fill(code)
      await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    }
    await again()
    await page.getByText('9 of 10 left').waitFor()
    await again()
    await page.getByRole('alert').waitFor()
    // The session that was open is gone with the sign-out: the account comes back by a code of the app.
    await page.getByRole('button', { name: 'Use a code of the authenticator app' }).click()
    // A code is taken once, and the one of now may be the one that turned it on: the next is taken already.
    await page.getByLabel('Code of your authenticator app').fill(totp(secret ?? '', Date.now() + 30_000))
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await page.getByText('9 of 10 left').waitFor()
    await page.close()
  })

  test('a passkey is registered, and signs in alone', async () => {
    const page = await open(alpha.context, server, `/t/${alpha.slug}/settings?tab=account`)
    await addAuthenticator(page)
    await page.getByLabel('Name of a new passkey').fill('Test key')
    await page.getByRole('button', { name: 'Add a passkey' }).click()
    const codes = page.getByRole('list', { name: 'Recovery codes' }).getByRole('listitem')
    await codes.first().waitFor()
    expect(await codes.count()).toBe(10)
    await page.getByRole('button', { name: 'I have kept them' }).click()
    await page.getByRole('list', { name: 'Passkeys' }).getByText('Test key').waitFor()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click()
    await page.getByText('confirmed with a passkey').waitFor()
    await page.getByRole('button', { name: 'Sign out' }).click()
    // The password alone is not enough any more, and the passkey serves as second factor too.
    await page.getByLabel('Name', { exact: true }).fill(alpha.admin)
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await page.getByRole('heading', { name: 'One more step' }).waitFor()
    await page.getByRole('button', { name: 'Use a passkey' }).click()
    await page.getByText('confirmed with a passkey').waitFor()
    await page.close()
  })
})

async function save(page: Page, item: RegExp) {
  await page.getByRole('button', { name: 'Export' }).click()
  const [saved] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name: item }).click()])
  return { name: saved.suggestedFilename(), text: readFileSync(await saved.path(), 'utf8') }
}

describe.skipIf(!REAL)('the ledger', () => {
  test('shows what a change of a role changed, and proves itself', async () => {
    const page = await open(beta.context, server, `/t/${beta.slug}/settings?tab=roles`)
    await page
      .getByRole('row', { name: /marker-of/ })
      .getByRole('button', { name: 'Edit' })
      .click()
    await page.getByLabel('Plan: approve').check()
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await page.goto(`${server.url}/t/${beta.slug}/ledger?kind=role.updated`)
    await page.getByRole('button', { name: /^#/ }).first().click()
    const table = page.getByRole('table', { name: /What entry/ })
    await table.getByText('plan.approve').waitFor()
    expect(await table.getByText('alert.read').count()).toBe(0)
    await page.locator('[data-verified=true]').waitFor()
    const proof = await save(page, /^Proof/)
    expect([proof.name, proof.text.includes(`marker-of-${alpha.slug}`)]).toEqual(['ledger.ndjson', false])
    const csv = await save(page, /^CSV/)
    expect(csv.name).toBe('audit.csv')
    const [head, ...rows] = csv.text.trim().split('\r\n')
    expect(head).toMatch(/seq/)
    expect(rows.length).toBeGreaterThan(0)
    expect(rows.filter(row => !row.includes('role.updated'))).toEqual([])
    await page.close()
  })
})
