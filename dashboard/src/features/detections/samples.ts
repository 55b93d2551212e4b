/** Samples as one types them: one event a line, or JSON over several lines. Pure. */

/** Where one JSON value ends, counting braces outside strings; -1 when it does not. */
function endOfJson(text: string, from: number): number {
  let depth = 0
  let inString = false
  for (let i = from; i < text.length; i++) {
    const c = text[i]
    if (inString) {
      if (c === '\\') i++
      else if (c === '"') inString = false
    } else if (c === '"') inString = true
    else if (c === '{') depth++
    else if (c === '}' && --depth === 0) return i + 1
  }
  return -1
}

/** Splits into events: a line is one, and so is an object that goes over several lines, which becomes one line. */
export function sampleLines(text: string): string[] {
  const all = arrayOf(text)
  if (all) return all
  const out: string[] = []
  let at = 0
  while (at < text.length) {
    const rest = text.slice(at)
    const skipped = rest.length - rest.trimStart().length
    at += skipped
    if (at >= text.length) break
    const lineEnd = text.indexOf('\n', at) === -1 ? text.length : text.indexOf('\n', at)
    const end = text[at] === '{' ? endOfJson(text, at) : -1
    if (end > lineEnd) {
      const whole = text.slice(at, end)
      out.push(compact(whole))
      at = end
    } else {
      out.push(text.slice(at, lineEnd).trim())
      at = lineEnd
    }
  }
  return out.filter(Boolean)
}

/** A JSON array of events, where the text is one. */
function arrayOf(text: string): string[] | null {
  if (!text.trimStart().startsWith('[')) return null
  try {
    const all: unknown = JSON.parse(text)
    return Array.isArray(all) ? all.map(one => (typeof one === 'string' ? one : JSON.stringify(one))) : null
  } catch {
    return null
  }
}

function compact(text: string) {
  try {
    return JSON.stringify(JSON.parse(text))
  } catch {
    return text.replace(/\s*\n\s*/g, ' ')
  }
}

/** Whether one of the documents of a text correlates others: its samples are stories. */
export const isCorrelation = (text: string) => /^correlation:/m.test(text)

/** Stories as one types them: an empty line stands between two. Each is one sample whose lines are its events. */
export const stories = (text: string) =>
  text
    .split(/\n[ \t]*\n/)
    .map(story => sampleLines(story).join('\n'))
    .filter(Boolean)

/** The samples of a rule as the API takes them. */
export const samplesOf = (rule: string, text: string) => (isCorrelation(rule) ? stories(text) : sampleLines(text))

export const samplesText = (lines: string[] | undefined, rule = '') =>
  (lines ?? []).join(isCorrelation(rule) ? '\n\n' : '\n')

/** The values of a list: one a line, without empty ones. */
export const listValues = (text: string) =>
  text
    .split('\n')
    .map(line => line.trim())
    .filter(Boolean)

/** One event as the API takes it: an object where it is JSON, a text where it is a line. */
export function eventOf(text: string, index = 0): unknown {
  const trimmed = text.trim()
  if (!trimmed.startsWith('{')) return trimmed
  try {
    return JSON.parse(trimmed)
  } catch (error) {
    throw new Error(`Event ${index + 1} is not JSON: ${(error as Error).message}`)
  }
}
