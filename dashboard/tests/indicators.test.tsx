import { screen, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it } from 'vitest'
import { pieces } from '@/features/indicators/pieces'
import { openApp } from './harness'

const read = async (text: string, name: string, most: number) => {
  const out: { text: string; fromLine: number; more: boolean }[] = []
  for await (const piece of pieces(new File([text], name), most))
    out.push({ text: await piece.body.text(), fromLine: piece.fromLine, more: piece.more })
  return out
}

describe('a list that is larger than a request', () => {
  it('is cut between lines, and each piece says where it begins', async () => {
    const text = 'one\ntwo\nthree\nfour'
    expect(await read(text, 'a.txt', 9)).toEqual([
      { text: 'one\ntwo\n', fromLine: 1, more: true },
      { text: 'three\n', fromLine: 3, more: true },
      { text: 'four', fromLine: 4, more: false },
    ])
    expect(await read(text, 'a.txt', 100)).toEqual([{ text, fromLine: 1, more: false }])
  })
  it('is not cut where it is one document, or packed', async () => {
    await expect(read('{"objects": []}', 'a.json', 5)).rejects.toThrow(/cannot be cut/)
    await expect(read('0123456789', 'a.csv.gz', 5)).rejects.toThrow(/cannot be cut/)
  })
  it('with a line that no request can hold is refused', async () => {
    await expect(read(`ok\n${'x'.repeat(40)}\n`, 'a.txt', 10)).rejects.toThrow(/^Line 2/)
  })
})

describe('indicators', () => {
  it('say which lists are in use and which are not checked yet', async () => {
    await openApp('/t/northwind/indicators')
    const table = within(await screen.findByRole('table'))
    expect(table.getByText('In use')).toBeInTheDocument()
    expect(table.getByText('Not checked yet')).toBeInTheDocument()
    expect(table.getByText('nothing: it allows')).toBeInTheDocument()
  })
  it('are looked up by value, with where they come from', async () => {
    await openApp('/t/northwind/indicators?q=203.0.113.66')
    const row = within(await screen.findByRole('table'))
    expect(row.getByRole('link', { name: 'Botnet controllers' })).toBeInTheDocument()
    expect(row.getByText(/line 1/)).toBeInTheDocument()
  })
  it('are imported from what is pasted, and what was refused is shown with its line', async () => {
    const user = userEvent.setup()
    const { calls } = await openApp('/t/northwind/indicators')
    await user.click(await screen.findByRole('link', { name: 'Botnet controllers' }))
    await user.click(await screen.findByRole('button', { name: 'Import…' }))
    await user.type(await screen.findByLabelText('Or paste it'), '203.0.113.1\nevil.example\nhello')
    await user.click(screen.getByRole('button', { name: 'Import' }))
    expect(await screen.findByRole('dialog', { name: '2 indicators imported' })).toBeInTheDocument()
    expect(screen.getByText(/`hello` is no indicator/)).toBeInTheDocument()
    const sent = calls.find(c => c.path.includes('/import'))
    expect(sent?.path).toContain('mode=replace')
    expect(sent?.headers.get('content-type')).toBe('text/plain')
    expect(sent?.headers.get('idempotency-key')).toBeTruthy()
    expect(await (sent?.body as Blob | undefined)?.text()).toBe('203.0.113.1\nevil.example\nhello')
  })
})
