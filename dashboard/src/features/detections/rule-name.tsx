/** A rule by its title where only its id is known, and the way to it. */
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { ruleQuery } from '@/api/detection'

const FRESH_MS = 300_000

export function RuleName({ id, tab }: { id: string; tab?: string }) {
  const { data } = useQuery({ ...ruleQuery(id), staleTime: FRESH_MS, retry: false })
  return (
    <Link
      to="/detections/$id"
      params={{ id }}
      search={{ tab }}
      title={id}
      className="block max-w-64 truncate leading-6 text-accent hover:underline"
    >
      {data?.title ?? id}
    </Link>
  )
}
