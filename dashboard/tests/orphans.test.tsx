import { screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it } from 'vitest'
import type { Orphan, Target } from '@/api/types'
import { makeWorld } from './fixtures/api.mjs'
import { openApp } from './harness'

const orphanOn = (target: Target): Orphan => ({
  target_id: target.id,
  target: { kind: target.kind, name: target.name },
  simulated: false,
  demo: false,
  capability: 'linux.block_ip',
  key: '203.0.113.66',
  action_id: 'act_01h455vb4pex5vsknk084sn02q',
  params: { address: '203.0.113.66' },
  detail: '203.0.113.66 is blocked in table inet shieldops',
  expires_at: null,
  plan_id: null,
})

describe('orphans', () => {
  it('are listed under their target, and undone by a plan that says why', async () => {
    const user = userEvent.setup()
    const world = makeWorld()
    const target = world.targets[0] as Target
    world.orphans = [orphanOn(target)]
    const { calls } = await openApp('/settings?tab=targets', world)
    const list = await screen.findByRole('list', { name: 'Orphans by target' })
    expect(await within(list).findByText(/203\.0\.113\.66 is blocked .* names action 4sn02q/)).toBeVisible()
    await user.click(within(list).getByRole('button', { name: 'Undo…' }))
    await user.type(await screen.findByLabelText(/Reason/), 'nobody wants it')
    await user.click(screen.getByRole('button', { name: 'Plan the undo' }))
    await waitFor(() => expect(within(list).getByRole('link', { name: /Plan .* is open/ })).toBeVisible())
    expect(calls.find(c => c.path.endsWith('/orphans/undo'))?.body).toEqual({
      capability: 'linux.block_ip',
      key: '203.0.113.66',
      action_id: 'act_01h455vb4pex5vsknk084sn02q',
      reason: 'nobody wants it',
    })
  })

  it('are none where none was found', async () => {
    await openApp('/settings?tab=targets')
    const list = await screen.findByRole('list', { name: 'Orphans by target' })
    expect((await within(list).findAllByText('None')).length).toBeGreaterThan(0)
  })
})
