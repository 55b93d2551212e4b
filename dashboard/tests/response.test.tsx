import { screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it, vi } from 'vitest'
import type { Action, Plan } from '@/api/types'
import { type Asked, scopeOf } from '@/features/actions/scope'
import { fieldsOf, initial, paramsOf, wrong } from '@/features/capabilities/params'
import { planView } from '@/features/plans/view'
import { ME, makeWorld, type World } from './fixtures/api.mjs'
import { permissionsOf } from './fixtures/tenancy.mjs'
import { openApp } from './harness'

const ahead = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString()
const first = (world: World) => world.plans[0] as Plan
const action = (plan: Plan) => plan.actions[0] as Action

/** A world in which automation blocked an address and killed a process. */
function acted(): World {
  const world = makeWorld()
  const plan = first(world)
  const block = Object.assign(action(plan), { state: 'verified', applied_at: ahead(-600), verified_at: ahead(-599) })
  plan.state = 'executed'
  plan.actions.push({
    ...block,
    id: 'act_01h455vb4pex5vsknk084sn02q',
    capability: 'linux.kill_process',
    target: { kind: 'linux_host', name: 'sim/lab' },
    params: { pid: 500 },
    simulated: true,
    class: 'irreversible',
    undo: 'A process that was killed does not come back.',
  })
  return world
}
const as = (role: string, world = makeWorld()) => {
  world.me.user.role = role
  world.me.permissions = permissionsOf(role)
  return world
}

describe('the scope of an undo', () => {
  const asked: Asked = { who: 'automation', user: ME, rule: '', span: '3600', from: '', to: '' }
  const now = Date.parse('2026-11-22T12:00:00Z')
  it('fixes both times, so that what is undone is what was shown', () => {
    expect(scopeOf(asked, now)).toEqual({
      by: { automation: true },
      from: '2026-11-22T11:00:00.000Z',
      to: '2026-11-22T12:00:00.000Z',
    })
  })
  it('takes a person or a rule, and says what is missing', () => {
    expect(scopeOf({ ...asked, who: 'user' }, now)).toMatchObject({ by: { user: ME } })
    expect(scopeOf({ ...asked, who: 'rule', rule: ' r1 ' }, now)).toMatchObject({ by: { rule: 'r1' } })
    expect(scopeOf({ ...asked, who: 'rule' }, now)).toBe('Name a rule.')
    expect(scopeOf({ ...asked, who: 'user', user: '' }, now)).toBe('Choose a person.')
  })
  it('of one’s own times has its beginning before its end', () => {
    const own: Asked = { ...asked, span: 'custom', from: '2026-11-22T08:00', to: '2026-11-22T07:00' }
    expect(scopeOf(own, now)).toMatch(/before the end/)
    expect(scopeOf({ ...own, from: '' }, now)).toBe('Say from when.')
    expect(scopeOf({ ...own, to: '2026-11-22T09:00' }, now)).toMatchObject({
      from: new Date('2026-11-22T08:00').toISOString(),
      to: new Date('2026-11-22T09:00').toISOString(),
    })
  })
})

