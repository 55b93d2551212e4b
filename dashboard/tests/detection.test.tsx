import { screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it } from 'vitest'
import type { Technique } from '@/api/detection-types'
import { attackUrl } from '@/features/coverage/detail'
import { bySource, place } from '@/features/coverage/lanes'
import { columns, isGap } from '@/features/coverage/levels'
import { everyDay } from '@/features/detections/backtest-report'
import { template, uuid } from '@/features/detections/drafts'
import { filterYaml, quoted } from '@/features/detections/exception-yaml'
import { perDay, quality } from '@/features/detections/score'
import { ceiling } from '@/ui/day-bars'
import { counts, type DiffLineRow, folded } from '@/ui/line-diff'
import { percent } from '@/ui/progress'
import { makeWorld } from './fixtures/api.mjs'
import { permissionsOf } from './fixtures/tenancy.mjs'
import { openApp } from './harness'

const OWN = '7d0c1d7e-9a57-4a3e-8a5e-000000000001'
const TEXT = `title: Watched logon
id: ${OWN}
logsource:
  product: linux
  service: sshd
detection:
  selection:
    user: deploy
  condition: selection
level: high
`

describe('an exception out of fields and values', () => {
  const rule = { id: OWN, log_source: { product: 'linux', service: 'sshd' } }
  it('is a Sigma filter of that rule and log source', () => {
    const text = filterYaml('Backup', rule, [
      { field: 'user', op: '', value: "o'neil" },
      { field: 'src_ip', op: 'cidr', value: '10.0.0.0/8' },
    ])
    expect(text).toBe(
      [
        "title: 'Backup'",
        'logsource:',
        '  product: linux',
        '  service: sshd',
        'filter:',
        '  rules:',
        `    - ${OWN}`,
        '  selection:',
        "    user: 'o''neil'",
        "    src_ip|cidr: '10.0.0.0/8'",
        '  condition: not selection',
        '',
      ].join('\n'),
    )
  })
  it('takes values as they are: what Sigma would read as a wildcard is escaped', () => {
    const text = filterYaml('x', rule, [{ field: 'path', op: 'endswith', value: 'a*b?' }])
    expect(text).toContain(String.raw`path|endswith: 'a\*b\?'`)
    expect(filterYaml('x', rule, [{ field: 'p', op: 're', value: 'a.*' }])).toContain("p|re: 'a.*'")
  })
  it('cannot leave its quotes', () => {
    expect(quoted("a' \n  rules: any")).toBe("'a'' \n  rules: any'")
  })
})

describe('figures', () => {
  it('say how good a precision is, and when it says nothing', () => {
    expect(quality({ precision: 0.9, judged: 20 })).toBe('good')
    expect(quality({ precision: 1, judged: 2 })).toBe('fair')
    expect(quality({ precision: 0.1, judged: 30 })).toBe('poor')
    expect(quality({ precision: null, judged: 0 })).toBe('unknown')
    expect([perDay(0), perDay(0.02), perDay(3.24), perDay(1_234)]).toEqual(['0', '<0.1', '3.2', '1,234'])
  })
  it('are 100 per cent only when everything is done', () => {
    expect([percent(999, 1_000), percent(1_000, 1_000), percent(0, 0), percent(5, 0)]).toEqual([99, 100, 0, 100])
  })
  it('have a readable axis', () => {
    expect([0, 1, 3, 17, 99, 100, 101].map(ceiling)).toEqual([1, 1, 5, 20, 100, 100, 200])
  })
})

it('a backtest has a bar for every day of its window, the quiet ones too', () => {
  const hit = { day: '2026-11-19', alerts: 3, matches: 9 }
  const window = { from: '2026-11-18T20:00:00Z', to: '2026-11-21T00:00:00Z' }
  expect(everyDay({ per_day: [hit] }, window)).toEqual([
    { day: '2026-11-18', alerts: 0, matches: 0 },
    hit,
    { day: '2026-11-20', alerts: 0, matches: 0 },
  ])
})

describe('a comparison', () => {
  const same = (n: number): DiffLineRow => ({ kind: 'same', old: n, new: n, text: `${n}` })
  const rows = [...Array.from({ length: 12 }, (_, i) => same(i + 1)), { kind: 'added' as const, new: 13, text: 'x' }]
  it('folds what stayed and keeps three lines beside a change', () => {
    expect(folded(rows).map(p => [p.kind, p.rows.length])).toEqual([
      ['fold', 9],
      ['lines', 4],
    ])
    expect(counts(rows)).toEqual({ added: 1, removed: 0 })
  })
})

