import { screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it } from 'vitest'
import { lowered } from '@/features/settings/target-dialog'
import { makeWorld } from './fixtures/api.mjs'
import { permissionsOf } from './fixtures/tenancy.mjs'
import { openApp } from './harness'

const at = (tab: string) => `/t/northwind/settings?tab=${tab}`
const reader = () => {
  const world = makeWorld()
  world.me.user.role = 'viewer'
  world.me.permissions = permissionsOf('viewer')
  return world
}
type User = ReturnType<typeof userEvent.setup>

async function giveReason(user: User, verb: string, text = 'a try') {
  const dialog = await screen.findByRole('dialog')
  await user.type(await within(dialog).findByLabelText('Reason'), text)
  await user.click(within(dialog).getByRole('button', { name: verb }))
  await waitFor(() => expect(screen.queryByRole('dialog')).not.toBeInTheDocument())
}

async function setRestarts(user: User, number: string) {
  const field = await screen.findByLabelText('Restarts of one target an hour')
  await user.clear(field)
  await user.type(field, number)
  await user.click(screen.getByRole('button', { name: 'Write a draft…' }))
  await giveReason(user, 'Write draft')
}

describe('response limits', () => {
  it('are written as a draft over the version that was seen; its author waits for another person', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp(at('limits'))
    await setRestarts(user, '9')
    const sent = calls.find(c => c.method === 'PUT')
    expect(sent?.headers.get('if-match')).toBe('"1"')
    expect(sent?.body).toMatchObject({ reason: 'a try', settings: { numbers: { restarts_per_hour: 9 } } })
    expect(await screen.findByText('takes two')).toBeVisible()
    const put = screen.getByRole('button', { name: 'Put in force…' })
    expect(put).toHaveAccessibleDescription(/another person/)
    await user.click(put)
    expect(calls.some(c => c.path.includes('/activate'))).toBe(false)
  })

  it('that only tighten are put in force by whoever wrote them', async () => {
    const user = userEvent.setup()
    const { world } = await openApp(at('limits'))
    await setRestarts(user, '2')
    expect(await screen.findByText('only tightens')).toBeVisible()
    await user.click(screen.getByRole('button', { name: 'Put in force…' }))
    await giveReason(user, 'Put in force')
    await waitFor(() => expect(world.gate.number).toBe(2))
    expect(await screen.findByText('version 2 is in force')).toBeVisible()
  })

  it('are read and not changed by a viewer', async () => {
    await openApp(at('limits'), reader())
    expect(await screen.findByLabelText('Restarts of one target an hour')).toBeDisabled()
    expect(screen.getByRole('button', { name: 'Write a draft…' })).toHaveAccessibleDescription(/settings\.write/)
  })

  it('that the server refuses are named field by field', async () => {
    const user = userEvent.setup()
    const problem = {
      title: 'The request is not valid',
      status: 400,
      code: 'invalid_request',
      detail: 'the settings are not valid',
      errors: [{ code: 'numbers.vote_void_s', detail: 'must be 1 to 2592000 seconds' }],
    }
    await openApp(at('limits'), makeWorld(), call =>
      call.method === 'PUT' ? { status: 400, body: problem } : undefined,
    )
    const field = await screen.findByLabelText('Restarts of one target an hour')
    await user.type(field, '1')
    await user.click(screen.getByRole('button', { name: 'Write a draft…' }))
    const dialog = await screen.findByRole('dialog')
    await user.type(await within(dialog).findByLabelText('Reason'), 'a try')
    await user.click(within(dialog).getByRole('button', { name: 'Write draft' }))
    expect(await within(dialog).findByText(/numbers\.vote_void_s/)).toBeInTheDocument()
  })
})

describe('what is protected', () => {
  it('grows by an entry and loses one, in one draft', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp(at('protected'))
    await user.click(await screen.findByRole('button', { name: 'No longer protect 198.51.100.53' }))
    await user.selectOptions(screen.getByLabelText('Kind'), 'user')
    await user.type(screen.getByLabelText('What to protect'), 'backup')
    await user.type(screen.getByLabelText('Why it is protected'), 'the nightly copy')
    await user.click(screen.getByRole('button', { name: 'Add entry' }))
    await user.click(screen.getByRole('button', { name: 'Write a draft…' }))
    await giveReason(user, 'Write draft')
    expect(calls.find(c => c.method === 'PUT')?.body).toMatchObject({
      settings: { protected: [{ kind: 'user', value: 'backup', why: 'the nightly copy' }] },
    })
  })
})

