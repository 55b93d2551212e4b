/** The queue's saved views and filters; all of it lives in the address. */
import type { Query } from '@/api/client'
import type { Alert } from '@/api/types'
import { SEVERITIES } from '@/api/types'
import type { Search } from '@/app/router'
import { cap, words } from '@/ui/format'
import { ALERT_STATUS, verdictLabel } from '@/ui/labels'

const OPEN = 'new,in_progress'
export const VIEWS: { id: string; label: string; filter: (me: string) => Query }[] = [
  { id: 'open', label: 'Open', filter: () => ({ status: OPEN }) },
  { id: 'worst', label: 'Critical + high', filter: () => ({ status: OPEN, severity: 'critical,high' }) },
  { id: 'mine', label: 'Mine', filter: me => ({ status: OPEN, assignee: me }) },
  { id: 'closed', label: 'Closed', filter: () => ({ status: 'resolved,suppressed' }) },
  { id: 'all', label: 'All', filter: () => ({}) },
]

export type FacetId = 'severity' | 'status' | 'tactic' | 'rule' | 'verdict'
export const FACETS: { id: FacetId; label: string }[] = [
  { id: 'severity', label: 'Severity' },
  { id: 'tactic', label: 'Tactic' },
  { id: 'rule', label: 'Rule' },
  { id: 'status', label: 'Status' },
  { id: 'verdict', label: 'Verdict' },
]

export const valuesOf = (search: Search, facet: FacetId) => search[facet]?.split(',').filter(Boolean) ?? []

/** `ip:203.0.113.66` typed into the search is an entity, anything else text. */
export function textOrEntity({ q, entity }: Search): { q?: string; entity?: string } {
  if (!entity && q && /^(ip|host|user|process|file|domain|url|hash):\S/.test(q)) return { entity: q }
  return { q, entity }
}

/** What the server is asked. Tactics are no parameter of the API: they are filtered here, over what is loaded. */
export function toQuery(search: Search, me: string): Query {
  const view = VIEWS.find(v => v.id === search.view) ?? VIEWS[0]
  const base = view?.filter(me) ?? {}
  return {
    ...base,
    severity: search.severity ?? base.severity,
    status: search.status ?? base.status,
    verdict: search.verdict,
    rule_id: search.rule,
    incident_id: search.incident,
    ...textOrEntity(search),
  }
}

export const facetValues = (alert: Alert, facet: FacetId): string[] => {
  switch (facet) {
    case 'severity':
      return [alert.severity]
    case 'status':
      return [alert.status]
    case 'tactic':
      return alert.attack.tactics
    case 'rule':
      return [alert.rule_id]
    case 'verdict':
      return alert.verdict ? [alert.verdict] : []
  }
}

export type FacetCount = { value: string; label: string; count: number }

export function facetCounts(alerts: Alert[], facet: FacetId, chosen: string[]): FacetCount[] {
  const counts = new Map<string, number>()
  const titles = new Map<string, string>()
  if (facet === 'severity') for (const severity of SEVERITIES) counts.set(severity, 0)
  for (const alert of alerts) {
    for (const value of facetValues(alert, facet)) counts.set(value, (counts.get(value) ?? 0) + 1)
    titles.set(alert.rule_id, alert.rule_title)
  }
  for (const value of chosen) if (!counts.has(value)) counts.set(value, 0)
  const all = [...counts].map(([value, count]) => ({
    value,
    count,
    label: facetLabel(facet, value, titles.get(value)),
  }))
  return facet === 'severity'
    ? all
    : all.sort((a, b) => b.count - a.count || a.label.localeCompare(b.label)).slice(0, 8)
}

export function facetLabel(facet: FacetId, value: string, ruleTitle?: string): string {
  if (facet === 'verdict') return verdictLabel(value as never)
  if (facet === 'status') return ALERT_STATUS[value as Alert['status']] ?? value
  if (facet === 'rule') return ruleTitle ?? value.slice(0, 8)
  return facet === 'severity' ? cap(value) : words(value)
}

export type SortId = 'severity' | 'risk' | 'age'
export function compare(sort: SortId, a: Alert, b: Alert) {
  if (sort === 'risk') return b.risk_score - a.risk_score
  if (sort === 'age') return a.last_seen.localeCompare(b.last_seen)
  return SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity)
}
