/** Asks the server about what is being written; the newest answer stays until the next is there, so that nothing flickers while one types. */
import { useEffect, useRef, useState } from 'react'
import { request } from '@/api/client'

const TYPING_MS = 300

export type Asked<T> = { check: T | null; checking: boolean; error: unknown }

/** `body` is asked about again when it is another object: its maker keeps it while nothing changed. */
export function useAsked<T>(path: string, body: unknown): Asked<T> {
  const [state, setState] = useState<Asked<T>>({ check: null, checking: true, error: null })
  const first = useRef(true)
  useEffect(() => {
    const stop = new AbortController()
    setState(before => ({ ...before, checking: true }))
    const ask = async () => {
      try {
        const check = await request<T>('POST', path, { body, signal: stop.signal })
        setState({ check, checking: false, error: null })
      } catch (error) {
        if (!stop.signal.aborted) setState(before => ({ ...before, checking: false, error }))
      }
    }
    const timer = setTimeout(() => void ask(), first.current ? 0 : TYPING_MS)
    first.current = false
    return () => {
      clearTimeout(timer)
      stop.abort()
    }
  }, [path, body])
  return state
}
