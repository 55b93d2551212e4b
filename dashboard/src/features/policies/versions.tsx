/** The tenant's own policies: every version with its state, and one of them whole. */
import { useQuery } from '@tanstack/react-query'
import { type Policies, type PolicyVersion, policyVersionQuery, policyVersionsQuery } from '@/api/policies'
import { useSearchParams, useSetSearch } from '@/app/search'
import { useList } from '@/app/use-list'
import { Ago, Chip, cn, Empty, Loaded } from '@/ui'
import { LoadMore } from '@/ui/table'
import { lookOf } from './state'
import { Version } from './version'

export default function Versions({ policies }: { policies: Policies }) {
  const { query, items } = useList(policyVersionsQuery)
  const { id } = useSearchParams()
  const number = Number(id) || policies.number || (policies.newest?.number ?? 0)
  return (
    <Loaded query={query} what="Versions">
      {() =>
        items?.length ? (
          <div className="flex min-h-0 flex-1 flex-col md:grid md:grid-cols-[280px_minmax(0,1fr)]">
            <section
              className="scroll max-h-52 min-h-0 shrink-0 overflow-y-auto border-b border-line md:max-h-none md:border-r md:border-b-0"
              aria-label="Versions"
              tabIndex={0}
            >
              <ul>
                {items.map(version => (
                  <Row key={version.number} version={version} on={version.number === number} />
                ))}
              </ul>
              <LoadMore query={query} />
            </section>
            <Opened number={number} inForce={policies.number} />
          </div>
        ) : (
          <Empty title="No policies of your own">
            The built-in ones decide alone. Files of package <code className="font-mono text-xs">tenant.NAME</code> add
            reasons to deny and obligations, and take nothing away. They are sent with{' '}
            <code className="font-mono text-xs whitespace-nowrap">shieldops policy push DIR --reason WHY</code>.
          </Empty>
        )
      }
    </Loaded>
  )
}

function Opened({ number, inForce }: { number: number; inForce: number }) {
  const query = useQuery(policyVersionQuery(number))
  return (
    <Loaded query={query} what={`Version ${number}`}>
      {version => <Version key={version.number} version={version} inForce={inForce} />}
    </Loaded>
  )
}

function Row({ version, on }: { version: PolicyVersion; on: boolean }) {
  const set = useSetSearch()
  const look = lookOf(version)
  return (
    <li className={cn('border-b border-line/60', on && 'bg-active')}>
      <button
        type="button"
        aria-current={on || undefined}
        onClick={() => set({ id: String(version.number) })}
        className="flex w-full flex-col gap-0.5 px-3 py-2 text-left text-xs hover:bg-hover"
      >
        <span className="flex w-full items-center gap-1.5">
          <b className="font-medium">Version {version.number}</b>
          <Chip tone={look.tone}>{look.label}</Chip>
          <span className="ml-auto font-mono text-2xs text-fg-3">{version.hash.slice(0, 8)}</span>
        </span>
        <span className="text-fg-3">
          {version.by_name}, <Ago at={version.at} suffix />
        </span>
        <span className="text-fg-2">{version.reason}</span>
      </button>
    </li>
  )
}