describe('the form of parameters', () => {
  const fields = fieldsOf({
    required: ['pid', 'path'],
    properties: {
      keep: { type: 'array', maxItems: 2, items: { type: 'string' } },
      deep: { type: 'boolean', default: true },
      pid: { type: 'integer', minimum: 1, maximum: 99 },
      path: { type: 'string', pattern: '^/[A-Za-z0-9_.$-]*$', maxLength: 9 },
      mode: { type: 'string', enum: ['soft', 'hard'] },
      more: { type: 'object' },
    },
  })
  const of = (name: string) => fields.find(f => f.name === name) as (typeof fields)[number]
  it('asks for what is required first, each by its kind', () => {
    expect(fields.map(f => `${f.name} ${f.kind}`)).toEqual([
      'pid integer',
      'path text',
      'keep lines',
      'deep yes_no',
      'mode choice',
      'more json',
    ])
    expect(initial(fields)).toMatchObject({ pid: '', deep: true })
  })
  it('says what is wrong before the server has to', () => {
    expect(wrong(of('pid'), '')).toBe('This is wanted.')
    expect(wrong(of('pid'), '1.5')).toBe('Want a whole number.')
    expect(wrong(of('pid'), '0')).toBe('Want at least 1.')
    expect(wrong(of('pid'), '100')).toBe('Want at most 99.')
    expect(wrong(of('path'), 'etc')).toMatch(/form that is wanted/)
    expect(wrong(of('path'), '/etc/passwd')).toMatch(/at most 9 characters/)
    expect(wrong(of('keep'), 'a\nb\n\nc')).toBe('Want at most 2 lines.')
    expect(wrong(of('more'), '{')).toBe('This is not JSON.')
    expect([wrong(of('pid'), '99'), wrong(of('path'), '/etc'), wrong(of('keep'), '')]).toEqual([null, null, null])
  })
  it('sends numbers as numbers, lines as a list, and nothing that was left empty', () => {
    const typed = { pid: '7', path: '/a', keep: ' x \n\ny', deep: true, mode: '', more: '' }
    expect(paramsOf(fields, typed)).toEqual({ pid: 7, path: '/a', keep: ['x', 'y'] })
    expect(paramsOf(fields, { ...typed, keep: '', deep: false, mode: 'hard', more: '{"a":1}' })).toEqual({
      pid: 7,
      path: '/a',
      deep: false,
      mode: 'hard',
      more: { a: 1 },
    })
  })
})

describe('what a plan offers besides a vote', () => {
  const view = (change: Partial<Plan>, may = (_: string) => true) =>
    planView({ ...first(makeWorld()), ...change }, may, ME)
  const { decision } = first(makeWorld())
  const denied = (...codes: string[]) => ({
    state: 'denied' as const,
    decision: { ...decision, allow: false, denies: codes.map(code => ({ code, detail: code })) },
  })
  it('a veto while it is approved and waits, and no second start', () => {
    const v = view({ state: 'approved', not_before: ahead(60) })
    expect([v.canVeto, v.canExecute, v.canReject]).toEqual([true, false, false])
    expect(view({ state: 'approved', not_before: ahead(60) }, p => p.endsWith('.read')).canVeto).toBe(false)
  })
  it('break-glass only where it can help', () => {
    expect(view({}).canBreakGlass).toBe(true)
    expect(view(denied('change_freeze')).canBreakGlass).toBe(true)
    expect(view(denied('change_freeze', 'protected_target')).canBreakGlass).toBe(false)
    expect(view({ decision: { ...decision, approvals_needed: 0 } }).canBreakGlass).toBe(false)
    expect(view({ undo_of: 'pln_other' }).canBreakGlass).toBe(false)
    expect(view({ expires_at: ahead(-1) }).canBreakGlass).toBe(false)
    expect(view({}, p => p !== 'plan.approve').canBreakGlass).toBe(false)
  })
})

const openPlan = (world: World, ...rest: [Parameters<typeof openApp>[2]?]) =>
  openApp(`/t/northwind/plans/${first(world).id}`, world, ...rest)
const card = async () => within(await screen.findByRole('article', { name: /^Plan: / }))

