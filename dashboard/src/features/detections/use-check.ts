/** Asks the server what it thinks of a rule as it is being written: diagnostics, and how the samples come out. */
import { useEffect, useRef, useState } from 'react'
import { request } from '@/api/client'
import type { Check } from '@/api/detection-types'
import { samplesOf } from './samples'

const TYPING_MS = 300

export type Written = { text: string; match: string; miss: string }
export type Checked = { check: Check | null; checking: boolean; error: unknown }

export const bodyOf = (written: Written) => ({
  text: written.text,
  match: samplesOf(written.text, written.match),
  miss: samplesOf(written.text, written.miss),
})

/** The newest answer stays until the next is there, so that nothing flickers while one types. */
export function useCheck(written: Written): Checked {
  const [state, setState] = useState<Checked>({ check: null, checking: true, error: null })
  const first = useRef(true)
  const { text, match, miss } = written
  useEffect(() => {
    const stop = new AbortController()
    setState(before => ({ ...before, checking: true }))
    const ask = async () => {
      try {
        const body = bodyOf({ text, match, miss })
        const check = await request<Check>('POST', '/rules/check', { body, signal: stop.signal })
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
  }, [text, match, miss])
  return state
}

export const errorsOf = (check: Check | null) => check?.diagnostics.filter(d => d.severity === 'error').length ?? 0
