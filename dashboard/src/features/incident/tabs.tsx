/** The other tabs of an incident: plans, alerts, process tree, notes, ledger. */
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { alertsQuery, incidentLedgerQuery, notesQuery } from '@/api/queries'
import type { Investigation, Plan } from '@/api/types'
import { useNames } from '@/app/names'
import { useOpenEvent } from '@/app/search'
import { useCan } from '@/app/session'
import { useList } from '@/app/use-list'
import { LedgerRows } from '@/features/ledger/entries'
import { PlanCard } from '@/features/plans/plan-card'
import {
  Ago,
  ALERT_STATUS,
  Avatar,
  Btn,
  clockSeconds,
  DemoTag,
  Empty,
  EntityName,
  Field,
  fmt,
  InlineError,
  inputClass,
  Loaded,
  mainEntity,
  NoPermission,
  SevIcon,
  verdictLabel,
  words,
} from '@/ui'
import { addNote } from './acts'

export function PlansTab({ incidentId, plans }: { incidentId: string; plans: Plan[] | undefined }) {
  const can = useCan()
  if (!plans?.length) {
    return (
      <Empty
        title="No plan"
        action={
          can('plan.create') && (
            <Link to="/capabilities" search={{ incident: incidentId }} className="text-accent hover:underline">
              Plan a response
            </Link>
          )
        }
      >
        The investigation proposed none, or no registered target fits what it would do.
      </Empty>
    )
  }
  const first = plans.find(p => p.state === 'proposed')
  return (
    <section className="scroll h-full overflow-y-auto p-4" aria-label="Plans of this incident" tabIndex={0}>
      <div className="mx-auto flex max-w-[860px] flex-col gap-4">
        {can('action.read') && (
          <Link
            to="/actions"
            search={{ incident: incidentId }}
            className="self-end text-xs text-accent hover:underline"
          >
            Its actions in one list
          </Link>
        )}
        {plans.map(plan => (
          <PlanCard key={plan.id} plan={plan} focused={plan === first} />
        ))}
      </div>
    </section>
  )
}

export function AlertsTab({ incidentId }: { incidentId: string }) {
  const { query, items, more, loadMore } = useList(alertsQuery({ incident_id: incidentId }))
  return (
    <Loaded query={query} what="Alerts">
      {() =>
        items?.length ? (
          <section className="scroll h-full overflow-y-auto" aria-label="Alerts of this incident" tabIndex={0}>
            <ul>
              {items.map(alert => {
                const entity = mainEntity(alert.entities)
                return (
                  <li key={alert.id}>
                    <Link
                      to="/alerts/$id"
                      params={{ id: alert.id }}
                      className="grid h-9 grid-cols-[16px_38px_minmax(0,1fr)_180px_170px_120px_44px] items-center gap-3 border-b border-line/60 px-4 text-sm hover:bg-hover"
                    >
                      <SevIcon s={alert.severity} />
                      <span className="num text-xs text-fg-2">{alert.risk_score}</span>
                      <span className="flex min-w-0 items-center gap-2">
                        <span className="truncate">{alert.rule_title}</span>
                        {alert.count > 1 && <span className="num text-xs text-fg-3">×{fmt(alert.count)}</span>}
                        {alert.demo && <DemoTag />}
                      </span>
                      {entity ? <EntityName entity={entity} /> : <span />}
                      <span className="truncate text-xs text-fg-3">{alert.attack.tactics.map(words).join(', ')}</span>
                      <span className="truncate text-xs text-fg-2">
                        {alert.verdict ? verdictLabel(alert.verdict) : ALERT_STATUS[alert.status]}
                      </span>
                      <Ago at={alert.last_seen} className="num text-right text-xs text-fg-3" />
                    </Link>
                  </li>
                )
              })}
            </ul>
            {more && (
              <div className="p-3 text-center">
                <Btn onClick={loadMore}>Load more</Btn>
              </div>
            )}
          </section>
        ) : (
          <Empty title="No alert" />
        )
      }
    </Loaded>
  )
}

type InvestigationQuery = Parameters<typeof Loaded<Investigation>>[0]['query']

