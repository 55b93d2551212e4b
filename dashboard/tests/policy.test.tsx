import { screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it } from 'vitest'
import { makeWorld } from './fixtures/api.mjs'
import { permissionsOf } from './fixtures/tenancy.mjs'
import { openApp } from './harness'

const PATH = '/t/northwind/settings?tab=rules'

describe('the policy of a tenant', () => {
  it('is saved over the version that was seen; what is emptied is inherited', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp(PATH)
    const hours = await screen.findByLabelText('A session ends at the latest after (hours)')
    expect(screen.getByRole('button', { name: 'Save policy' })).toBeDisabled()
    await user.clear(hours)
    await user.type(screen.getByLabelText('Requests a second'), '20')
    await user.click(screen.getByRole('button', { name: 'Save policy' }))
    await waitFor(() => expect(calls.some(c => c.method === 'PUT')).toBe(true))
    const sent = calls.find(c => c.method === 'PUT')
    expect(sent?.headers.get('if-match')).toBe('"2"')
    expect(sent?.body).toMatchObject({ session_hours: null, limits: { interactive_per_s: 20 } })
  })

  it('names who holds both of a pair already', async () => {
    await openApp(PATH)
    const held = await screen.findByRole('list', { name: 'Held together already' })
    expect(held).toHaveTextContent('The key ci-of-old holds plan.create and plan.approve already')
  })

  it('takes a pair of duties once, and never one permission twice', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp(PATH)
    const [one, other] = [await screen.findByLabelText('One permission'), screen.getByLabelText('The other permission')]
    const add = screen.getByRole('button', { name: 'Add pair' })
    await within(one).findByRole('option', { name: 'plan.approve' })
    await user.selectOptions(one, 'plan.approve')
    await user.selectOptions(other, 'plan.approve')
    expect(add).toBeDisabled()
    await user.selectOptions(other, 'plan.create')
    expect(add).toBeDisabled()
    await user.selectOptions(other, 'role.write')
    await user.click(add)
    await user.click(screen.getByRole('button', { name: 'Save policy' }))
    await waitFor(() =>
      expect(calls.find(c => c.method === 'PUT')?.body).toMatchObject({
        separation_of_duty: [
          ['plan.create', 'plan.approve'],
          ['plan.approve', 'role.write'],
        ],
      }),
    )
  })

  it('goes back to an earlier version, which shows first what it changed', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp(PATH)
    const [newest] = await screen.findAllByRole('button', { name: 'What changed' })
    await user.click(newest as HTMLElement)
    const table = screen.getByRole('table', { name: 'What version 2 changed' })
    expect(within(table).getByText('session_hours')).toBeInTheDocument()
    await user.click(screen.getByRole('button', { name: 'Go back to it…' }))
    await user.click(await screen.findByRole('button', { name: 'Go back' }))
    await screen.findByText('Version 3')
    expect(calls.find(c => c.path.endsWith('/rollback'))?.body).toEqual({ version: 1 })
  })

  it('can be read and not changed by who may only read it', async () => {
    const world = makeWorld()
    world.me.user.role = 'operator'
    world.me.permissions = permissionsOf('operator')
    await openApp(PATH, world)
    expect(await screen.findByLabelText('Requests a second')).toBeDisabled()
    expect(screen.getByRole('button', { name: 'Save policy' })).toHaveAccessibleDescription(/settings\.write/)
  })

  it('shows every field that the server refused', async () => {
    const user = userEvent.setup()
    const detail = 'want 1 to 50, which the installation allows, found 90'
    await openApp(PATH, makeWorld(), call =>
      call.method === 'PUT'
        ? {
            status: 400,
            body: {
              title: 'x',
              status: 400,
              code: 'invalid_request',
              detail: 'the settings are not valid',
              errors: [{ code: 'limits.interactive_per_s', detail }],
            },
          }
        : undefined,
    )
    await user.type(await screen.findByLabelText('Requests a second'), '9')
    await user.click(screen.getByRole('button', { name: 'Save policy' }))
    expect(await screen.findByText(detail, { exact: false })).toBeInTheDocument()
    expect(screen.getByText('limits.interactive_per_s')).toBeInTheDocument()
  })
})

describe('sessions', () => {
  it('are one’s own first; everybody’s for who may see them, and each can be ended', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp('/t/northwind/settings?tab=sessions')
    expect(await screen.findByText('Chrome on Linux')).toBeInTheDocument()
    expect(screen.queryByText('Firefox on Windows')).toBeNull()
    await user.click(screen.getByRole('button', { name: 'Everybody’s' }))
    const row = (await screen.findByText('Firefox on Windows')).closest('tr') as HTMLElement
    await user.click(within(row).getByRole('button', { name: 'End…' }))
    await user.click(await screen.findByRole('button', { name: 'End session' }))
    await waitFor(() => expect(screen.queryByText('Firefox on Windows')).toBeNull())
    expect(calls.find(c => c.method === 'DELETE')?.headers.get('if-match')).toBe('*')
  })
})
