/** Orphans: effects that carry our mark and that no live action wants. Read from each target; adopted or undone by a plan. */
import { Link } from '@tanstack/react-router'
import { lazy, Suspense, useState } from 'react'
import { orphansQuery } from '@/api/queries'
import type { Orphan, Target } from '@/api/types'
import { useCan } from '@/app/session'
import { useList } from '@/app/use-list'
import { adoptOrphan, undoOrphan } from '@/features/plans/acts'
import { Btn, Card, InlineError, Marks, short, Until } from '@/ui'

const ReasonDialog = lazy(() => import('@/ui/reason-dialog'))

export function Orphans({ targets }: { targets: Target[] }) {
  return (
    <Card title="Orphans" className="mt-4">
      <p className="border-b border-line px-3 py-2 text-xs text-fg-3">
        Effects that carry the mark of this installation and that no live action wants, as after a lost database or a
        restored ruleset. Adopt one and it has an owner again; undo it and it is taken away and read back. What carries
        no mark of ours is never touched.
      </p>
      <ul aria-label="Orphans by target">
        {targets.map(target => (
          <OfTarget key={target.id} target={target} />
        ))}
      </ul>
    </Card>
  )
}

function OfTarget({ target }: { target: Target }) {
  const { query, items } = useList(orphansQuery(target.id))
  return (
    <li className="border-b border-line/60 px-3 py-2 text-xs last:border-0">
      <span className="flex flex-wrap items-center gap-1.5">
        <span className="font-mono font-medium">{target.name}</span>
        <Marks demo={target.demo} simulated={target.simulated} />
        <span className="text-fg-3">
          {query.isPending ? 'Reading…' : query.isError ? 'Cannot be read now' : items?.length ? '' : 'None'}
        </span>
      </span>
      {query.isError && <InlineError error={query.error} className="mt-1" />}
      {items?.map(orphan => (
        <OneOrphan key={`${orphan.capability}/${orphan.key}`} orphan={orphan} />
      ))}
    </li>
  )
}

function OneOrphan({ orphan }: { orphan: Orphan }) {
  const can = useCan()
  const [asking, setAsking] = useState<'adopt' | 'undo' | null>(null)
  return (
    <div className="mt-1.5 flex flex-wrap items-center gap-x-2 gap-y-1" data-orphan={orphan.key}>
      <code className="font-mono">{orphan.capability}</code>
      <span className="text-fg-2">
        {orphan.detail}; its mark names action {short(orphan.action_id)}
        {orphan.expires_at && (
          <>
            ; it ends by itself in <Until at={orphan.expires_at} over="a moment" />
          </>
        )}
      </span>
      <span className="ml-auto flex gap-1">
        {orphan.plan_id ? (
          <Link to="/approvals" className="text-accent hover:underline">
            Plan {short(orphan.plan_id)} is open
          </Link>
        ) : (
          <>
            {can('plan.create') && (
              <Btn size="sm" v="ghost" onClick={() => setAsking('adopt')}>
                Adopt…
              </Btn>
            )}
            {can('action.undo') && (
              <Btn size="sm" onClick={() => setAsking('undo')}>
                Undo…
              </Btn>
            )}
          </>
        )}
      </span>
      {asking && (
        <Suspense>
          <ReasonDialog
            open
            onClose={() => setAsking(null)}
            title={asking === 'adopt' ? 'Adopt this effect' : 'Undo this effect'}
            note={`${orphan.detail} on ${orphan.target.name}. This makes a plan; policy says who must approve it.`}
            verb={asking === 'adopt' ? 'Plan the adoption' : 'Plan the undo'}
            act={reason => (asking === 'adopt' ? adoptOrphan : undoOrphan)(orphan, reason)}
          />
        </Suspense>
      )}
    </div>
  )
}
