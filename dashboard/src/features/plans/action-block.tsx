/** One action of a plan: the change, its state on the target, the proofs, and the way back. */
import { Undo2 } from 'lucide-react'
import { lazy, Suspense, useState } from 'react'
import type { Action } from '@/api/types'
import { useCan } from '@/app/session'
import { ACTION_STATE, Ago, Btn, Chip, countdown, plural, short, Until } from '@/ui'
import { undo } from './acts'
import { ActionStateChip, ControlPathLine, Diff, Proofs, TargetLine, UndoLine } from './parts'
import { canUndo, inForce } from './view'

const ReasonDialog = lazy(() => import('@/ui/reason-dialog'))
const UndoMany = lazy(() => import('./undo-many'))
const Evidence = lazy(() => import('./evidence'))

/** `address 203.0.113.66, expires in 24h`: the parameters in a line. */
export function paramsText(params: unknown) {
  if (!params || typeof params !== 'object') return ''
  return Object.entries(params)
    .map(([name, value]) => `${paramName(name)} ${paramValue(name, value)}`)
    .join(', ')
}
const paramName = (name: string) => name.replace(/_s$/, '').replace(/_/g, ' ')

function paramValue(name: string, value: unknown) {
  if (name.endsWith('_s') && typeof value === 'number') return countdown(value).replace(/ 0[hms]$/, '')
  if (Array.isArray(value) && value.every(one => typeof one !== 'object')) return value.join(' and ') || 'none'
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** Its place stands there where the plan has several. */
export function ActionBlock({ action, place }: { action: Action; place?: string }) {
  const can = useCan()
  const [asking, setAsking] = useState<'one' | 'all' | null>(null)
  const reads = action.class === 'read_only'
  // What an undo takes back is no other: it goes with it.
  const others = action.owners.filter(o => o.action_id !== action.id && o.action_id !== action.undo_of)
  return (
    <section
      className="space-y-2 rounded-md border border-line px-2.5 py-2"
      aria-label={`Action ${action.capability} ${short(action.id)}`}
      data-action={action.id}
      data-state={action.state}
    >
      <div className="flex items-center gap-2">
        {place && <span className="num shrink-0 text-2xs text-fg-3">{place}</span>}
        {action.undo_of && <span className="text-xs text-fg-2">Undo of</span>}
        <code className="shrink-0 font-mono text-xs font-medium">{action.capability}</code>
        {action.class === 'irreversible' && (
          <Chip tone="critical" title="There is no undo: it needs the higher approval">
            irreversible
          </Chip>
        )}
        <span className="ml-auto">
          <ActionStateChip action={action} />
        </span>
      </div>
      <TargetLine action={action} params={paramsText(action.params)} />
      {reads ? (
        <p className="text-xs text-fg-2">Reads only: nothing on the target changes.</p>
      ) : (
        <Diff action={action} />
      )}
      {action.adopts && (
        <p className="text-xs text-fg-2">
          Takes over as it stands what carries the mark of {short(action.adopts)}: nothing on the target changes.
        </p>
      )}
      {!action.undo_of && !reads && <UndoLine action={action} />}
      <ControlPathLine action={action} />
      {action.state !== 'planned' && <StateLine action={action} />}
      {action.expires_at && inForce(action) && (
        <p className="text-xs text-fg-2">
          Undoes itself in <Until at={action.expires_at} over="a moment" />.
        </p>
      )}
      {others.length > 0 && (
        <p className="text-xs text-fg-2">
          {plural(others.length, 'other live action')} {others.length === 1 ? 'wants' : 'want'} the same effect (
          {others.map(o => short(o.action_id)).join(', ')}): undo leaves it in force for them.
        </p>
      )}
      {reads && action.applied_at && (
        <Suspense>
          <Evidence action={action} />
        </Suspense>
      )}
      <Proofs proofs={action.proofs} undo={!!action.undo_of} />
      {action.proofs.length === 0 && inForce(action) && !reads && (
        <p className="text-xs text-fg-2">Read back from the target; nobody was there to try the effect itself.</p>
      )}
      {canUndo(action, can) && (
        <div className="flex flex-wrap gap-1.5">
          <Btn size="sm" onClick={() => setAsking('one')}>
            <Undo2 size={13} aria-hidden="true" />
            Undo…
          </Btn>
          {others.length > 0 && (
            <Btn size="sm" onClick={() => setAsking('all')}>
              Lift for all {others.length + 1}…
            </Btn>
          )}
        </div>
      )}
      {asking === 'all' && (
        <Suspense>
          <UndoMany
            scope={{ effect_of: action.id }}
            title="Lift this effect for all who want it"
            note={action.undo}
            verb="Undo all of them"
            onClose={() => setAsking(null)}
          />
        </Suspense>
      )}
      {asking === 'one' && (
        <Suspense>
          <ReasonDialog
            open
            onClose={() => setAsking(null)}
            title="Undo this action"
            note={action.undo}
            verb="Undo"
            optional
            act={reason => undo(action, reason)}
          />
        </Suspense>
      )}
    </section>
  )
}

const verifiedWords = ({ class: kind, undo_of }: Action) =>
  kind === 'read_only' ? 'Read and kept' : `${undo_of ? 'Taken back' : 'In force'}: read back from the target`

/** What its state means here, and since when. */
function StateLine({ action }: { action: Action }) {
  const { means } = ACTION_STATE[action.state]
  return (
    <p className="text-xs text-fg-2" role="status">
      {action.state === 'verified' && action.verified_at ? (
        <>
          {verifiedWords(action)} <Ago at={action.verified_at} suffix />.
        </>
      ) : (
        means
      )}
      {action.detail && ` ${action.detail}`}
    </p>
  )
}
