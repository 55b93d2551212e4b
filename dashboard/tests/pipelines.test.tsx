import { screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it } from 'vitest'
import { counts } from '@/ui/line-diff'
import { diffLines } from '@/ui/lines'
import { makeWorld } from './fixtures/api.mjs'
import { permissionsOf } from './fixtures/tenancy.mjs'
import { openApp } from './harness'

const TAB = '/t/northwind/detections?tab=pipelines'
const reader = () => {
  const world = makeWorld()
  world.me.user.role = 'viewer'
  world.me.permissions = permissionsOf('viewer')
  return world
}

describe('the lines of two texts', () => {
  const marks = (before: string, after: string) =>
    diffLines(before, after)
      .map(row => `${{ same: ' ', added: '+', removed: '-' }[row.kind]}${row.text}`)
      .join('|')
  it('are paired by the shortest way from one to the other', () => {
    expect(marks('a\nb\nc\n', 'a\nc\nd\n')).toBe(' a|-b| c|+d')
    expect(marks('a\nb\nc\na\nb\nb\na', 'c\nb\na\nb\na\nc')).toMatch(/^-a\|-b\| c\|/)
    expect(marks('', 'x\ny')).toBe('+x|+y')
    expect(marks('x', '')).toBe('-x')
    expect(marks('same\n', 'same')).toBe(' same')
  })
  it('carry the numbers of both sides', () => {
    expect(diffLines('a\nb', 'b\nc').map(row => [row.old, row.new])).toEqual([
      [1, null],
      [2, 1],
      [null, 2],
    ])
  })
  it('rebuild both texts, whatever they are', () => {
    let seed = 7
    const random = (n: number) => {
      seed = (seed * 48_271) % 2_147_483_647
      return seed % n
    }
    const text = () => Array.from({ length: random(30) }, () => 'abcd'[random(4)]).join('\n')
    for (let i = 0; i < 300; i++) {
      const [before, after] = [text(), text()]
      const rows = diffLines(before, after)
      const side = (without: string) => rows.filter(row => row.kind !== without).map(row => row.text)
      expect(side('added').join('\n')).toBe(before)
      expect(side('removed').join('\n')).toBe(after)
    }
  })
  it('of two long texts with nothing in common are taken away and added whole', () => {
    const long = (word: string) => Array.from({ length: 4_000 }, (_, i) => `${word}${i}`).join('\n')
    expect(counts(diffLines(long('a'), long('b')))).toEqual({ added: 4_000, removed: 4_000 })
  })
})

describe('pipelines', () => {
  it('are listed with the version that is in use, and compared with the newest', async () => {
    const user = userEvent.setup()
    await openApp(TAB)
    const table = within(await screen.findByRole('table', { name: 'Pipelines' }))
    expect(table.getByText('version 1 in use')).toBeVisible()
    await user.click(table.getByRole('button', { name: 'our_fields' }))
    expect(await screen.findByText('Version 1 is in use; version 2 is newer.')).toBeVisible()
    expect(location.search).toBe('?tab=pipelines&id=our_fields')
    await user.click(await screen.findByRole('button', { name: 'Compare version 1 with the newest' }))
    const diff = await screen.findByRole('table', { name: 'What changed from version 1 to 2' })
    expect(diff.querySelector('[data-kind=removed]')).toHaveTextContent('SourceIp: src_ip')
    expect(diff.querySelector('[data-kind=added]')).toHaveTextContent('SourceIp: source.ip')
  })

  it('are put to use and taken out of it with a reason, over the version that was seen', async () => {
    const user = userEvent.setup()
    const { calls, world } = await openApp(`${TAB}&id=our_fields`)
    await user.click(await screen.findByRole('button', { name: 'Use version 2…' }))
    await user.type(await screen.findByLabelText('Reason'), 'the sensors are there')
    await user.click(screen.getByRole('button', { name: 'Put to use' }))
    expect(await screen.findByText('The newest version is in use.')).toBeVisible()
    const sent = calls.find(c => c.method === 'PATCH')
    expect(sent?.body).toEqual({ active: true, version: 2, reason: 'the sensors are there' })
    expect(sent?.headers.get('if-match')).toBe('"2"')
    await user.click(screen.getByRole('button', { name: 'Take out of use…' }))
    await user.type(await screen.findByLabelText('Reason'), 'they are gone')
    await user.click(screen.getByRole('button', { name: 'Take out of use' }))
    await waitFor(() => expect(world.pipelines[0]?.live).toBeNull())
    await user.click(await screen.findByRole('button', { name: 'Delete…' }))
    await user.type(await screen.findByLabelText('Type our_fields to confirm'), 'our_fields')
    await user.click(screen.getByRole('button', { name: 'Delete pipeline' }))
    expect(await screen.findByText('No pipelines')).toBeVisible()
  })

  it('are made with a name that the server takes, once they can be used', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp(TAB)
    await user.click(await screen.findByRole('button', { name: 'New pipeline' }))
    expect(await screen.findByText(/^It can be used/)).toBeVisible()
    const make = screen.getByRole('button', { name: /^Make pipeline/ })
    expect(make).toBeDisabled()
    await user.type(screen.getByLabelText('Name'), '9lives')
    expect(screen.getByLabelText('Name')).toHaveAttribute('aria-invalid', 'true')
    await user.clear(screen.getByLabelText('Name'))
    await user.type(screen.getByLabelText('Name'), 'more_fields')
    await waitFor(() => expect(make).toBeEnabled())
    await user.click(make)
    expect(await screen.findByText('It is not in use: rules are compiled without it.')).toBeVisible()
    const sent = calls.find(c => c.method === 'POST' && c.path.endsWith('/pipelines'))
    expect(sent?.body).toMatchObject({ name: 'more_fields', text: expect.stringContaining('field_name_mapping') })
  })

  it('that cannot be used say where and why, and are not saved', async () => {
    const refuse = {
      usable: false,
      diagnostics: [
        {
          code: 'unknown-transformation',
          severity: 'error',
          message: 'there is no such transformation',
          fix: 'Did you mean field_name_mapping?',
          file: 'pipeline.yml',
          line: 5,
          column: 11,
        },
      ],
    }
    await openApp(`${TAB}&view=new`, makeWorld(), call =>
      call.path.endsWith('/check') ? { status: 200, body: refuse } : undefined,
    )
    const said = within(await screen.findByRole('list', { name: 'Diagnostics' }))
    expect(said.getByText(/there is no such transformation/)).toBeVisible()
    expect(said.getByRole('button', { name: 'Go to 5:11' })).toBeVisible()
    expect(screen.getByText('1 error')).toBeVisible()
    expect(screen.getByRole('button', { name: /^Make pipeline/ })).toBeDisabled()
  })

  it('are read by who may not write rules, who is told why', async () => {
    await openApp(`${TAB}&id=our_fields`, reader())
    expect(await screen.findByRole('button', { name: 'Take out of use…' })).toHaveAccessibleDescription(/rule\.write/)
    expect(screen.queryByRole('button', { name: /^Save/ })).toBeNull()
  })
})
