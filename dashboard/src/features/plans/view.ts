/** What a plan card offers, from the plan's state and the person's permissions. Pure, so that tests can walk it. */
import type { Action, Plan } from '@/api/types'
import type { May } from '@/app/session'

export type PlanView = {
  canApprove: boolean
  /** Why the button is not there, in words for the person who looks. */
  whyNot: string | null
  canReject: boolean
  canExecute: boolean
  canReplan: boolean
  /** It is approved and waits: until then somebody may still say no. */
  waitsUntil: string | null
  canVeto: boolean
  /** While automation is halted it does not begin; an undo does. */
  haltHolds: boolean
  /** Setting the approvals aside, or a freeze, would let it run. */
  canBreakGlass: boolean
  /** Only a freeze denies it: planned again without that, it asks for its approvals. */
  canSetAside: boolean
}

/** What was in the way may be gone by now. */
const AGAIN: Plan['state'][] = ['superseded', 'denied']
const UNDOABLE: Action['state'][] = ['verified', 'unverified', 'drifted', 'undo_failed', 'settling']
/** What failed half-way owns what it left; what failed without a trace owns nothing. */
const leftSomething = (action: Action) =>
  action.state === 'failed' && action.owners.some(owner => owner.action_id === action.id)
/** Whether one yes is enough for it to begin; another person's has to follow where not. */
export const lastYes = ({ decision, approvals }: Plan) => decision.approvals_needed - approvals.length <= 1
/** An undo is an action too: verified, it means that the effect is gone. */
export const inForce = (action: Action) => action.state === 'verified' && !action.undo_of

export const canUndo = (action: Action, may: (permission: string) => boolean) =>
  may('action.undo') &&
  !action.undo_of &&
  (UNDOABLE.includes(action.state) || leftSomething(action)) &&
  action.class !== 'read_only' &&
  action.class !== 'irreversible'

function approverList(plan: Plan) {
  const voted = new Set(plan.approvals.map(vote => vote.user_name))
  const left = plan.approvers?.filter(name => !voted.has(name)) ?? []
  if (left.length) return `These people may: ${left.join(', ')}.`
  return 'Nobody else may yet: add a user with the analyst or admin role under Settings, Users.'
}

/** The server's reasons are clauses; here they stand as sentences. */
const sentence = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`

function whyNotApprove(plan: Plan, may: (permission: string) => boolean, userId: string): string | null {
  if (!may('plan.approve')) return `Your role may not approve plans. ${approverList(plan)}`
  if (plan.can_approve === false)
    return [
      sentence(plan.cannot_approve_why ?? 'You may not approve this plan'),
      plan.approvers?.length ? approverList(plan) : '',
    ]
      .filter(Boolean)
      .join(' ')
  if (plan.requester === userId)
    return `You asked for this plan, so another person must approve it. ${approverList(plan)}`
  if (plan.approvals.some(a => a.user === userId))
    return `You have approved it; another person must too. ${approverList(plan)}`
  return null
}

/** The server plans neither again: an undo is asked for anew, and so is an adoption. */
const ofItsOwn = (plan: Plan) => !plan.undo_of && plan.actions.every(action => !action.undo_of && !action.adopts)

const isUndo = (plan: Plan) => !!plan.undo_of || plan.actions.some(action => action.undo_of)

const onlyFrozen = ({ state, decision: { denies } }: Plan) =>
  state === 'denied' && denies.length > 0 && denies.every(reason => reason.code === 'change_freeze')

/** What break-glass sets aside: missing approvals, and a freeze where nothing else denies. */
function glassHelps(plan: Plan) {
  if (isUndo(plan) || plan.break_glass) return false
  const { allow, approvals_needed } = plan.decision
  if (plan.state === 'proposed') return allow && approvals_needed > 0
  return onlyFrozen(plan)
}

/** The action's class says whether there is a way back; only what may be in force has something to take back. */
export const undoable = (plan: Plan, may: (permission: string) => boolean) =>
  plan.actions.filter(action => canUndo(action, may))

export function planView(plan: Plan, may: May, userId: string, now = Date.now()): PlanView {
  const expired = plan.state === 'expired' || (plan.state === 'proposed' && Date.parse(plan.expires_at) <= now)
  const waiting = plan.state === 'proposed' && !expired
  const free = waiting && plan.decision.allow && plan.decision.approvals_needed === 0
  const ahead = Date.parse(plan.expires_at) > now
  const waitsUntil = plan.state === 'approved' ? (plan.not_before ?? null) : null
  const whyNot = waiting && !free ? whyNotApprove(plan, may, userId) : null
  // Approved and not begun: a halt may hold it, and a person may still say no.
  const held = plan.state === 'approved' && !waitsUntil && !isUndo(plan)
  return {
    canApprove: waiting && !free && plan.decision.allow && whyNot === null,
    whyNot,
    canReject: (waiting || held) && may('plan.approve', 'stop'),
    canExecute: ((plan.state === 'approved' && !waitsUntil) || free) && may('plan.approve'),
    canReplan: (expired || AGAIN.includes(plan.state)) && ofItsOwn(plan) && may('plan.create'),
    waitsUntil,
    haltHolds: (waiting && plan.decision.allow && !isUndo(plan)) || held,
    canVeto: waitsUntil !== null && may('plan.approve', 'stop'),
    canBreakGlass: ahead && may('plan.approve') && glassHelps(plan),
    canSetAside: onlyFrozen(plan) && ofItsOwn(plan) && may('plan.approve') && may('plan.create'),
  }
}
