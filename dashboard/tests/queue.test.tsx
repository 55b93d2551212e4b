import { act, screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it } from 'vitest'
import { applyFrames } from '@/app/live-sync'
import { makeWorld } from './fixtures/api.mjs'
import { openApp } from './harness'

const grid = () => screen.findByRole('grid', { name: 'Alert triage queue' })
const active = (element: HTMLElement) => element.getAttribute('aria-activedescendant')

describe('the triage queue by keyboard', () => {
  it('draws some rows of many', async () => {
    await openApp('/alerts')
    await grid()
    const rows = screen.getAllByRole('row')
    expect(rows.length).toBeGreaterThan(5)
    expect(rows.length).toBeLessThan(60)
  })

  it('moves with j and k, never while typing', async () => {
    const user = userEvent.setup()
    await openApp('/alerts')
    const table = await grid()
    const first = active(table)
    await user.keyboard('jj')
    expect(active(table)).not.toBe(first)
    await user.keyboard('kk')
    expect(active(table)).toBe(first)
    await user.keyboard('/')
    expect(screen.getByLabelText('Filter alerts')).toHaveFocus()
    await user.keyboard('j')
    expect(screen.getByLabelText('Filter alerts')).toHaveValue('j')
    expect(active(table)).toBe(first)
  })

  it('shows what the rule says to look at first', async () => {
    await openApp(`/alerts/${makeWorld().alerts[0]?.id}`)
    expect(await screen.findByText(/Ask whether the address is known/)).toBeInTheDocument()
    expect(screen.getByRole('heading', { name: 'What to look at first' })).toBeInTheDocument()
  })

  it('selects with x, ranges with shift+click, and clears with Escape', async () => {
    const user = userEvent.setup()
    await openApp('/alerts')
    await grid()
    await user.keyboard('x')
    const boxes = screen.getAllByRole('checkbox')
    await user.keyboard('{Shift>}')
    await user.click(boxes[3] as HTMLElement)
    await user.keyboard('{/Shift}')
    expect(screen.getByRole('toolbar', { name: 'Bulk actions' })).toHaveTextContent('4 selected')
    await user.keyboard('{Escape}')
    expect(screen.queryByRole('toolbar', { name: 'Bulk actions' })).toBeNull()
  })

  it('closes everything of a long list as a job, and links to it', async () => {
    const user = userEvent.setup()
    const world = makeWorld()
    const [one] = world.alerts
    const many = Array.from({ length: 1_100 }, (_, i) => `alt_${String(i).padStart(26, '0')}`)
    world.alerts = many.map(id => ({ ...structuredClone(one as (typeof world.alerts)[number]), id, status: 'new' }))
    const { calls } = await openApp('/alerts', world, call =>
      call.headers.get('prefer')
        ? { status: 202, body: { id: 'job_1', kind: 'alerts.update', state: 'running', total: 1_100, done: 0 } }
        : undefined,
    )
    await grid()
    await user.keyboard('{Control>}a{/Control}')
    const bar = await screen.findByRole('toolbar', { name: 'Bulk actions' })
    await waitFor(() => expect(bar).toHaveTextContent('1,100 selected · runs as a job'))
    await user.keyboard('e')
    await user.type(await screen.findByLabelText('Reason'), 'A storm')
    await user.click(screen.getByRole('button', { name: /^Close 1,100 alerts/ }))
    expect(await screen.findByRole('link', { name: 'See how far it is' })).toHaveAttribute(
      'href',
      '/t/northwind/jobs/job_1',
    )
    const sent = calls.filter(c => c.path.endsWith('/alerts/bulk'))
    expect(sent.length).toBe(1)
    expect((sent[0]?.body as { ids: string[] } | undefined)?.ids.length).toBe(1_100)
  })

  it('toggles the preview with p', async () => {
    const user = userEvent.setup()
    await openApp('/alerts')
    await grid()
    expect(screen.getByRole('complementary', { name: /^Alert/ })).toBeInTheDocument()
    await user.keyboard('p')
    expect(screen.queryByRole('complementary', { name: /^Alert/ })).toBeNull()
  })

  it('closes many with one verdict and one reason, and z takes it back', async () => {
    const user = userEvent.setup()
    const { calls, world } = await openApp('/alerts')
    await grid()
    await user.keyboard('xjxe')
    const dialog = within(await screen.findByRole('dialog'))
    await user.click(dialog.getByLabelText(/False positive/))
    // The last reason is offered again.
    await user.clear(dialog.getByLabelText('Reason'))
    await user.type(dialog.getByLabelText('Reason'), 'Our own scanner')
    await user.click(dialog.getByRole('button', { name: /Close 2 alerts/ }))
    expect(await screen.findByText('Closed 2 alerts as false positive')).toBeInTheDocument()
    const sent = calls.find(c => c.path.endsWith('/alerts/bulk'))?.body as {
      ids: string[]
      verdict: string
      reason: string
    }
    expect([sent.ids.length, sent.verdict, sent.reason]).toEqual([2, 'false_positive', 'Our own scanner'])
    expect(document.querySelectorAll('.trow.closed')).toHaveLength(2)
    await user.keyboard('z')
    await waitFor(() => expect(world.alerts.slice(0, 2).map(a => a.status)).toEqual(['new', 'new']))
    expect(document.querySelectorAll('.trow.closed')).toHaveLength(0)
  })

  it('takes a change back that the server refuses', async () => {
    const user = userEvent.setup()
    await openApp('/alerts', makeWorld(), call =>
      call.path.endsWith('/bulk')
        ? { status: 500, body: { title: 'Storage failed', status: 500, detail: 'The disk is full.' } }
        : undefined,
    )
    await grid()
    await user.keyboard('a')
    expect(await screen.findByText('The disk is full.')).toBeInTheDocument()
    expect(document.querySelector('.trow.active')).toHaveTextContent('–')
  })
})

describe('the queue and the address', () => {
  it('a filter narrows it, shows as a chip, and the way back is offered when nothing is left', async () => {
    const user = userEvent.setup()
    await openApp('/alerts')
    await grid()
    await user.keyboard('/')
    await user.keyboard('zzzz-nothing')
    expect(await screen.findByText('Nothing matches these filters')).toBeInTheDocument()
    expect(location.search).toContain('q=zzzz-nothing')
    await user.click(screen.getByRole('button', { name: 'Clear filters' }))
    expect(await grid()).toBeInTheDocument()
  })

  it('new alerts wait behind a pill until asked for', async () => {
    const user = userEvent.setup()
    const { world } = await openApp('/alerts')
    const table = await grid()
    const before = active(table)
    const fresh = {
      ...structuredClone(world.alerts[0]),
      id: 'alt_01h455vb4pex5vsknk084sn02q',
      rule_title: 'Brand new',
      version: 1,
    }
    world.alerts.unshift(fresh as (typeof world.alerts)[number])
    act(() => applyFrames([{ kind: 'alert', id: fresh.id, version: 1, seq: 99 }]))
    expect(await screen.findByRole('button', { name: /1 new alert/ })).toBeInTheDocument()
    expect(screen.queryByText('Brand new')).toBeNull()
    await user.keyboard('.')
    expect(await screen.findAllByText('Brand new')).not.toHaveLength(0)
    expect(active(table)).toBe(before)
  })
})
