/** The steps of coverage, from data that arrives to an answer by itself; and the matrix as columns. Pure. */
import type { CoverageLevel, Technique } from '@/api/detection-types'

export const LEVELS: CoverageLevel[] = ['none', 'data', 'detected', 'tested', 'automated']
export const LEVEL: Record<CoverageLevel, { label: string; means: string; next: string }> = {
  none: {
    label: 'No data',
    means: 'Rules name it, and nothing that they read has arrived.',
    next: 'Connect a source that sends it.',
  },
  data: {
    label: 'Data only',
    means: 'What its rules read arrives, and none of them is enabled.',
    next: 'Enable a rule for it, or write one.',
  },
  detected: {
    label: 'Detected',
    means: 'A rule is enabled and what it reads arrives.',
    next: 'Give the rule samples, so that it is known to work.',
  },
  tested: {
    label: 'Tested',
    means: 'An enabled rule has samples that come out right.',
    next: 'Let a plan answer it.',
  },
  automated: { label: 'Tested and automated', means: 'What it finds is answered with a plan.', next: '' },
}

/** The order of an attack, as ATT&CK has it; what is not here comes after. */
const TACTICS = [
  ...['reconnaissance', 'resource-development', 'initial-access', 'execution', 'persistence', 'privilege-escalation'],
  ...['defense-evasion', 'stealth', 'defense-impairment', 'credential-access', 'discovery', 'lateral-movement'],
  ...['collection', 'command-and-control', 'exfiltration', 'impact'],
]
const rank = (tactic: string) => {
  const at = TACTICS.indexOf(tactic)
  return at < 0 ? TACTICS.length : at
}
const norm = (tactic: string) => tactic.toLowerCase().replaceAll('_', '-').replaceAll(' ', '-')

export type Column = { tactic: string; techniques: Technique[]; covered: number }

/** A technique stands in the column of each of its tactics, the least covered last. */
export function columns(techniques: Technique[], gapsOnly: boolean): Column[] {
  const byTactic = new Map<string, Technique[]>()
  for (const technique of techniques) {
    const tactics = technique.tactics.length ? technique.tactics.map(norm) : ['other']
    for (const tactic of tactics) byTactic.set(tactic, [...(byTactic.get(tactic) ?? []), technique])
  }
  return [...byTactic]
    .sort(([a], [b]) => rank(a) - rank(b) || a.localeCompare(b))
    .map(([tactic, all]) => ({
      tactic,
      covered: all.filter(t => t.detected).length / all.length,
      techniques: all.filter(t => !gapsOnly || isGap(t)).sort((a, b) => a.id.localeCompare(b.id)),
    }))
    .filter(column => column.techniques.length > 0)
}

/** Not yet detected, or detected by a rule of which nobody knows whether it works. */
export const isGap = (technique: Technique) => technique.level !== 'tested' && technique.level !== 'automated'

export const tally = (techniques: Technique[]) =>
  LEVELS.map(level => ({ level, count: techniques.filter(t => t.level === level).length }))
