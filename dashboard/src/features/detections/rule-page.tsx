/** One rule: its source, what it says of itself, and a test against its samples or your own events. */
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { ArrowLeft } from 'lucide-react'
import { ruleQuery } from '@/api/queries'
import type { Rule } from '@/api/types'
import { useCan } from '@/app/session'
import { Ago, Chip, fmt, Loaded, NoPermission, SevIcon, sevTone, words } from '@/ui'
import { DiagnosticList } from './diagnostics'
import { asSeverity, logSourceText } from './page'
import { RuleSwitch } from './switch'
import { RuleTester } from './tester'
import { YamlSource } from './yaml'

export default function RulePage() {
  const { id } = useParams({ strict: false }) as { id: string }
  const query = useQuery(ruleQuery(id))
  const can = useCan()
  if (!can('rule.read')) return <NoPermission need="rule.read" />
  return (
    <Loaded query={query} what="Rule">
      {rule => <RuleView key={rule.version} rule={rule} />}
    </Loaded>
  )
}

function RuleView({ rule }: { rule: Rule }) {
  const marked = new Set(rule.diagnostics.flatMap(d => d.line ?? []))
  return (
    <div className="flex h-full min-h-0 flex-col">
      <div className="flex h-11 shrink-0 items-center gap-2 border-b border-line px-3">
        <Link
          to="/detections"
          className="inline-grid size-7.5 place-items-center rounded-md text-fg-2 hover:bg-hover"
          aria-label="Back to the rules"
        >
          <ArrowLeft size={15} />
        </Link>
        <SevIcon s={asSeverity(rule.level)} />
        <h1 className="truncate text-sm font-semibold">{rule.title}</h1>
        <Chip tone={sevTone(asSeverity(rule.level))}>{rule.level}</Chip>
        {rule.status && <Chip tone="neutral">{rule.status}</Chip>}
        {rule.enabled === false && <Chip tone="medium">off</Chip>}
        <span className="ml-auto truncate font-mono text-2xs text-fg-3">
          {rule.file} · {rule.version}
        </span>
      </div>
      <div className="grid min-h-0 flex-1 grid-cols-[minmax(0,1fr)_460px]">
        <section className="min-h-0 border-r border-line bg-surface" aria-label="Source">
          <YamlSource text={rule.source ?? ''} marked={marked} />
        </section>
        <section
          className="scroll min-h-0 divide-y divide-line overflow-y-auto bg-surface"
          aria-label="About the rule"
          tabIndex={0}
        >
          <RuleSwitch rule={rule} />
          <About rule={rule} />
          {rule.diagnostics.length > 0 && (
            <section className="p-3">
              <h2 className="mb-1.5 font-medium">The loader says</h2>
              <DiagnosticList items={rule.diagnostics} />
            </section>
          )}
          <RuleTester rule={rule} />
        </section>
      </div>
    </div>
  )
}

function About({ rule }: { rule: Rule }) {
  return (
    <section className="space-y-2 p-3">
      {rule.description && <p className="text-fg-2">{rule.description}</p>}
      <div className="flex flex-wrap gap-1.5">
        {rule.attack.tactics.map(t => (
          <Chip key={t}>{words(t)}</Chip>
        ))}
        {rule.attack.techniques.map(t => (
          <Chip key={t}>{t}</Chip>
        ))}
      </div>
      <dl className="grid grid-cols-[104px_minmax(0,1fr)] gap-y-1 text-xs">
        <dt className="text-fg-3">Log source</dt>
        <dd>{logSourceText(rule) || 'any'}</dd>
        <dt className="text-fg-3">Alerts</dt>
        <dd>
          <Link to="/alerts" search={{ view: 'all', rule: rule.id }} className="num text-accent underline">
            {fmt(rule.alert_count)}
          </Link>
          {rule.last_fired ? (
            <span className="text-fg-3">
              , last <Ago at={rule.last_fired} suffix />
            </span>
          ) : (
            <span className="text-fg-3">, never fired here</span>
          )}
        </dd>
        <dt className="text-fg-3">Origin</dt>
        <dd>{rule.origin === 'built_in' ? 'Built in' : 'Your rules directory'}</dd>
        {!!rule.falsepositives?.length && (
          <>
            <dt className="text-fg-3">False positives</dt>
            <dd>{rule.falsepositives.join('; ')}</dd>
          </>
        )}
        <dt className="text-fg-3">Id</dt>
        <dd className="font-mono break-all">{rule.id}</dd>
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
