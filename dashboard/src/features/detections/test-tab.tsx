/** Tries the rule on its samples and on one's own events, and says why it fires or not on one event. */
import { Play } from 'lucide-react'
import { useState } from 'react'
import { post } from '@/api/client'
import { rulePath } from '@/api/detection'
import type { RuleDetail, TestResult } from '@/api/detection-types'
import { useSubmit } from '@/app/submit'
import { Btn, Field, InlineError, inputClass, plural } from '@/ui'
import { Explain } from './explain'
import { ResultList, TallyLine } from './results'
import { eventOf, sampleLines } from './samples'

type Answer = { results: TestResult[]; passed: number; failed: number }

export default function TestTab({ rule }: { rule: RuleDetail }) {
  return (
    <div className="grid h-full min-h-0 grid-cols-2 divide-x divide-line bg-surface">
      <section className="scroll min-h-0 overflow-y-auto p-4" aria-label="Test" tabIndex={0}>
        <RuleTester rule={rule} />
      </section>
      <section className="scroll min-h-0 overflow-y-auto p-4" aria-label="Explain" tabIndex={0}>
        <Explain rule={rule} />
      </section>
    </div>
  )
}

function RuleTester({ rule }: { rule: RuleDetail }) {
  const [own, setOwn] = useState('')
  const [answer, setAnswer] = useState<Answer | null>(null)
  const { error, busy, run } = useSubmit([])
  const samples = rule.tests.match + rule.tests.miss
  const send = () => {
    const events = sampleLines(own).map((line, i) => eventOf(line, i))
    return post<Answer>(rulePath(rule.id, '/test'), events.length ? { events } : {})
  }
  const test = () => {
    setAnswer(null)
    void run(async () => send(), setAnswer)
  }
  return (
    <div className="space-y-3">
      <h2 className="flex items-center font-medium">
        Test
        <Btn v="primary" size="sm" className="ml-auto" disabled={busy || (!own.trim() && samples === 0)} onClick={test}>
          <Play size={12} aria-hidden="true" />
          {busy ? 'Running…' : own.trim() ? 'Run against your events' : `Run against ${plural(samples, 'sample')}`}
        </Btn>
      </h2>
      <Field
        label={rule.correlation ? 'Your own events, as one story (optional)' : 'Your own events (optional)'}
        hint="One a line, or JSON over several. Empty: the samples of the rule."
      >
        <textarea
          rows={5}
          spellCheck={false}
          value={own}
          onChange={e => setOwn(e.target.value)}
          placeholder={'{"program": "sshd", "outcome": "failure"}'}
          className={`${inputClass} scroll h-auto py-1.5 font-mono text-xs`}
        />
      </Field>
      <InlineError error={error} />
      {answer && (
        <div role="status" className="space-y-2">
          <p className="text-xs">
            <TallyLine tally={answer} />
          </p>
          <ResultList results={answer.results} label="How the events come out" />
        </div>
      )}
    </div>
  )
}
