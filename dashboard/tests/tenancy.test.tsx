import { screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it, vi } from 'vitest'
import { makeWorld } from './fixtures/api.mjs'
import { permissionsOf } from './fixtures/tenancy.mjs'
import { openApp } from './harness'

const refusal = (status: number, code: string, detail = code) => ({
  status,
  body: { title: code, status, code, detail },
})
const as = (role: string) => {
  const world = makeWorld()
  world.me.user.role = role
  world.me.operator = false
  world.me.permissions = permissionsOf(role)
  return world
}

describe('the tenant of a page', () => {
  it('comes into the address by itself, and every later request names it', async () => {
    const { calls } = await openApp('/ledger')
    await screen.findByRole('heading', { name: 'Ledger' })
    expect(location.pathname).toBe('/t/northwind/ledger')
    const [me, ...rest] = calls
    expect(me?.headers.get('shieldops-tenant')).toBeNull()
    expect(rest.length).toBeGreaterThan(0)
    expect(new Set(rest.map(c => c.headers.get('shieldops-tenant')))).toEqual(new Set(['northwind']))
  })

  it('is switched from the menu by keyboard, to the same list of the other tenant', async () => {
    const user = userEvent.setup()
    await openApp('/t/northwind/ledger')
    await screen.findByRole('heading', { name: 'Ledger' })
    const went = vi.spyOn(location, 'assign').mockImplementation(() => {})
    screen.getByRole('button', { name: /^Northwind/ }).focus()
    await user.keyboard('{Enter}')
    await user.click(screen.getByRole('menuitem', { name: /Contoso/, hidden: true }))
    expect(went).toHaveBeenCalledWith('/t/contoso/ledger')
  })

  it('that is not one’s own is not told from one that is not there', async () => {
    await openApp('/t/elsewhere/alerts', makeWorld(), call =>
      call.path === '/api/v1/me' ? refusal(404, 'not_found') : undefined,
    )
    expect(await screen.findByText('There is no such tenant here')).toBeInTheDocument()
    expect(screen.getByRole('button', { name: 'Go to your own tenant' })).toBeInTheDocument()
  })

  it('says that it is locked, or suspended and what then cannot be done', async () => {
    const world = makeWorld()
    world.me.tenant.state = 'suspended'
    await openApp('/t/northwind/settings?tab=keys', world)
    expect(await screen.findByText('Northwind is suspended.')).toBeInTheDocument()
    const make = await screen.findByRole('button', { name: 'New key' })
    expect(make).toHaveAttribute('aria-disabled', 'true')
    expect(make).toHaveAccessibleDescription(/suspended/)
    expect(screen.getByRole('button', { name: 'Halt automation' })).toBeInTheDocument()
  })

  it('that was locked shows nothing of itself', async () => {
    await openApp('/t/northwind/alerts', makeWorld(), call =>
      call.path === '/api/v1/me' ? refusal(403, 'tenant_locked') : undefined,
    )
    expect(await screen.findByText('This tenant is locked')).toBeInTheDocument()
  })
})

describe('signing in', () => {
  it('asks for a code when the account has a second factor', async () => {
    const user = userEvent.setup()
    const world = makeWorld({ signedIn: false })
    const { calls } = await openApp('/', world, call =>
      call.path === '/api/v1/session' && call.method === 'POST'
        ? {
            status: 401,
            body: {
              ...refusal(401, 'second_factor_required').body,
              ticket: 'sot_1',
              methods: ['totp', 'recovery_code'],
              expires_at: new Date(Date.now() + 300_000).toISOString(),
            },
          }
        : undefined,
    )
    await user.type(await screen.findByLabelText('Name'), 'mira')
    await user.type(screen.getByLabelText('Password'), 'four random words')
    await user.click(screen.getByRole('button', { name: 'Sign in' }))
    await user.type(await screen.findByLabelText('Code of your authenticator app'), '123456')
    await user.click(screen.getByRole('button', { name: 'Sign in' }))
    expect(await screen.findByRole('heading', { name: 'Command centre' })).toBeInTheDocument()
    expect(calls.find(c => c.path.endsWith('/second-factor'))?.body).toEqual({ ticket: 'sot_1', code: '123456' })
  })

  it('an invitation makes an account for who has none', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp('/#invite=sov_1', makeWorld({ signedIn: false }))
    const [first, second] = await screen.findAllByLabelText(/New password/)
    await user.type(first as HTMLElement, 'four random words here')
    await user.type(second as HTMLElement, 'four random words here')
    await user.click(screen.getByRole('button', { name: 'Join and sign in' }))
    await waitFor(() => expect(location.hash).toBe(''))
    expect(calls.find(c => c.path.endsWith('/accept'))?.body).toEqual({
      link: 'sov_1',
      password: 'four random words here',
    })
  })

  it('an invitation is accepted with the account that is signed in, which leads into the tenant', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp('/#invite=sov_1')
    await screen.findByText(/You are signed in as/)
    const went = vi.spyOn(location, 'assign').mockImplementation(() => {})
    await user.click(screen.getByRole('button', { name: 'Join' }))
    await waitFor(() => expect(went).toHaveBeenCalledWith('/t/contoso/'))
    expect(calls.find(c => c.path.endsWith('/accept'))?.body).toEqual({ link: 'sov_1' })
  })
})

