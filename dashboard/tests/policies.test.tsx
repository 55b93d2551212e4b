import { screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it } from 'vitest'
import type { PolicyDetail } from '@/api/policies'
import { lookOf, told, whyNotActivate } from '@/features/policies/state'
import { ME, makeWorld } from './fixtures/api.mjs'
import { report } from './fixtures/policies.mjs'
import { permissionsOf } from './fixtures/tenancy.mjs'
import { openApp } from './harness'

const PAGE = '/t/northwind/policies'
const reader = () => {
  const world = makeWorld()
  world.me.user.role = 'viewer'
  world.me.permissions = permissionsOf('viewer')
  return world
}

describe('how a version stands', () => {
  it('is told by its tests until it was in force', () => {
    const of = (state: PolicyDetail['state'], tests_passed: number, tests_failed: number) =>
      lookOf({ state, tests_passed, tests_failed }).label
    expect(of('draft', 0, 0)).toBe('written')
    expect(of('draft', 2, 0)).toBe('tests passed')
    expect(of('draft', 2, 1)).toBe('tests fail')
    expect(of('in_force', 2, 1)).toBe('in force')
    expect(of('superseded', 2, 0)).toBe('was in force')
  })
  it('says why this person cannot put it in force', () => {
    const version = (missing: string[], by = 'usr_other') => ({ missing, by }) as PolicyDetail
    expect(whyNotActivate(version([]), ME)).toBeNull()
    expect(whyNotActivate(version([], ME), ME)).toMatch(/You wrote it/)
    expect(whyNotActivate(version(['tests_failed', 'replay_missing']), ME)).toMatch(
      /Its tests fail\. It was not replayed/,
    )
    expect(whyNotActivate(version(['tests_missing']), ME)).toMatch(/It has no tests/)
  })
  it('is a sentence for its replay', () => {
    const some = report()
    expect(told(some)).toBe('4 of 312 decisions would differ; 2 could not be replayed')
    expect(told({ ...some, newly_denied: 0, otherwise: 0, not_replayable: 0 })).toBe(
      'none of 312 decisions would differ',
    )
  })
})

