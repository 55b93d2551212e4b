/** One rule in the list, with its scorecard. */
import { Link } from '@tanstack/react-router'
import type { RuleView } from '@/api/detection-types'
import { SEVERITIES, type Severity } from '@/api/types'
import { Ago, Chip, cn, fmt, plural, SevIcon } from '@/ui'
import { Precision, perDay, TestMark } from './score'
import { StateChip, stateOf } from './state'

export const GRID = 'grid-cols-[18px_minmax(0,1fr)_150px_84px_112px_64px_60px_72px]'

export const asSeverity = (level: string): Severity =>
  SEVERITIES.includes(level as Severity) ? (level as Severity) : 'informational'

export const logSourceText = (rule: Pick<RuleView, 'log_source'>) =>
  [rule.log_source.product, rule.log_source.category ?? rule.log_source.categories?.join(', '), rule.log_source.service]
    .filter(Boolean)
    .join(' / ')

const quiet = (rule: RuleView) => rule.enabled === false && stateOf(rule) !== 'shadow'

export function RuleHead() {
  return (
    <div
      className={cn(
        'sticky top-0 z-10 grid h-8 items-center gap-3 border-b border-line bg-surface px-4 text-xs font-medium text-fg-3',
        GRID,
      )}
      aria-hidden="true"
    >
      <span />
      <span>Rule</span>
      <span>Log source</span>
      <span>State</span>
      <span title="Of the alerts that a person judged, how many were right">Precision</span>
      <span className="text-right" title="Alerts a day, over the last 30 days">
        A day
      </span>
      <span className="text-right">Fired</span>
      <span className="text-right">Samples</span>
    </div>
  )
}

export function RuleRow({ rule }: { rule: RuleView }) {
  const bad = rule.diagnostics.filter(d => d.severity === 'error').length
  const fired = rule.scorecard?.last_fired ?? rule.last_fired
  return (
    <li>
      <Link
        to="/detections/$id"
        params={{ id: rule.id }}
        data-row
        className={cn(
          'grid h-9 items-center gap-3 border-b border-line/60 px-4 text-sm hover:bg-hover',
          GRID,
          quiet(rule) && 'text-fg-3',
        )}
      >
        <SevIcon s={asSeverity(rule.level)} />
        <span className="flex min-w-0 items-center gap-2">
          <span className="truncate">{rule.title}</span>
          {rule.correlation && (
            <Chip tone="accent" title={`Several events together: ${rule.correlation.type}`}>
              correlation
            </Chip>
          )}
          {rule.origin !== 'built_in' && (
            <Chip tone="neutral" title={rule.overrides ? 'Stands here instead of the rule below it' : undefined}>
              {rule.overrides ? 'override' : 'yours'}
            </Chip>
          )}
          {!!rule.exceptions && <Chip tone="neutral">{plural(rule.exceptions, 'exception')}</Chip>}
          {rule.diagnostics.length > 0 && (
            <Chip tone={bad ? 'critical' : 'medium'}>{plural(rule.diagnostics.length, bad ? 'error' : 'hint')}</Chip>
          )}
        </span>
        <span className="truncate text-xs text-fg-2">{logSourceText(rule)}</span>
        <span>
          <StateChip rule={rule} />
        </span>
        <span className="text-xs">
          <Precision score={rule.scorecard} />
        </span>
        <span className="num text-right text-xs text-fg-2">
          {rule.scorecard ? perDay(rule.scorecard.alerts_per_day) : fmt(rule.alert_count)}
        </span>
        <span className="num text-right text-xs text-fg-3">{fired ? <Ago at={fired} /> : 'never'}</span>
        <span className="text-right text-xs">
          <TestMark tests={rule.tests} />
        </span>
      </Link>
    </li>
  )
}
