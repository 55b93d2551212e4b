/** Why a rule fires on one event, or why it does not: log source, selections, patterns, values. */
import { Check, CircleHelp, X } from 'lucide-react'
import { useState } from 'react'
import { post } from '@/api/client'
import { rulePath } from '@/api/detection'
import type { ExplainedItem, Explanation } from '@/api/detection-types'
import { useSubmit } from '@/app/submit'
import { Btn, Chip, cn, Field, InlineError, inputClass, plural } from '@/ui'
import { eventOf } from './samples'

const pretty = (json: string) => {
  try {
    return JSON.stringify(JSON.parse(json), null, 2)
  } catch {
    return json
  }
}

const EVENT_ID = /^evt_[0-9a-z]{26}$/

export function Explain({ rule, event = '' }: { rule: { id: string }; event?: string }) {
  const [text, setText] = useState(event)
  const [found, setFound] = useState<Explanation | null>(null)
  const { error, busy, run } = useSubmit([])
  const ask = () => {
    setFound(null)
    const given = text.trim()
    void run(
      async () =>
        post<Explanation>(
          rulePath(rule.id, '/explain'),
          EVENT_ID.test(given) ? { event_id: given } : { event: eventOf(given) },
        ),
      setFound,
    )
  }
  return (
    <div className="space-y-3">
      <h2 className="flex items-center font-medium">
        Explain
        <Btn v="primary" size="sm" className="ml-auto" disabled={busy || !text.trim()} onClick={ask}>
          <CircleHelp size={12} aria-hidden="true" />
          {busy ? 'Looking…' : 'Explain this event'}
        </Btn>
      </h2>
      <Field label="One event" hint="JSON, a line as it would be sent, or the id of an event that is kept (evt_…).">
        <textarea
          rows={5}
          spellCheck={false}
          value={text}
          onChange={e => setText(e.target.value)}
          placeholder={'{"program": "sshd", "outcome": "failure"}'}
          className={`${inputClass} scroll h-auto py-1.5 font-mono text-xs`}
        />
      </Field>
      <InlineError error={error} />
      {found && <Found found={found} />}
    </div>
  )
}

const sourceText = (s: Record<string, unknown>) =>
  Object.entries(s)
    .flatMap(([key, value]) => {
      const text = Array.isArray(value) ? value.join(', ') : value
      return text ? [`${key} ${text}`] : []
    })
    .join(', ') || 'any'

function Found({ found }: { found: Explanation }) {
  const { log_source } = found
  return (
    <div role="status" data-fired={found.matched} className="space-y-3">
      <p
        className={cn(
          'rounded-md px-3 py-2 text-sm',
          found.matched && !found.excepted_by ? 'soft-ok' : found.excepted_by ? 'soft-medium' : 'soft-info',
        )}
      >
        {found.summary}
      </p>
      <div className="flex flex-wrap gap-1.5">
        <Chip tone={log_source.matches ? 'ok' : 'critical'}>
          {log_source.matches ? 'log source fits' : 'another log source'}
        </Chip>
        <Chip tone={found.condition_holds ? 'ok' : 'neutral'}>
          {found.condition_holds ? 'condition holds' : 'condition does not hold'}
        </Chip>
        {found.state && <Chip tone="neutral">rule is {found.state}</Chip>}
        {found.excepted_by && <Chip tone="medium">taken out by an exception</Chip>}
      </div>
      {!log_source.matches && (
        <dl className="grid grid-cols-[84px_minmax(0,1fr)] gap-y-1 text-xs">
          <dt className="text-fg-3">Rule looks at</dt>
          <dd>{sourceText(log_source.rule)}</dd>
          <dt className="text-fg-3">Event is</dt>
          <dd>{sourceText(log_source.event)}</dd>
        </dl>
      )}
      {found.selections.map(selection => (
        <Selection key={selection.name} selection={selection} />
      ))}
      {!!found.left_out && <p className="text-xs text-fg-3">{plural(found.left_out, 'more line')} of it not shown.</p>}
      {found.event && (
        <details className="text-xs">
          <summary className="leading-6 text-fg-2">The event as rules read it</summary>
          <pre
            tabIndex={0}
            className="scroll mt-1 max-h-48 overflow-auto rounded-md border border-line bg-bg p-2 font-mono text-2xs break-all whitespace-pre-wrap text-fg-2"
          >
            {pretty(found.event)}
          </pre>
        </details>
      )}
    </div>
  )
}

function Selection({ selection }: { selection: Explanation['selections'][number] }) {
  return (
    <section className="rounded-md border border-line" aria-label={`Selection ${selection.name}`}>
      <h3 className="flex h-8 items-center gap-2 border-b border-line px-2.5 text-xs font-medium">
        <Mark ok={selection.matched} />
        <code className="font-mono">{selection.name}</code>
        <span className="ml-auto font-normal text-fg-3">{selection.matched ? 'holds' : 'does not hold'}</span>
      </h3>
      <ul>
        {selection.items.map((item, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the same field can be asked twice
          <Item key={`${item.field} ${i}`} item={item} />
        ))}
      </ul>
    </section>
  )
}

const Mark = ({ ok }: { ok: boolean }) =>
  ok ? (
    <Check size={13} className="shrink-0 text-ok" aria-label="holds" />
  ) : (
    <X size={13} className="shrink-0 text-critical" aria-label="does not hold" />
  )

function Item({ item }: { item: ExplainedItem }) {
  return (
    <li className="grid grid-cols-[18px_minmax(0,1fr)_minmax(0,1fr)] items-start gap-x-2 border-b border-line/60 px-2.5 py-1.5 text-xs last:border-0">
      <Mark ok={item.matched} />
      <span className="min-w-0 font-mono text-2xs break-all">
        <span className="text-fg">{item.field || 'keywords'}</span> <span className="text-fg-2">{item.pattern}</span>
      </span>
      <span className="min-w-0 font-mono text-2xs break-all text-fg-2">
        {item.present ? item.values.join(', ') || '(empty)' : <i className="text-fg-3">not in the event</i>}
      </span>
    </li>
  )
}
