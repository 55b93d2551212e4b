import { describe, expect, it } from 'vitest'
import { parseSearch, stringifySearch } from '@/app/router'
import { textOrEntity } from '@/features/alerts/filters'
import { eventOf, listValues, sampleLines, samplesOf, samplesText } from '@/features/detections/samples'
import { tokens } from '@/features/detections/yaml'
import { flatten } from '@/features/events/fields'
import { parseLabels } from '@/features/settings/labels'
import { bytes, countdown, plural, short, since, span, words } from '@/ui/format'

describe('words and numbers', () => {
  it('label an object by the last six characters of its id', () => {
    expect(short('inc_01h455vb4pex5vsknk084sn02q')).toBe('4sn02q')
  })
  it('print a span in one unit, rounded down, at least a second', () => {
    expect([0, 59, 60, 3599, 3600, 86_399, 200_000].map(span)).toEqual(['1s', '59s', '1m', '59m', '1h', '23h', '2d'])
  })
  it('do not count backwards when the server is ahead', () => {
    expect(since('2026-11-21T12:00:05.000000Z', Date.parse('2026-11-21T12:00:00Z'))).toBe('1s')
  })
  it('count down in two units and stop at zero', () => {
    expect([252, 86_340, 90_000, -5].map(countdown)).toEqual(['4m 12s', '23h 59m', '1d 1h', '0s'])
  })
  it('print sizes, plurals and tactics as people read them', () => {
    expect([29, 52_428_801, 999].map(bytes)).toEqual(['29 B', '52.4 MB', '999 B'])
    expect([plural(1, 'alert'), plural(1200, 'alert')]).toEqual(['1 alert', '1,200 alerts'])
    expect(words('credential-access')).toBe('Credential access')
  })
})

describe('addresses', () => {
  it('keep filters as plain text, there and back', () => {
    const search = { entity: 'ip:203.0.113.66', q: 'a & b', id: undefined }
    const text = stringifySearch(search)
    expect(text).toBe('?entity=ip:203.0.113.66&q=a+%26+b')
    expect(parseSearch(text)).toEqual({ entity: 'ip:203.0.113.66', q: 'a & b' })
  })
})

describe('what people type', () => {
  it('labels are pairs; a value may hold an equals sign', () => {
    expect(parseLabels('team=web, q=a=b, =x, ')).toEqual({ team: 'web', q: 'a=b' })
  })
  it('pasted events are lines or one array, and a bad line is named', () => {
    const parse = (text: string) => sampleLines(text).map(eventOf)
    expect(parse('{"a":1}\n\n{"a":2}')).toEqual([{ a: 1 }, { a: 2 }])
    expect(parse('[{"a":1}]')).toEqual([{ a: 1 }])
    expect(parse('{\n  "a": "}"\n}\na plain line')).toEqual([{ a: '}' }, 'a plain line'])
    expect(() => parse('{"a":1}\n{oops')).toThrow(/^Event 2/)
  })
})

describe('samples of a correlation', () => {
  const rule = 'title: Base\n---\ntitle: Many\ncorrelation:\n  type: event_count\n'
  it('are stories: an empty line stands between two, there and back', () => {
    const typed = '{"a":1}\n{"a":2}\n\n{"a":3}'
    expect(samplesOf(rule, typed)).toEqual(['{"a":1}\n{"a":2}', '{"a":3}'])
    expect(samplesText(samplesOf(rule, typed), rule)).toBe(typed)
    expect(samplesOf('title: Base\n', typed)).toEqual(['{"a":1}', '{"a":2}', '{"a":3}'])
  })
  it('and the values of a list are its lines', () => {
    expect(listValues(' root \n\nann\n')).toEqual(['root', 'ann'])
  })
})

describe('the search of alerts and events', () => {
  it('reads kind:value as an entity, anything else as text', () => {
    expect(textOrEntity({ q: 'ip:203.0.113.66' })).toEqual({ entity: 'ip:203.0.113.66' })
    expect(textOrEntity({ q: 'Accepted password: no' })).toEqual({ q: 'Accepted password: no', entity: undefined })
  })
})

describe('fields and sources', () => {
  it('flatten to dotted names; lists of words stay one value', () => {
    expect(flatten({ a: { b: 1, c: null }, type: ['X', 'Y'], d: [{ e: 2 }] })).toEqual([
      ['a.b', '1'],
      ['type', 'X, Y'],
      ['d.0.e', '2'],
    ])
  })
  it('a rule line knows keys, strings and comments, and a # inside quotes is text', () => {
    expect(tokens("  message|contains: 'a # b' # why")).toEqual([
      { kind: 'text', text: '  ' },
      { kind: 'key', text: 'message|contains' },
      { kind: 'text', text: ': ' },
      { kind: 'string', text: "'a # b'" },
      { kind: 'text', text: ' ' },
      { kind: 'comment', text: '# why' },
    ])
  })
})