describe('effects on what is protected', () => {
  it('are named, and undone with a reason', async () => {
    const user = userEvent.setup()
    const world = makeWorld()
    const action = world.plans[0]?.actions[0]
    world.gate.effects = [
      {
        action_id: action?.id ?? '',
        capability: 'linux.block_ip',
        target: { kind: 'linux_host', name: 'sim/web-01' },
        entry: { kind: 'range', value: '203.0.113.0/28', why: 'the resolvers' },
      },
    ]
    const { calls } = await openApp(at('protected'), world)
    const table = await screen.findByRole('table', { name: 'Effects on what is protected' })
    expect(within(table).getByText('the resolvers')).toBeVisible()
    await user.click(within(table).getByRole('button', { name: 'Undo linux.block_ip' }))
    await giveReason(user, 'Undo', 'it is ours')
    expect(calls.find(c => c.path.endsWith(`/actions/${action?.id}/undo`))?.body).toEqual({ reason: 'it is ours' })
  })
})

describe('teams', () => {
  it('have a name, labels and members', async () => {
    const user = userEvent.setup()
    const { calls, world } = await openApp(at('teams'))
    await user.click(await screen.findByRole('button', { name: 'New team' }))
    const dialog = await screen.findByRole('dialog')
    expect(within(dialog).getByRole('button', { name: 'Take it' })).toBeDisabled()
    await user.type(within(dialog).getByLabelText('Name'), 'web')
    await user.type(within(dialog).getByLabelText('Labels of its targets'), 'team=web')
    await user.click(await within(dialog).findByLabelText(world.users[1]?.name ?? ''))
    await user.click(within(dialog).getByRole('button', { name: 'Take it' }))
    await user.click(screen.getByRole('button', { name: 'Write a draft…' }))
    await giveReason(user, 'Write draft')
    expect(calls.find(c => c.method === 'PUT')?.body).toMatchObject({
      settings: { teams: [{ name: 'web', labels: { team: 'web' }, members: [world.users[1]?.id] }] },
    })
  })
})

describe('autonomy', () => {
  it('is lowered at once', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp(at('autonomy'))
    await user.selectOptions(await screen.findByLabelText('Autonomy: The whole tenant'), '1')
    await giveReason(user, 'Set it', 'a calm week')
    expect(calls.find(c => c.method === 'PUT')?.body).toEqual({ level: 1, reason: 'a calm week' })
    await waitFor(() => expect(screen.getByLabelText('Autonomy: The whole tenant')).toHaveValue('1'))
  })

  it('waits for a second person where automation would act, who is not the one who asked', async () => {
    const user = userEvent.setup()
    await openApp(at('autonomy'))
    await user.selectOptions(await screen.findByLabelText('Autonomy: Staging'), '4')
    await giveReason(user, 'Set it')
    expect(screen.getByLabelText('Autonomy: Staging')).toHaveValue('')
    await screen.findByText('Levels that wait for a second person')
    expect(screen.getByRole('button', { name: 'Confirm…' })).toHaveAccessibleDescription(/another person/)
  })

  it('that the system lowered is asked back', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp(at('autonomy'))
    expect(await screen.findByText('one of its actions failed')).toBeVisible()
    await user.click(screen.getByRole('button', { name: 'Ask to raise it…' }))
    await giveReason(user, 'Ask for it', 'mended')
    expect(calls.find(c => c.path.endsWith('/autonomy/restore'))?.body).toEqual({
      capability: 'linux.block_ip',
      target: null,
      reason: 'mended',
    })
  })

  it('is frozen on days of the week in a time zone', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp(at('autonomy'))
    await user.click(await screen.findByRole('button', { name: 'New freeze' }))
    const dialog = await screen.findByRole('dialog')
    await user.type(within(dialog).getByLabelText('Name'), 'nights')
    await user.selectOptions(within(dialog).getByLabelText('When'), 'weekly')
    await user.click(within(dialog).getByLabelText('Friday'))
    await user.click(within(dialog).getByLabelText('Production'))
    await user.type(within(dialog).getByLabelText('Reason'), 'nobody is there')
    await user.click(within(dialog).getByRole('button', { name: 'Take it' }))
    await user.click(screen.getByRole('button', { name: 'Write a draft…' }))
    await giveReason(user, 'Write draft')
    const freeze = { name: 'nights', environments: ['production'], when: { kind: 'weekly', days: ['friday'] } }
    expect(calls.find(c => c.method === 'PUT')?.body).toMatchObject({ settings: { freezes: [freeze] } })
  })
})

