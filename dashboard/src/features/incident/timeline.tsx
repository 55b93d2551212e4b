/** The timeline: one lane per entity on a common axis, or the same as a list. A mark opens its event. */

import { ShieldCheck } from 'lucide-react'
import { useEffect, useMemo, useRef, useState } from 'react'
import type { Entity, Investigation, Plan } from '@/api/types'
import { useOpenEvent } from '@/app/search'
import { Btn, cn } from '@/ui/basic'
import { entityKey } from '@/ui/entity'
import { clock, clockSeconds, dayClock, fmt, plural, words } from '@/ui/format'
import { SevIcon } from '@/ui/severity'
import { Empty } from '@/ui/states'
import { type Lane, type Mark, makeLanes, makeScale, responseSteps, type Scale } from './timeline-scale'

const LEFT = 132
const ROW = 34
const TARGET_PX = 26

type Props = { investigation: Investigation; plans: Plan[]; focus: Entity | null; eventCount: number }

export function Timeline({ investigation, plans, focus, eventCount }: Props) {
  const [list, setList] = useState(false)
  const entries = investigation.timeline
  const times = [...entries.map(e => Date.parse(e.time)), ...responseSteps(plans).map(s => s.at)]
  return (
    <section aria-label="Timeline" className="flex h-[270px] shrink-0 flex-col border-t border-line bg-surface">
      <div className="flex h-9 shrink-0 items-center gap-2 border-b border-line px-3 text-xs text-fg-3">
        <h2 className="text-sm font-medium text-fg">Timeline</h2>
        {times.length > 0 && (
          <span className="num truncate">
            {dayClock(Math.min(...times))} – {clockSeconds(Math.max(...times))},{' '}
            {plural(entries.length, 'entry', 'entries')} of {plural(eventCount, 'matched event')}
          </span>
        )}
        <Btn size="sm" v="ghost" className="ml-auto" aria-pressed={list} onClick={() => setList(!list)}>
          {list ? 'Lanes' : 'List'}
        </Btn>
      </div>
      {!entries.length ? (
        <Empty title="Nothing on the timeline">This revision found no event it could place in time.</Empty>
      ) : list ? (
        <TimelineList investigation={investigation} focus={focus} />
      ) : (
        <Lanes investigation={investigation} plans={plans} times={times} focus={focus} />
      )}
    </section>
  )
}

function Lanes({
  investigation,
  plans,
  times,
  focus,
}: {
  investigation: Investigation
  plans: Plan[]
  times: number[]
  focus: Entity | null
}) {
  const box = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(900)
  useEffect(() => {
    const element = box.current
    if (!element) return
    const watcher = new ResizeObserver(([entry]) => entry && setWidth(entry.contentRect.width))
    watcher.observe(element)
    return () => watcher.disconnect()
  }, [])
  const from = Math.min(...times)
  const to = Math.max(...times)
  const plot = Math.max(200, width - LEFT - 24)
  const scale = useMemo(() => makeScale([from, to], Math.max(3, Math.floor(plot / 90))), [from, to, plot])
  const lanes = useMemo(
    () => makeLanes(investigation.timeline, plans, scale, (TARGET_PX / plot) * 100),
    [investigation, plans, scale, plot],
  )
  const tickText = scale.to - scale.from < 10 * 60_000 ? clockSeconds : clock
  return (
    <section
      ref={box}
      className="scroll relative min-h-0 flex-1 overflow-y-auto select-none"
      aria-label="Timeline lanes"
      tabIndex={0}
    >
      <div className="sticky top-0 z-10 h-6 border-b border-line/70 bg-surface" style={{ marginLeft: LEFT }}>
        <div className="relative mr-6 h-full text-2xs text-fg-3">
          {scale.ticks.map(t => (
            <span key={t} className="num absolute -translate-x-1/2 pt-1" style={{ left: `${scale.x(t)}%` }}>
              {tickText(t)}
            </span>
          ))}
        </div>
      </div>
      {lanes.map(lane => (
        <LaneRow
          key={lane.id}
          lane={lane}
          scale={scale}
          plot={plot}
          lit={focus ? lane.id === entityKey(focus) : false}
        />
      ))}
    </section>
  )
}

