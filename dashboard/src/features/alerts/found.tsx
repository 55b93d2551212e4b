const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** A value in parts, those that a rule found among them. Places are bytes of its UTF-8, in order; what is none is left out. */
export function partsOf(value: string, ranges: readonly number[][] = []) {
  const bytes = encoder.encode(value)
  const parts: { text: string; found: boolean }[] = []
  let at = 0
  const add = (end: number, found: boolean) => {
    if (end > at) parts.push({ text: decoder.decode(bytes.subarray(at, end)), found })
    at = Math.max(at, end)
  }
  for (const [start = 0, end = 0] of ranges) {
    if (start < at || end > bytes.length) continue
    add(start, false)
    add(end, true)
  }
  add(bytes.length, false)
  return parts
}

export const Found = ({ value, ranges }: { value: string; ranges?: number[][] }) =>
  partsOf(value, ranges).map((part, i) =>
    part.found ? (
      // biome-ignore lint/suspicious/noArrayIndexKey: parts have no name but their place
      <mark key={i} className="rounded-sm bg-accent/25 text-fg">
        {part.text}
      </mark>
    ) : (
      part.text
    ),
  )