describe('the page of a plan', () => {
  it('says what policy asks for and why, and which controls it is evidence for', async () => {
    const world = makeWorld()
    Object.assign(first(world), { unanswered: true, confidence: 0.72 })
    Object.assign(first(world).decision, {
      controls: ['SOC 2 CC7.4', 'ISO 27001 A.5.26'],
      obligations: {
        notify: ['approvers', 'administrators'],
        veto_window_s: 300,
        strong_session: true,
        because: [{ code: 'risk_high', detail: 'the risk is high' }],
      },
    })
    await openPlan(world)
    const plan = await card()
    const owed = within(plan.getByRole('list', { name: 'What policy asks for' }))
    expect(owed.getByText(/approvers, administrators/)).toBeVisible()
    expect(owed.getByText(/Waits 5m 0s after its last approval/)).toBeVisible()
    expect(owed.getByText(/passkey or a code/)).toBeVisible()
    expect(owed.getByText('risk_high')).toBeVisible()
    expect(plan.getByText('SOC 2 CC7.4')).toBeVisible()
    expect(plan.getByText('unanswered')).toBeVisible()
    expect(plan.getByText('confidence 72 %')).toBeVisible()
  })

  it('says who approved it and who broke the glass, when, and what they were confirmed with', async () => {
    const world = makeWorld()
    const plan = first(world)
    const at = ahead(-60)
    const confirmed = { with: 'totp' as const, at: ahead(-120) }
    plan.approvals = [
      { id: 'apr_1', user: 'usr_2', user_name: 'Lars Jensen', at, confirmed, plan_hash: plan.hash },
      { id: 'apr_2', user: 'usr_3', user_name: 'Nia Abara', at, plan_hash: plan.hash },
    ]
    plan.break_glass = { by: ME, name: 'Mira Okafor', reason: 'it burns', at, confirmed: { with: 'passkey', at } }
    await openPlan(world)
    const shown = await card()
    const by = (name: string) => shown.getByText(new RegExp(`Approved by ${name}`)).textContent
    expect(by('Lars Jensen')).toMatch(/ ago, confirmed with a code of an authenticator app .* ago$/)
    expect(by('Nia Abara')).not.toMatch(/confirmed/)
    expect(shown.getByText(/The approvals were set aside/)).toHaveTextContent(/confirmed with a passkey .*: it burns/)
  })

  it('asks for a code, and for no recovery code, where a vote is critical', async () => {
    const user = userEvent.setup()
    const world = makeWorld()
    world.tenancy.factors = { totp: true, passkeys: 0, recovery_codes_left: 3 }
    let proved: unknown = null
    const { calls } = await openPlan(world, call => {
      if (call.path.endsWith('/me/reauthenticate')) proved = call.body
      if (call.path.endsWith('/approve') && !proved)
        return { status: 403, body: { title: 'Stronger', status: 403, code: 'strong_session_required', detail: 'no' } }
      return undefined
    })
    await user.click((await card()).getByRole('button', { name: /^Approve/ }))
    const dialog = within(await screen.findByRole('dialog', { name: 'Confirm who you are' }))
    expect(await dialog.findByText(/A recovery code does not count/)).toBeVisible()
    expect(dialog.queryByText(/Use a recovery code/)).not.toBeInTheDocument()
    await user.type(await dialog.findByLabelText('Code of your authenticator app'), '123456')
    await user.click(dialog.getByRole('button', { name: 'Confirm' }))
    await waitFor(() => expect(calls.filter(c => c.path.endsWith('/approve'))).toHaveLength(2))
    expect(proved).toEqual({ code: '123456' })
  })

  it('says what to add where one has neither passkey nor app', async () => {
    const user = userEvent.setup()
    const world = makeWorld()
    world.tenancy.factors = { totp: false, passkeys: 0, recovery_codes_left: 0 }
    const refusal = { title: 'Stronger', status: 403, code: 'strong_session_required', detail: 'want a passkey' }
    await openPlan(world, call => (call.path.endsWith('/approve') ? { status: 403, body: refusal } : undefined))
    await user.click((await card()).getByRole('button', { name: /^Approve/ }))
    const dialog = within(await screen.findByRole('dialog', { name: 'Confirm who you are' }))
    expect(await dialog.findByText(/add one in Settings, under Account/)).toBeVisible()
    expect(dialog.queryByLabelText('Password')).not.toBeInTheDocument()
    await user.click(dialog.getByRole('button', { name: 'Close' }))
  })

  it('counts down to a run that nobody stopped, and a veto stops it with a reason', async () => {
    const user = userEvent.setup()
    const world = makeWorld()
    Object.assign(first(world), { state: 'approved', not_before: ahead(240) })
    const { calls } = await openPlan(world)
    const plan = await card()
    expect(plan.getByText(/unless somebody says no/)).toHaveTextContent(/Runs by itself in [34]m/)
    expect(plan.queryByRole('button', { name: 'Run now' })).not.toBeInTheDocument()
    await user.click(plan.getByRole('button', { name: 'Veto…' }))
    const dialog = within(await screen.findByRole('dialog', { name: 'Veto this plan' }))
    await user.type(dialog.getByLabelText('Reason'), 'it is our scanner')
    await user.click(dialog.getByRole('button', { name: 'Veto plan' }))
    await waitFor(() =>
      expect(calls.find(c => c.path.endsWith('/reject'))?.body).toEqual({ reason: 'it is our scanner' }),
    )
  })

  it('breaks glass for the hash on the screen, and says before that every administrator is told', async () => {
    const user = userEvent.setup()
    const world = makeWorld()
    const { calls } = await openPlan(world)
    await user.click((await card()).getByRole('button', { name: 'Break glass…' }))
    const dialog = within(await screen.findByRole('dialog', { name: 'Break glass' }))
    expect(dialog.getByText(/All administrators are told at once/)).toBeVisible()
    expect(dialog.getByRole('button', { name: 'Break glass and run' })).toBeDisabled()
    await user.type(dialog.getByLabelText('Reason'), 'nobody answers')
    await user.click(dialog.getByRole('button', { name: 'Break glass and run' }))
    expect(await (await card()).findByText(/approvals were set aside by Mira Okafor/)).toBeVisible()
    expect(calls.find(c => c.path.endsWith('/break-glass'))?.body).toEqual({
      hash: first(makeWorld()).hash,
      reason: 'nobody answers',
    })
  })

  it('explains: the rules with file and lines, what they read, and the nearest change or that none was found', async () => {
    const user = userEvent.setup()
    const world = makeWorld()
    // A plan from before plans said themselves what they reach.
    Object.assign(first(world), { blast_radius: undefined })
    Object.assign(action(first(world)), { resources: undefined, dependants: undefined })
    await openPlan(world)
    const ask = (await card()).getByRole('button', { name: 'Explain the decision' })
    await user.click(ask)
    const why = within(await screen.findByRole('region', { name: 'Why policy decides so' }))
    expect(await why.findByText('policies/approvals.rego, lines 14, 31')).toBeVisible()
    expect(why.getByText('4 facts that it read')).toBeVisible()
    const reach = within(why.getByRole('list', { name: 'What it reaches' })).getAllByRole('listitem')
    expect(reach.map(item => item.textContent)).toEqual(['1 peer: 203.0.113.66', '2 users: alice, bob'])
    expect(why.getByText('None found.')).toBeVisible()
    expect(why.getByText(/"staging"/)).toBeVisible()
  })

  it('that is not there, or may not be seen, says so', async () => {
    const { unmount } = await openApp('/t/northwind/plans/pln_nothing')
    expect(await screen.findByText('Plan: not found')).toBeVisible()
    unmount()
    const world = makeWorld()
    world.me.permissions = world.me.permissions.filter(p => p !== 'plan.read')
    await openPlan(world)
    expect(await screen.findByText('plan.read')).toBeVisible()
  })
})

