import { describe, expect, it } from 'vitest'
import type { ApiKey, Invitation } from '@/api/types'
import { bytesOf, creationOptions, requestOptions, textOf } from '@/api/webauthn'
import { linkSecret } from '@/app/session'
import { partsOf } from '@/features/alerts/found'
import { linkState } from '@/features/settings/invitations'
import { lines } from '@/features/settings/key-dialog'
import { keyState } from '@/features/settings/keys'
import { gridOf } from '@/features/settings/matrix'
import { browserOf } from '@/features/settings/sessions'
import { slugOf } from '@/features/tenants/form'
import { diff, printed } from '@/ui/diff'
import { qrPath } from '@/ui/qr'
import { everyDay } from '@/ui/usage-view'

describe('a diff', () => {
  const rows = (before: unknown, after: unknown) =>
    diff(before, after)
      .filter(row => row.kind !== 'same')
      .map(row => `${row.kind} ${row.path}: ${printed(row.before)} > ${printed(row.after)}`)
  it('names each leaf that changed, by its path', () => {
    expect(
      rows({ role: 'viewer', limits: { burst: 5, rate: 1 } }, { role: 'admin', limits: { burst: 9, rate: 1 } }),
    ).toEqual(['changed role: viewer > admin', 'changed limits.burst: 5 > 9'])
  })
  it('shows a list of words as what was gained and lost', () => {
    expect(rows({ p: ['a', 'b'] }, { p: ['b', 'c'] })).toEqual(['removed p: a > –', 'added p: – > c'])
  })
  it('of something made or gone is all of it', () => {
    expect(rows(undefined, { name: 'x', end: null })).toEqual(['added name: – > x', 'added end: – > –'])
    expect(rows({ name: 'x' }, undefined)).toEqual(['removed name: x > –'])
    expect(rows({ a: { b: 1 } }, { a: null })).toEqual(['removed a.b: 1 > –'])
  })
  it('of two equal values is empty, whatever is in them', () => {
    for (const value of [null, 1, '', [], {}, { a: [{ b: 1 }] }])
      expect(rows(value, structuredClone(value))).toEqual([])
  })
})

describe('passkey messages', () => {
  it('are bytes for the browser and base64url for the server', () => {
    const bytes = Uint8Array.from([251, 255, 0, 62])
    expect(textOf(bytes)).toBe('-_8APg')
    expect([...bytesOf('-_8APg')]).toEqual([...bytes])
  })
  it('take the options with or without their wrapper', () => {
    const options = { challenge: 'AQID', allowCredentials: [{ id: 'BAU', type: 'public-key' }], timeout: 5 }
    for (const given of [options, { publicKey: options }]) {
      const made = requestOptions(given)
      expect([...new Uint8Array(made.challenge as ArrayBuffer)]).toEqual([1, 2, 3])
      expect(made.timeout).toBe(5)
      expect(made.allowCredentials?.[0]?.id).toEqual(Uint8Array.from([4, 5]))
    }
    const made = creationOptions({
      publicKey: { challenge: 'AQID', user: { id: 'Bg', name: 'mira', displayName: 'Mira' }, rp: { name: 'x' } },
    })
    expect([...(made.user.id as Uint8Array)]).toEqual([6])
    expect(made.excludeCredentials).toEqual([])
  })
})

it('a link in the address is one of three kinds', () => {
  expect(linkSecret('#invite=sov_1')).toEqual({ kind: 'invite', secret: 'sov_1' })
  expect(linkSecret('#reset=sor_1')).toEqual({ kind: 'reset', secret: 'sor_1' })
  expect(linkSecret('#claim=x')).toEqual({ kind: 'claim', secret: 'x' })
  for (const hash of ['', '#', '#main', '#invite=', '#other=x']) expect(linkSecret(hash)).toBeNull()
})

