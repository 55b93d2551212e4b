/** What changed between two JSON values, as one row a leaf. Pure. */
export type Change = { path: string; before: unknown; after: unknown; kind: 'added' | 'removed' | 'changed' | 'same' }

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Lists of plain values are compared as sets of words: `permissions` gained and lost, not "index 3 differs". */
const isWords = (value: unknown): value is (string | number | boolean)[] =>
  Array.isArray(value) && value.every(one => !isObject(one) && !Array.isArray(one))

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)

export function diff(before: unknown, after: unknown, path = ''): Change[] {
  const at = (key: string) => (path ? `${path}.${key}` : key)
  if (isObject(before) || isObject(after)) {
    const [one, other] = [isObject(before) ? before : {}, isObject(after) ? after : {}]
    const keys = [...new Set([...Object.keys(one), ...Object.keys(other)])]
    return keys.flatMap(key => diff(one[key], other[key], at(key)))
  }
  if (isWords(before) && isWords(after)) return words(before, after, path)
  if (before === undefined && after === undefined) return []
  const kind = same(before, after) ? 'same' : before == null ? 'added' : after == null ? 'removed' : 'changed'
  return [{ path, before, after, kind }]
}

function words(before: unknown[], after: unknown[], path: string): Change[] {
  const lost = before.filter(one => !after.includes(one))
  const won = after.filter(one => !before.includes(one))
  if (!lost.length && !won.length) return [{ path, before, after, kind: 'same' }]
  return [
    ...lost.map(one => ({ path, before: one, after: undefined, kind: 'removed' as const })),
    ...won.map(one => ({ path, before: undefined, after: one, kind: 'added' as const })),
  ]
}

/** A value as one short text. */
export function printed(value: unknown): string {
  if (value === undefined || value === null) return '–'
  if (typeof value === 'string') return value === '' ? '(empty)' : value
  if (isWords(value)) return value.length ? value.join(', ') : '(none)'
  if (Array.isArray(value) && value.every(isWords)) return value.map(pair => pair.join(' + ')).join('; ')
  return JSON.stringify(value)
}