describe('evidence', () => {
  const collected = () => {
    const world = acted()
    Object.assign(action(first(world)), { class: 'read_only', capability: 'linux.collect_evidence' })
    world.evidence = [
      {
        number: 1,
        at: ahead(-30),
        name: '/etc/passwd',
        media_type: 'text/plain',
        size: 2048,
        sha256: 'ab'.repeat(32),
        note: 'cut at 2048 of 4096 bytes',
      },
    ]
    return world
  }
  it('stands with its hash and what is missing of it, and can be taken', async () => {
    const user = userEvent.setup()
    const saved = vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(() => {})
    const { calls } = await openPlan(collected())
    const list = within(await screen.findByRole('group', { name: 'Evidence' }))
    expect(await list.findByText(/SHA-256 abab/)).toBeVisible()
    expect(list.getByText('cut at 2048 of 4096 bytes')).toBeVisible()
    await user.click(list.getByRole('button', { name: 'Download /etc/passwd' }))
    await waitFor(() => expect(saved).toHaveBeenCalledOnce())
    saved.mockRestore()
    expect(calls.some(c => c.path.endsWith('/evidence/1'))).toBe(true)
  })
  it('is not taken without the permission, and says which', async () => {
    await openPlan(as('viewer', collected()))
    const take = await screen.findByRole('button', { name: 'Download /etc/passwd' })
    expect(take).toHaveAccessibleDescription(/incident\.export/)
  })
})

