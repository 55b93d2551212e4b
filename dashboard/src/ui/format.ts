/** Numbers, times and spans as every page prints them. */
/** The short label of an object: the last six characters of its id. */
export const short = (id: string) => id.slice(-6)

export const cap = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)

/** `credential-access` -> `Credential access`. */
export const words = (text: string) => cap(text.replace(/[-_.]+/g, ' '))

export const fmt = (n: number) => n.toLocaleString('en-US')

export const plural = (n: number, one: string, many = `${one}s`) => `${fmt(n)} ${n === 1 ? one : many}`

const UNITS: [number, string][] = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'm'],
]

/** A span in one unit, always rounded down: `14s`, `3m`, `2h`, `5d`. */
export function span(seconds: number) {
  const whole = Math.max(0, Math.floor(seconds))
  for (const [size, unit] of UNITS) if (whole >= size) return `${Math.floor(whole / size)}${unit}`
  return `${Math.max(1, whole)}s`
}

/** Two units, for counting down: `4m 12s`, `23h 59m`. */
export function countdown(seconds: number) {
  const whole = Math.max(0, Math.floor(seconds))
  if (whole >= 86_400) return `${Math.floor(whole / 86_400)}d ${Math.floor((whole % 86_400) / 3_600)}h`
  if (whole >= 3_600) return `${Math.floor(whole / 3_600)}h ${Math.floor((whole % 3_600) / 60)}m`
  if (whole >= 60) return `${Math.floor(whole / 60)}m ${whole % 60}s`
  return `${whole}s`
}

export const since = (iso: string, now: number) => span((now - Date.parse(iso)) / 1000)

/** Milliseconds and finer as they came: 250 ms, 1.2 s. */
export const took = (ms: number) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`)

const DATE: Intl.DateTimeFormatOptions = { day: 'numeric', month: 'short' }
const CLOCK: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }

export const clock = (iso: string | number) => new Date(iso).toLocaleTimeString('en-GB', CLOCK)
export const clockSeconds = (iso: string | number) =>
  new Date(iso).toLocaleTimeString('en-GB', { ...CLOCK, second: '2-digit' })
export const dayClock = (iso: string | number) =>
  `${new Date(iso).toLocaleDateString('en-GB', DATE)} ${clockSeconds(iso)}`
/** The whole truth, with the zone: for hover texts. */
export const absolute = (iso: string | number) =>
  new Date(iso).toLocaleString('en-GB', {
    ...DATE,
    ...CLOCK,
    year: 'numeric',
    second: '2-digit',
    fractionalSecondDigits: 3,
    timeZoneName: 'short',
  })

export function bytes(n: number) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = n
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}
