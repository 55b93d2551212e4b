import { screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it } from 'vitest'
import type { Plan } from '@/api/types'
import type { May } from '@/app/session'
import { phaseOf } from '@/features/incident/phases'
import { paramsText } from '@/features/plans/action-block'
import { canUndo, lastYes, planView } from '@/features/plans/view'
import { planState } from '@/ui'
import { INCIDENT, ME, makeWorld, type World } from './fixtures/api.mjs'
import { openApp } from './harness'

const all = () => true
const basePlan = () => makeWorld().plans[0] as Plan
const view = (change: Partial<Plan>, may = all as May, me = ME) => planView({ ...basePlan(), ...change }, may, me)

describe('what a plan offers', () => {
  it('a proposed plan can be approved and rejected', () => {
    expect(view({})).toMatchObject({ canApprove: true, whyNot: null, canReject: true, canExecute: false })
    expect(view({})).toMatchObject({ canReplan: false, canVeto: false, waitsUntil: null })
  })
  it('never by its requester, who is told who may', () => {
    const v = view({ requester: ME, can_approve: undefined })
    expect(v.canApprove).toBe(false)
    expect(v.whyNot).toMatch(/You asked for this plan.*Mira Okafor, Lars Jensen/)
  })
  it('a lone administrator is told how to add a user', () => {
    expect(view({ requester: ME, approvers: [] }).whyNot).toMatch(/add a user .* under Settings/)
  })
  it('the server has the last word on who may', () => {
    const v = view({ can_approve: false, cannot_approve_why: 'Your own address would be cut off.' })
    expect(v.canApprove).toBe(false)
    expect(v.whyNot).toMatch(/^Your own address would be cut off\./)
  })
  it('a viewer sees neither button', () => {
    const v = view({}, p => p.endsWith('.read'))
    expect([v.canApprove, v.canReject, v.canExecute]).toEqual([false, false, false])
    expect(v.whyNot).toMatch(/role may not approve/)
  })
  it('in a suspended tenant one can only say no', () => {
    const may = (p: string, what?: 'stop') => what === 'stop' || p.endsWith('.read')
    expect(view({}, may)).toMatchObject({ canApprove: false, canReject: true, canExecute: false, canBreakGlass: false })
    const waits = { state: 'approved' as const, not_before: '2126-01-01T00:00:00Z' }
    expect(view(waits, may)).toMatchObject({ canVeto: true, canExecute: false })
  })
  it('who approved once waits for another person', () => {
    const approvals = [{ id: 'apr_1', user: ME, user_name: 'Mira', at: '', plan_hash: '' }]
    expect(view({ approvals }).canApprove).toBe(false)
    const [mira, lars] = ['Mira Okafor', 'Lars Jensen']
    const voted = [{ id: 'apr_1', user: ME, user_name: mira, at: '', plan_hash: '' }]
    expect(view({ approvals: voted, approvers: [mira, lars] }).whyNot).toMatch(/These people may: Lars Jensen\.$/)
  })
  it('a yes runs it where no other has to follow', () => {
    const vote = { id: 'apr_1', user: 'usr_1', user_name: 'Lars', at: '', plan_hash: '' }
    const decision = { ...basePlan().decision, approvals_needed: 2 }
    const last = (approvals: Plan['approvals']) => lastYes({ ...basePlan(), decision, approvals })
    expect([last([]), last([vote]), lastYes(basePlan())]).toEqual([false, true, true])
  })
  it('a denied plan cannot be approved', () => {
    const decision = {
      ...basePlan().decision,
      allow: false,
      denies: [{ code: 'protected_address', detail: 'It is the gateway.' }],
    }
    expect(view({ state: 'denied', decision }).canApprove).toBe(false)
    expect(view({ state: 'denied', decision })).toMatchObject({ canReplan: true, canSetAside: false })
  })
  it('only what a freeze alone denies is planned in spite of it, by who may approve and plan', () => {
    const frozen = { code: 'change_freeze', detail: 'the shop is full' }
    const decision = { ...basePlan().decision, allow: false, denies: [frozen] }
    const denied = { state: 'denied' as const, decision }
    expect(view(denied).canSetAside).toBe(true)
    expect(view(denied, permission => permission !== 'plan.approve').canSetAside).toBe(false)
    expect(view(denied, permission => permission !== 'plan.create').canSetAside).toBe(false)
    expect(view({ ...denied, decision: { ...decision, denies: [frozen, { ...frozen, code: 'x' }] } }).canSetAside).toBe(
      false,
    )
  })
  it('an undo and an adoption are asked for anew, never planned again', () => {
    const [action] = basePlan().actions
    if (!action) throw new Error('no action')
    for (const change of [{ undo_of: 'act_1' }, { adopts: 'act_1' }]) {
      const v = view({ state: 'expired', actions: [{ ...action, ...change }] })
      expect(v.canReplan).toBe(false)
    }
  })
  it('an expired plan is planned again, not approved, also before the server noticed', () => {
    for (const change of [{ state: 'expired' as const }, { expires_at: '2020-01-01T00:00:00Z' }]) {
      const v = view(change)
      expect([v.canApprove, v.canReplan]).toEqual([false, true])
    }
  })
  it('an approved one that did not start can be run, and still be rejected', () => {
    expect(view({ state: 'approved' })).toMatchObject({ canExecute: true, canReject: true })
    expect(view({ state: 'approved', undo_of: 'pln_other' }).canReject).toBe(false)
    expect(view({ state: 'executing' }).canReject).toBe(false)
    const only = (permission: string) => view({ state: 'approved' }, held => held === permission).canExecute
    expect([only('plan.approve'), only('plan.create')]).toEqual([true, false])
  })
  it('a run that a halt holds is shown as paused', () => {
    expect(planState({ state: 'executing' }).label).toBe('Running')
    expect(planState({ state: 'executing', paused_at: '2026-01-01T00:00:00Z' }).label).toBe('Paused')
  })
  it('undo is offered while something may be in force', () => {
    const action = basePlan().actions[0]
    if (!action) throw new Error('no action')
    const states = ['planned', 'verified', 'unverified', 'drifted', 'undo_failed', 'undone', 'failed'] as const
    expect(states.filter(state => canUndo({ ...action, state }, all))).toEqual([
      'verified',
      'unverified',
      'drifted',
      'undo_failed',
    ])
    expect(canUndo({ ...action, state: 'verified', class: 'irreversible' }, all)).toBe(false)
    const owners = [{ action_id: action.id, expires_at: null }]
    expect(canUndo({ ...action, state: 'failed', owners }, all)).toBe(true)
  })
})

