/** Facets: what the loaded alerts are made of; a click narrows the queue. */
import type { Alert, Severity } from '@/api/types'
import { useSearchParams, useSetSearch } from '@/app/search'
import { cn, fmt, SevIcon } from '@/ui'
import { FACETS, type FacetId, facetCounts, facetLabel, valuesOf } from './filters'

export function useFacetToggle() {
  const search = useSearchParams()
  const set = useSetSearch()
  return (facet: FacetId, value: string) => {
    const chosen = valuesOf(search, facet)
    const next = chosen.includes(value) ? chosen.filter(v => v !== value) : [...chosen, value]
    set({ [facet]: next.join(',') || undefined })
  }
}

export function Facets({ rows, more }: { rows: Alert[]; more: boolean }) {
  const search = useSearchParams()
  const toggle = useFacetToggle()
  return (
    <nav
      aria-label="Facets"
      className="scroll w-[208px] shrink-0 overflow-y-auto border-r border-line px-2 py-2"
      tabIndex={-1}
    >
      {FACETS.map(facet => {
        const chosen = valuesOf(search, facet.id)
        const counts = facetCounts(rows, facet.id, chosen)
        const most = Math.max(1, ...counts.map(c => c.count))
        if (!counts.length) return null
        return (
          <div key={facet.id} className="mb-3">
            <h2 className="px-1.5 pb-1 text-2xs font-medium text-fg-3">{facet.label}</h2>
            {counts.map(({ value, label, count }) => {
              const on = chosen.includes(value)
              return (
                <button
                  key={value}
                  type="button"
                  aria-pressed={on}
                  title={label}
                  onClick={() => toggle(facet.id, value)}
                  className={cn(
                    'relative isolate flex h-6.5 w-full items-center gap-1.5 rounded-sm px-1.5 text-left text-xs',
                    on ? 'font-medium text-fg ring-1 ring-accent/50' : 'text-fg-2 hover:bg-hover',
                  )}
                >
                  {facet.id === 'severity' && <SevIcon s={value as Severity} />}
                  <span className="truncate">{label}</span>
                  <span className="num ml-auto text-2xs text-fg-3">{fmt(count)}</span>
                  <span
                    aria-hidden="true"
                    className={cn(
                      'absolute inset-y-[3px] left-0 -z-1 rounded-[3px]',
                      on ? 'bg-accent-soft' : 'bg-fg/[0.055]',
                    )}
                    style={{ width: `${(count / most) * 100}%` }}
                  />
                </button>
              )
            })}
          </div>
        )
      })}
      {more && <p className="px-1.5 text-2xs text-fg-3">Counts are of the {fmt(rows.length)} alerts loaded so far.</p>}
    </nav>
  )
}

/** The active facet filters as chips in the search line. */
export function FilterChips({ rows }: { rows: Alert[] }) {
  const search = useSearchParams()
  const set = useSetSearch()
  const toggle = useFacetToggle()
  const titles = new Map(rows.map(a => [a.rule_id, a.rule_title]))
  const chips = FACETS.flatMap(f =>
    valuesOf(search, f.id).map(v => ({
      name: f.label,
      text: facetLabel(f.id, v, titles.get(v)),
      off: () => toggle(f.id, v),
    })),
  )
  if (search.entity) chips.push({ name: 'Entity', text: search.entity, off: () => set({ entity: undefined }) })
  if (search.incident)
    chips.push({ name: 'Incident', text: search.incident.slice(-6), off: () => set({ incident: undefined }) })
  return chips.map(chip => (
    <span
      key={chip.name + chip.text}
      className="flex h-6 shrink-0 items-center overflow-hidden rounded-md border border-line-strong text-xs"
    >
      <span className="px-1.5 text-fg-3">{chip.name}</span>
      <span className="max-w-48 truncate border-l border-line-strong px-1.5 font-medium">{chip.text}</span>
      <button
        type="button"
        aria-label={`Remove filter ${chip.name} ${chip.text}`}
        onClick={chip.off}
        className="grid h-full w-6 place-items-center border-l border-line-strong text-fg-3 hover:bg-hover"
      >
        ×
      </button>
    </span>
  ))
}
