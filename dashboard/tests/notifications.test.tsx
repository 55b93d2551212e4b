import { screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it } from 'vitest'
import { makeWorld } from './fixtures/api.mjs'
import { permissionsOf } from './fixtures/tenancy.mjs'
import { openApp } from './harness'

const PAGE = '/t/northwind/notifications'
const as = (role: string, world = makeWorld()) => {
  world.me.user.role = role
  world.me.permissions = permissionsOf(role)
  return world
}
const rows = () =>
  within(screen.getByRole('table', { name: 'Letters' }))
    .getAllByRole('row')
    .slice(1)

describe('letters', () => {
  it('say what was told to whom by which way, and what became of it', async () => {
    await openApp(PAGE)
    await screen.findByRole('table', { name: 'Letters' })
    const [queued, retrying, sent, dead] = rows().map(row => row.textContent ?? '')
    expect(queued).toMatch(/Queued.*Approval needed.*mira@northwind.example.*E-mail.*goes in/)
    expect(retrying).toMatch(/Retrying.*Webhook.*tried 3 times, again in.*answered 503/)
    expect(sent).toMatch(/Delivered.*delivered/)
    expect(dead).toMatch(/Failed.*tried 12 times, given up.*550 no such user/)
  })

  it('are filtered by the server, and the address keeps the filter', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp(PAGE)
    await screen.findByRole('table', { name: 'Letters' })
    await user.selectOptions(screen.getByLabelText('State'), 'dead')
    await waitFor(() => expect(rows()).toHaveLength(1))
    expect(calls.some(c => c.path.includes('/notifications/outbox?state=dead'))).toBe(true)
    expect(location.search).toBe('?state=dead')
    await user.selectOptions(screen.getByLabelText('Way'), 'webhook')
    expect(await screen.findByText('No letter fits these filters')).toBeVisible()
    await user.click(screen.getByRole('button', { name: 'Clear filters' }))
    await waitFor(() => expect(rows()).toHaveLength(4))
  })

  it('are none where nobody was told of anything, and an error says so', async () => {
    const world = makeWorld()
    world.notices.letters = []
    const { unmount } = await openApp(PAGE, world)
    expect(await screen.findByText('Nobody was told of anything yet')).toBeVisible()
    unmount()
    await openApp(PAGE, makeWorld(), call =>
      call.path.includes('/outbox')
        ? { status: 422, body: { title: 'No', status: 422, code: 'invalid_request', detail: 'no such filter' } }
        : undefined,
    )
    expect(await screen.findByText('Letters could not be read')).toBeVisible()
    expect(screen.getByText('no such filter')).toBeVisible()
  })

  it('are not for who may not read the settings', async () => {
    const { calls } = await openApp(PAGE, as('viewer'))
    expect(await screen.findByText('settings.read')).toBeVisible()
    expect(calls.some(c => c.path.includes('/notifications'))).toBe(false)
  })
})

describe('the ways', () => {
  it('are shown without the secret, and changed over the version that was seen', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp(PAGE)
    expect(await screen.findByText('https://hooks.northwind.example/shieldops')).toBeVisible()
    expect(screen.getByText(/1 member has no address/)).toBeVisible()
    await user.click(screen.getByRole('button', { name: 'Change…' }))
    const dialog = within(await screen.findByRole('dialog'))
    await user.click(dialog.getByRole('checkbox'))
    await user.click(dialog.getByRole('button', { name: 'Save' }))
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
    const sent = calls.find(c => c.method === 'PUT')
    expect(sent?.headers.get('if-match')).toBe('"3"')
    expect(sent?.body).toEqual({ email: false, webhook: { url: 'https://hooks.northwind.example/shieldops' } })
    expect(await screen.findByText('Switched off for this tenant.', { exact: false })).toBeVisible()
  })

  it('want a secret for a new webhook: one is made, long enough and shown once', async () => {
    const user = userEvent.setup()
    const world = makeWorld()
    world.notices.ways.webhook = null
    const { calls } = await openApp(PAGE, world)
    await user.click(await screen.findByRole('button', { name: 'Change…' }))
    const dialog = within(await screen.findByRole('dialog'))
    await user.type(dialog.getByLabelText('Address of the webhook'), 'https://a.example/h')
    expect(dialog.getByRole('button', { name: 'Save' })).toBeDisabled()
    await user.type(dialog.getByLabelText('Secret'), 'short')
    expect(dialog.getByRole('alert')).toHaveTextContent(/at least 32/)
    await user.click(dialog.getByRole('button', { name: 'Make one' }))
    await user.click(dialog.getByRole('button', { name: 'Save' }))
    await waitFor(() => expect(calls.some(c => c.method === 'PUT')).toBe(true))
    const body = calls.find(c => c.method === 'PUT')?.body as { webhook: { secret: string } }
    expect(body.webhook.secret.length).toBeGreaterThanOrEqual(32)
  })

  it('are tested by who may change them, and who may not is told why', async () => {
    const user = userEvent.setup()
    const { unmount } = await openApp(PAGE)
    await user.click(await screen.findByRole('button', { name: 'Send a test' }))
    await waitFor(() => expect(screen.getByText(/1 new letter/)).toBeVisible())
    unmount()
    await openApp(PAGE, as('operator'))
    expect(await screen.findByRole('button', { name: 'Send a test' })).toHaveAccessibleDescription(/settings\.write/)
  })
})
