/** What the lists found in events: the entity, which list and line said so, and what came of it. */
import { Link } from '@tanstack/react-router'
import { hitsQuery } from '@/api/indicators'
import { useSearchParams, useSetSearch } from '@/app/search'
import { useList } from '@/app/use-list'
import { Ago, absolute, Chip, Empty, EntityLink, EventRef, fmt, Loaded, SevIcon, short } from '@/ui'
import { LoadMore, Table, Td, Tr } from '@/ui/table'
import { From } from './view'

const ALLOWED: Record<string, boolean> = { alert: false, allowed: true }

export function Hits({ list }: { list?: string }) {
  const { state } = useSearchParams()
  const set = useSetSearch()
  const { query, items } = useList(hitsQuery({ list, allowed: ALLOWED[state ?? ''] }))
  return (
    <>
      <div className="flex h-10 items-center gap-2 border-b border-line px-3">
        <select
          aria-label="Which hits"
          value={state ?? ''}
          onChange={e => set({ state: e.target.value || undefined })}
          className="h-7 rounded-md border border-line-strong bg-surface px-1.5 text-xs text-fg-2"
        >
          <option value="">Every hit</option>
          <option value="alert">Those that raise alerts</option>
          <option value="allowed">Those that a list allows</option>
        </select>
      </div>
      <Loaded query={query} what="Hits">
        {() =>
          items?.length ? (
            <Table
              acts={false}
              label="List of hits"
              head={[
                <span key="s" className="sr-only">
                  Severity
                </span>,
                'Seen',
                'Found',
                'By',
                'Event',
                'Times',
                'Last',
                'Alert',
              ]}
            >
              {items.map(hit => (
                <Tr
                  key={`${hit.entity.kind}${hit.entity.value}${hit.indicator}${hit.provenance.list}`}
                  dead={!!hit.allowed_by}
                >
                  <Td>
                    <SevIcon s={hit.severity} />
                  </Td>
                  <Td>
                    <EntityLink entity={hit.entity} />
                  </Td>
                  <Td className="font-mono text-2xs break-all text-fg-2">{hit.indicator}</Td>
                  <Td>
                    <From provenance={hit.provenance} />
                    {hit.allowed_by && (
                      <span className="block text-2xs text-fg-3">allowed by {hit.allowed_by.list}</span>
                    )}
                  </Td>
                  <Td>
                    <EventRef id={hit.event_id} />
                  </Td>
                  <Td className="num">{fmt(hit.count)}</Td>
                  <Td className="text-fg-2">
                    <span title={`first ${absolute(hit.first_seen)}`}>
                      <Ago at={hit.last_seen} suffix />
                    </span>
                  </Td>
                  <Td>
                    {hit.alert_id ? (
                      <Link
                        to="/alerts/$id"
                        params={{ id: hit.alert_id }}
                        className="font-mono text-2xs text-accent hover:underline"
                      >
                        alert {short(hit.alert_id)}
                      </Link>
                    ) : (
                      <Chip tone="neutral">{hit.allowed_by ? 'allowed' : 'none'}</Chip>
                    )}
                  </Td>
                </Tr>
              ))}
            </Table>
          ) : (
            <Empty title="No hit">Nothing that a list names was seen in an event.</Empty>
          )
        }
      </Loaded>
      <LoadMore query={query} />
    </>
  )
}