describe('policies', () => {
  it('built in are read file by file', async () => {
    const user = userEvent.setup()
    await openApp(PAGE)
    expect(await screen.findByText('built in and version 1')).toBeVisible()
    await user.click(screen.getByRole('tab', { name: 'Built in' }))
    const files = within(await screen.findByRole('navigation', { name: 'Built-in files' }))
    expect(files.getAllByRole('button').map(b => b.textContent)).toEqual([
      'policies/approvals.rego',
      'policies/approvals_test.regotest',
      'policies/limits.rego',
    ])
    await user.click(files.getByRole('button', { name: 'policies/limits.rego' }))
    expect(await screen.findByLabelText('Text of policies/limits.rego')).toHaveTextContent('package shieldops.limits')
    expect(location.search).toBe('?tab=built-in&id=policies/limits.rego')
  })

  it('of one’s own show how far each is, what it changes and what it would have decided', async () => {
    const user = userEvent.setup()
    const { world } = await openApp(PAGE)
    const version = within(await screen.findByRole('region', { name: 'Version 1' }))
    const steps = within(version.getByRole('list', { name: 'How far it is' }))
    expect(steps.getAllByRole('listitem').map(li => li.textContent)).toEqual([
      expect.stringMatching(/^Done: Writtenby Lars Jensen/),
      expect.stringMatching(/^Done: Tests passedall 1/),
      expect.stringMatching(/^Done: Replayed4 of 312 decisions would differ/),
      expect.stringMatching(/^Done: In forceput in force by Mira Okafor.*: agreed/),
    ])
    await user.click(version.getByRole('tab', { name: 'Replay' }))
    const differ = within(await version.findByRole('table', { name: 'Decisions that differ' }))
    const [, denied, more] = differ.getAllByRole('row')
    expect(denied).toHaveTextContent(/allowed1 approvaldenied\+ no changes on the till during opening hours quiet/)
    expect(more).toHaveTextContent('1 approval to 2')
    const link = within(denied as HTMLElement).getByRole('link')
    expect(link.getAttribute('href')).toBe(`/t/northwind/plans/${world.plans[0]?.id}`)
    expect(version.getByRole('table', { name: 'Not replayable' })).toHaveTextContent('an older release')
    expect(version.getByText('The first 2 of 4 are listed; all are counted.')).toBeVisible()
    await user.click(screen.getByRole('button', { name: /^Version 3/ }))
    const newest = within(await screen.findByRole('region', { name: 'Version 3' }))
    await user.click(newest.getByRole('tab', { name: 'Changes to version 1' }))
    const diff = await newest.findByRole('table', { name: 'What changed in nights.rego' })
    expect(diff.querySelector('[data-kind=added]')).toHaveTextContent('opening hours or evenings')
  })

  it('are put in force by another than their author, after a replay', async () => {
    const user = userEvent.setup()
    const { calls, world } = await openApp(`${PAGE}?id=3`)
    const activate = await screen.findByRole('button', { name: 'Activate…' })
    expect(activate).toHaveAccessibleDescription(/It was not replayed/)
    await user.click(screen.getByRole('button', { name: 'Run replay' }))
    await waitFor(() => expect(calls.find(c => c.path.endsWith('/replays') && c.method === 'POST')).toBeDefined())
    await waitFor(() => expect(screen.getByRole('button', { name: 'Activate…' })).not.toHaveAccessibleDescription())
    await user.click(screen.getByRole('button', { name: 'Activate…' }))
    await user.type(await screen.findByLabelText('Reason'), 'the tills close late')
    await user.click(screen.getByRole('button', { name: 'Put in force' }))
    await waitFor(() => expect(world.policies.number).toBe(3))
    expect(calls.find(c => c.path.endsWith('/versions/3/activate'))?.body).toEqual({ reason: 'the tills close late' })
    expect(await screen.findByText('built in and version 3')).toBeVisible()
    await user.click(await screen.findByRole('button', { name: /^Version 1/ }))
    expect(await screen.findByRole('button', { name: 'Go back to it…' })).toBeEnabled()
  })

  it('that one wrote, or whose tests fail, wait for somebody and something else', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp(`${PAGE}?id=2&view=tests`)
    const activate = await screen.findByRole('button', { name: 'Activate…' })
    expect(activate).toHaveAccessibleDescription('You wrote it: another person must put it in force')
    await user.click(activate)
    expect(screen.queryByRole('dialog')).toBeNull()
    expect(calls.some(c => c.path.includes('/activate'))).toBe(false)
    const tests = within(await screen.findByRole('table', { name: 'Tests' }))
    expect(tests.getByText('it is false')).toBeVisible()
    expect(tests.getByText('failed')).toBeVisible()
  })

  it('are taken out of force by two', async () => {
    const user = userEvent.setup()
    const { calls, world } = await openApp(PAGE)
    await user.click(await screen.findByRole('button', { name: 'Deactivate…' }))
    await user.type(await screen.findByLabelText('Reason'), 'too strict')
    await user.click(screen.getByRole('button', { name: 'Ask for it' }))
    expect(await screen.findByText(/waits for a second person/)).toBeVisible()
    expect(calls.find(c => c.path.endsWith('/deactivate'))?.body).toEqual({ reason: 'too strict' })
    expect(world.policies.number).toBe(1)
  })

  it('are read by who may not change them, who is told why; none of one’s own is no error', async () => {
    const { unmount } = await openApp(PAGE, reader())
    expect(await screen.findByRole('button', { name: 'Deactivate…' })).toHaveAccessibleDescription(/settings\.write/)
    unmount()
    const world = makeWorld()
    Object.assign(world.policies, { number: 0, versions: [], replays: [] })
    await openApp(PAGE, world)
    expect(await screen.findByText('No policies of your own')).toBeVisible()
    expect(screen.getByText('built in only')).toBeVisible()
  })

  it('that do not load say so: everything is denied', async () => {
    await openApp(PAGE, makeWorld(), call =>
      call.path.endsWith('/api/v1/policies')
        ? {
            status: 200,
            body: {
              number: 1,
              policy_hash: null,
              built_in_hash: 'ab',
              loads: false,
              errors: [{ file: 'nights.rego', line: 3, why: 'plan.changing is not there any more' }],
              activated: null,
              newest: null,
            },
          }
        : undefined,
    )
    const alert = await screen.findByRole('alert')
    expect(alert).toHaveTextContent(/every plan is denied/)
    expect(alert).toHaveTextContent('nights.rego:3 plan.changing is not there any more')
  })
})