it('a tenant that wants a second factor says where to add one', async () => {
  const user = userEvent.setup()
  await openApp('/t/northwind/detections', makeWorld(), call =>
    call.path.startsWith('/api/v1/rules') ? refusal(403, 'second_factor_needed_here') : undefined,
  )
  expect(await screen.findByText('This tenant wants a second factor')).toBeInTheDocument()
  await user.click(screen.getByRole('link', { name: 'Settings, Account' }))
  expect(await screen.findByRole('heading', { name: 'Account' })).toBeInTheDocument()
})

describe('credentials', () => {
  it('a key’s secret is shown once, and the change waits for who proves who they are', async () => {
    const user = userEvent.setup()
    const world = makeWorld()
    world.tenancy.factors = { totp: false, passkeys: 0, recovery_codes_left: 0 }
    let proved = false
    const { calls } = await openApp('/t/northwind/settings?tab=keys', world, call => {
      if (call.path.endsWith('/reauthenticate')) proved = call.body !== null
      if (call.path === '/api/v1/keys' && call.method === 'POST' && !proved)
        return refusal(403, 'reauthentication_required')
      return undefined
    })
    await user.click(await screen.findByRole('button', { name: 'New key' }))
    await user.type(await screen.findByLabelText('Name'), 'CI')
    await user.click(await screen.findByLabelText('Alert: read'))
    await user.click(screen.getByRole('button', { name: 'Make key' }))
    const dialog = await screen.findByRole('dialog', { name: 'Confirm who you are' })
    await user.type(await within(dialog).findByLabelText('Password'), 'four random words here')
    await user.click(within(dialog).getByRole('button', { name: 'Confirm' }))
    expect(await screen.findByText('sko_0123456789abcdefghij')).toBeInTheDocument()
    const made = calls.filter(c => c.path === '/api/v1/keys' && c.method === 'POST')
    expect(made.map(c => c.headers.get('idempotency-key'))).toEqual([
      made[0]?.headers.get('idempotency-key'),
      made[0]?.headers.get('idempotency-key'),
    ])
    expect(made[1]?.body).toMatchObject({ name: 'CI', permissions: ['alert.read'] })
    await user.click(screen.getByRole('button', { name: 'Done' }))
    expect(screen.queryByText('sko_0123456789abcdefghij')).toBeNull()
  })

  it('an authenticator app is confirmed with a code, and its recovery codes are shown', async () => {
    const user = userEvent.setup()
    const world = makeWorld()
    world.tenancy.factors = { totp: false, passkeys: 0, recovery_codes_left: 0 }
    const { calls } = await openApp('/t/northwind/settings?tab=account', world)
    await user.click(await screen.findByRole('button', { name: 'Set up…' }))
    expect(await screen.findByRole('img', { name: /QR code/ })).toBeInTheDocument()
    await user.type(screen.getByLabelText('Code that the app shows'), '123 456')
    await user.click(screen.getByRole('button', { name: 'Turn on' }))
    expect(within(await screen.findByRole('list', { name: 'Recovery codes' })).getAllByRole('listitem')).toHaveLength(
      10,
    )
    expect(calls.find(c => c.path.endsWith('/totp/confirm'))?.body).toEqual({ ticket: 'sot_fixture', code: '123456' })
  })
})

describe('people and roles', () => {
  it('an invitation is a link to copy; the member’s version goes with a change', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp('/t/northwind/settings?tab=members')
    await user.type(await screen.findByLabelText('Name or e-mail address'), 'ana@example.com')
    await user.selectOptions(screen.getByLabelText('Role'), 'auditor')
    await user.click(screen.getByRole('button', { name: 'Make invitation link' }))
    expect(await screen.findByText(/#invite=sov_/)).toBeInTheDocument()
    await user.selectOptions(screen.getByLabelText('Role of Lars Jensen'), 'operator')
    await waitFor(() => {
      const change = calls.find(c => c.method === 'PATCH')
      expect(change?.headers.get('if-match')).toBe('"2"')
      expect(change?.body).toEqual({ role: 'operator' })
    })
  })

  it('a role that somebody else changed is not overwritten: it is offered anew', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp('/t/northwind/settings?tab=roles', makeWorld(), call =>
      call.method === 'PUT' ? refusal(412, 'precondition_failed') : undefined,
    )
    await user.click(await screen.findByRole('button', { name: 'Edit' }))
    await user.click(await screen.findByLabelText('Plan: create'))
    await user.click(screen.getByRole('button', { name: 'Save' }))
    expect(await screen.findByText(/Somebody changed this meanwhile/)).toBeInTheDocument()
    expect(calls.find(c => c.method === 'PUT')?.headers.get('if-match')).toBe('"3"')
    await user.click(screen.getByRole('button', { name: 'Reload' }))
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
  })

  it('nobody can tick what they do not have', async () => {
    const user = userEvent.setup()
    const world = makeWorld()
    world.me.permissions = world.me.permissions.filter(p => p !== 'ledger.export')
    await openApp('/t/northwind/settings?tab=roles', world)
    await user.click(await screen.findByRole('button', { name: 'New role' }))
    expect(await screen.findByLabelText('Ledger: export')).toBeDisabled()
    expect(screen.getByLabelText('Ledger: read')).toBeEnabled()
  })
})

