/** What the tenant holds and sends. */
import { useQuery } from '@tanstack/react-query'
import { usageQuery } from '@/api/queries'
import { useSearchParams, useSetSearch } from '@/app/search'
import { Btn, Card, Loaded } from '@/ui'
import { UsageView, useDays } from '@/ui/usage-view'

const RANGES = ['7', '30', '90'] as const

export function UsageSection() {
  const { days = '30' } = useSearchParams()
  const set = useSetSearch()
  const { from, to } = useDays(Number(days) || 30)
  const query = useQuery(usageQuery(from, to))
  return (
    <Card
      title={`Last ${days} days`}
      extra={
        <span className="flex gap-1" role="group" aria-label="Range">
          {RANGES.map(range => (
            <Btn
              key={range}
              size="sm"
              v={range === days ? 'default' : 'ghost'}
              aria-pressed={range === days}
              onClick={() => set({ days: range })}
            >
              {range} days
            </Btn>
          ))}
        </span>
      }
    >
      <Loaded query={query} what="Usage">
        {usage => <UsageView usage={usage} />}
      </Loaded>
    </Card>
  )
}