function LaneRow({ lane, scale, plot, lit }: { lane: Lane; scale: Scale; plot: number; lit: boolean }) {
  const response = lane.id === 'response'
  return (
    <div className={cn('flex border-b border-line/70', (response || lit) && 'bg-accent-soft')} style={{ height: ROW }}>
      <div
        title={lane.label}
        style={{ width: LEFT, lineHeight: `${ROW}px` }}
        className={cn(
          'shrink-0 truncate pr-2 pl-3 text-xs',
          response ? 'font-medium text-accent' : 'font-mono text-[11.5px] text-fg-2',
        )}
      >
        {lane.label}
      </div>
      <div className="relative mr-6 min-w-0 flex-1">
        {scale.ticks.map(t => (
          <span key={t} className="absolute inset-y-0 w-px bg-line/70" style={{ left: `${scale.x(t)}%` }} />
        ))}
        {lane.marks.map((mark, i) => {
          const next = lane.marks[i + 1]?.x ?? 103
          return (
            <MarkButton
              key={`${mark.at}-${mark.title}`}
              mark={mark}
              room={next - mark.x}
              wide={((next - mark.x) / 100) * plot > 96}
            />
          )
        })}
      </div>
    </div>
  )
}

function MarkButton({ mark, room, wide }: { mark: Mark; room: number; wide: boolean }) {
  const openEvent = useOpenEvent()
  const count = mark.entries.reduce((sum, e) => sum + e.count, 0)
  const more = mark.entries.length > 1 ? ` (+${mark.entries.length - 1})` : ''
  const text = `${mark.title}${count > 1 && mark.entries.length === 1 ? ` ×${fmt(count)}` : ''}${more}`
  const title = mark.entries.length
    ? mark.entries
        .slice(0, 8)
        .map(
          e =>
            `${clockSeconds(e.time)}  ${e.title}${e.count > 1 ? ` ×${fmt(e.count)}` : ''}${e.detail ? `  ${e.detail}` : ''}`,
        )
        .join('\n')
    : `${clockSeconds(mark.at)}  ${mark.title}`
  const first = mark.entries[0]
  return (
    <button
      type="button"
      title={title}
      aria-label={`${clockSeconds(mark.at)} ${text}`}
      disabled={!first}
      onClick={() => first && openEvent(first.event_id)}
      className="absolute top-1 flex h-6.5 min-w-6.5 items-center gap-1 overflow-hidden rounded-md bg-surface/70 pl-1 text-2xs whitespace-nowrap text-fg-2 enabled:hover:bg-hover"
      style={{ left: `calc(${mark.x}% - 11px)`, maxWidth: wide ? `calc(${room}% - 2px)` : undefined }}
    >
      {mark.response ? (
        <ShieldCheck size={15} className="shrink-0 text-ok" aria-hidden="true" />
      ) : (
        <SevIcon s={mark.severity ?? 'informational'} />
      )}
      {wide && <span className="truncate pr-1.5">{text}</span>}
    </button>
  )
}

function TimelineList({ investigation, focus }: { investigation: Investigation; focus: Entity | null }) {
  const openEvent = useOpenEvent()
  return (
    <section className="scroll min-h-0 flex-1 overflow-y-auto" aria-label="Timeline list" tabIndex={0}>
      <ol>
        {investigation.timeline.map((entry, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: two entries may cite one event; their order is fixed
          <li key={`${entry.event_id}-${i}`}>
            <button
              type="button"
              onClick={() => openEvent(entry.event_id)}
              className={cn(
                'grid min-h-8 w-full grid-cols-[112px_16px_minmax(0,1fr)_150px_84px] items-center gap-2 border-b border-line/60 px-3 text-left text-xs hover:bg-hover',
                focus && entry.entity && entityKey(entry.entity) === entityKey(focus) && 'bg-accent-soft',
              )}
            >
              <time className="num text-fg-3">{dayClock(entry.time)}</time>
              <SevIcon s={entry.severity ?? 'informational'} />
              <span className="truncate">
                {entry.title}
                {entry.detail && <span className="ml-2 font-mono text-2xs text-fg-3">{entry.detail}</span>}
                {entry.count > 1 && <span className="num text-fg-3"> ×{fmt(entry.count)}</span>}
              </span>
              <span className="truncate text-fg-3">{entry.tactic ? words(entry.tactic) : ''}</span>
              <span className="font-mono text-2xs text-fg-3">{entry.technique}</span>
            </button>
          </li>
        ))}
      </ol>
    </section>
  )
}
