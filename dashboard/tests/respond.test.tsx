import { screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it } from 'vitest'
import type { Capability } from '@/api/response-types'
import type { Entity, Plan, Target } from '@/api/types'
import { fieldsOf } from '@/features/capabilities/params'
import { candidates, hostTarget, prefilled, ranked, suggested } from '@/features/capabilities/prefill'
import { byKind, dependantsOf, measured, reachOf } from '@/features/plans/reach'
import { INCIDENT, makeWorld } from './fixtures/api.mjs'
import { permissionsOf } from './fixtures/tenancy.mjs'
import { openApp } from './harness'

const capability = (name: string, properties: object, required: string[], rest = {}) =>
  ({
    name,
    title: name,
    class: 'reversible',
    base_risk: 1,
    params_schema: { properties, required },
    ...rest,
  }) as Capability
const text = { type: 'string' }
const entity = (kind: Entity['kind'], value: string): Entity => ({ kind, value })
const SEEN = [
  entity('host', 'web-01'),
  entity('ip', '203.0.113.66'),
  entity('ip', '198.51.100.9'),
  entity('user', 'deploy'),
  entity('user', 'not a login'),
  entity('file', '/tmp/.kworker'),
]

describe('what an incident fills in', () => {
  const fields = fieldsOf({
    required: ['address', 'user'],
    properties: {
      address: text,
      user: { ...text, pattern: '^[a-z]+$' },
      files: { type: 'array', maxItems: 1, items: text },
      note: text,
    },
  })
  const of = (name: string) => fields.find(f => f.name === name) as (typeof fields)[number]
  it('are entities of the kind that a parameter names, as far as it takes them', () => {
    expect(candidates(of('address'), SEEN)).toEqual(['203.0.113.66', '198.51.100.9'])
    expect(candidates(of('user'), SEEN)).toEqual(['deploy'])
    expect(candidates(of('note'), SEEN)).toEqual([])
  })
  it('is the first of them, or the one that was asked for', () => {
    expect(prefilled(fields, SEEN)).toEqual({
      address: '203.0.113.66',
      user: 'deploy',
      files: '/tmp/.kworker',
      note: '',
    })
    expect(prefilled(fields, SEEN, '198.51.100.9')).toMatchObject({ address: '198.51.100.9', user: 'deploy' })
    expect(prefilled(fields, SEEN, 'something else')).toMatchObject({ address: '203.0.113.66' })
  })
  it('is first of all what its title is about', () => {
    const title = 'Spray from 198.51.100.9 led to a session on web-01'
    expect(
      ranked({ title, entities: SEEN })
        .map(one => one.value)
        .slice(0, 3),
    ).toEqual(['web-01', '198.51.100.9', '203.0.113.66'])
  })
  it('is a target only where exactly one is its host', () => {
    const target = (name: string, host: string | null = null) => ({ name, host }) as Target
    expect(hostTarget([target('sim/web-01'), target('db')], SEEN)).toBe('sim/web-01')
    expect(hostTarget([target('front', 'web-01')], SEEN)).toBe('front')
    expect(hostTarget([target('sim/web-01'), target('web-01')], SEEN)).toBe('')
    expect(hostTarget([target('db')], SEEN)).toBe('')
  })
  it('suggests what its entities suffice for, what can be taken back first', () => {
    const all = [
      capability('kill', { pid: { type: 'integer' } }, ['pid']),
      capability('end_sessions', { user: text }, ['user'], { class: 'irreversible' }),
      capability('block', { address: text }, ['address']),
      capability('isolate', { keep: { type: 'array', items: text } }, []),
    ]
    expect(suggested(all, SEEN).map(one => `${one.capability} ${one.value}`)).toEqual([
      'block 203.0.113.66',
      'end_sessions deploy',
    ])
  })
})

describe('a response planned from an incident', () => {
  it('begins with its values and is linked to it', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp(`/t/northwind/incidents/${INCIDENT}`)
    await user.click(await screen.findByRole('button', { name: 'Plan a response' }))
    await user.click(await screen.findByRole('menuitem', { name: /^Block an IP address\s*203\.0\.113\.66/ }))
    const form = within(await screen.findByRole('form', { name: 'Plan: Block an IP address' }))
    expect(location.search).toContain(`incident=${INCIDENT}`)
    expect(form.getByLabelText('Address')).toHaveValue('203.0.113.66')
    expect(form.getByLabelText('Target')).toHaveValue('twin/demo')
    await user.click(form.getByRole('button', { name: 'Make plan' }))
    await waitFor(() => expect(calls.some(c => c.method === 'POST' && c.path.endsWith('/plans'))).toBe(true))
    expect(calls.find(c => c.method === 'POST' && c.path.endsWith('/plans'))?.body).toMatchObject({
      incident_id: INCIDENT,
      actions: [{ target: { name: 'twin/demo' }, params: { address: '203.0.113.66' } }],
    })
  })

  it('is not offered to who may not plan', async () => {
    const world = makeWorld()
    world.me.user.role = 'viewer'
    world.me.permissions = permissionsOf('viewer')
    await openApp(`/t/northwind/incidents/${INCIDENT}`, world)
    await screen.findByRole('button', { name: /Export/ })
    expect(screen.queryByRole('button', { name: 'Plan a response' })).toBeNull()
  })
})

describe('how far a plan goes', () => {
  const plan = () => structuredClone(makeWorld().plans[0]) as Plan
  it('is counted by kind, each thing once, targets by their names', () => {
    expect(byKind(['peer:a', 'peer:a', 'user:b:c', 'nonsense'])).toEqual([
      { kind: 'peer', found: ['a'] },
      { kind: 'user', found: ['b:c'] },
    ])
    const both = plan()
    both.actions.push(structuredClone(both.actions[0]) as (typeof both.actions)[0])
    expect(reachOf(both).map(({ kind, found }) => `${kind} ${found}`)).toEqual([
      'target twin/demo',
      'peer 203.0.113.66',
      'user deploy',
    ])
    expect(dependantsOf(both)).toHaveLength(1)
    expect(measured(both)).toBe(12)
    Object.assign(both.actions[1] ?? {}, { estimate: null })
    expect(measured(both)).toBe(0)
  })
  it('stands on its page, out of its own fields', async () => {
    await openApp(`/t/northwind/plans/${plan().id}`)
    const far = within(await screen.findByRole('region', { name: 'How far it goes' }))
    expect(far.getByText('3 resources')).toBeVisible()
    expect(far.getByText('240 ms', { exact: false })).toHaveTextContent('as 12 earlier actions did')
    expect(far.getByText(/to sshd, by deploy/)).toBeVisible()
    expect(far.getByRole('list', { name: 'What it reaches' })).toHaveTextContent('1 peer: 203.0.113.66')
  })
})

describe('the list of actions', () => {
  it('is filtered by the server, also by the incident that an address names', async () => {
    const user = userEvent.setup()
    const { calls, world } = await openApp(`/t/northwind/actions?incident=${INCIDENT}`)
    await screen.findByRole('table', { name: 'Actions' })
    expect(calls.some(c => c.path.includes(`incident_id=${INCIDENT}`))).toBe(true)
    await user.selectOptions(await screen.findByLabelText('Target'), 'sim/lab')
    expect(await screen.findByText('No action fits these filters')).toBeVisible()
    expect(calls.some(c => c.path.includes(`target_id=${world.targets[1]?.id}`))).toBe(true)
    await user.click(screen.getByRole('button', { name: 'Actions of every incident' }))
    expect(location.search).not.toContain('incident=')
  })
})