it('parameters are said in words', () => {
  expect(paramsText({ address: '203.0.113.66', expires_in_s: 86_400 })).toBe('address 203.0.113.66, expires in 1d')
  expect(paramsText({ keep: ['10.0.0.0/24', '10.0.1.0/24'], port: 22 })).toBe(
    'keep 10.0.0.0/24 and 10.0.1.0/24, port 22',
  )
  expect(paramsText({ files: [], deep: { a: 1 } })).toBe('files none, deep {"a":1}')
  expect(paramsText(null)).toBe('')
})

describe('an undo', () => {
  it('is an action of its own: verified, it neither contains the incident nor can be undone', () => {
    const plan = basePlan()
    const [action] = plan.actions
    if (!action) throw new Error('no action')
    const done = { ...action, state: 'undone' as const }
    const undo = { ...action, id: 'act_undo', state: 'verified' as const, undo_of: action.id }
    const incident = makeWorld().incidents[0]
    if (!incident) throw new Error('no incident')
    expect(phaseOf(incident, [{ ...plan, actions: [{ ...action, state: 'verified' }] }])).toBe('contained')
    expect(
      phaseOf(incident, [
        { ...plan, actions: [done] },
        { ...plan, undo_of: plan.id, actions: [undo] },
      ]),
    ).toBe('investigated')
    expect(canUndo(undo, all)).toBe(false)
  })

  it('is held up by others that want the effect, never by what it takes back', async () => {
    const world: World = makeWorld()
    const plan = world.plans[0] as Plan
    const [action] = plan.actions
    if (!action) throw new Error('no action')
    const owners = [{ action_id: 'act_undone', expires_at: null }]
    plan.actions = [{ ...action, undo_of: 'act_undone', owners }]
    const { unmount } = await openApp(`/t/northwind/plans/${plan.id}`, world)
    expect(within(await card()).queryByText(/other live action/)).toBeNull()
    unmount()
    plan.actions = [{ ...action, undo_of: 'act_undone', owners: [...owners, { action_id: 'act_b', expires_at: null }] }]
    await openApp(`/t/northwind/plans/${plan.id}`, world)
    expect(within(await card()).getByText(/1 other live action wants the same effect/)).toBeVisible()
  })
})

