/** How a version of the tenant's policies stands, and why it cannot be put in force. Pure, so that tests can walk it. */
import type { PolicyDetail, PolicyReport, PolicyVersion } from '@/api/policies'
import { fmt, plural } from '@/ui'

type Look = { label: string; tone: string }
export const VERSION_STATE: Record<PolicyVersion['state'], Look> = {
  draft: { label: 'written', tone: 'neutral' },
  in_force: { label: 'in force', tone: 'ok' },
  superseded: { label: 'was in force', tone: 'neutral' },
}
const PASSED: Look = { label: 'tests passed', tone: 'accent' }
const FAILING: Look = { label: 'tests fail', tone: 'critical' }

/** In a list: what was written is told further by its tests. */
export function lookOf(version: Pick<PolicyVersion, 'state' | 'tests_passed' | 'tests_failed'>): Look {
  if (version.state !== 'draft') return VERSION_STATE[version.state]
  if (version.tests_failed > 0) return FAILING
  return version.tests_passed > 0 ? PASSED : VERSION_STATE.draft
}

const MISSING: Record<string, string> = {
  tests_missing: 'It has no tests: a version is put in force with tests only',
  tests_failed: 'Its tests fail',
  replay_missing: 'It was not replayed: what it would have decided over the last 30 days is not known',
}

/** Why this person cannot put it in force now; null where nothing stands in the way. */
export function whyNotActivate(version: PolicyDetail, me: string): string | null {
  if (version.by === me) return 'You wrote it: another person must put it in force'
  const reasons = version.missing.map(code => MISSING[code] ?? code)
  return reasons.length ? reasons.join('. ') : null
}

export const differing = (report: PolicyReport) => report.newly_denied + report.newly_allowed + report.otherwise

/** A report in a sentence. */
export function told(report: PolicyReport): string {
  const differ = differing(report)
  const of = `of ${plural(report.replayed, 'decision')}`
  const rest = report.not_replayable ? `; ${fmt(report.not_replayable)} could not be replayed` : ''
  return `${differ ? `${fmt(differ)} ${of} would differ` : `none ${of} would differ`}${rest}`
}
