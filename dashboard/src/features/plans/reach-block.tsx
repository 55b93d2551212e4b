/** How far a plan goes: what it reaches by kind with counts, what hangs on that, and how long it takes. */
import type { ReactNode } from 'react'
import type { Plan } from '@/api/types'
import { plural, took } from '@/ui'
import { dependantsOf, type Kind, measured, reachOf } from './reach'

const SHOWN = 12

export function ReachBlock({ plan }: { plan: Plan }) {
  const kinds = reachOf(plan)
  const dependants = dependantsOf(plan)
  const { blast_radius, estimated_ms } = plan
  if (blast_radius == null && estimated_ms == null && !kinds.length && !dependants.length) return null
  const times = measured(plan)
  return (
    <section className="rounded-md bg-raised px-2 py-1.5 text-xs text-fg-2" aria-label="How far it goes">
      <dl className="flex flex-wrap gap-x-4 gap-y-0.5">
        {blast_radius != null && (
          <Fact name="Blast radius">
            {blast_radius === 0 ? 'nothing is changed' : plural(blast_radius, 'resource')}
          </Fact>
        )}
        {estimated_ms != null && (
          <Fact name="Takes about">
            {took(estimated_ms)}
            <span className="font-normal text-fg-3">
              {times > 0 ? `, as ${plural(times, 'earlier action')} did` : ', by its description'}
            </span>
          </Fact>
        )}
        {(blast_radius != null || dependants.length > 0) && (
          <Fact name="Hangs on it">
            {dependants.length ? plural(dependants.length, 'thing') : 'nothing that was found'}
          </Fact>
        )}
      </dl>
      <ReachList kinds={kinds} />
      {dependants.length > 0 && (
        <details className="mt-1" open={dependants.length <= 3}>
          <summary className="cursor-default text-2xs text-accent">What hangs on it</summary>
          <ul className="mt-0.5 space-y-0.5" aria-label="What hangs on it">
            {dependants.map(one => (
              <li key={`${one.kind}${one.name}${one.detail}`}>
                {one.kind} <span className="font-mono text-2xs break-all">{one.name}</span>
                {one.detail && <span className="text-fg-3">: {one.detail}</span>}
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  )
}

const Fact = ({ name, children }: { name: string; children: ReactNode }) => (
  <div className="flex gap-1.5">
    <dt className="text-fg-3">{name}</dt>
    <dd className="num font-medium">{children}</dd>
  </div>
)

/** Each kind with its count; long lists are cut, and say so. */
export function ReachList({ kinds }: { kinds: Kind[] }) {
  if (!kinds.length) return null
  return (
    <ul className="mt-0.5 space-y-0.5" aria-label="What it reaches">
      {kinds.map(({ kind, found }) => (
        <li key={kind}>
          {plural(found.length, kind.replaceAll('_', ' '))}:{' '}
          <span className="font-mono text-2xs break-all">{found.slice(0, SHOWN).join(', ')}</span>
          {found.length > SHOWN && (
            <details className="inline">
              <summary className="inline cursor-default text-2xs text-accent"> and {found.length - SHOWN} more</summary>
              <span className="font-mono text-2xs break-all"> {found.slice(SHOWN).join(', ')}</span>
            </details>
          )}
        </li>
      ))}
    </ul>
  )
}