describe('coverage', () => {
  const technique = (id: string, tactics: string[], level: Technique['level']): Technique => ({
    id,
    tactics,
    level,
    data: level !== 'none',
    detected: level === 'detected' || level === 'tested',
    tested: level === 'tested',
    automated: false,
    rules: [],
    rule_count: 0,
    sources: [],
  })
  const all = [
    technique('T1078', ['persistence', 'initial_access'], 'tested'),
    technique('T1059', ['execution'], 'none'),
    technique('T1190', ['initial-access'], 'data'),
  ]
  it('has its tactics in the order of an attack, however they are written', () => {
    expect(columns(all, false).map(c => [c.tactic, c.techniques.map(t => t.id)])).toEqual([
      ['initial-access', ['T1078', 'T1190']],
      ['execution', ['T1059']],
      ['persistence', ['T1078']],
    ])
    expect(columns(all, false)[0]?.covered).toBe(0.5)
  })
  it('shows gaps alone', () => {
    expect(columns(all, true).flatMap(c => c.techniques.map(t => t.id))).toEqual(['T1190', 'T1059'])
    expect(all.map(isGap)).toEqual([false, true, true])
  })
  it('links a part of a technique to its page', () => {
    expect(attackUrl('T1110.001')).toBe('https://attack.mitre.org/techniques/T1110/001/')
  })
  it('draws a window inside its lane, and never too thin to see', () => {
    const at = (m: number) => new Date(m * 60_000).toISOString()
    const nothing = { why: '', events: 0, late: 0, skipped: 0 }
    const w = (from: number, to: number) => ({
      ...nothing,
      source: 'a',
      from: at(from),
      to: at(to),
      status: 'evaluated' as const,
    })
    expect(place(w(-10, 50), 0, 100 * 60_000)).toEqual({ x: 0, width: 500 })
    expect(place(w(100, 100), 0, 100 * 60_000).width).toBeGreaterThan(1)
    expect(bySource([w(0, 1), { ...w(1, 2), source: '0' }]).map(([s]) => s)).toEqual(['0', 'a'])
  })
})

