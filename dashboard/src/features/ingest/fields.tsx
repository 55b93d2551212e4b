/** Field observability: what each source sends, what of it no rule reads, and what rules wait for that never arrives. */
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { fieldsQuery } from '@/api/detection'
import type { FieldCoverage } from '@/api/detection-types'
import { useCan } from '@/app/session'
import { Btn, Card, Chip, cn, Empty, fmt, Loaded, NoPermission, plural, Skeleton } from '@/ui'
import { Table, Td, Tr } from '@/ui/table'

type Seen = FieldCoverage['sources'][number]
type LogSource = FieldCoverage['missing'][number]['log_source']
const ruleSource = (s: LogSource) => [s?.product, s?.category, s?.service].filter(Boolean).join(' / ')
const eventSource = (s: Seen['log_sources'][number]) =>
  [s.product, s.categories?.join(', '), s.service].filter(Boolean).join(' / ')

export function Fields() {
  const can = useCan()
  const query = useQuery({ ...fieldsQuery, enabled: can('rule.read') })
  if (!can('rule.read')) return <NoPermission need="rule.read" />
  return (
    <Loaded query={query} what="Fields" skeleton={<Skeleton label="Loading fields" />}>
      {found =>
        found.sources.length || found.missing.length ? (
          <>
            {found.truncated && (
              <p role="status" className="rounded-lg px-3 py-2 text-xs soft-medium">
                More fields arrive than are counted: what is listed here is a part.
              </p>
            )}
            <Missing missing={found.missing} />
            {found.sources.map(source => (
              <Source key={source.source} source={source} />
            ))}
          </>
        ) : (
          <Empty title="No field was seen yet">They are counted as events arrive.</Empty>
        )
      }
    </Loaded>
  )
}

const SHOWN = 12

function Missing({ missing }: { missing: FieldCoverage['missing'] }) {
  const [all, setAll] = useState(false)
  const shown = all ? missing : missing.slice(0, SHOWN)
  return (
    <Card title="Read by rules, and never arrived" extra={plural(missing.length, 'field')}>
      {missing.length ? (
        <>
          <Table
            acts={false}
            label="Fields that rules read and that never arrived"
            head={['Rule', 'Field', 'Log source', 'Sources that could send it']}
          >
            {shown.map(m => (
              <Tr key={`${m.rule_id}${m.field}`}>
                <Td>
                  <Link to="/detections/$id" params={{ id: m.rule_id }} className="text-accent hover:underline">
                    {m.title}
                  </Link>
                </Td>
                <Td className="font-mono">{m.field}</Td>
                <Td className="text-fg-2">{ruleSource(m.log_source) || 'any'}</Td>
                <Td className="font-mono text-2xs text-fg-2">{m.sources.join(', ')}</Td>
              </Tr>
            ))}
          </Table>
          {missing.length > SHOWN && (
            <div className="border-t border-line/60 p-2 text-center">
              <Btn size="sm" onClick={() => setAll(!all)}>
                {all ? 'Show fewer' : `Show all ${fmt(missing.length)}`}
              </Btn>
            </div>
          )}
        </>
      ) : (
        <p className="p-3 text-xs text-fg-3">Every field that an enabled rule reads has arrived at least once.</p>
      )}
    </Card>
  )
}

function Source({ source }: { source: Seen }) {
  const [unreadOnly, setUnreadOnly] = useState(false)
  const unread = new Set(source.unread)
  const fields = source.fields.filter(f => !unreadOnly || unread.has(f.name))
  return (
    <Card
      title={
        <>
          <span className="font-mono">{source.source}</span>{' '}
          <span className="font-normal text-fg-3">
            {source.log_sources.map(eventSource).filter(Boolean).join('; ')}
          </span>
        </>
      }
      extra={
        <>
          {plural(source.fields.length, 'field')} of {plural(source.events, 'event')}
          {unread.size > 0 && (
            <Btn size="sm" v="ghost" aria-pressed={unreadOnly} onClick={() => setUnreadOnly(!unreadOnly)}>
              {unreadOnly ? 'All fields' : `${fmt(unread.size)} that no rule reads`}
            </Btn>
          )}
        </>
      }
    >
      <ul className="flex flex-wrap gap-1.5 p-3">
        {fields.map(f => (
          <li key={f.name}>
            <Chip
              tone={unread.has(f.name) ? 'neutral' : 'accent'}
              title={`${fmt(f.events)} events${unread.has(f.name) ? '; no rule reads it' : '; rules read it'}`}
              className={cn('font-mono', unread.has(f.name) && 'border border-dashed border-line-strong')}
            >
              {f.name}
              <span className="num font-normal">{fmt(f.events)}</span>
              {unread.has(f.name) && <span className="sr-only">, read by no rule</span>}
            </Chip>
          </li>
        ))}
      </ul>
    </Card>
  )
}
