/** What the rule found while it was in shadow; the newest are kept, all are counted. */
import { shadowMatchesQuery } from '@/api/detection'
import type { RuleDetail } from '@/api/detection-types'
import { useList } from '@/app/use-list'
import { absolute, dayClock, Empty, EventRef, Loaded } from '@/ui'
import { LoadMore, Table, Td, Tr } from '@/ui/table'

export default function MatchesTab({ rule }: { rule: RuleDetail }) {
  const { query, items } = useList(shadowMatchesQuery(rule.id))
  return (
    <section className="scroll h-full overflow-y-auto bg-surface" aria-label="Shadow matches" tabIndex={0}>
      <Loaded query={query} what="Matches">
        {() =>
          items?.length ? (
            <Table acts={false} label="List of matches" head={['Event', 'At', 'Source', 'Version']}>
              {items.map(match => (
                <Tr key={`${match.event_id}${match.version}`}>
                  <Td>
                    <EventRef id={match.event_id} />
                  </Td>
                  <Td className="num text-fg-2">
                    <time dateTime={match.at} title={absolute(match.at)}>
                      {dayClock(match.at)}
                    </time>
                  </Td>
                  <Td>{match.source}</Td>
                  <Td className="font-mono text-2xs text-fg-3">{match.version.slice(0, 12)}</Td>
                </Tr>
              ))}
            </Table>
          ) : (
            <Empty title="No match in shadow">
              Run it in shadow, and what it matches is listed here instead of raising alerts.
            </Empty>
          )
        }
      </Loaded>
      <LoadMore query={query} />
    </section>
  )
}