export function ProcessTab({ query }: { query: InvestigationQuery }) {
  const openEvent = useOpenEvent()
  return (
    <Loaded query={query} what="Investigation">
      {({ process_tree: tree }) =>
        tree.length ? (
          <section className="scroll h-full overflow-y-auto p-4" aria-label="Sessions and their processes" tabIndex={0}>
            <ul className="font-mono text-xs">
              {tree.map((node, i) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: the tree is one ordered record
                <li key={`${node.event_id}${i}`}>
                  <button
                    type="button"
                    onClick={() => openEvent(node.event_id)}
                    className="grid min-h-7 w-full grid-cols-[72px_minmax(0,1fr)] items-center gap-2 rounded-sm text-left hover:bg-hover"
                  >
                    <span className="num text-fg-3">{clockSeconds(node.time)}</span>
                    <span className="flex min-w-0 items-center gap-2" style={{ paddingLeft: node.depth * 18 }}>
                      {node.depth > 0 && (
                        <span className="text-fg-3" aria-hidden="true">
                          └
                        </span>
                      )}
                      {node.severity && <SevIcon s={node.severity} />}
                      <span className="shrink-0 font-medium">{node.label}</span>
                      <span className="truncate text-fg-2">{node.detail}</span>
                    </span>
                  </button>
                </li>
              ))}
            </ul>
          </section>
        ) : (
          <Empty title="No session or process">
            The events of this incident name none. Audit records with EXECVE give a process tree.
          </Empty>
        )
      }
    </Loaded>
  )
}

export function NotesTab({ incidentId }: { incidentId: string }) {
  const query = useQuery(notesQuery(incidentId))
  const names = useNames()
  const can = useCan()
  return (
    <section className="scroll h-full overflow-y-auto p-4" aria-label="Notes" tabIndex={0}>
      <div className="mx-auto flex max-w-[720px] flex-col gap-4">
        {can('incident.write') && <NoteForm incidentId={incidentId} />}
        <Loaded query={query} what="Notes">
          {({ items: notes }) => {
            return notes.length ? (
              <ol className="flex flex-col gap-3">
                {notes.map(note => (
                  <li key={note.id} className="flex gap-3 rounded-lg border border-line bg-surface p-3">
                    <Avatar name={names(note.author)} size={24} />
                    <div className="min-w-0 flex-1">
                      <p className="text-xs text-fg-3">
                        <b className="font-medium text-fg">{names(note.author)}</b> ·{' '}
                        <Ago at={note.created_at} suffix />
                      </p>
                      <p className="mt-0.5 break-words whitespace-pre-wrap">{note.text}</p>
                    </div>
                  </li>
                ))}
              </ol>
            ) : (
              <Empty title="No note yet">What you write here stands in the ledger with your name.</Empty>
            )
          }}
        </Loaded>
      </div>
    </section>
  )
}

function NoteForm({ incidentId }: { incidentId: string }) {
  const [text, setText] = useState('')
  const [error, setError] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  const submit = async (e: FormEvent) => {
    e.preventDefault()
    setBusy(true)
    setError(null)
    try {
      await addNote(incidentId, text.trim())
      setText('')
    } catch (failure) {
      setError(failure)
    } finally {
      setBusy(false)
    }
  }
  return (
    <form onSubmit={submit} className="flex flex-col gap-2">
      <Field label="Note">
        <textarea
          rows={3}
          maxLength={10_000}
          value={text}
          onChange={e => setText(e.target.value)}
          className={`${inputClass} h-auto py-1.5`}
        />
      </Field>
      <InlineError error={error} />
      <Btn type="submit" className="self-end" disabled={busy || !text.trim()}>
        {busy ? 'Adding…' : 'Add note'}
      </Btn>
    </form>
  )
}

export function LedgerTab({ incidentId }: { incidentId: string }) {
  const can = useCan()
  const { query, items, more, loadMore } = useList({ ...incidentLedgerQuery(incidentId), enabled: can('ledger.read') })
  if (!can('ledger.read')) return <NoPermission need="ledger.read" />
  return (
    <Loaded query={query} what="Ledger">
      {() =>
        items?.length ? (
          <section className="scroll h-full overflow-y-auto" aria-label="Ledger of this incident" tabIndex={0}>
            <LedgerRows entries={items} />
            {more && (
              <div className="p-3 text-center">
                <Btn onClick={loadMore}>Load more</Btn>
              </div>
            )}
          </section>
        ) : (
          <Empty title="No ledger entry yet" />
        )
      }
    </Loaded>
  )
}
