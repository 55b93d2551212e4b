/** Matches that raised no alert: while the rule was in shadow, and those that an exception took out. */
import { shadowMatchesQuery } from '@/api/detection'
import type { RuleDetail } from '@/api/detection-types'
import { useList } from '@/app/use-list'
import { absolute, Chip, dayClock, Empty, EventRef, Loaded } from '@/ui'
import { LoadMore, Table, Td, Tr } from '@/ui/table'

export default function MatchesTab({ rule }: { rule: RuleDetail }) {
  const { query, items } = useList(shadowMatchesQuery(rule.id))
  return (
    <section className="scroll h-full overflow-y-auto bg-surface" aria-label="Silent matches" tabIndex={0}>
      <Loaded query={query} what="Matches">
        {() =>
          items?.length ? (
            <Table acts={false} label="Silent matches" head={['Event', 'At', 'Source', 'Version', 'Why no alert']}>
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
                  <Td>
                    <Chip tone={match.excepted_by ? 'medium' : 'low'}>
                      {match.excepted_by ? 'an exception' : 'in shadow'}
                    </Chip>
                  </Td>
                </Tr>
              ))}
            </Table>
          ) : (
            <Empty title="None">
              What it matches while in shadow, and what its exceptions take out, is listed here.
            </Empty>
          )
        }
      </Loaded>
      <LoadMore query={query} />
    </section>
  )
}
