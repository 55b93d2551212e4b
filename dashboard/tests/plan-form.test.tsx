import { screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it } from 'vitest'
import { ApiError } from '@/api/client'
import type { Capability } from '@/api/response-types'
import type { Target } from '@/api/types'
import { begun, concerned, type Draft, moved, titled } from '@/features/capabilities/drafts'
import { makeWorld } from './fixtures/api.mjs'
import { capabilities } from './fixtures/response.mjs'
import { type Call, openApp } from './harness'

const [block, collect, kill] = capabilities as unknown as Capability[]
const TARGETS = [{ name: 'sim/lab', kind: 'linux_host' }] as Target[]
const draft = (key: number, capability: Capability | undefined, typed = {}): Draft => ({
  ...begun(key, capability, { targets: TARGETS, entities: [], target: 'sim/lab' }),
  typed,
})
const refusal = (code: string, detail: string) => new ApiError(422, { title: '', status: 422, code, detail })

describe('actions in their order', () => {
  it('change places within the list', () => {
    expect(moved(['a', 'b', 'c'], 0, 1)).toEqual(['b', 'a', 'c'])
    expect(moved(['a', 'b', 'c'], 2, -1)).toEqual(['a', 'c', 'b'])
    expect(moved(['a', 'b'], 1, 1)).toEqual(['a', 'b'])
  })
  it('are told by the first of them and by how many there are', () => {
    const all = [draft(0, block, { address: '203.0.113.66' }), draft(1, collect)]
    expect(titled(all.slice(0, 1))).toBe('Block an IP address: 203.0.113.66 on sim/lab')
    expect(titled(all)).toBe('Block an IP address: 203.0.113.66 on sim/lab, and 1 more')
  })
})

describe('a refusal', () => {
  const all = [draft(7, block), draft(8, kill), draft(9, block)]
  it('is about the action whose place it names', () => {
    expect(concerned(refusal('invalid_params', 'actions/2/params/address: no address'), all)?.key).toBe(9)
    expect(concerned(refusal('invalid_request', 'actions[0].target: missing'), all)?.key).toBe(7)
  })
  it('is about the only action that has what it names', () => {
    expect(concerned(refusal('invalid_params', '`pid`: want a number'), all)?.key).toBe(8)
    expect(concerned(refusal('unknown_capability', 'there is no capability linux.kill_process'), all)?.key).toBe(8)
    expect(concerned(refusal('unknown_target', 'no target linux_host sim/lab is registered'), all)).toBeUndefined()
  })
  it('is about the plan where it may be about several, or about none', () => {
    expect(concerned(refusal('invalid_params', '`address`: no address'), all)).toBeUndefined()
    expect(concerned(refusal('rate_limited', 'later'), all)).toBeUndefined()
    expect(concerned(refusal('invalid_params', '`pid`: want a number'), [draft(0, kill)])).toBeUndefined()
    expect(concerned(new Error('`pid`: want a number'), all)).toBeUndefined()
  })
})

const FORM = '/t/northwind/capabilities?capability=linux.block_ip&target=sim%2Flab'
const form = async () => within(await screen.findByRole('form', { name: 'Plan: Block an IP address' }))
const made = (calls: Call[]) => calls.find(c => c.method === 'POST' && c.path.endsWith('/plans'))?.body
type Form = Awaited<ReturnType<typeof form>>
const action = (plan: Form, place: number) => within(plan.getByRole('group', { name: RegExp(`^Action ${place} of`) }))

async function two(override?: Parameters<typeof openApp>[2]) {
  const user = userEvent.setup()
  const { calls } = await openApp(FORM, makeWorld(), override)
  const plan = await form()
  await user.type(plan.getByLabelText('Address'), '203.0.113.66')
  await user.click(plan.getByRole('button', { name: 'Add another action' }))
  const what = action(plan, 2).getByLabelText('What is done')
  expect(what).toHaveFocus()
  await user.selectOptions(what, 'Kill a process')
  return { user, calls, plan }
}

describe('a plan of one action', () => {
  it('asks for nothing more than that action needs', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp(FORM)
    const plan = await form()
    expect(plan.queryByLabelText('What is done')).toBeNull()
    expect(plan.queryByRole('group', { name: 'When an action does not succeed' })).toBeNull()
    expect(plan.queryByRole('button', { name: /^Move|^Remove/ })).toBeNull()
    await user.type(plan.getByLabelText('Address'), '203.0.113.66')
    await user.click(plan.getByRole('button', { name: 'Make plan' }))
    await waitFor(() => expect(made(calls)).toMatchObject({ actions: [{ capability: 'linux.block_ip' }] }))
    expect(made(calls)).not.toHaveProperty('on_failure')
  })
})

