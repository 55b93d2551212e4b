/** Runs the rule against its own samples, or against events that are pasted in; shows which fields made it match. */
import { CircleCheck, CircleX, Play } from 'lucide-react'
import { useState } from 'react'
import { post } from '@/api/client'
import type { Rule, RuleTest } from '@/api/types'
import { Btn, cn, Field, InlineError, inputClass, plural } from '@/ui'

/** One JSON object a line, or one JSON array. Throws a message for the person who pasted. */
export function parseEvents(text: string): unknown[] {
  const trimmed = text.trim()
  if (!trimmed) return []
  if (trimmed.startsWith('[')) return JSON.parse(trimmed) as unknown[]
  return trimmed.split('\n').flatMap((line, i) => {
    if (!line.trim()) return []
    try {
      return [JSON.parse(line) as unknown]
    } catch (error) {
      throw new Error(`Line ${i + 1} is not JSON: ${(error as Error).message}`)
    }
  })
}

export function RuleTester({ rule }: { rule: Rule }) {
  const [own, setOwn] = useState('')
  const [result, setResult] = useState<RuleTest | null>(null)
  const [error, setError] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  const run = async () => {
    setBusy(true)
    setError(null)
    try {
      const events = parseEvents(own)
      setResult(await post<RuleTest>(`/rules/${encodeURIComponent(rule.id)}/test`, events.length ? { events } : {}))
    } catch (failure) {
      setResult(null)
      setError(failure instanceof SyntaxError ? new Error(`Not JSON: ${failure.message}`) : failure)
    } finally {
      setBusy(false)
    }
  }
  return (
    <section className="space-y-3 p-3">
      <h2 className="flex items-center font-medium">
        Test
        <Btn v="primary" size="sm" className="ml-auto" disabled={busy} onClick={() => void run()}>
          <Play size={12} aria-hidden="true" />
          {busy
            ? 'Running…'
            : own.trim()
              ? 'Run against your events'
              : `Run against ${plural(rule.tests.match + rule.tests.miss, 'sample')}`}
        </Btn>
      </h2>
      <Field label="Your own events (optional)" hint="One JSON object a line. Empty: the samples beside the rule.">
        <textarea
          rows={4}
          spellCheck={false}
          value={own}
          onChange={e => setOwn(e.target.value)}
          placeholder={'{"program": "sshd", "outcome": "failure"}'}
          className={`${inputClass} h-auto py-1.5 font-mono text-xs`}
        />
      </Field>
      <InlineError error={error} />
      {result && <Results result={result} />}
    </section>
  )
}

function Results({ result }: { result: RuleTest }) {
  return (
    <div role="status">
      <p className="mb-2 text-xs text-fg-2">
        {result.passed + result.failed === 0 ? (
          <b className="num font-medium">
            {result.results.filter(r => r.matched).length} of {plural(result.results.length, 'event')} match
          </b>
        ) : (
          <>
            <b className="num font-medium text-ok">{result.passed} as expected</b>
            {result.failed > 0 && <b className="num font-medium text-critical">, {result.failed} not</b>}
          </>
        )}
      </p>
      <ol className="space-y-1.5">
        {result.results.map((r, i) => {
          const bad = r.ok === false
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: results keep the order of the events sent
            <li key={i} className={cn('rounded-md border p-2', bad ? 'border-critical' : 'border-line')}>
              <p className="flex items-center gap-1.5 text-xs font-medium">
                {bad ? (
                  <CircleX size={13} className="text-critical" aria-hidden="true" />
                ) : (
                  <CircleCheck size={13} className={r.matched ? 'text-ok' : 'text-fg-3'} aria-hidden="true" />
                )}
                {r.matched ? 'Matches' : 'Does not match'}
                {r.expected && (
                  <span className="font-normal text-fg-3">
                    · should {r.expected === 'match' ? 'match' : 'not match'}
                  </span>
                )}
              </p>
              {r.fields.length > 0 && (
                <p className="mt-1 font-mono text-2xs break-all whitespace-pre-wrap text-fg-2">
                  {r.fields.map(f => `${f.field} ${f.value} ~ ${f.pattern}`).join('\n')}
                </p>
              )}
              <pre tabIndex={0} className="scroll mt-1 max-h-24 overflow-auto font-mono text-2xs text-fg-3">
                {r.event}
              </pre>
            </li>
          )
        })}
      </ol>
    </div>
  )
}
