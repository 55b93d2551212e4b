import { screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it } from 'vitest'
import type { Target } from '@/api/types'
import { makeWorld } from './fixtures/api.mjs'
import { openApp } from './harness'

const PAGE = '/t/northwind/settings?tab=targets'
const KEY = '-----BEGIN OPENSSH PRIVATE KEY-----'
const dialogOf = async () => within(await screen.findByRole('dialog'))

function withSsh() {
  const world = makeWorld()
  const target = Object.assign(world.targets[1] ?? {}, {
    name: 'ssh/web-1',
    ssh: {
      address: 'web-1.example',
      port: 22,
      user: 'shieldops',
      host_key: 'ssh-ed25519 AAAA',
      key_fingerprint: 'SHA256:x',
    },
  }) as Target
  return { world, target }
}

describe('a target over SSH', () => {
  it('is registered with its way in, its own key and a private key', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp(PAGE)
    await user.click(await screen.findByRole('button', { name: 'Register a target' }))
    const dialog = await dialogOf()
    expect(dialog.queryByLabelText('Address')).toBeNull()
    await user.type(dialog.getByLabelText('Name'), 'ssh/web-1')
    await user.type(dialog.getByLabelText('Address'), 'web-1.example')
    await user.type(dialog.getByLabelText('User'), 'shieldops')
    await user.type(dialog.getByLabelText('The host’s own key'), 'ssh-ed25519 AAAA')
    await user.type(dialog.getByLabelText('Private key'), KEY)
    await user.click(dialog.getByRole('button', { name: 'Register' }))
    await waitFor(() => expect(calls.some(c => c.method === 'POST' && c.path.endsWith('/targets'))).toBe(true))
    expect(calls.find(c => c.method === 'POST' && c.path.endsWith('/targets'))?.body).toMatchObject({
      name: 'ssh/web-1',
      ssh: { address: 'web-1.example', port: 22, user: 'shieldops', known_hosts: 'ssh-ed25519 AAAA', private_key: KEY },
    })
  })

  it('shows how it is reached, and keeps its key where none is typed', async () => {
    const user = userEvent.setup()
    const { world, target } = withSsh()
    const { calls } = await openApp(PAGE, world)
    const row = within(await screen.findByRole('row', { name: /ssh\/web-1/ }))
    expect(row.getByText('shieldops@web-1.example, port 22')).toBeVisible()
    const sent = () => calls.findLast(c => c.method === 'PATCH' && c.path.endsWith(target.id))?.body
    await user.click(row.getByRole('button', { name: 'Edit' }))
    await user.type((await dialogOf()).getByLabelText('Owner'), 'ops')
    await user.click((await dialogOf()).getByRole('button', { name: 'Save' }))
    await waitFor(() => expect(sent()).toBeDefined())
    expect(sent()).not.toHaveProperty('ssh')
    await user.click(row.getByRole('button', { name: 'Edit' }))
    const dialog = await dialogOf()
    expect(dialog.getByText(/SHA256:x/)).toBeVisible()
    await user.type(dialog.getByLabelText('Port'), '22')
    await user.click(dialog.getByRole('button', { name: 'Save' }))
    await waitFor(() => expect(sent()).toHaveProperty('ssh'))
    expect(sent()).toMatchObject({ ssh: { port: 2222, known_hosts: 'ssh-ed25519 AAAA' } })
    expect((sent() as { ssh: object }).ssh).not.toHaveProperty('private_key')
  })
})
