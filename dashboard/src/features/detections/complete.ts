/** What can stand where in a Sigma rule: keys, log sources, modifiers, levels. */
import type { Completion, CompletionContext, CompletionResult } from '@codemirror/autocomplete'

const TOP: [string, string][] = [
  ['title', 'what it finds, in a few words'],
  ['id', 'a UUID that stays'],
  ['status', 'stable, test, experimental, deprecated'],
  ['description', 'what it means when it fires'],
  ['references', 'where it comes from'],
  ['author', 'who wrote it'],
  ['date', '2026-11-21'],
  ['modified', '2026-11-21'],
  ['tags', 'attack.t1110, attack.credential-access'],
  ['logsource', 'which events it looks at'],
  ['detection', 'selections and a condition'],
  ['falsepositives', 'what else can look like it'],
  ['level', 'informational to critical'],
  ['correlation', 'several events together'],
  ['filter', 'what is left out of other rules'],
  ['related', 'other rules'],
  ['fields', 'which fields to show first'],
  ['shieldops', 'group_by, and triage: what to look at first'],
]
const LOG_SOURCE = ['product', 'category', 'service', 'definition']
const OWN = ['group_by', 'triage']
const CORRELATION = ['type', 'rules', 'group-by', 'timespan', 'condition', 'aliases', 'generate']
const VALUES: Record<string, string[]> = {
  level: ['informational', 'low', 'medium', 'high', 'critical'],
  status: ['stable', 'test', 'experimental', 'deprecated', 'unsupported'],
  product: ['linux', 'windows', 'macos', 'aws', 'azure', 'gcp', 'kubernetes', 'okta', 'm365', 'zeek'],
  category: [
    ...['process_creation', 'network_connection', 'file_event', 'registry_set', 'registry_event', 'image_load'],
    ...['dns_query', 'process_access', 'webserver', 'proxy', 'firewall', 'authentication', 'ps_script', 'driver_load'],
  ],
  service: [
    ...['sshd', 'auditd', 'sudo', 'auth', 'syslog', 'cron', 'security', 'system', 'sysmon', 'powershell'],
    ...['cloudtrail', 'activitylogs', 'signinlogs', 'gcp.audit', 'audit', 'nginx'],
  ],
  type: [
    ...['event_count', 'value_count', 'temporal', 'temporal_ordered', 'value_sum', 'value_avg', 'value_median'],
    'value_percentile',
  ],
  condition: ['selection', 'selection and not filter', '1 of selection_*', 'all of selection_*', '1 of them'],
}
export const MODIFIERS = [
  ...['contains', 'startswith', 'endswith', 'all', 'cased', 'neq', 're', 'cidr', 'base64', 'base64offset', 'utf16le'],
  ...[
    'utf16be',
    'utf16',
    'wide',
    'windash',
    'exists',
    'fieldref',
    'lt',
    'lte',
    'gt',
    'gte',
    'expand',
    'minute',
    'hour',
  ],
  ...['day', 'week', 'month', 'year'],
]

const options = (labels: string[], type: string): Completion[] => labels.map(label => ({ label, type }))
const keys = (labels: string[]): Completion[] => labels.map(label => ({ label, type: 'property', apply: `${label}: ` }))

/** The key without indentation that a place lies under. */
function blockOf(text: string): string {
  const lines = text.split('\n').reverse()
  return /^([\w-]+):/.exec(lines.find(line => /^[\w-]+:/.test(line)) ?? '')?.[1] ?? ''
}

export function completeSigma(context: CompletionContext): CompletionResult | null {
  const line = context.state.doc.lineAt(context.pos)
  const before = line.text.slice(0, context.pos - line.from)
  const modifier = /\|([\w]*)$/.exec(before)
  if (modifier && !before.includes(':')) {
    return { from: context.pos - (modifier[1]?.length ?? 0), options: options(MODIFIERS, 'function') }
  }
  const value = /^\s*(?:-\s*)?([\w-]+):\s*([\w.*-]*)$/.exec(before)
  if (value) {
    const known = VALUES[value[1] ?? '']
    return known ? { from: context.pos - (value[2]?.length ?? 0), options: options(known, 'enum') } : null
  }
  const word = /^(\s*)([\w-]*)$/.exec(before)
  if (!word || (!word[2] && !context.explicit)) return null
  const from = context.pos - (word[2]?.length ?? 0)
  if (!word[1])
    return { from, options: TOP.map(([label, detail]) => ({ label, detail, type: 'property', apply: `${label}: ` })) }
  const block = blockOf(context.state.doc.sliceString(0, line.from))
  if (block === 'logsource') return { from, options: keys(LOG_SOURCE) }
  if (block === 'shieldops') return { from, options: keys(OWN) }
  if (block === 'correlation') return { from, options: keys(CORRELATION) }
  return block === 'detection' || block === 'filter'
    ? { from, options: keys(['selection', 'filter', 'condition']) }
    : null
}
