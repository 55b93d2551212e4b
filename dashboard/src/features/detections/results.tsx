/** How events come out of a rule: which match, which should, and which fields made them. */
import { CircleCheck, CircleX } from 'lucide-react'
import type { TestResult } from '@/api/detection-types'
import { cn } from '@/ui'

export function ResultList({ results, label }: { results: TestResult[]; label: string }) {
  return (
    <ol className="space-y-1.5" aria-label={label}>
      {results.map((r, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: results keep the order of the events sent
        <li key={i} className={cn('rounded-md border p-2', r.ok === false ? 'border-critical' : 'border-line')}>
          <Line result={r} />
          {r.fields.length > 0 && (
            <p className="mt-1 font-mono text-2xs break-all whitespace-pre-wrap text-fg-2">
              {r.fields.map(f => `${f.field} ${f.value} ~ ${f.pattern}`).join('\n')}
            </p>
          )}
          <pre
            tabIndex={0}
            className="scroll mt-1 max-h-24 overflow-auto font-mono text-2xs break-all whitespace-pre-wrap text-fg-3"
          >
            {r.event}
          </pre>
        </li>
      ))}
    </ol>
  )
}

function Line({ result }: { result: TestResult }) {
  const bad = result.ok === false
  return (
    <p className="flex items-center gap-1.5 text-xs font-medium">
      {bad ? (
        <CircleX size={13} className="shrink-0 text-critical" aria-hidden="true" />
      ) : (
        <CircleCheck
          size={13}
          className={cn('shrink-0', result.matched ? 'text-ok' : 'text-fg-3')}
          aria-hidden="true"
        />
      )}
      {result.matched ? 'Matches' : 'Does not match'}
      {result.expected && bad && (
        <span className="font-normal text-critical">
          , and should {result.expected === 'match' ? 'match' : 'not match'}
        </span>
      )}
      {result.expected && !bad && <span className="font-normal text-fg-3">, as it should</span>}
    </p>
  )
}

type Tally = { results: TestResult[]; passed: number; failed: number }

export function TallyLine({ tally }: { tally: Tally }) {
  const { results, passed, failed } = tally
  if (!results.length) return <span className="text-fg-3">No sample yet</span>
  if (passed + failed === 0)
    return (
      <b className="num font-medium">
        {results.filter(r => r.matched).length} of {results.length} match
      </b>
    )
  return (
    <span>
      <b className="num font-medium text-ok">{passed} as expected</b>
      {failed > 0 && <b className="num font-medium text-critical">, {failed} not</b>}
    </span>
  )
}