describe('actions', () => {
  it('are filtered by state, capability and target, which the address keeps', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp('/t/northwind/actions', acted())
    const table = within(await screen.findByRole('table', { name: 'Actions' }))
    expect(table.getAllByRole('row')).toHaveLength(3)
    expect(table.getByText('simulated')).toBeVisible()
    await user.selectOptions(screen.getByLabelText('Capability'), 'linux.kill_process')
    await waitFor(() => expect(screen.getAllByRole('row')).toHaveLength(2))
    await user.selectOptions(screen.getByLabelText('State'), 'gone')
    expect(await screen.findByText('No action fits these filters')).toBeVisible()
    expect(calls.some(c => c.path.includes('state=undone%2Cexpired'))).toBe(true)
    expect(location.search).toMatch(/capability=linux.kill_process/)
  })

  it('open beside the list by keyboard, with their journal, and are undone with a reason', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp('/t/northwind/actions', acted())
    await screen.findByRole('table', { name: 'Actions' })
    await user.keyboard('j')
    const panel = within(await screen.findByRole('complementary', { name: 'Action' }))
    expect(await panel.findByText('Intent')).toBeVisible()
    await user.click(panel.getByRole('button', { name: 'Undo…' }))
    await user.type(await screen.findByLabelText(/^Reason/), 'a scanner of ours')
    await user.click(screen.getByRole('button', { name: 'Undo' }))
    await waitFor(() =>
      expect(calls.find(c => c.path.endsWith('/undo'))?.body).toEqual({ reason: 'a scanner of ours' }),
    )
  })

  it('are none at first, and an error says so', async () => {
    const world = makeWorld()
    for (const plan of world.plans) plan.actions = []
    const { unmount } = await openApp('/t/northwind/actions', world)
    expect(await screen.findByText('Nothing was done yet')).toBeVisible()
    unmount()
    const refusal = { status: 422, body: { title: 'no', status: 422, code: 'invalid', detail: 'a bad state' } }
    await openApp('/t/northwind/actions', world, call => (call.path.includes('/actions?') ? refusal : undefined))
    expect(await screen.findByText('a bad state')).toBeVisible()
  })
})

describe('the undo centre', () => {
  it('shows the last hour of automation first, names what has no way back, then undoes exactly that', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp('/t/northwind/actions?tab=undo', acted())
    await user.click(await screen.findByRole('button', { name: 'Preview' }))
    expect(await screen.findByText('Preview: nothing was touched')).toBeVisible()
    expect(screen.getByRole('alert')).toHaveTextContent(/1 action cannot be undone.*linux.kill_process on sim\/lab/)
    const rows = within(screen.getByRole('table', { name: 'What would be undone' })).getAllByRole('row')
    expect(rows).toHaveLength(3)
    expect(rows[1]).toHaveTextContent(/1linux.kill_process.*simulated.*cannot be undone.*irreversible/)
    await user.click(screen.getByRole('button', { name: 'Undo 1 action…' }))
    const dialog = within(await screen.findByRole('dialog', { name: 'Undo 1 action' }))
    expect(dialog.getByRole('button', { name: 'Undo now' })).toBeDisabled()
    await user.type(dialog.getByLabelText('Reason'), 'a false alarm')
    await user.click(dialog.getByRole('button', { name: 'Undo now' }))
    expect(await screen.findByText(/1 of 2 actions undone and read back, 1 could not be/)).toBeVisible()
    const [preview, done] = calls.filter(c => c.path.endsWith('/api/v1/undo')).map(c => c.body as object)
    expect(preview).toMatchObject({ by: { automation: true }, preview: true })
    expect(done).toEqual({ ...preview, preview: undefined, reason: 'a false alarm' })
  })

  it('forgets what it showed when something else is asked for', async () => {
    const user = userEvent.setup()
    await openApp('/t/northwind/actions?tab=undo', acted())
    await user.click(await screen.findByRole('button', { name: 'Preview' }))
    await screen.findByText('Preview: nothing was touched')
    await user.click(screen.getByRole('radio', { name: /^A rule/ }))
    expect(screen.queryByText('Preview: nothing was touched')).not.toBeInTheDocument()
    expect(screen.getByRole('button', { name: 'Preview' })).toHaveAccessibleDescription('Name a rule.')
  })

  it('is closed to who may not undo, with the reason', async () => {
    await openApp('/t/northwind/actions?tab=undo', as('viewer', acted()))
    expect(await screen.findByText(/Needs the permission action\.undo/)).toBeVisible()
    expect(screen.getByRole('button', { name: 'Preview' })).toBeDisabled()
  })
})

