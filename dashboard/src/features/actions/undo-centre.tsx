/** Undo of everything that automation, a person or a rule did in a time. Nothing is touched before it was shown. */
import { Search, Undo2 } from 'lucide-react'
import { lazy, Suspense, useState } from 'react'
import { rulesQuery } from '@/api/detection'
import { usersQuery } from '@/api/queries'
import { previewUndo, type UndoScope } from '@/api/response'
import type { UndoReport } from '@/api/response-types'
import { useWhyNot } from '@/app/guard'
import { useSearchParams } from '@/app/search'
import { useCan, useUser } from '@/app/session'
import { useSubmit } from '@/app/submit'
import { useList } from '@/app/use-list'
import { absolute, Btn, Card, Field, InlineError, inputClass, plural } from '@/ui'
import { undoMany } from '../plans/acts'
import { UndoReportView } from '../plans/undo-report'
import { type Asked, scopeOf, zone } from './scope'

const ReasonDialog = lazy(() => import('@/ui/reason-dialog'))

export default function UndoCentre() {
  const why = useWhyNot()('action.undo')
  const { user } = useUser()
  const { rule = '' } = useSearchParams()
  const [asked, setAsked] = useState<Asked>({
    who: rule ? 'rule' : 'automation',
    user: user.id,
    rule,
    span: '3600',
    from: '',
    to: '',
  })
  const [shown, setShown] = useState<{ scope: UndoScope; report: UndoReport } | null>(null)
  const [confirming, setConfirming] = useState(false)
  const { error, busy, onSubmit } = useSubmit([])
  const change = (to: Partial<Asked>) => {
    setAsked({ ...asked, ...to })
    // What was shown is no longer what is asked for.
    setShown(null)
  }
  const scope = scopeOf(asked, Date.now())
  const preview = async () => {
    const now = scopeOf(asked, Date.now())
    if (typeof now === 'string') throw new Error(now)
    return { scope: now, report: await previewUndo(now) }
  }
  return (
    <section className="scroll min-h-0 flex-1 overflow-y-auto p-4" aria-label="Undo centre" tabIndex={0}>
      <div className="mx-auto flex max-w-[1080px] flex-col gap-3">
        <Card title="What is to be undone" body="p-3">
          <form onSubmit={onSubmit(preview, setShown)} className="flex flex-col gap-3">
            <fieldset disabled={!!why} className="grid gap-3 md:grid-cols-2">
              <legend className="sr-only">Whose actions, and of which time</legend>
              <WhoseFields asked={asked} change={change} />
              <TimeFields asked={asked} change={change} />
            </fieldset>
            <div className="flex items-center gap-2">
              <InlineError error={error} className="min-w-0 flex-1" />
              <p className="min-w-0 flex-1 text-xs text-fg-3" id="undo-note">
                {why ?? (typeof scope === 'string' ? scope : 'The preview reads the targets and changes nothing.')}
              </p>
              <Btn
                type="submit"
                v="primary"
                disabled={busy || !!why || typeof scope === 'string'}
                aria-describedby="undo-note"
              >
                <Search size={13} aria-hidden="true" />
                {busy ? 'Reading the targets…' : 'Preview'}
              </Btn>
            </div>
          </form>
        </Card>
        {shown && <Result shown={shown} onConfirm={() => setConfirming(true)} />}
        {shown && confirming && (
          <Suspense>
            <ReasonDialog
              open
              danger
              onClose={() => setConfirming(false)}
              title={`Undo ${plural(willTry(shown.report), 'action')}`}
              note="Newest first. One that fails does not keep the others."
              verb="Undo now"
              act={async reason => setShown({ ...shown, report: await undoMany(shown.scope, reason) })}
            />
          </Suspense>
        )}
      </div>
    </section>
  )
}

const willTry = (report: UndoReport) =>
  report.items.filter(item => item.prospect !== 'nothing' && item.prospect !== 'cannot').length

type ResultProps = {
  shown: { scope: UndoScope; report: UndoReport }
  onConfirm: () => void
}

