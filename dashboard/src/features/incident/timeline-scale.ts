/** Turns times into places on the timeline, and events that would overlap into one mark. Pure. */
import type { Plan, Severity, TimelineEntry } from '@/api/types'
import { SEVERITIES } from '@/api/types'
import { ACTION_STATE } from '@/ui/labels'

export type Mark = {
  at: number
  /** Percent of the width. */
  x: number
  title: string
  severity: Severity | null
  entries: TimelineEntry[]
  /** A step of the response, not an event. */
  response?: boolean
}
export type Lane = { id: string; label: string; marks: Mark[] }
export type Scale = { from: number; to: number; ticks: number[]; x: (at: number) => number }

const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400, 604_800]
const MAX_LANES = 8
const OTHER = 'Other'

export function makeScale(times: number[], maxTicks = 8): Scale {
  const first = Math.min(...times)
  const last = Math.max(...times)
  const pad = Math.max(1_000, (last - first) * 0.03)
  const from = first - pad
  const to = last + pad
  const step = (STEPS_S.find(s => (to - from) / 1000 / s <= maxTicks) ?? 2_592_000) * 1000
  const ticks: number[] = []
  for (let t = Math.ceil(from / step) * step; t <= to; t += step) ticks.push(t)
  return { from, to, ticks, x: at => ((at - from) / (to - from)) * 100 }
}

const worst = (a: Severity | null, b: Severity | null) => {
  if (!a || !b) return a ?? b
  return SEVERITIES.indexOf(a) <= SEVERITIES.indexOf(b) ? a : b
}

/** Marks closer than `gap` percent become one: the first title, `(+n)`, the worst severity. */
export function cluster(marks: Mark[], gap: number): Mark[] {
  const out: Mark[] = []
  for (const mark of [...marks].sort((a, b) => a.at - b.at)) {
    const last = out.at(-1)
    if (last && mark.x - last.x < gap) {
      last.entries = [...last.entries, ...mark.entries]
      last.severity = worst(last.severity, mark.severity)
      if (mark.response) last.title = mark.title
    } else out.push({ ...mark })
  }
  return out
}

const toMark = (entry: TimelineEntry, scale: Scale): Mark => {
  const at = Date.parse(entry.time)
  return { at, x: scale.x(at), title: entry.title, severity: entry.severity ?? null, entries: [entry] }
}

export const responseSteps = (plans: Plan[]) =>
  plans.flatMap(plan =>
    plan.actions.flatMap(action => {
      const steps: { at: number; title: string }[] = []
      if (action.applied_at) steps.push({ at: Date.parse(action.applied_at), title: `${plan.title}: applied` })
      if (action.verified_at) steps.push({ at: Date.parse(action.verified_at), title: `${plan.title}: verified` })
      if (['undone', 'drifted', 'failed', 'expired'].includes(action.state)) {
        steps.push({
          at: Date.parse(action.updated_at),
          title: `${plan.title}: ${ACTION_STATE[action.state].label.toLowerCase()}`,
        })
      }
      return steps
    }),
  )

/** One lane per entity, the busiest first; the rest share one. The response has its own. */
export function makeLanes(timeline: TimelineEntry[], plans: Plan[], scale: Scale, gap: number): Lane[] {
  const by = new Map<string, { label: string; marks: Mark[]; first: number }>()
  for (const entry of timeline) {
    const id = entry.entity ? `${entry.entity.kind}:${entry.entity.value}` : OTHER
    const lane = by.get(id) ?? { label: entry.entity?.value ?? OTHER, marks: [], first: Date.parse(entry.time) }
    lane.marks.push(toMark(entry, scale))
    by.set(id, lane)
  }
  const ranked = [...by].sort((a, b) => b[1].marks.length - a[1].marks.length)
  const kept = ranked.slice(0, MAX_LANES).sort((a, b) => a[1].first - b[1].first)
  const rest = ranked.slice(MAX_LANES).flatMap(([, lane]) => lane.marks)
  const lanes = kept.map(([id, lane]) => ({ id, label: lane.label, marks: cluster(lane.marks, gap) }))
  if (rest.length) lanes.push({ id: 'rest', label: `${ranked.length - MAX_LANES} more`, marks: cluster(rest, gap) })
  const steps = responseSteps(plans).map(s => ({ ...s, x: scale.x(s.at), severity: null, entries: [], response: true }))
  if (steps.length) lanes.push({ id: 'response', label: 'Response', marks: cluster(steps, gap) })
  return lanes
}
