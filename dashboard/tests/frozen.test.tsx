import { screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it } from 'vitest'
import type { GateFreeze, GateSettings } from '@/api/types'
import { frozen, holds } from '@/features/gate/frozen'
import { makeWorld, type World } from './fixtures/api.mjs'
import { capabilities } from './fixtures/response.mjs'
import { permissionsOf } from './fixtures/tenancy.mjs'
import { type Call, openApp } from './harness'

const weekly = (days: string[], from: string, to: string, zone: string) =>
  ({ when: { kind: 'weekly', days, from, to, zone } }) as GateFreeze
const at = (text: string) => Date.parse(text)

describe('a freeze', () => {
  it('of dates holds from its first moment to just before its last', () => {
    const freeze = { when: { kind: 'dates', from: '2026-12-24T00:00:00Z', to: '2027-01-02T00:00:00Z' } } as GateFreeze
    expect(holds(freeze, at('2026-12-23T23:59:59Z'))).toBe(false)
    expect(holds(freeze, at('2026-12-24T00:00:00Z'))).toBe(true)
    expect(holds(freeze, at('2027-01-01T23:59:59Z'))).toBe(true)
    expect(holds(freeze, at('2027-01-02T00:00:00Z'))).toBe(false)
  })
  it('of the week is read in its own zone', () => {
    // A Friday: 16:30 in UTC is 17:30 in Berlin.
    const freeze = weekly(['friday'], '17:00', '18:00', 'Europe/Berlin')
    expect(holds(freeze, at('2026-11-20T16:30:00Z'))).toBe(true)
    expect(holds(freeze, at('2026-11-20T17:30:00Z'))).toBe(false)
    expect(holds(freeze, at('2026-11-21T16:30:00Z'))).toBe(false)
  })
  it('that goes over midnight belongs to the day on which it began', () => {
    const freeze = weekly(['sunday'], '22:00', '06:00', 'UTC')
    expect(holds(freeze, at('2026-11-22T23:00:00Z'))).toBe(true)
    expect(holds(freeze, at('2026-11-23T05:59:00Z'))).toBe(true)
    expect(holds(freeze, at('2026-11-23T06:00:00Z'))).toBe(false)
    expect(holds(freeze, at('2026-11-22T05:00:00Z'))).toBe(false)
  })
  it('in a zone that nobody knows holds always', () => {
    expect(holds(weekly(['friday'], '17:00', '18:00', 'Nowhere/Else'), at('2026-11-23T05:59:00Z'))).toBe(true)
  })
  it('concerns its environments, and the weekend all of them', () => {
    const settings = {
      freezes: [{ ...weekly(['saturday'], '00:00', '00:00', 'UTC'), name: 'till', environments: ['production'] }],
      weekends_frozen: true,
      weekend_zone: '',
    } as unknown as GateSettings
    const names = (where: 'production' | 'staging', now: string) =>
      frozen(settings, where, at(now)).map(freeze => freeze.name)
    expect(names('production', '2026-11-21T12:00:00Z')).toEqual(['till', 'weekend'])
    expect(names('staging', '2026-11-22T12:00:00Z')).toEqual(['weekend'])
    expect(names('production', '2026-11-23T12:00:00Z')).toEqual([])
  })
})

/** A world whose every environment is frozen. */
function frozenWorld(): World {
  const world = makeWorld()
  world.gate.settings.freezes.push({
    name: "year's end",
    environments: [],
    reason: 'nobody is here',
    when: { kind: 'dates', from: '2020-01-01T00:00:00.000Z', to: '2999-01-01T00:00:00.000Z' },
  })
  return world
}
const FORM = '/t/northwind/capabilities?capability=linux.block_ip&target=sim%2Flab'
const changing = ({ method, path }: Call) =>
  method === 'GET' && path.includes('/capabilities')
    ? { status: 200, body: { items: capabilities.map(one => ({ ...one, purpose: 'change' })), next_cursor: null } }
    : undefined
const form = async () => within(await screen.findByRole('form', { name: 'Plan: Block an IP address' }))
const made = (calls: Call[]) => calls.find(c => c.method === 'POST' && c.path.endsWith('/plans'))?.body