describe('a plan of several actions', () => {
  it('is sent in the order in which they stand, with what happens on a failure', async () => {
    const { user, calls, plan } = await two()
    const second = action(plan, 2)
    expect(second.getByLabelText('Target')).toHaveValue('sim/lab')
    await user.type(second.getByLabelText('Pid'), '500')
    second.getByRole('button', { name: 'Move action 2 up' }).focus()
    await user.keyboard('{Enter}')
    expect(plan.getByRole('group', { name: 'Action 1 of 2: Kill a process' })).toBeVisible()
    expect(plan.getByRole('button', { name: 'Move action 1 down' })).toHaveFocus()
    expect(plan.getByText('Now action 1 of 2.')).toBeInTheDocument()
    await user.click(plan.getByRole('radio', { name: /undo what was done/ }))
    expect(plan.getByText('There is no undo of: Kill a process.')).toBeVisible()
    await user.click(plan.getByRole('button', { name: 'Make plan' }))
    expect(await screen.findByText(/those that were done are undone/)).toBeVisible()
    const target = { kind: 'linux_host', name: 'sim/lab' }
    expect(made(calls)).toEqual({
      title: 'Kill a process: 500 on sim/lab, and 1 more',
      actions: [
        { capability: 'linux.kill_process', target, params: { pid: 500 } },
        { capability: 'linux.block_ip', target, params: { address: '203.0.113.66' } },
      ],
      on_failure: 'undo',
    })
  })

  it('is not sent while one of them is not complete, and the focus goes there', async () => {
    const { user, calls, plan } = await two()
    await user.click(plan.getByRole('button', { name: 'Make plan' }))
    await waitFor(() => expect(action(plan, 2).getByLabelText('Pid')).toHaveFocus())
    expect(action(plan, 2).getByRole('alert')).toHaveTextContent('This is wanted.')
    expect(made(calls)).toBeUndefined()
  })

  it('is one action again when the other is removed', async () => {
    const { user, calls, plan } = await two()
    await user.click(plan.getByRole('radio', { name: /undo what was done/ }))
    await user.click(plan.getByRole('button', { name: 'Remove action 2' }))
    expect(plan.queryByRole('button', { name: /^Remove/ })).toBeNull()
    expect(plan.getByLabelText('Address')).toHaveValue('203.0.113.66')
    await user.click(plan.getByRole('button', { name: 'Make plan' }))
    await waitFor(() => expect(made(calls)).toBeDefined())
    expect(made(calls)).not.toHaveProperty('on_failure')
  })

  it('says on its page that what was done stays, where nothing else was chosen', async () => {
    const { user, plan } = await two()
    await user.type(action(plan, 2).getByLabelText('Pid'), '500')
    await user.click(plan.getByRole('button', { name: 'Make plan' }))
    expect(await screen.findByText(/those that were done stay, and the rest is skipped/)).toBeVisible()
    expect(screen.getByText('2 of 2')).toBeVisible()
  })

  it('that keeps another action than the page is about says which', async () => {
    const { user, plan } = await two()
    await user.click(plan.getByRole('button', { name: 'Remove action 1' }))
    expect(plan.getByLabelText('What is done')).toHaveValue('linux.kill_process')
  })

  it('shows a refusal at the action that it is about', async () => {
    const detail = '`pid`: that is the server itself'
    const { user, plan } = await two(({ method, path }) =>
      method === 'POST' && path.endsWith('/plans')
        ? { status: 422, body: { title: 'Parameters', status: 422, code: 'invalid_params', detail } }
        : undefined,
    )
    await user.type(action(plan, 2).getByLabelText('Pid'), '500')
    await user.click(plan.getByRole('button', { name: 'Make plan' }))
    expect(await action(plan, 2).findByRole('alert')).toHaveTextContent('that is the server itself')
    expect(plan.getAllByRole('alert')).toHaveLength(1)
    expect(plan.getByRole('group', { name: /^Action 2/ })).toHaveFocus()
  })

  it('is not lost by a look at another capability', async () => {
    const { user, plan } = await two()
    const other = screen.getByRole('button', { name: /^Collect evidence/ })
    await user.click(other)
    await user.click(await screen.findByRole('button', { name: 'Cancel' }))
    expect(plan.getByLabelText('Address')).toHaveValue('203.0.113.66')
    await user.click(other)
    await user.click(await screen.findByRole('button', { name: 'Leave it' }))
    expect(await screen.findByRole('form', { name: 'Plan: Collect evidence from a host' })).toBeVisible()
    await user.click(screen.getByRole('button', { name: /^Kill a process/ }))
    expect(await screen.findByRole('form', { name: 'Plan: Kill a process' })).toBeVisible()
  })

  it('has at most sixteen', async () => {
    const user = userEvent.setup()
    await openApp(FORM)
    const plan = await form()
    const add = plan.getByRole('button', { name: 'Add another action' })
    for (let more = 1; more < 16; more++) await user.click(add)
    expect(plan.getAllByRole('group', { name: /^Action/ })).toHaveLength(16)
    expect(add).toBeDisabled()
    expect(plan.getByText('A plan has at most 16 actions.')).toBeVisible()
  })
})