function Result({ shown: { scope, report }, onConfirm }: ResultProps) {
  const can = willTry(report)
  return (
    <Card
      title={report.preview ? 'Preview: nothing was touched' : 'Result'}
      extra={'from' in scope && `${absolute(scope.from)} to ${absolute(scope.to)}`}
      body="p-3 space-y-3"
    >
      <UndoReportView report={report} />
      {report.preview && can > 0 && (
        <Btn v="danger" onClick={onConfirm}>
          <Undo2 size={13} aria-hidden="true" />
          {`Undo ${plural(can, 'action')}…`}
        </Btn>
      )}
    </Card>
  )
}

type Props = { asked: Asked; change: (to: Partial<Asked>) => void }
const WHO: [Asked['who'], string, string][] = [
  ['automation', 'Automation', 'Whatever no person asked for'],
  ['user', 'A person', 'What this person asked for'],
  ['rule', 'A rule', 'What investigations did where this rule alerted'],
]

function WhoseFields({ asked, change }: Props) {
  return (
    <div className="flex flex-col gap-2">
      <fieldset className="flex flex-col gap-1">
        <legend className="mb-1 text-xs font-medium text-fg-2">Done by</legend>
        {WHO.map(([id, label, hint]) => (
          <label key={id} className="flex items-center gap-2 text-sm">
            <input type="radio" name="whose" checked={asked.who === id} onChange={() => change({ who: id })} />
            {label} <span className="text-xs text-fg-3">{hint}</span>
          </label>
        ))}
      </fieldset>
      {asked.who === 'user' && <Person value={asked.user} onValue={user => change({ user })} />}
      {asked.who === 'rule' && <Rule value={asked.rule} onValue={rule => change({ rule })} />}
    </div>
  )
}

type ValueProps = { value: string; onValue: (value: string) => void }

function Person({ value, onValue }: ValueProps) {
  const can = useCan()
  const { user } = useUser()
  const { items } = useList({ ...usersQuery, enabled: can('user.read') })
  const people = items ?? [user]
  return (
    <Field label="Person" hint={can('user.read') ? undefined : 'Your role may not list people: only yourself.'}>
      <select className={inputClass} value={value} onChange={e => onValue(e.target.value)}>
        {people.map(one => (
          <option key={one.id} value={one.id}>
            {one.name}
          </option>
        ))}
      </select>
    </Field>
  )
}

function Rule({ value, onValue }: ValueProps) {
  const can = useCan()
  const { items } = useList({ ...rulesQuery({ q: value || undefined }), enabled: can('rule.read') })
  const field = (
    <Field label="Rule" hint={items?.find(one => one.id === value)?.title ?? 'The id of the rule; type of its title.'}>
      <input
        className={inputClass}
        list="undo-rules"
        maxLength={128}
        autoComplete="off"
        value={value}
        onChange={e => onValue(e.target.value)}
      />
    </Field>
  )
  return (
    <>
      {field}
      <datalist id="undo-rules">
        {items?.map(one => (
          <option key={one.id} value={one.id}>
            {one.title}
          </option>
        ))}
      </datalist>
    </>
  )
}

function TimeFields({ asked, change }: Props) {
  return (
    <div className="flex flex-col gap-2">
      <Field label="Begun in" hint={`Times in ${zone()}`}>
        <select
          className={inputClass}
          value={asked.span}
          onChange={e => change({ span: e.target.value as Asked['span'] })}
        >
          <option value="3600">The last hour</option>
          <option value="86400">The last 24 hours</option>
          <option value="custom">From … to …</option>
        </select>
      </Field>
      {asked.span === 'custom' && (
        <div className="grid grid-cols-2 gap-2">
          <Field label="From">
            <input
              type="datetime-local"
              className={inputClass}
              value={asked.from}
              onChange={e => change({ from: e.target.value })}
            />
          </Field>
          <Field label="To" hint="Empty: now">
            <input
              type="datetime-local"
              className={inputClass}
              value={asked.to}
              onChange={e => change({ to: e.target.value })}
            />
          </Field>
        </div>
      )}
    </div>
  )
}
