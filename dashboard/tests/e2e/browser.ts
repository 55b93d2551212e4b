/** The installed Chromium with a fresh profile, and axe. */
import { mkdtempSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

const VIEW = { ignoreHTTPSErrors: true, viewport: { width: 1440, height: 900 } }

/** As long as a busy machine needs. */
function patient(context: BrowserContext): BrowserContext {
  context.setDefaultTimeout(60_000)
  return context
}

/** `bypassCSP` only for injecting axe; everything else runs under the real policy. */
export async function openBrowser(bypassCSP = false): Promise<BrowserContext> {
  const context = await chromium.launchPersistentContext(mkdtempSync(join(tmpdir(), 'shieldops-e2e-')), {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    bypassCSP,
    args: ARGS,
    ...VIEW,
  })
  return patient(context)
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** One browser for many contexts, each with cookies and storage of its own. */
export const launch = (): Promise<Browser> =>
  chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, args: ARGS })

/** One of them. */
export const newContext = async (browser: Browser): Promise<BrowserContext> => patient(await browser.newContext(VIEW))

type Violation = { id: string; impact: string; nodes: { target: string[]; failureSummary: string }[] }

/** What axe finds on the page as it is; the context must be one that lets it be injected. */
export async function violations(page: Page): Promise<string[]> {
  await page.addScriptTag({ content: axeSource })
  const found = await page.evaluate(async () => {
    // A dialog that fades in is none to axe yet. What moves for ever is not waited for.
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))
    const ending = document.getAnimations().filter(one => one.effect?.getComputedTiming().endTime !== Infinity)
    await Promise.allSettled(ending.map(one => one.finished))
    const values = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
    const axe = (
      window as unknown as { axe: { run: (d: Document, o: object) => Promise<{ violations: Violation[] }> } }
    ).axe
    return (await axe.run(document, { runOnly: { type: 'tag', values } })).violations
  })
  return found.map(
    v =>
      `${v.impact} ${v.id}: ${v.nodes
        .map(n => n.target.join(' '))
        .slice(0, 4)
        .join(' | ')}`,
  )
}
