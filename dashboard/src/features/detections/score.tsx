/** How a rule does: precision from people's verdicts, volume, last fired, its tests. */
import type { RuleView, Scorecard } from '@/api/detection-types'
import { Ago, cn, fmt, plural } from '@/ui'

export const percentOf = (part: number) => `${Math.round(part * 100)} %`

/** Few per day with one digit, many without. */
export const perDay = (n: number) => (n === 0 ? '0' : n < 0.1 ? '<0.1' : n < 10 ? n.toFixed(1) : fmt(Math.round(n)))

export type Quality = 'good' | 'fair' | 'poor' | 'unknown'
/** A precision of few verdicts says little. */
const ENOUGH = 5
export function quality(score: Pick<Scorecard, 'precision' | 'judged'> | undefined): Quality {
  if (!score || score.precision == null || score.judged === 0) return 'unknown'
  if (score.judged < ENOUGH) return 'fair'
  return score.precision >= 0.8 ? 'good' : score.precision >= 0.4 ? 'fair' : 'poor'
}
const FILL: Record<Quality, string> = { good: 'bg-ok', fair: 'bg-medium', poor: 'bg-critical', unknown: 'bg-line' }

export function Precision({ score, wide }: { score: Scorecard | undefined; wide?: boolean }) {
  const precision = score?.precision
  if (!score || precision == null)
    return (
      <span className="text-fg-3" title="Nobody judged an alert of this rule yet">
        {wide ? 'not judged yet' : '–'}
      </span>
    )
  const judged = `${plural(score.judged, 'verdict')}: ${score.true_positives} true, ${score.benign} benign, ${score.false_positives} false`
  return (
    <span className="inline-flex items-center gap-1.5" title={judged}>
      <span className="h-1.5 w-10 overflow-hidden rounded-full bg-line" aria-hidden="true">
        <span
          className={cn('block h-full rounded-full', FILL[quality(score)])}
          style={{ width: `${precision * 100}%` }}
        />
      </span>
      <span className="num w-9 text-right">{percentOf(precision)}</span>
      {score.judged < ENOUGH && <span className="text-2xs text-fg-3">of {score.judged}</span>}
    </span>
  )
}

export function TestMark({ tests }: { tests: RuleView['tests'] }) {
  const all = tests.match + tests.miss
  const verdict = tests.verdict ?? (all ? 'passed' : 'none')
  if (verdict === 'none')
    return (
      <span className="text-fg-3" title="It has no samples">
        none
      </span>
    )
  const failed = tests.failed ?? 0
  const title = `${plural(tests.match, 'sample')} must match, ${tests.miss} must not`
  return verdict === 'failed' ? (
    <span className="num text-critical" title={title}>
      {failed} of {all} fail
    </span>
  ) : (
    <span className="num text-fg-2" title={title}>
      <span className="text-ok" aria-hidden="true">
        ✓{' '}
      </span>
      {all}
      <span className="sr-only"> samples pass</span>
    </span>
  )
}

export function ScorePanel({ rule }: { rule: RuleView }) {
  const { scorecard: score } = rule
  const fired = score?.last_fired ?? rule.last_fired
  const rows: [string, React.ReactNode][] = [
    ['Precision', <Precision key="p" score={score} wide />],
    ['Alerts a day', score ? `${perDay(score.alerts_per_day)} over 30 days` : fmt(rule.alert_count)],
    ['Last fired', fired ? <Ago key="f" at={fired} suffix /> : 'never here'],
    ['Samples', <TestMark key="t" tests={rule.tests} />],
  ]
  if (score?.shadow_matches) rows.push(['In shadow', plural(score.shadow_matches, 'match', 'matches')])
  if (score?.excepted_matches)
    rows.push(['Silenced', `${plural(score.excepted_matches, 'match', 'matches')} by exceptions`])
  return (
    <section className="p-3" aria-label="Scorecard">
      <h2 className="mb-1.5 font-medium">Scorecard</h2>
      <dl className="grid grid-cols-[104px_minmax(0,1fr)] gap-y-1 text-xs">
        {rows.map(([term, value]) => (
          <div key={term} className="contents">
            <dt className="text-fg-3">{term}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  )
}
