/** The states of a rule and what each means. */
import type { RuleState, RuleView } from '@/api/detection-types'
import { Chip } from '@/ui'

export const STATES: RuleState[] = ['draft', 'shadow', 'enabled', 'retired']
export const STATE: Record<RuleState, { label: string; tone: string; means: string }> = {
  draft: { label: 'Draft', tone: 'info', means: 'Not evaluated.' },
  shadow: { label: 'Shadow', tone: 'low', means: 'Evaluated: matches are counted and listed, and raise no alert.' },
  enabled: { label: 'Enabled', tone: 'ok', means: 'Evaluated: matches raise alerts.' },
  retired: { label: 'Retired', tone: 'neutral', means: 'Not evaluated any more; its versions and figures stay.' },
}

/** A server that knows no states says on or off. */
export const stateOf = (rule: Pick<RuleView, 'state' | 'enabled'>): RuleState =>
  rule.state ?? (rule.enabled === false ? 'retired' : 'enabled')

export const isOwn = (rule: Pick<RuleView, 'origin'>) => rule.origin === 'tenant'

export function StateChip({ rule }: { rule: Pick<RuleView, 'state' | 'enabled' | 'origin'> }) {
  if (!isOwn(rule) && rule.enabled === false)
    return (
      <Chip tone="medium" title="Raises no alerts here">
        Off
      </Chip>
    )
  const { label, tone, means } = STATE[stateOf(rule)]
  return (
    <Chip tone={tone} title={means}>
      {label}
    </Chip>
  )
}

/** Where one can go from a state; what is first is what one usually wants. */
export const NEXT: Record<RuleState, RuleState[]> = {
  draft: ['shadow', 'enabled'],
  shadow: ['enabled', 'draft', 'retired'],
  enabled: ['shadow', 'retired'],
  retired: ['shadow', 'draft'],
}
export const VERB: Record<RuleState, string> = {
  draft: 'Back to draft',
  shadow: 'Run in shadow',
  enabled: 'Enable',
  retired: 'Retire',
}

export const MISSING: Record<string, string> = {
  tests_missing: 'It has no samples: at least one event that must match and one that must not.',
  tests_failed: 'A sample does not give what it should.',
  backtest_missing: 'This version was not run over the events that are kept.',
}