describe('what a role may not', () => {
  it('a viewer has no settings of others, and no tenants of the installation', async () => {
    await openApp('/t/northwind/settings', as('viewer'))
    const nav = await screen.findByRole('navigation', { name: 'Settings' })
    expect(within(nav).queryByRole('link', { name: 'Members' })).toBeNull()
    expect(within(nav).queryByRole('link', { name: 'API keys' })).toBeNull()
    expect(within(nav).getByRole('link', { name: 'Account' })).toBeInTheDocument()
    expect(screen.queryByRole('link', { name: 'Tenants' })).toBeNull()
  })

  it('an auditor sees the keys, and why they cannot be changed', async () => {
    await openApp('/t/northwind/settings?tab=keys', as('auditor'))
    const make = await screen.findByRole('button', { name: 'New key' })
    expect(make).toHaveAttribute('aria-disabled', 'true')
    expect(make).toHaveAccessibleDescription('Needs the permission key.write; the role auditor does not have it')
    expect(await screen.findByText('Nightly report')).toBeInTheDocument()
    expect(screen.queryByRole('button', { name: /^Change/ })).toBeNull()
  })

  it('an auditor lands on the ledger, an analyst on the alerts', async () => {
    const { unmount } = await openApp('/', as('auditor'))
    expect(await screen.findByRole('heading', { name: 'Ledger' })).toBeInTheDocument()
    unmount()
    await openApp('/', as('analyst'))
    await waitFor(() => expect(location.pathname).toBe('/t/northwind/alerts'))
  })

  it('a viewer reads the ledger and cannot take it away', async () => {
    await openApp('/t/northwind/ledger', as('viewer'))
    const button = await screen.findByRole('button', { name: 'Export' })
    expect(button).toHaveAttribute('aria-disabled', 'true')
    expect(button).toHaveAccessibleDescription(/ledger\.export/)
  })
})

describe('the ledger', () => {
  it('shows what an entry changed, before and after', async () => {
    const user = userEvent.setup()
    await openApp('/t/northwind/ledger')
    await user.click(await screen.findByRole('button', { name: '#60' }))
    const table = screen.getByRole('table', { name: 'What entry 60 changed' })
    expect(within(table).getByText('plan.approve')).toBeInTheDocument()
    expect(within(table).queryByText('Night shift')).toBeNull()
    await user.click(screen.getByRole('button', { name: /stayed/ }))
    expect(within(table).getAllByText('Night shift')).toHaveLength(2)
  })

  it('is filtered by who acted, and the address says so', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp('/t/northwind/ledger')
    await screen.findByRole('option', { name: 'Mira Okafor' })
    await user.selectOptions(screen.getByLabelText('Who acted'), 'Mira Okafor')
    await waitFor(() => expect(location.search).toContain('actor=usr_'))
    await waitFor(() => expect(calls.at(-1)?.path).toContain('actor=usr_'))
  })
})

describe('tenants of the installation', () => {
  it('are suspended with a reason', async () => {
    const user = userEvent.setup()
    const { calls, world } = await openApp('/t/northwind/tenants')
    const row = (await screen.findByText('contoso')).closest('tr') as HTMLElement
    await user.click(within(row).getByRole('menuitem', { name: /Suspend/, hidden: true }))
    await user.type(await screen.findByLabelText('Reason'), 'unpaid')
    await user.click(screen.getByRole('button', { name: 'Suspend' }))
    await waitFor(() => expect(world.tenancy.tenants.find(t => t.slug === 'contoso')?.state).toBe('suspended'))
    expect(calls.find(c => c.path.endsWith('/suspend'))?.body).toEqual({ reason: 'unpaid' })
  })

  it('are deleted only after their address was typed', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp('/t/northwind/tenants')
    const row = (await screen.findByText('contoso')).closest('tr') as HTMLElement
    await user.click(within(row).getByRole('menuitem', { name: /Delete/, hidden: true }))
    await user.type(await screen.findByLabelText('Reason'), 'left us')
    const button = screen.getByRole('button', { name: 'Delete tenant' })
    expect(button).toBeDisabled()
    await user.type(screen.getByLabelText('Type contoso to confirm'), 'contoso')
    await user.click(button)
    expect(await screen.findByText('Contoso is being deleted')).toBeInTheDocument()
    const sent = calls.find(c => c.method === 'DELETE')
    expect(sent?.path).toBe('/api/v1/tenants/contoso?reason=left+us&grace_hours=168')
    expect(sent?.headers.get('if-match')).toBe('"2"')
  })
})
