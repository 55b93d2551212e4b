/** Why policy decided as it did: the rules that fired, the facts that they read, and the nearest change that turns it. */
import { useQuery } from '@tanstack/react-query'
import { explanationQuery } from '@/api/response'
import type { FiredRule, Flip, PolicyExplanation } from '@/api/response-types'
import type { Plan } from '@/api/types'
import { Chip, fmt, Loaded, plural } from '@/ui'
import { byKind } from './reach'
import { ReachList } from './reach-block'

const shown = (value: unknown) => (value === undefined || value === null ? 'nothing' : JSON.stringify(value))

export default function Explain({ plan }: { plan: Plan }) {
  const query = useQuery(explanationQuery(plan.id, plan.version))
  return (
    <section className="rounded-md border border-line px-2.5 py-2" aria-label="Why policy decides so">
      <Loaded query={query} what="The explanation">
        {explanation => <Body explanation={explanation} known={plan.blast_radius != null} />}
      </Loaded>
    </section>
  )
}

/** `known`: the plan itself says what it reaches. */
function Body({ explanation, known }: { explanation: PolicyExplanation; known: boolean }) {
  const { allow, approvals_needed, fired, nearest, fewer_approvals, evaluations } = explanation
  return (
    <div className="space-y-2 text-xs text-fg-2">
      <p>
        Asked of the policies and facts of now: {allow ? 'allowed' : 'denied'}
        {allow && `, with ${plural(approvals_needed, 'approval')}`}.
      </p>
      {fired.length === 0 ? (
        <p className="text-fg-3">No rule fired: nothing denies it and nothing is asked for.</p>
      ) : (
        <ol className="space-y-2" aria-label="Rules that fired">
          {fired.map(rule => (
            <Fired key={`${rule.kind}${rule.code}${rule.detail}`} rule={rule} />
          ))}
        </ol>
      )}
      {!known && <Reach fired={fired} />}
      <Nearest
        title={allow ? 'Nearest change that would deny it' : 'Nearest change that would allow it'}
        flip={nearest}
      />
      {allow && approvals_needed > 0 && (
        <Nearest title="Nearest change that would need fewer approvals" flip={fewer_approvals} />
      )}
      <p className="text-2xs text-fg-3">{plural(evaluations, 'changed input')} asked about.</p>
    </div>
  )
}

/** Of a plan from before it said itself what it reaches: what the rules read of that. */
function Reach({ fired }: { fired: FiredRule[] }) {
  const facts = fired.flatMap(rule => rule.facts).filter(fact => /^actions\[\d+\]\.resources\[\d+\]$/.test(fact.path))
  const kinds = byKind(facts.map(fact => String(fact.value)))
  if (!kinds.length) return null
  return (
    <div>
      <h3 className="font-medium">What it reaches</h3>
      <ReachList kinds={kinds} />
    </div>
  )
}

function Fired({ rule }: { rule: FiredRule }) {
  return (
    <li className="rounded-md bg-raised px-2 py-1.5">
      <p>
        <Chip tone={rule.kind === 'deny' ? 'critical' : 'info'}>{rule.kind === 'deny' ? 'denies' : 'asks'}</Chip>{' '}
        {rule.detail} <code className="font-mono text-2xs text-fg-3">{rule.code}</code>
      </p>
      {rule.file && (
        <p className="mt-0.5 font-mono text-2xs text-fg-3">
          {rule.file}
          {rule.lines.length > 0 && `, ${rule.lines.length === 1 ? 'line' : 'lines'} ${rule.lines.map(fmt).join(', ')}`}
        </p>
      )}
      {rule.facts.length > 0 && (
        <details className="mt-1">
          <summary className="cursor-default text-2xs text-accent">
            {plural(rule.facts.length, 'fact')} that it read
          </summary>
          <dl className="mt-1 space-y-0.5 font-mono text-2xs">
            {rule.facts.map(fact => (
              <div key={fact.path} className="break-all">
                <dt className="inline text-fg-3">{fact.path}: </dt>
                <dd className="inline">{shown(fact.value)}</dd>
              </div>
            ))}
          </dl>
        </details>
      )}
    </li>
  )
}

function Nearest({ title, flip }: { title: string; flip?: Flip | null }) {
  return (
    <div>
      <h3 className="font-medium">{title}</h3>
      {flip?.changes.length ? (
        <ul className="mt-0.5 space-y-0.5 font-mono text-2xs">
          {flip.changes.map(change => (
            <li key={change.path} className="break-all">
              <span className="text-fg-3">{change.path}:</span> {shown(change.from)} <span aria-hidden="true">→</span>
              <span className="sr-only">becomes</span> {shown(change.to)}
            </li>
          ))}
        </ul>
      ) : (
        <p className="text-fg-3">None found.</p>
      )}
    </div>
  )
}