it('permissions are a grid of what exists; what one lacks is marked, the installation’s are left out', () => {
  const grid = gridOf([
    { permission: 'plan.approve', allowed: false },
    { permission: 'alert.read', allowed: true },
    { permission: 'tenant.write', allowed: true },
    { permission: 'plan.fly', allowed: true },
  ])
  expect(grid.actions).toEqual(['read', 'approve', 'fly'])
  expect(grid.rows.map(row => row.resource)).toEqual(['plan', 'alert'])
  expect(grid.rows[0]?.cells.get('approve')).toEqual({ permission: 'plan.approve', own: false })
})

it('a key and a link say whether they still open anything', () => {
  const now = Date.parse('2026-01-02T00:00:00Z')
  const key = { secrets: 1, expires_at: '2026-01-03T00:00:00Z', revoked_at: null } as ApiKey
  expect(keyState(key, now).word).toBe('active')
  expect(keyState({ ...key, secrets: 2 }, now).word).toBe('2 secrets')
  expect(keyState({ ...key, expires_at: '2026-01-01T00:00:00Z' }, now)).toMatchObject({ word: 'expired', live: false })
  expect(keyState({ ...key, revoked_at: '2026-01-01T00:00:00Z' }, now)).toMatchObject({ word: 'revoked', live: false })
  const link = { expires_at: '2026-01-03T00:00:00Z', spent_at: null, revoked_at: null } as Invitation
  expect(linkState(link, now).open).toBe(true)
  expect(linkState({ ...link, spent_at: '2026-01-01T00:00:00Z' }, now).word).toBe('used')
  expect(linkState({ ...link, expires_at: '2026-01-02T00:00:00Z' }, now).word).toBe('expired')
})

it('what is typed becomes what is sent', () => {
  expect(lines(' 10.0.0.0/8 \n\n 192.0.2.7')).toEqual(['10.0.0.0/8', '192.0.2.7'])
  expect(['Northwind & Söhne', '  -A-  ', 'x'.repeat(60), '日本'].map(slugOf)).toEqual([
    'northwind-sohne',
    'a',
    'x'.repeat(40),
    '',
  ])
})

it('a browser is named in two words', () => {
  expect(browserOf('Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/156.0 Safari/537.36')).toBe(
    'Chrome on Windows',
  )
  expect(browserOf('Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0')).toBe('Firefox on Linux')
  expect(browserOf('curl/8.5')).toBe('curl')
  expect(browserOf(null)).toBe('Unknown')
})

it('days without events are days too', () => {
  const days = everyDay({
    from: '2026-01-01T12:00:00Z',
    to: '2026-01-03T12:00:00Z',
    events_by_day: [{ day: '2026-01-02T00:00:00Z', events: 5 }],
  })
  expect(days).toEqual([
    { day: '2026-01-01', events: 0 },
    { day: '2026-01-02', events: 5 },
    { day: '2026-01-03', events: 0 },
  ])
})

it('a QR code is drawn with its quiet zone', () => {
  const { path, size } = qrPath('otpauth://totp/x?secret=JBSWY3DPEHPK3PXP')
  expect(size).toBeGreaterThan(29)
  expect(path).toMatch(/^M4 4h1v1h-1z/)
})

describe('what a rule found in a value', () => {
  const shown = (value: string, ranges?: number[][]) =>
    partsOf(value, ranges)
      .map(part => (part.found ? `[${part.text}]` : part.text))
      .join('')
  it('is marked by the bytes of its UTF-8, not by its characters', () => {
    expect(shown('größer -enc x', [[9, 13]])).toBe('größer [-enc] x')
    expect(shown('🙂evil🙂', [[4, 8]])).toBe('🙂[evil]🙂')
  })
  it('leaves out a place that is none, and a value without places is whole', () => {
    expect(
      shown('cmd /c a', [
        [0, 3],
        [2, 5],
        [4, 6],
        [7, 99],
      ]),
    ).toBe('[cmd] [/c] a')
    expect(shown('cmd')).toBe('cmd')
    expect(shown('')).toBe('')
  })
})