it('a new rule has an id of its own and the technique that it is for', () => {
  expect(uuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(uuid()).not.toBe(uuid())
  expect(template('x', '2026-11-21', 'T1110.001')).toContain('tags:\n  - attack.t1110.001')
})

const withRule = () => {
  const world = makeWorld()
  world.signedIn = true
  return world
}
const make = async (world: ReturnType<typeof makeWorld>) => {
  const { answer } = await import('./fixtures/api.mjs')
  answer(world, 'POST', '/api/v1/rules', { text: TEXT, match: ['{"user":"deploy"}'], miss: ['{"user":"x"}'] })
}

describe('the list of rules', () => {
  it('shows state, precision, volume and samples of each', async () => {
    await openApp('/t/northwind/detections')
    const list = within(await screen.findByRole('region', { name: 'Rules' }))
    await waitFor(() => expect(list.getAllByRole('listitem').length).toBe(10))
    expect(list.getByText('correlation')).toBeInTheDocument()
    expect(list.getByText('Shadow')).toBeInTheDocument()
    expect(list.getByText('Off')).toBeInTheDocument()
    expect(list.getAllByText('94 %').length).toBeGreaterThan(0)
  })
  it('is filtered by state, in the address', async () => {
    const user = userEvent.setup()
    await openApp('/t/northwind/detections')
    await user.selectOptions(await screen.findByLabelText('State'), 'shadow')
    await waitFor(() =>
      expect(screen.getAllByRole('listitem').filter(i => i.closest('[aria-label=Rules]')).length).toBe(1),
    )
    expect(location.search).toBe('?state=shadow')
  })
  it('is read only for who may not write rules, and says why', async () => {
    const world = makeWorld()
    world.me.user.role = 'viewer'
    world.me.permissions = permissionsOf('viewer')
    await openApp('/t/northwind/detections', world)
    const button = await screen.findByRole('button', { name: 'New rule' })
    expect(button).toHaveAttribute('aria-disabled', 'true')
    expect(button).toHaveAccessibleDescription(/rule\.write/)
    expect(screen.queryByRole('button', { name: 'Reload' })).toBeNull()
  })
})

describe('the gate', () => {
  it('names what is missing, and enabling without it takes a tick and a reason', async () => {
    const user = userEvent.setup()
    const world = withRule()
    await make(world)
    const { calls } = await openApp(`/t/northwind/detections/${OWN}`, world)
    const gate = within(await screen.findByRole('list', { name: 'Before it is enabled' }))
    expect(gate.getByText('Tests pass')).toBeInTheDocument()
    expect(gate.getByText(/was not run over the events/)).toBeInTheDocument()
    await user.click(screen.getByRole('button', { name: 'Enable…' }))
    const go = await screen.findByRole('button', { name: 'Enable without proof' })
    await user.type(screen.getByLabelText('Reason'), 'Now')
    expect(go).toBeDisabled()
    await user.click(screen.getByRole('checkbox', { name: /Enable it all the same/ }))
    await user.click(go)
    await screen.findByText('not proved')
    const sent = calls.find(c => c.method === 'PATCH')
    expect(sent?.body).toEqual({ state: 'enabled', reason: 'Now', version: 1, override: true })
    expect(sent?.headers.get('if-match')).toBe('"1"')
  })
  it('says on how many events the backtest ran, for on none it shows nothing', async () => {
    for (const [events, said] of [
      [24_812, 'Over 24,812 events.'],
      [0, 'Its window held no event, so it shows nothing.'],
    ] as const) {
      const world = withRule()
      await make(world)
      const proof = { ready: true, missing: [], backtest: 'job_1', backtest_at: '2026-11-22T12:00:00Z' }
      Object.assign(world.detection.details.get(OWN) ?? {}, { proof: { ...proof, backtest_events: events } })
      const { unmount } = await openApp(`/t/northwind/detections/${OWN}`, world)
      const gate = within(await screen.findByRole('list', { name: 'Before it is enabled' }))
      expect(gate.getByText(said)).toBeVisible()
      unmount()
    }
  })
  it('keeps the dialog open with what the server finds missing', async () => {
    const user = userEvent.setup()
    const world = withRule()
    await make(world)
    await openApp(`/t/northwind/detections/${OWN}`, world, call =>
      call.method === 'PATCH' && !(call.body as { override?: boolean }).override
        ? {
            status: 409,
            body: {
              title: 'x',
              status: 409,
              code: 'rule_not_proved',
              errors: [{ code: 'tests_failed', detail: 'x' }],
            },
          }
        : undefined,
    )
    await user.click(await screen.findByRole('button', { name: 'Run in shadow…' }))
    await user.type(await screen.findByLabelText('Reason'), 'Try')
    await user.click(screen.getByRole('button', { name: 'Run in shadow' }))
    expect(await screen.findByRole('dialog')).toBeInTheDocument()
  })
})

describe('jobs', () => {
  it('are listed with how far they are, and one says what became of each item', async () => {
    const user = userEvent.setup()
    await openApp('/t/northwind/jobs')
    const bars = await screen.findAllByRole('progressbar')
    expect(bars.map(b => b.getAttribute('aria-valuenow'))).toEqual(['100', '35'])
    await user.click(screen.getAllByRole('link', { name: /Bulk triage/ })[0] as HTMLElement)
    expect(await screen.findByText(/Refused: 2 not_found/)).toBeInTheDocument()
    await user.click(screen.getByRole('button', { name: /^Refused/ }))
    expect(within(screen.getByRole('table')).getAllByRole('row').length).toBe(3)
  })
})

it('the installation’s ledger is for operators', async () => {
  const world = makeWorld()
  world.me.operator = false
  await openApp('/t/northwind/installation/ledger', world)
  expect(await screen.findByText('You may not see this')).toBeInTheDocument()
})

it('the installation’s ledger is read and proved apart from the tenant’s', async () => {
  const { calls } = await openApp('/t/northwind/installation/ledger')
  await screen.findByRole('heading', { name: 'Installation ledger', level: 1 })
  await waitFor(() => expect(calls.some(c => c.path.includes('/installation/ledger/verify'))).toBe(true))
  expect(calls.some(c => c.path.startsWith('/api/v1/ledger'))).toBe(false)
})

it('alerts of a rule are limited on its page, with a reason', async () => {
  const world = makeWorld()
  const id = world.detection.rules[2]?.id ?? ''
  const { calls } = await openApp(`/t/northwind/detections/${id}`, world)
  const user = userEvent.setup()
  const panel = within(await screen.findByRole('region', { name: 'Throttle' }))
  expect(panel.getByText('At most 3 alerts in 1d for each host')).toBeInTheDocument()
  expect(panel.getByText(/31/)).toBeInTheDocument()
  await user.click(panel.getByRole('button', { name: 'Change' }))
  const dialog = within(await screen.findByRole('dialog'))
  const field = dialog.getByLabelText('Alerts at most')
  await user.clear(field)
  await user.type(field, '5')
  await user.type(dialog.getByLabelText(/Reason/), 'noisy')
  await user.click(dialog.getByRole('button', { name: 'Limit' }))
  await waitFor(() => expect(calls.some(c => c.method === 'PUT' && c.path.endsWith('/throttle'))).toBe(true))
})

it('a rule says which correlations need it', async () => {
  const world = makeWorld()
  await openApp(`/t/northwind/detections/${world.detection.rules[0]?.id}`, world)
  const needed = within(await screen.findByRole('region', { name: 'Needed by' }))
  expect(needed.getByRole('link', { name: world.detection.rules[4]?.title })).toBeInTheDocument()
})

it('value lists are read, made and written again', async () => {
  const { calls } = await openApp('/t/northwind/detections?tab=lists')
  const user = userEvent.setup()
  expect(await screen.findByText('Admins')).toBeInTheDocument()
  await user.click(screen.getByRole('button', { name: 'New value list' }))
  const dialog = within(await screen.findByRole('dialog'))
  await user.type(dialog.getByLabelText(/Name/), 'Scanners')
  await user.type(dialog.getByLabelText(/Values/), 'scan-01')
  await user.click(dialog.getByRole('button', { name: 'Make list' }))
  await waitFor(() => expect(calls.some(c => c.method === 'POST' && c.path.includes('/value-lists'))).toBe(true))
  expect(await screen.findByText('Scanners')).toBeInTheDocument()
})

it('lists of alerts say that something was not checked', async () => {
  await openApp('/t/northwind/alerts')
  const link = await screen.findByRole('link', { name: 'Not checked: 1 gap' })
  expect(link).toHaveAttribute('href', '/t/northwind/coverage?tab=checked')
})