describe('what holds a plan', () => {
  const opened = async (change: Partial<Plan>, halted: boolean, ledger: object[] = []) => {
    const world: World = makeWorld()
    const plan = Object.assign(world.plans[0] as Plan, change)
    world.automation = { halted }
    Object.assign(world, { ledger: [...ledger.map(entry => ({ subjects: [plan.id], ...entry })), ...world.ledger] })
    await openApp(`/t/northwind/plans/${plan.id}`, world)
    return within(await card())
  }
  const held = { kind: 'run.held', seq: 999, time: new Date(Date.now() - 150_000).toISOString(), actor: 'system:watch' }
  const waiting = { state: 'approved' as const, not_before: new Date(Date.now() + 60_000).toISOString() }
  const pause = () => {
    const [action] = basePlan().actions
    if (!action) throw new Error('no action')
    const actions = [
      { ...action, state: 'verified' as const },
      { ...action, id: 'act_2', state: 'planned' as const },
    ]
    return { state: 'executing' as const, paused_at: new Date(Date.now() - 270_000).toISOString(), actions }
  }

  it('is a halt in the middle of its run: since when, how much is left and what it waits for', async () => {
    const plan = await opened(pause(), true)
    const said = await plan.findByText(/halted in the middle of the run/)
    expect(said).toHaveTextContent('Paused 4m ago')
    expect(said).toHaveTextContent('1 of 2 actions is not begun. It goes on when a person resumes automation')
  })

  it('is no halt any more when automation was resumed', async () => {
    const plan = await opened(pause(), false)
    expect(await plan.findByText(/Automation was resumed, and it goes on/)).toBeVisible()
  })

  it('is a wait that began anew, because the clock was set', async () => {
    const plan = await opened(waiting, false, [held])
    expect(await plan.findByText(/The clock of the server was set/)).toHaveTextContent('2m ago')
  })

  it('is a wait like any other where the ledger says nothing of a clock', async () => {
    const plan = await opened(waiting, false, [{ ...held, subjects: ['pln_other'] }])
    expect(plan.getByText(/Runs by itself in/)).toBeVisible()
    expect(plan.queryByText(/The clock of the server/)).toBeNull()
  })

  it('is a halt before its run, but never of an undo', () => {
    expect(view({ state: 'approved' }).haltHolds).toBe(true)
    expect(view({ state: 'approved' }, p => p.endsWith('.read')).haltHolds).toBe(true)
    expect(view({ state: 'approved', undo_of: 'pln_other' }).haltHolds).toBe(false)
    expect(view({ state: 'executed' }).haltHolds).toBe(false)
  })
})

const card = () => screen.findByRole('article', { name: /Plan: Block/ })

describe('the plan card', () => {
  it('shows the live diff, the risk terms, the undo, and that it is a demo', async () => {
    await openApp(`/incidents/${INCIDENT}`)
    const plan = within(await card())
    expect(plan.getByText(/set blocked_v4/)).toBeInTheDocument()
    expect(plan.getByText(/Removes 203.0.113.66 from our set/)).toBeInTheDocument()
    expect(plan.getByText(/the target is production/)).toBeInTheDocument()
    expect(plan.getAllByText('demo').length).toBeGreaterThan(0)
    expect(plan.getByText(/Policy allows it with one approval/)).toBeInTheDocument()
  })

  it('says simulated wherever nothing real happens', async () => {
    const world: World = makeWorld()
    for (const plan of world.plans) {
      plan.simulated = true
      for (const action of plan.actions) action.simulated = true
    }
    await openApp(`/incidents/${INCIDENT}`, world)
    expect(within(await card()).getAllByText('simulated')).toHaveLength(2)
  })

  it('approves with shift+Enter the very hash that is on the screen, then proves and undoes', async () => {
    const user = userEvent.setup()
    const { calls, world } = await openApp(`/incidents/${INCIDENT}`)
    await card()
    await user.keyboard('{Shift>}{Enter}{/Shift}')
    expect(await screen.findByText('Verified')).toBeInTheDocument()
    const approve = calls.find(c => c.path.endsWith('/approve'))
    expect(approve?.body).toEqual({ hash: world.plans[0]?.hash })
    expect(approve?.headers.get('shieldops-csrf')).toBe('fixture-csrf')
    expect(screen.getByText('Refused')).toBeInTheDocument()
    expect(
      within(screen.getByRole('list', { name: 'Incident phase' }))
        .getByText('Contained')
        .closest('li'),
    ).toHaveAttribute('aria-current', 'step')
    await user.click(within(await card()).getByRole('button', { name: /Undo/ }))
    await user.click(await within(await screen.findByRole('dialog')).findByRole('button', { name: 'Undo' }))
    expect(await screen.findByText('Undone')).toBeInTheDocument()
    expect(screen.getAllByText('Reachable')).toHaveLength(2)
  })

  it('rejects only with a reason, which it sends', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp(`/incidents/${INCIDENT}`)
    await user.click(within(await card()).getByRole('button', { name: /Reject/ }))
    const dialog = within(await screen.findByRole('dialog'))
    expect(dialog.getByRole('button', { name: 'Reject plan' })).toBeDisabled()
    await user.type(dialog.getByLabelText(/Reason/), 'The address is a scanner of ours')
    await user.click(dialog.getByRole('button', { name: 'Reject plan' }))
    await waitFor(() =>
      expect(calls.find(c => c.path.endsWith('/reject'))?.body).toEqual({ reason: 'The address is a scanner of ours' }),
    )
  })

  it('shows why the server refused, with its code and request id', async () => {
    const user = userEvent.setup()
    await openApp(`/incidents/${INCIDENT}`, makeWorld(), call =>
      call.path.endsWith('/approve')
        ? {
            status: 409,
            body: {
              title: 'The plan changed',
              status: 409,
              code: 'plan_hash_mismatch',
              detail: 'Read the plan again.',
              request_id: 'req42',
            },
          }
        : undefined,
    )
    await user.click(within(await card()).getByRole('button', { name: /Approve/ }))
    const alert = await within(await card()).findByRole('alert')
    expect(alert).toHaveTextContent('Read the plan again.')
    expect(alert).toHaveTextContent('plan_hash_mismatch · request req42')
  })
})
