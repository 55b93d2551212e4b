/** Whether the page is up to date: live, paused, or reconnecting and since when. The connection lives as long as this does. */
import { Pause, Play } from 'lucide-react'
import { useEffect } from 'react'
import { cn } from '@/ui/basic'
import { clock } from '@/ui/format'
import { Tip } from '@/ui/tip'
import { live, useLive } from './live-sync'

const LOOK = {
  live: { dot: 'pulse bg-ok', text: 'Live' },
  paused: { dot: 'bg-medium', text: 'Paused' },
  connecting: { dot: 'bg-info', text: 'Connecting' },
  reconnecting: { dot: 'bg-critical', text: 'Reconnecting' },
} as const

export default function LivePill() {
  useEffect(() => {
    live.start()
    return () => live.stop()
  }, [])
  const { state, since } = useLive(s => s)
  const look = LOOK[state]
  const stale = state === 'reconnecting' || state === 'paused'
  const paused = state === 'paused'
  return (
    <Tip label={paused ? 'Resume live updates' : 'Pause live updates'}>
      <button
        type="button"
        onClick={() => live.togglePause()}
        className="flex h-7.5 items-center gap-1.5 rounded-md px-2 text-xs text-fg-2 hover:bg-hover"
        data-live={state}
      >
        <span className={cn('size-1.5 rounded-full', look.dot)} />
        <span role="status" className="max-sm:sr-only">
          {look.text}
          {stale && <span className="text-fg-3"> · stale since {clock(since)}</span>}
        </span>
        {paused ? <Play size={12} aria-hidden="true" /> : <Pause size={12} aria-hidden="true" />}
        <span className="sr-only">{paused ? 'Resume live updates' : 'Pause live updates'}</span>
      </button>
    </Tip>
  )
}
