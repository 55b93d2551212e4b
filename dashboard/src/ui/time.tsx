/** Times: relative in lists, absolute with the zone on hover. One clock for the page, ticking once a second. */
import { useSyncExternalStore } from 'react'
import { absolute, countdown, since } from './format'

let now = Date.now()
let timer: ReturnType<typeof setInterval> | undefined
const subs = new Set<() => void>()

function subscribe(f: () => void) {
  subs.add(f)
  timer ??= setInterval(() => {
    if (document.hidden) return
    now = Date.now()
    for (const sub of subs) sub()
  }, 1000)
  return () => {
    subs.delete(f)
    if (!subs.size) {
      clearInterval(timer)
      timer = undefined
    }
  }
}

/** Now, rounded to `step` milliseconds, so that a list of hours does not render each second. */
export const useNow = (step = 1000) => useSyncExternalStore(subscribe, () => Math.floor(now / step) * step)

export function Ago({ at, className, suffix }: { at: string; className?: string; suffix?: boolean }) {
  const text = since(at, useNow(5000))
  return (
    <time dateTime={at} title={absolute(at)} className={className ?? 'num'}>
      {text}
      {suffix && ' ago'}
    </time>
  )
}

/** Counts down to `at`; says so when it is over. */
export function Until({ at, over = 'over', className }: { at: string; over?: string; className?: string }) {
  const left = (Date.parse(at) - useNow()) / 1000
  return (
    <time dateTime={at} title={absolute(at)} className={className ?? 'num'}>
      {left > 0 ? countdown(left) : over}
    </time>
  )
}
