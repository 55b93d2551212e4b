import { screen } from '@testing-library/react'
import { describe, expect, it, vi } from 'vitest'
import { makeWorld } from './fixtures/api.mjs'
import { openApp } from './harness'

describe('a page that fails', () => {
  it('says so inside the frame, with a way to try again', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => {})
    await openApp('/t/northwind/capabilities', makeWorld(), call =>
      call.path.includes('/capabilities') ? { status: 200, body: { items: [null], next_cursor: null } } : undefined,
    )
    expect(await screen.findByText('This page could not be read')).toBeVisible()
    expect(screen.getByRole('button', { name: 'Try again' })).toBeVisible()
    expect(screen.getByRole('navigation', { name: 'Main' })).toBeVisible()
  })
})
