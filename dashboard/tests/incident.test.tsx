import { screen, waitFor } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it } from 'vitest'
import { INCIDENT, makeWorld } from './fixtures/api.mjs'
import { type Call, openApp } from './harness'

const incident = (world: ReturnType<typeof makeWorld>) => {
  const found = world.incidents.find((i: { id: string }) => i.id === INCIDENT)
  if (!found) throw new Error('no incident')
  return found
}
const patches = (calls: Call[]) => calls.filter(c => c.method === 'PATCH')

async function openEditor(override?: (call: Call) => { status: number; body?: unknown } | undefined) {
  const world = makeWorld()
  Object.assign(incident(world), { severity: 'high', title: 'Spray from 203.0.113.66', version: 7 })
  const user = userEvent.setup()
  const { calls } = await openApp(`/incidents/${INCIDENT}`, world, override)
  await user.click(await screen.findByRole('button', { name: 'Edit title and severity' }))
  return { user, calls, world, save: await screen.findByRole('button', { name: 'Save' }) }
}

describe('editing an incident', () => {
  it('lowers a severity with a reason only, over the version that was seen', async () => {
    const { user, calls, save } = await openEditor()
    expect(save).toBeDisabled()
    await user.selectOptions(screen.getByLabelText('Severity'), 'low')
    expect(save).toBeDisabled()
    await user.type(screen.getByLabelText(/^Reason/), 'A drill')
    await user.click(save)
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull())
    expect(patches(calls).map(c => [c.body, c.headers.get('if-match')])).toEqual([
      [{ severity: 'low', reason: 'A drill' }, '"7"'],
    ])
  })

  it('needs no reason for a title', async () => {
    const { user, calls, save } = await openEditor()
    const title = screen.getByLabelText('Title')
    await user.clear(title)
    await user.type(title, 'Drill of the week')
    await user.click(save)
    await waitFor(() => expect(patches(calls)).toHaveLength(1))
    expect(patches(calls)[0]?.body).toEqual({ title: 'Drill of the week' })
  })

  it('overwrites nothing that somebody else changed meanwhile: it shows it first', async () => {
    const refuse = (call: Call) =>
      call.method === 'PATCH' && call.headers.get('if-match') === '"7"'
        ? { status: 412, body: { title: 'The object changed', status: 412, code: 'precondition_failed' } }
        : undefined
    const { user, calls, world, save } = await openEditor(refuse)
    await user.selectOptions(screen.getByLabelText('Severity'), 'critical')
    Object.assign(incident(world), { title: 'Theirs', version: 8 })
    await user.click(save)
    expect(await screen.findByRole('alert')).toHaveTextContent(/changed meanwhile/)
    await waitFor(() => expect(screen.getByRole('alert')).toHaveTextContent(/“Theirs”/))
    await user.click(screen.getByRole('button', { name: 'Save' }))
    await waitFor(() => expect(patches(calls).map(c => c.headers.get('if-match'))).toEqual(['"7"', '"8"']))
  })
})

describe('a verdict that was wrong', () => {
  it('is taken back with a reason', async () => {
    const world = makeWorld()
    Object.assign(incident(world), { verdict: 'false_positive', status: 'resolved' })
    const user = userEvent.setup()
    const { calls } = await openApp(`/incidents/${INCIDENT}`, world)
    await user.click(await screen.findByRole('button', { name: /^Verdict/ }))
    await user.click(await screen.findByRole('menuitem', { name: /Take back/ }))
    await user.type(await screen.findByLabelText('Reason'), 'It was real')
    await user.click(screen.getByRole('button', { name: 'Take back' }))
    await waitFor(() =>
      expect(calls.filter(c => c.path.endsWith('/verdict')).map(c => c.body)).toEqual([
        { verdict: null, reason: 'It was real' },
      ]),
    )
  })
})
