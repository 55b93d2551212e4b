import { screen, waitFor } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it } from 'vitest'
import { ApiError, get } from '@/api/client'
import { makeWorld } from './fixtures/api.mjs'
import { openApp, serve } from './harness'

describe('signing in', () => {
  it('asks who is not signed in, and lands where one wanted to go', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp('/ledger', makeWorld({ signedIn: false }))
    await user.type(await screen.findByLabelText('Name'), 'mira')
    await user.type(screen.getByLabelText('Password'), 'correct horse')
    await user.click(screen.getByRole('button', { name: 'Sign in' }))
    expect(await screen.findByRole('heading', { name: 'Ledger' })).toBeInTheDocument()
    expect(calls.find(c => c.path === '/api/v1/session')?.body).toEqual({ name: 'mira', password: 'correct horse' })
  })

  it('says when the password is wrong', async () => {
    const user = userEvent.setup()
    await openApp('/', makeWorld({ signedIn: false }))
    await user.type(await screen.findByLabelText('Name'), 'mira')
    await user.type(screen.getByLabelText('Password'), 'wrong')
    await user.click(screen.getByRole('button', { name: 'Sign in' }))
    expect(await screen.findByRole('alert')).toHaveTextContent('wrong_credentials')
  })

  it('spends an admin link: posts the secret, sets the password, clears the address bar', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp('/#claim=s3cret', makeWorld({ signedIn: false }))
    const [first, second] = await screen.findAllByLabelText(/New password/)
    await user.type(first as HTMLElement, 'four random words here')
    await user.type(second as HTMLElement, 'four random words her')
    expect(screen.getByRole('button', { name: /Set password/ })).toBeDisabled()
    await user.type(second as HTMLElement, 'e')
    await user.click(screen.getByRole('button', { name: /Set password/ }))
    await waitFor(() => expect(location.hash).toBe(''))
    expect(calls.find(c => c.path === '/api/v1/session/claim')?.body).toEqual({
      secret: 's3cret',
      password: 'four random words here',
    })
    expect(await screen.findByRole('heading', { name: 'Command centre' })).toBeInTheDocument()
  })

  it('an ended session shows the sign-in page again', async () => {
    const { world } = await openApp('/ledger')
    await screen.findByRole('heading', { name: 'Ledger' })
    world.signedIn = false
    await get('/targets').catch(() => undefined)
    expect(await screen.findByRole('button', { name: 'Sign in' })).toBeInTheDocument()
  })
})

describe('every page says what is wrong', () => {
  it('an error has the detail, the code, the request id and a way to try again', async () => {
    await openApp('/detections', makeWorld(), call =>
      call.path.startsWith('/api/v1/rules')
        ? {
            status: 500,
            body: {
              title: 'Storage failed',
              status: 500,
              code: 'storage',
              detail: 'The disk is full.',
              request_id: 'req77',
            },
          }
        : undefined,
    )
    expect(await screen.findByText('The disk is full.')).toBeInTheDocument()
    expect(screen.getByText('storage · request req77')).toBeInTheDocument()
    expect(screen.getByRole('button', { name: 'Try again' })).toBeInTheDocument()
  })

  it('a missing permission is named, and its page is not in the navigation', async () => {
    const world = makeWorld()
    world.me.permissions = world.me.permissions.filter(p => p !== 'ledger.read')
    await openApp('/ledger', world)
    expect(await screen.findByText('You may not see this')).toBeInTheDocument()
    expect(screen.getByText('ledger.read')).toBeInTheDocument()
    expect(screen.queryByRole('link', { name: 'Ledger' })).toBeNull()
  })

  it('halted automation stands on every page until a person resumes', async () => {
    const world = makeWorld()
    world.automation = { halted: true, reason: 'drill' }
    const user = userEvent.setup()
    const { calls } = await openApp('/ingest', world)
    expect(await screen.findByText(/Automation is halted/)).toBeInTheDocument()
    await user.click(screen.getByRole('button', { name: /Resume/ }))
    await user.type(await screen.findByLabelText(/Reason/), 'drill is over')
    await user.click(screen.getByRole('button', { name: 'Resume automation' }))
    await waitFor(() => expect(screen.queryByText(/Automation is halted/)).toBeNull())
    expect(calls.find(c => c.path.endsWith('/automation/resume'))?.body).toEqual({ reason: 'drill is over' })
  })

  it('`local` is registered only after the text that the server names was typed', async () => {
    const user = userEvent.setup()
    const { world } = await openApp('/settings?tab=targets')
    await user.click(await screen.findByRole('button', { name: 'Register a target' }))
    await user.type(await screen.findByLabelText('Name'), 'local')
    await user.click(screen.getByRole('button', { name: 'Register' }))
    await user.type(await screen.findByLabelText('Confirmation'), 'local')
    expect(screen.getByRole('button', { name: 'Register' })).toBeDisabled()
    await user.clear(screen.getByLabelText('Confirmation'))
    await user.type(screen.getByLabelText('Confirmation'), 'act on this host')
    await user.click(screen.getByRole('button', { name: 'Register' }))
    await waitFor(() => expect(world.targets.some(t => t.name === 'local')).toBe(true))
  })
})

describe('the client', () => {
  it('makes problem+json an error with its status, code and wait', async () => {
    serve(makeWorld(), () => ({
      status: 429,
      body: { title: 'Too many', status: 429, code: 'rate_limited', detail: 'Wait.' },
    }))
    const error = (await get('/alerts').catch(e => e)) as ApiError
    expect(error).toBeInstanceOf(ApiError)
    expect([error.status, error.code, error.message]).toEqual([429, 'rate_limited', 'Wait.'])
  })

  it('renews the CSRF token once when the server no longer takes it', async () => {
    const { post } = await import('@/api/client')
    let tries = 0
    const calls = serve(makeWorld(), call => {
      if (!call.path.endsWith('/notes')) return undefined
      tries++
      return tries === 1
        ? { status: 403, body: { title: 'CSRF', status: 403, code: 'csrf' } }
        : { status: 201, body: {} }
    })
    await post('/incidents/x/notes', { text: 'hi' })
    expect(calls.filter(c => c.path.endsWith('/notes'))).toHaveLength(2)
    expect(calls.at(-1)?.headers.get('shieldops-csrf')).toBe('fixture-csrf')
  })
})
