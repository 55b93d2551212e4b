/** What a letter tells, how it stands, and by which way it goes. */
import type { Letter, LetterState, NoticeKind, Way } from '@/api/notices'

export const TOLD: Record<NoticeKind, string> = {
  approval_request: 'Approval needed',
  unanswered: 'Nobody answered a request',
  plan_announced: 'A plan goes ahead',
  break_glass: 'Approvals were set aside',
  freeze_overridden: 'A freeze was set aside',
  autonomy_lowered: 'Automation was lowered',
  not_done: 'A response was not carried out as planned',
  undo_failed: 'An undo failed',
  drifted: 'A response is no longer in force',
  unverified: 'A response could not be verified',
  orphaned: 'An effect has no live action',
  automation_halted: 'Automation was halted',
  automation_resumed: 'Automation was resumed',
  clock_set: 'The clock was set',
  test: 'A test',
}
export const WAY: Record<Way, string> = { email: 'E-mail', webhook: 'Webhook' }

export type Look = { label: string; tone: string; means: string }
export const LETTER: Record<LetterState, Look> = {
  queued: { label: 'Queued', tone: 'accent', means: 'On its way: it was not tried yet.' },
  sent: { label: 'Delivered', tone: 'ok', means: 'The other side took it.' },
  dead: { label: 'Failed', tone: 'critical', means: 'Given up: it is not tried again.' },
}
const RETRYING: Look = {
  label: 'Retrying',
  tone: 'medium',
  means: 'It was tried and did not arrive; it is tried again.',
}

/** A letter that was tried in vain and is tried again is told apart from one that waits its turn. */
export const lookOf = (letter: Pick<Letter, 'state' | 'attempts'>): Look =>
  letter.state === 'queued' && letter.attempts > 0 ? RETRYING : LETTER[letter.state]