describe('the inbox of approvals', () => {
  it('shows how many said yes, who is told when, and why one may not vote', async () => {
    const world = makeWorld()
    const plan = first(world)
    Object.assign(plan, { requester: ME, unanswered: true, created_at: ahead(-400) })
    Object.assign(plan.decision, {
      approvals_needed: 2,
      obligations: { notify: [], veto_window_s: null, strong_session: true, because: [] },
    })
    const confirmed = { with: 'passkey' as const, at: ahead(-120) }
    plan.approvals = [
      { id: 'apr_1', user: 'usr_2', user_name: 'Lars Jensen', at: ahead(-60), confirmed, plan_hash: plan.hash },
    ]
    await openApp('/t/northwind/approvals', world)
    const request = within(await screen.findByRole('region', { name: 'Request for approval' }))
    expect(request.getByText('1 of 2 approvals')).toBeVisible()
    expect(request.getByText(/Lars Jensen said yes/)).toHaveTextContent(/ ago, confirmed with a passkey .* ago/)
    expect(request.getByText(/The approvers were told/)).toBeVisible()
    expect(request.getByText(/The administrators are told in/)).toBeVisible()
    expect(request.getByText(/Your vote needs a passkey or a code/)).toBeVisible()
    expect(request.getByText(/You may not vote: you made this plan/)).toBeVisible()
    expect(request.getByText('unanswered')).toBeVisible()
  })

  it('approves the chosen plan with shift+Enter, and keeps its row as answered', async () => {
    const user = userEvent.setup()
    const { calls, world } = await openApp('/t/northwind/approvals')
    await card()
    const { hash } = first(world)
    await user.keyboard('{Shift>}{Enter}{/Shift}')
    expect(await screen.findByText('answered')).toBeVisible()
    expect(calls.find(c => c.path.endsWith('/approve'))?.body).toEqual({ hash })
  })

  it('is empty when nothing waits', async () => {
    const world = makeWorld()
    first(world).state = 'executed'
    await openApp('/t/northwind/plans', world)
    expect(await screen.findByText('No plan waits for a person')).toBeVisible()
  })
})

describe('the catalogue', () => {
  it('says what can be done and how it is taken back, and plans it on a chosen target', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp('/t/northwind/capabilities')
    await user.click(await screen.findByRole('button', { name: /^Block an IP address/ }))
    expect(screen.getByText('Drops every packet from and to the address.')).toBeVisible()
    expect(screen.getByText('starts at low')).toBeVisible()
    const form = within(await screen.findByRole('form', { name: 'Plan: Block an IP address' }))
    await user.click(form.getByRole('button', { name: 'Make plan' }))
    expect(form.getAllByRole('alert').map(e => e.textContent)).toEqual([
      'Choose a target.',
      expect.stringMatching(/^This is wanted/),
    ])
    await user.selectOptions(form.getByLabelText('Target'), 'sim/lab')
    expect(form.getByText('simulated')).toBeVisible()
    await user.type(form.getByLabelText('Address'), '198.51.100.9')
    await user.type(form.getByLabelText(/^Expires in seconds/), '7200')
    expect(form.getByText(/that is 2h 0m/)).toBeVisible()
    await user.click(form.getByRole('button', { name: 'Make plan' }))
    expect(await screen.findByRole('article', { name: 'Plan: linux.block_ip on sim/lab' })).toBeVisible()
    expect(calls.find(c => c.method === 'POST' && c.path.endsWith('/plans'))?.body).toEqual({
      actions: [
        {
          capability: 'linux.block_ip',
          target: { kind: 'linux_host', name: 'sim/lab' },
          params: { address: '198.51.100.9', expires_in_s: 7200 },
        },
      ],
      title: 'Block an IP address: 198.51.100.9 on sim/lab',
    })
  })

  it('is read by who may not plan, who is told why', async () => {
    await openApp('/t/northwind/capabilities?capability=linux.kill_process', as('viewer'))
    const make = await screen.findByRole('button', { name: 'Make plan' })
    expect(make).toHaveAccessibleDescription(/plan\.create/)
    expect(screen.getAllByText('irreversible').length).toBeGreaterThan(0)
  })
})
