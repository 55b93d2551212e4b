/** What states, verdicts and kinds are called, and what they mean. */
import type {
  ActionState,
  AlertStatus,
  Confirmation,
  EntityKind,
  IncidentStatus,
  Phase,
  PlanState,
  Verdict,
} from '@/api/types'
import { words } from './format'

export const VERDICTS: { id: Verdict; label: string; hint: string }[] = [
  { id: 'true_positive', label: 'True positive', hint: 'Hostile, and the rule was right' },
  { id: 'benign_positive', label: 'Benign positive', hint: 'The rule was right, the act was allowed' },
  { id: 'false_positive', label: 'False positive', hint: 'The rule was wrong' },
  { id: 'duplicate', label: 'Duplicate', hint: 'Told already by another alert' },
]
export const verdictLabel = (verdict: Verdict) => VERDICTS.find(v => v.id === verdict)?.label ?? words(verdict)

export const ALERT_STATUS: Record<AlertStatus, string> = {
  new: 'New',
  in_progress: 'In progress',
  suppressed: 'Suppressed',
  resolved: 'Resolved',
}
export const INCIDENT_STATUS: Record<IncidentStatus, string> = {
  new: 'New',
  in_progress: 'In progress',
  on_hold: 'On hold',
  resolved: 'Resolved',
  closed: 'Closed',
}

export const PHASES: { id: Phase; label: string }[] = [
  { id: 'detected', label: 'Detected' },
  { id: 'investigated', label: 'Investigated' },
  { id: 'contained', label: 'Contained' },
  { id: 'resolved', label: 'Resolved' },
]

type Tone = 'accent' | 'ok' | 'critical' | 'high' | 'medium' | 'low' | 'info' | 'neutral'
export const PLAN_STATE: Record<PlanState, { label: string; tone: Tone }> = {
  proposed: { label: 'Waiting for approval', tone: 'accent' },
  approved: { label: 'Approved', tone: 'ok' },
  executing: { label: 'Running', tone: 'accent' },
  executed: { label: 'Executed', tone: 'ok' },
  rejected: { label: 'Rejected', tone: 'neutral' },
  denied: { label: 'Denied by policy', tone: 'critical' },
  expired: { label: 'Expired', tone: 'neutral' },
  superseded: { label: 'Superseded', tone: 'neutral' },
}
/** A run that a halt holds is under way and does nothing. */
export const planState = (plan: { state: PlanState; paused_at?: string | null }) =>
  plan.paused_at ? ({ label: 'Paused', tone: 'medium' } as const) : PLAN_STATE[plan.state]
export const ACTION_STATE: Record<ActionState, { label: string; tone: Tone; means: string }> = {
  planned: { label: 'Planned', tone: 'neutral', means: 'Nothing has been done yet.' },
  running: { label: 'Running', tone: 'accent', means: 'Being applied now.' },
  settling: { label: 'Settling', tone: 'medium', means: 'Accepted by the target, not yet in force.' },
  verified: { label: 'Verified', tone: 'ok', means: 'Read back from the target: in force.' },
  unverified: { label: 'Unverified', tone: 'high', means: 'Could not be read back: neither in force nor not.' },
  failed: { label: 'Failed', tone: 'critical', means: 'The target refused it or it is not in force.' },
  skipped: { label: 'Skipped', tone: 'neutral', means: 'Never begun: the run stopped, or its plan ended.' },
  aborted: { label: 'Aborted', tone: 'medium', means: 'Not begun: the target changed, or it was not permitted.' },
  drifted: { label: 'Drifted', tone: 'high', means: 'Was in force; someone changed it since.' },
  expired: { label: 'Expired', tone: 'neutral', means: 'Its time is over and its undo was verified.' },
  undoing: { label: 'Undoing', tone: 'accent', means: 'Being taken back now.' },
  undone: { label: 'Undone', tone: 'info', means: 'Taken back, and read back from the target.' },
  undo_failed: { label: 'Undo failed', tone: 'critical', means: 'Still in force: taking it back did not work.' },
}

export const ENTITY_KIND: Record<EntityKind, string> = {
  ip: 'Address',
  host: 'Host',
  user: 'User',
  process: 'Process',
  file: 'File',
  domain: 'Domain',
  url: 'URL',
  hash: 'Hash',
}

/** What somebody proved with who they are. */
export const CONFIRMED_WITH: Record<Confirmation['with'], string> = {
  password: 'a password',
  totp: 'a code of an authenticator app',
  passkey: 'a passkey',
  recovery_code: 'a recovery code',
  second_factor: 'a second factor',
}
