/** Asks the server what it thinks of a rule as it is being written: diagnostics, and how the samples come out. */
import { useMemo } from 'react'
import type { Check } from '@/api/detection-types'
import type { Diagnostic } from '@/api/types'
import { type Asked, useAsked } from '@/app/use-asked'
import { samplesOf } from './samples'

export type Written = { text: string; match: string; miss: string }
export type Checked = Asked<Check>

export const bodyOf = (written: Written) => ({
  text: written.text,
  match: samplesOf(written.text, written.match),
  miss: samplesOf(written.text, written.miss),
})

export function useCheck({ text, match, miss }: Written): Checked {
  const body = useMemo(() => bodyOf({ text, match, miss }), [text, match, miss])
  return useAsked<Check>('/rules/check', body)
}

export const errorsOf = (check: { diagnostics: Diagnostic[] } | null) =>
  check?.diagnostics.filter(d => d.severity === 'error').length ?? 0
