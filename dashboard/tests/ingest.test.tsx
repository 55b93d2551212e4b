import { screen, within } from '@testing-library/react'
import { expect, it } from 'vitest'
import { answer, makeWorld } from './fixtures/api.mjs'
import { openApp } from './harness'

const open = async (change: object) => {
  const world = makeWorld()
  await openApp('/t/northwind/ingest', world, ({ method, path }) =>
    path.endsWith('/ingest/stats')
      ? { status: 200, body: { ...(answer(world, method, path).body as object), ...change } }
      : undefined,
  )
  return within(await screen.findByRole('region', { name: 'Figures' }))
}

it('what syslog heard and lost is on the health page, with what it means', async () => {
  await open({ syslog: { received: 18_204, dropped: 412, refused: 7, turned_away: 2 } })
  const syslog = screen.getByRole('region', { name: 'Syslog' })
  for (const [label, value, note] of [
    ['Received', '18,204', /over UDP, TCP and TLS/],
    ['Dropped', '412', /intake was full/],
    ['Refused', '7', /intake did not take/],
    ['Turned away', '2', /bad frame or handshake/],
  ] as const) {
    const figure = within(syslog).getByText(label).parentElement
    expect(figure).toHaveTextContent(value)
    expect(figure).toHaveTextContent(note)
  }
  expect(screen.getByText(/Send by TCP or TLS what must arrive/)).toBeVisible()
})

it('without a loss nothing is advised', async () => {
  await open({ syslog: { received: 1, dropped: 0, refused: 0, turned_away: 0 } })
  expect(screen.queryByText(/Send by TCP or TLS/)).toBeNull()
})

it('a process that does not listen says nothing of syslog', async () => {
  await open({ syslog: undefined })
  expect(screen.queryByRole('region', { name: 'Syslog' })).toBeNull()
})

it('dead letters that made room for newer ones are counted', async () => {
  const figures = await open({ dead_letters: 120_000, dead_letters_dropped: 20_000 })
  expect(figures.getByText('the oldest 20,000 made room for newer ones')).toBeVisible()
})
