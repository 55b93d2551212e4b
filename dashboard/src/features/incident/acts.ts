/** What a person can do with an incident. */
import { patch, post } from '@/api/client'
import type { Incident, Verdict } from '@/api/types'
import { queryClient } from '@/app/query-client'

async function act<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } finally {
    const keys = ['incident', 'incidents', 'notes', 'overview', 'incident-ledger']
    await Promise.all(keys.map(key => queryClient.invalidateQueries({ queryKey: [key] })))
  }
}

type Change = {
  status?: Incident['status']
  assignee?: string | null
  title?: string
  severity?: Incident['severity']
  reason?: string
}
/** Taking it or moving it on holds whatever else was changed meanwhile. */
export const change = (id: string, body: Change) => act(() => patch<Incident>(`/incidents/${id}`, body, '*'))
/** What a person wrote over what they saw: refused when somebody else was first. */
export const edit = ({ id, version }: Incident, body: Change) =>
  act(() => patch<Incident>(`/incidents/${id}`, body, version))
/** Null takes the verdict back. */
export const verdict = (id: string, value: Verdict | null, reason: string) =>
  act(() => post(`/incidents/${id}/verdict`, { verdict: value, reason }))
export const addNote = (id: string, text: string) => act(() => post(`/incidents/${id}/notes`, { text }))
export const merge = (id: string, into: string, reason: string) =>
  act(() => post(`/incidents/${id}/merge`, { into, reason }))
