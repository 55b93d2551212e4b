/** The rule's own text, and beside it how it stands, does and what it says of itself. */
import { Link } from '@tanstack/react-router'
import { Copy } from 'lucide-react'
import type { Correlation, RuleDetail } from '@/api/detection-types'
import { ActBtn } from '@/app/guard'
import { useNavigateTo } from '@/app/search'
import { Ago, Btn, Chip, fmt, words } from '@/ui'
import { DiagnosticList } from './diagnostics'
import { exportRule } from './export'
import { logSourceText } from './row'
import { RuleName } from './rule-name'
import { ScorePanel } from './score'
import { isOwn } from './state'
import { StatePanel } from './state-panel'
import { ThrottlePanel } from './throttle'
import { YamlSource } from './yaml'

export function SourceTab({ rule }: { rule: RuleDetail }) {
  const marked = new Set(rule.diagnostics.flatMap(d => d.line ?? []))
  const go = useNavigateTo()
  return (
    <div className="grid h-full min-h-0 grid-cols-[minmax(0,1fr)_420px]">
      <section className="flex min-h-0 flex-col border-r border-line bg-surface" aria-label="Source">
        <div className="flex h-9 shrink-0 items-center gap-1.5 border-b border-line px-3 text-xs text-fg-3">
          {isOwn(rule) ? `The newest version, number ${rule.head ?? 1}` : 'As it was loaded'}
          <span className="ml-auto flex gap-1">
            <Btn size="sm" v="ghost" onClick={() => void exportRule(rule)}>
              Export
            </Btn>
            {isOwn(rule) ? (
              <ActBtn need="rule.write" size="sm" onClick={() => go(`/detections/${rule.id}`, { tab: 'edit' })}>
                Edit
              </ActBtn>
            ) : (
              <ActBtn need="rule.write" size="sm" onClick={() => go('/detections/new', { rule: rule.id })}>
                <Copy size={12} aria-hidden="true" />
                Make it your own
              </ActBtn>
            )}
          </span>
        </div>
        <div className="min-h-0 flex-1">
          <YamlSource text={rule.source ?? ''} marked={marked} />
        </div>
      </section>
      <section
        className="scroll min-h-0 divide-y divide-line overflow-y-auto bg-surface"
        aria-label="About the rule"
        tabIndex={0}
      >
        <StatePanel rule={rule} />
        <ScorePanel rule={rule} />
        <ThrottlePanel rule={rule} />
        {rule.correlation && <MadeOf correlation={rule.correlation} />}
        {rule.needed_by.length > 0 && <NeededBy rule={rule} />}
        <About rule={rule} />
        {rule.diagnostics.length > 0 && (
          <section className="p-3">
            <h2 className="mb-1.5 font-medium">The loader says</h2>
            <DiagnosticList items={rule.diagnostics} />
          </section>
        )}
      </section>
    </div>
  )
}

const HOW: Record<string, string> = {
  event_count: 'So many matches within the time',
  value_count: 'So many different values within the time',
  temporal: 'Matches of all its rules within the time, in any order',
  temporal_ordered: 'Matches of all its rules within the time, one after the other',
  value_sum: 'The sum of a field within the time',
  value_avg: 'The average of a field within the time',
  value_median: 'The median of a field within the time',
  value_percentile: 'A percentile of a field within the time',
}

/** A correlation: which rules it looks at together, for whom, and within what time. */
function MadeOf({ correlation: c }: { correlation: Correlation }) {
  return (
    <section className="space-y-2 p-3" aria-label="Correlation">
      <h2 className="font-medium">Correlation</h2>
      <p className="text-xs text-fg-2">
        {HOW[c.type] ?? c.type} <span className="font-mono text-2xs text-fg-3">{c.type}</span>
      </p>
      <dl className="grid grid-cols-[104px_minmax(0,1fr)] gap-y-1 text-xs">
        <dt className="text-fg-3">Within</dt>
        <dd className="num">{c.timespan}</dd>
        <dt className="text-fg-3">For each</dt>
        <dd className="font-mono">{c.group_by.join(', ') || <span className="font-sans">tenant</span>}</dd>
      </dl>
      <ol className="rounded-md border border-line text-xs" aria-label="Its rules">
        {c.members.map(id => (
          <li key={id} className="border-b border-line/60 px-2.5 py-1 last:border-0">
            <RuleName id={id} />
          </li>
        ))}
      </ol>
      {c.silent && <p className="text-xs text-fg-3">It raises no alert itself: another one builds on it.</p>}
    </section>
  )
}

/** Correlations that find nothing more without this rule. */
function NeededBy({ rule }: { rule: RuleDetail }) {
  return (
    <section className="space-y-1 p-3" aria-label="Needed by">
      <h2 className="font-medium">Needed by</h2>
      <ul className="text-xs">
        {rule.needed_by.map(by => (
          <li key={by.id}>
            <Link to="/detections/$id" params={{ id: by.id }} className="text-accent underline">
              {by.title}
            </Link>{' '}
            <span className="text-fg-3">{by.state}</span>
          </li>
        ))}
      </ul>
    </section>
  )
}

const ORIGIN = { built_in: 'Built in', directory: 'Your rules directory', tenant: 'This tenant’s own' }

function About({ rule }: { rule: RuleDetail }) {
  const rows: [string, React.ReactNode][] = [
    ['Log source', logSourceText(rule) || 'any'],
    [
      'Alerts',
      <Link key="alerts" to="/alerts" search={{ view: 'all', rule: rule.id }} className="num text-accent underline">
        {fmt(rule.alert_count)}
      </Link>,
    ],
    ['Origin', ORIGIN[rule.origin]],
  ]
  if (rule.falsepositives?.length) rows.push(['False positives', rule.falsepositives.join('; ')])
  if (rule.triage) {
    rows.push([
      'Triage',
      <span key="triage" className="whitespace-pre-line">
        {rule.triage}
      </span>,
    ])
  }
  rows.push([
    'Id',
    <span key="id" className="font-mono break-all">
      {rule.id}
    </span>,
  ])
  return (
    <section className="space-y-2 p-3" aria-label="What it says of itself">
      {rule.description && <p className="text-fg-2">{rule.description}</p>}
      <div className="flex flex-wrap gap-1.5">
        {rule.attack.tactics.map(t => (
          <Chip key={t}>{words(t)}</Chip>
        ))}
        {rule.attack.techniques.map(t => (
          <Link key={t} to="/coverage" search={{ technique: t }} title={`Coverage of ${t}`}>
            <Chip className="hover:underline">{t}</Chip>
          </Link>
        ))}
      </div>
      <dl className="grid grid-cols-[104px_minmax(0,1fr)] gap-y-1 text-xs">
        {rows.map(([term, value]) => (
          <div key={term} className="contents">
            <dt className="text-fg-3">{term}</dt>
            <dd>{value}</dd>
          </div>
        ))}
        {rule.last_fired && (
          <>
            <dt className="text-fg-3">Last alert</dt>
            <dd>
              <Ago at={rule.last_fired} suffix />
            </dd>
          </>
        )}
      </dl>
      {rule.references?.map(url => (
        <a
          key={url}
          href={url}
          target="_blank"
          rel="noreferrer"
          className="block truncate text-xs leading-6 text-accent hover:underline"
        >
          {url}
        </a>
      ))}
    </section>
  )
}
