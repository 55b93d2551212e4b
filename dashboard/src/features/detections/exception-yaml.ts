/** A Sigma filter out of a few fields and values: what an exception is. Pure. */
import type { RuleView } from '@/api/detection-types'

export type Term = { field: string; op: string; value: string }
export const OPS: [string, string][] = [
  ['', 'is'],
  ['contains', 'contains'],
  ['startswith', 'starts with'],
  ['endswith', 'ends with'],
  ['cidr', 'is in the network'],
  ['re', 'fits the expression'],
]

/** A scalar of YAML that reads back as the same text. */
export const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`

/** Of values that are to be taken as they are, what Sigma would read as a wildcard is escaped. */
const literal = (term: Term) =>
  term.op === 're' || term.op === 'cidr' ? term.value : term.value.replace(/\\(?=[\\*?])|[*?]/g, c => `\\${c}`)

export const usable = (terms: Term[]) => terms.filter(t => t.field.trim() && t.value.trim())

type Of = Pick<RuleView, 'id' | 'log_source'> | null

export function filterYaml(title: string, of: Of, terms: Term[]): string {
  const source = of?.log_source ?? {}
  const where = (['product', 'category', 'service'] as const).flatMap(key =>
    source[key] ? [`  ${key}: ${source[key]}`] : [],
  )
  const items = usable(terms).map(t => `    ${t.field.trim()}${t.op ? `|${t.op}` : ''}: ${quoted(literal(t))}`)
  return [
    `title: ${quoted(title.trim() || 'Exception')}`,
    'logsource:',
    ...(where.length ? where : ['  category: any']),
    'filter:',
    ...(of ? ['  rules:', `    - ${of.id}`] : ['  rules: any']),
    '  selection:',
    ...(items.length ? items : ["    field: 'value'"]),
    '  condition: not selection',
    '',
  ].join('\n')
}