describe('a plan in a freeze', () => {
  it('of something that changes is asked why the freeze is set aside', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp(FORM, frozenWorld(), changing)
    const plan = await form()
    await user.type(plan.getByLabelText('Address'), '203.0.113.66')
    const held = within(await plan.findByRole('region', { name: 'Change freeze' }))
    expect(held.getByText(/year's end/)).toBeVisible()
    expect(held.getByText(/Everybody is told at once, and the plan needs its approvals/)).toBeVisible()
    await user.type(held.getByLabelText('Why the freeze is set aside (optional)'), 'the outage is worse')
    await user.click(plan.getByRole('button', { name: 'Make plan' }))
    await screen.findByText(/A freeze was set aside by/)
    expect(made(calls)).toMatchObject({ freeze_override: 'the outage is worse' })
  })

  it('without a reason sets nothing aside', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp(FORM, frozenWorld(), changing)
    const plan = await form()
    await user.type(plan.getByLabelText('Address'), '203.0.113.66')
    await user.type(await plan.findByLabelText('Why the freeze is set aside (optional)'), '  ')
    await user.click(plan.getByRole('button', { name: 'Make plan' }))
    await waitFor(() => expect(made(calls)).toBeDefined())
    expect(made(calls)).not.toHaveProperty('freeze_override')
  })

  it('of something that contains goes on, and says so', async () => {
    await openApp(FORM, frozenWorld())
    const plan = await form()
    expect(await plan.findByText(/year's end\. This contains, so it goes on all the same/)).toBeVisible()
    expect(plan.queryByRole('region', { name: 'Change freeze' })).toBeNull()
  })

  it('where nothing is frozen says nothing of freezes', async () => {
    const { calls } = await openApp(FORM, makeWorld(), changing)
    const plan = await form()
    await waitFor(() => expect(calls.some(c => c.path.includes('/gate-settings'))).toBe(true))
    expect(plan.queryByText(/frozen/)).toBeNull()
  })

  it('is set aside only by who may approve', async () => {
    const world = frozenWorld()
    world.me.permissions = permissionsOf('analyst').filter((one: string) => one !== 'plan.approve')
    await openApp(FORM, world, changing)
    const plan = await form()
    const held = within(await plan.findByRole('region', { name: 'Change freeze' }))
    expect(held.getByText(/permission plan\.approve/)).toBeVisible()
    expect(held.queryByRole('textbox')).toBeNull()
  })
})

describe('a plan that only a freeze denies', () => {
  const denied = (codes: string[]) => {
    const world = frozenWorld()
    const plan = world.plans[0]
    if (!plan) throw new Error('a plan is in the fixtures')
    plan.state = 'denied'
    Object.assign(plan.decision, { allow: false, denies: codes.map(code => ({ code, detail: `${code} holds` })) })
    return { world, id: plan.id }
  }

  it('is planned again in spite of it, with a reason', async () => {
    const user = userEvent.setup()
    const { world, id } = denied(['change_freeze'])
    const { calls } = await openApp(`/t/northwind/plans/${id}`, world)
    await user.click(await screen.findByRole('button', { name: 'Set the freeze aside…' }))
    const dialog = within(await screen.findByRole('dialog'))
    expect(await dialog.findByText(/Everybody is told at once. Nothing runs by this/)).toBeVisible()
    await user.type(dialog.getByLabelText('Reason'), 'the outage is worse')
    await user.click(dialog.getByRole('button', { name: 'Plan in spite of it' }))
    expect(await screen.findByText(/A freeze was set aside by/)).toHaveTextContent('the outage is worse')
    expect(calls.find(c => c.path.endsWith('/replan'))?.body).toEqual({ freeze_override: 'the outage is worse' })
  })

  it('and one that something else denies too is not offered that', async () => {
    const { world, id } = denied(['change_freeze', 'protected_target'])
    await openApp(`/t/northwind/plans/${id}`, world)
    await screen.findByText(/protected_target holds/)
    expect(screen.queryByRole('button', { name: 'Set the freeze aside…' })).toBeNull()
  })
})
