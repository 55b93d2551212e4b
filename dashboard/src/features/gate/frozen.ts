/** When freezes hold, as the server reads them. Pure, so that tests can walk it. */
import type { Environment, GateFreeze, GateSettings } from '@/api/types'
import { cap } from '@/ui/format'

type Day = Extract<GateFreeze['when'], { kind: 'weekly' }>['days'][number]
export const DAYS: Day[] = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday']

const minute = (iso: string) =>
  new Date(iso).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short', hourCycle: 'h23' })

export function when({ when }: Pick<GateFreeze, 'when'>): string {
  if (when.kind === 'dates') return `${minute(when.from)} to ${minute(when.to)}`
  return `${when.days.map(cap).join(', ')}, ${when.from} to ${when.to} (${when.zone})`
}

const WEEKEND = { from: '00:00', to: '00:00', days: ['saturday', 'sunday'] as Day[] }
const weekend = (zone: string): GateFreeze => ({
  name: 'weekend',
  reason: 'weekends are frozen',
  environments: [],
  when: { kind: 'weekly', ...WEEKEND, zone: zone || 'UTC' },
})

/** The day of the week from Monday on, and the time of day as `HH:MM`, in a zone. */
function local(zone: string, now: number): [number, string] {
  const options = { timeZone: zone, weekday: 'long', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const
  const parts = new Intl.DateTimeFormat('en-GB', options).formatToParts(now)
  const part = (type: string) => parts.find(one => one.type === type)?.value ?? ''
  return [DAYS.indexOf(part('weekday').toLowerCase() as Day), `${part('hour')}:${part('minute')}`]
}

/** An end that is not after the beginning is the next day's. A zone that this browser does not know holds, as on the server. */
export function holds({ when }: Pick<GateFreeze, 'when'>, now: number): boolean {
  if (when.kind === 'dates') return Date.parse(when.from) <= now && now < Date.parse(when.to)
  try {
    const [day, time] = local(when.zone, now)
    const on = (index: number) => when.days.some(one => DAYS.indexOf(one) === index)
    if (when.to > when.from) return on(day) && when.from <= time && time < when.to
    return (on(day) && when.from <= time) || (on((day + 6) % 7) && time < when.to)
  } catch {
    return true
  }
}

/** The freezes that hold there now. */
export function frozen(settings: GateSettings, environment: Environment, now: number): GateFreeze[] {
  const all = [...settings.freezes, ...(settings.weekends_frozen ? [weekend(settings.weekend_zone)] : [])]
  const there = (freeze: GateFreeze) => !freeze.environments?.length || freeze.environments.includes(environment)
  return all.filter(freeze => there(freeze) && holds(freeze, now))
}
