/** Beside every list of alerts: whether something of the last day was not looked at. Nothing is said while all is well. */
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { coverageLogQuery } from '@/api/detection'
import { useCan } from '@/app/session'
import { plural } from '@/ui/format'
import { useNow } from '@/ui/time'

const DAY_MS = 86_400_000
/** The question changes with each step, so that all pages ask the same one. */
const STEP_MS = 600_000

export function NotChecked() {
  const can = useCan()
  const now = useNow(STEP_MS)
  const filter = { from: new Date(now - DAY_MS).toISOString(), to: new Date(now + STEP_MS).toISOString() }
  const may = can('rule.read')
  const { data, isError } = useQuery({ ...coverageLogQuery(filter), enabled: may, retry: false })
  if (!may || isError) return <Unknown may={may} />
  if (!data?.gaps) return null
  return (
    <Link
      to="/coverage"
      search={{ tab: 'checked' }}
      data-not-checked={data.gaps}
      title="Events came in the last 24 hours that no rule looked at: no alert from there means nothing"
      className="inline-flex h-6 items-center rounded-sm px-1.5 text-xs font-medium whitespace-nowrap soft-critical hover:underline"
    >
      Not checked: {plural(data.gaps, 'gap')}
    </Link>
  )
}

/** Nobody may take silence for "all was looked at" where nobody asked. */
function Unknown({ may }: { may: boolean }) {
  return (
    <span
      title={
        may
          ? 'The log of coverage did not answer'
          : 'You have no permission to read rules, and with them the log of coverage'
      }
      className="inline-flex h-6 items-center rounded-sm px-1.5 text-xs whitespace-nowrap text-fg-3"
    >
      Checked: unknown
    </span>
  )
}
