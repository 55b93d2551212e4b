/** `team=web, tier=1` to labels and back. */
export function parseLabels(text: string): Record<string, string> {
  const pairs = text.split(',').map(part => part.split('='))
  return Object.fromEntries(
    pairs.flatMap(([key, ...value]) => (key?.trim() ? [[key.trim(), value.join('=').trim()]] : [])),
  )
}
export const printLabels = (labels: Record<string, string>) =>
  Object.entries(labels)
    .map(([k, v]) => `${k}=${v}`)
    .join(', ')