describe('standing grants', () => {
  it('are made for something and for a time, and ended at once', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp(at('standing'))
    await user.click(await screen.findByRole('button', { name: 'End the grant for linux.block_ip' }))
    await user.click(await screen.findByRole('button', { name: 'End grant' }))
    await screen.findByText('ended by Mira')
    expect(calls.find(c => c.method === 'DELETE')?.headers.get('if-match')).toBe('"1"')
    await user.click(screen.getByRole('button', { name: 'New grant' }))
    const dialog = await screen.findByRole('dialog')
    const grant = within(dialog).getByRole('button', { name: 'Grant' })
    await user.selectOptions(await within(dialog).findByLabelText('What automation may do'), 'linux.block_ip')
    await user.type(within(dialog).getByLabelText('Reason'), 'the night')
    expect(grant).toBeDisabled()
    await user.type(within(dialog).getByLabelText('Or every target with these labels'), 'team=web')
    await user.click(grant)
    await waitFor(() => expect(screen.queryByRole('dialog')).not.toBeInTheDocument())
    expect(calls.find(c => c.method === 'POST' && c.path.endsWith('/standing-grants'))?.body).toMatchObject({
      capability: 'linux.block_ip',
      environment: 'production',
      labels: { team: 'web' },
      targets: [],
    })
  })
})

describe('what waits for a second person', () => {
  it('is shown with what it changes, and confirmed', async () => {
    const user = userEvent.setup()
    const { world } = await openApp(at('changes'))
    await user.click(await screen.findByRole('button', { name: 'What it changes' }))
    const table = screen.getByRole('table', { name: 'What Target sim/web-01 changes' })
    expect(within(table).getByText('staging')).toBeInTheDocument()
    await user.click(screen.getByRole('button', { name: 'Confirm…' }))
    await user.click(await screen.findByRole('button', { name: 'Confirm change' }))
    await screen.findByText(/Nothing waits/)
    expect(world.gate.changes[0]?.state).toBe('confirmed')
  })

  it('is nothing for who may not read it, and an error says so', async () => {
    const world = makeWorld()
    world.me.permissions = world.me.permissions.filter(one => one !== 'automation.read')
    await openApp(at('changes'), world)
    expect(await screen.findByText(/automation\.read/)).toBeVisible()
  })

  it('says what failed, and offers to try again', async () => {
    const problem = { title: 'Storage failed', status: 500, code: 'storage', detail: 'Check the disk.' }
    await openApp(at('standing'), makeWorld(), call =>
      call.path.includes('/standing-grants') ? { status: 500, body: problem } : undefined,
    )
    expect(await screen.findByText(/Check the disk/)).toBeVisible()
  })
})

it('a target is lowered by what holds actions back less, and by any other label', () => {
  const row = { environment: 'staging', criticality: 'medium', labels: { a: '1' }, protected: true } as const
  expect(lowered(row, { ...row, environment: 'development' })).toBe(true)
  expect(lowered(row, { ...row, criticality: 'low' })).toBe(true)
  expect(lowered(row, { ...row, protected: false })).toBe(true)
  expect(lowered(row, { ...row, labels: { a: '2' } })).toBe(true)
  expect(lowered(row, { ...row, environment: 'production', criticality: 'high' })).toBe(false)
})
