/** A value that components can follow: set it anywhere, they render. */
import { useSyncExternalStore } from 'react'

export function store<T>(initial: T) {
  let value = initial
  const subs = new Set<() => void>()
  const subscribe = (f: () => void) => {
    subs.add(f)
    return () => {
      subs.delete(f)
    }
  }
  return {
    get: () => value,
    set: (next: T) => {
      if (Object.is(next, value)) return
      value = next
      for (const sub of [...subs]) sub()
    },
    subscribe,
    use: <R>(select: (value: T) => R): R => useSyncExternalStore(subscribe, () => select(value)),
  }
}
