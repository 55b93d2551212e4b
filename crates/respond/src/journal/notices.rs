//! Who is told of what a commit does: a function of the commit alone, so that a notice stands in the same transaction. It
//! blocks nothing and allows nothing, and nothing waits for it.

use serde_json::Value;
use shieldops_model::{Action, ActionState, Audience, Notice, NoticeKind, Plan, PlanState};

use super::{Change, Entry, Lowered, Write};
use crate::{engine::EXECUTOR, plan::word};

/// Actions of a plan that a letter lists.
const LISTED: usize = 5;

/// Everything that people are told of a commit.
pub(super) fn of(change: &Change) -> Vec<Notice> {
    let Some(entry) = &change.entry else { return Vec::new() };
    let inserted = change.writes.iter().find_map(|write| match write {
        Write::InsertPlan { plan, .. } => Some(&**plan),
        _ => None,
    });
    // What the commit is about is written last: before it stand rows that end with it.
    let updated = change.writes.iter().rev().find_map(|write| match write {
        Write::UpdatePlan(plan) => Some(&**plan),
        _ => None,
    });
    let action = change.writes.iter().rev().find_map(|write| match write {
        Write::UpdateAction(action) => Some(&**action),
        _ => None,
    });
    let mut notices = undos_that_failed(entry, &change.writes);
    let of_action = || action.and_then(|action| of_action(entry, action));
    match (inserted.or(updated), action) {
        _ if entry.kind.starts_with("action.") => match inserted {
            // Of an undo that waits people are asked; that somebody changed the state stands in its reason.
            Some(undo) if undo.state == PlanState::Proposed => notices.extend(proposed(undo)),
            Some(_) => {}
            // An undo that could not be verified failed, and that is told already.
            None if notices.is_empty() => notices.extend(of_action()),
            None => {}
        },
        (Some(plan), _) => notices.extend(of_plan(entry, plan)),
        (None, None) => notices.extend(of_tenant(entry)),
        (None, Some(_)) => {}
    }
    notices
}

/// An undo is an action of its own; what failed is told of the one that should be undone, by the commit in which it did.
fn undos_that_failed(entry: &Entry, writes: &[Write]) -> Vec<Notice> {
    let by_step = |action: &Action| {
        writes
            .iter()
            .any(|write| matches!(write, Write::Step(step) if step.action == action.id && step.kind == "undo_failed"))
    };
    let failed = writes.iter().filter_map(|write| match write {
        Write::UpdateAction(action) if action.state == ActionState::UndoFailed => Some(action),
        _ => None,
    });
    let now = failed.filter(|action| entry.kind == "action.undo_failed" || by_step(action));
    now.map(|action| told(entry, action, NoticeKind::UndoFailed)).collect()
}

fn of_plan(entry: &Entry, plan: &Plan) -> Vec<Notice> {
    match entry.kind {
        "plan.proposed" | "plan.returned" | "plan.votes_void" if plan.decision.allow => proposed(plan),
        "plan.approved" | "run.waits" if plan.not_before.is_some() => {
            let until = plan.not_before.map(|at| at.to_string()).unwrap_or_default();
            vec![about(plan, NoticeKind::PlanAnnounced, Audience::Approvers).with("Can be stopped until", until)]
        }
        "run.held" => {
            let until = plan.not_before.map(|at| at.to_string()).unwrap_or_default();
            vec![about(plan, NoticeKind::ClockSet, Audience::Administrators).with("Can be stopped until", until)]
        }
        "plan.break_glass" => {
            let reason = plan.break_glass.as_ref().map_or("", |over| over.reason.as_str());
            vec![by(about(plan, NoticeKind::BreakGlass, Audience::Administrators).with("Reason", reason), entry)]
        }
        "plan.freeze_overridden" => {
            let reason = plan.freeze_override.as_ref().map_or("", |over| over.reason.as_str());
            let told = about(plan, NoticeKind::FreezeOverridden, Audience::Everyone).with("Reason", reason);
            let mut notices = vec![by(told, entry)];
            // Who is told why need not be told that.
            notices.extend(proposed(plan).into_iter().filter(|notice| notice.audience != Audience::Everyone));
            notices
        }
        "run.ended" => not_as_planned(entry, plan).into_iter().collect(),
        "plan.denied" if entry.actor == EXECUTOR => vec![not_begun(plan, Audience::Approvers)],
        "plan.returned" => vec![not_begun(plan, Audience::Approvers)],
        "plan.expired" if entry.payload["was"] == word(&PlanState::Approved) => {
            vec![not_begun(plan, Audience::Approvers)]
        }
        "plan.rejected" => rejected(entry, plan).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// What was agreed to and came to its end without a run: whoever agreed need not be looking any more.
fn not_begun(plan: &Plan, audience: Audience) -> Notice {
    let why = plan.over().unwrap_or_else(|| "a change freeze holds the plan".to_owned());
    plan_named(plan, NoticeKind::NotDone, audience).with("Not done", why).with("Why", &plan.why)
}

/// A no to what was about to begin is told as widely as that it was about to. A no to what waited is told to who asked.
fn rejected(entry: &Entry, plan: &Plan) -> Option<Notice> {
    let audience = if entry.payload["veto"] == true { Some(Audience::Approvers) } else { requester(entry, plan) };
    Some(by(not_begun(plan, audience?), entry))
}

/// Whoever asked, unless they did this themselves or are no person.
fn requester(entry: &Entry, plan: &Plan) -> Option<Audience> {
    plan.requester.parse().ok().filter(|_| plan.requester != entry.actor).map(Audience::Person)
}

/// What a run did otherwise than was agreed. That an action could not be verified was told to who may approve by itself; that
/// an undo failed is told of the action that it is of.
fn not_as_planned(entry: &Entry, plan: &Plan) -> Option<Notice> {
    let taken_back = entry.payload["taken_back"] == true;
    let left_out =
        |action: &Action| matches!(action.state, ActionState::Failed | ActionState::Aborted | ActionState::Skipped);
    let unverified = plan.actions.iter().any(|action| action.state == ActionState::Unverified);
    let audience = match plan.undo_of {
        None if taken_back || plan.actions.iter().any(left_out) => Some(Audience::Approvers),
        None if unverified => requester(entry, plan),
        _ => None,
    };
    let verified = plan.actions.iter().filter(|action| action.state == ActionState::Verified).count();
    let others: Vec<&Action> = plan.actions.iter().filter(|action| action.state != ActionState::Verified).collect();
    let notice = plan_named(plan, NoticeKind::NotDone, audience?)
        .with("Verified", format!("{verified} of {} actions", plan.actions.len()));
    let listed = others.iter().take(LISTED);
    let notice = listed.fold(notice, |notice, action| {
        let why = action.detail.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let what = format!("{} on {}{why}", action.capability, action.target.name);
        notice.with(came_to(action.state, taken_back), what)
    });
    let more = others.len().saturating_sub(LISTED);
    let notice = if more > 0 { notice.with("Further actions", more) } else { notice };
    Some(notice.with("Why", &plan.why))
}

/// How an action of a run that went otherwise stands, for people.
const fn came_to(state: ActionState, taken_back: bool) -> &'static str {
    match state {
        ActionState::Failed => "Failed",
        ActionState::Aborted => "Aborted",
        ActionState::Skipped => "Not begun",
        ActionState::Drifted => "Changed since",
        ActionState::Undone if taken_back => "Taken back",
        ActionState::Undone | ActionState::Undoing => "Undone",
        ActionState::Expired => "Expired",
        ActionState::UndoFailed => "Not undone",
        ActionState::Verified => "Verified",
        ActionState::Planned | ActionState::Running | ActionState::Settling | ActionState::Unverified => "Not verified",
    }
}

/// A plan that needs a person asks for one; whom else policy wants told is told.
fn proposed(plan: &Plan) -> Vec<Notice> {
    let asks = plan.decision.approvals_needed > 0;
    let mut notices = Vec::new();
    if asks {
        notices.push(about(plan, NoticeKind::ApprovalRequest, Audience::Approvers));
    }
    for word in &plan.decision.obligations.notify {
        let audience = Audience::of(word);
        if !(asks && audience == Audience::Approvers) {
            notices.push(about(plan, NoticeKind::PlanAnnounced, audience));
        }
    }
    notices
}

fn plan_named(plan: &Plan, kind: NoticeKind, audience: Audience) -> Notice {
    let notice = Notice {
        plan: Some(plan.id),
        by: plan.requester.clone(),
        simulated: plan.simulated,
        demo: plan.demo,
        ..Notice::new(kind, audience)
    };
    notice.with("Plan", &plan.title).with("Risk", word(&plan.risk))
}

/// A plan that is not over, and what it would do.
fn about(plan: &Plan, kind: NoticeKind, audience: Audience) -> Notice {
    let notice = plan_named(plan, kind, audience);
    let needed = plan.decision.approvals_needed;
    let notice = if needed > 0 { notice.with("Approvals needed", needed) } else { notice };
    let listed = plan.actions.iter().take(LISTED);
    let notice = listed.fold(notice, |notice, action| {
        notice.with("Action", format!("{} on {}", action.capability, action.target.name))
    });
    let more = plan.actions.len().saturating_sub(LISTED);
    let notice = if more > 0 { notice.with("Further actions", more) } else { notice };
    notice.with("Why", &plan.why).with("Expires", plan.expires_at)
}

fn by(notice: Notice, entry: &Entry) -> Notice {
    let name = entry.payload.get("by").and_then(Value::as_str);
    Notice { by: name.map_or_else(|| entry.actor.clone(), |name| format!("{name} ({})", entry.actor)), ..notice }
}

fn of_action(entry: &Entry, action: &Action) -> Option<Notice> {
    let kind = match entry.kind {
        "action.drifted" => NoticeKind::Drifted,
        "action.unverified" => NoticeKind::Unverified,
        _ => return None,
    };
    Some(told(entry, action, kind))
}

fn told(entry: &Entry, action: &Action, kind: NoticeKind) -> Notice {
    let notice = Notice {
        plan: Some(action.plan_id),
        action: Some(action.id),
        by: entry.actor.clone(),
        simulated: action.simulated,
        demo: action.demo,
        ..Notice::new(kind, Audience::Approvers)
    };
    let what = format!("{} on {}", action.capability, action.target.name);
    notice.with("Action", what).with("Id", action.id).with("Detail", action.detail.as_deref().unwrap_or_default())
}

/// What is about no plan and no action of ours.
fn of_tenant(entry: &Entry) -> Option<Notice> {
    let text = |name: &str| entry.payload.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let said = |kind| Notice::new(kind, Audience::Approvers);
    match entry.kind {
        "automation.halted" => Some(by(said(NoticeKind::AutomationHalted).with("Reason", text("reason")), entry)),
        "automation.resumed" => Some(by(said(NoticeKind::AutomationResumed).with("Reason", text("reason")), entry)),
        "undo.ended" | "undo.waits" => left(entry),
        "clock.set" => Some(Notice::new(NoticeKind::ClockSet, Audience::Administrators).with("Detail", text("detail"))),
        "target.orphaned" => {
            let what = format!("{} on {}", text("capability"), text("target"));
            let notice = said(NoticeKind::Orphaned).with("Effect", what).with("Detail", text("detail"));
            let simulated = entry.payload.get("simulated").and_then(Value::as_bool).unwrap_or_default();
            let action = entry.subjects.iter().find_map(|subject| subject.parse().ok());
            Some(Notice { simulated, action, by: entry.actor.clone(), ..notice })
        }
        _ => None,
    }
}

/// What an undo of many could not undo stays in force, and whoever asked may be gone by then.
fn left(entry: &Entry) -> Option<Notice> {
    let left = entry.payload.get("left").and_then(Value::as_array).filter(|left| !left.is_empty())?;
    let text = |of: &Value, name: &str| of.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut notice =
        Notice::new(NoticeKind::UndoFailed, Audience::Approvers).with("Undo of many", format!("{} left", left.len()));
    for one in left.iter().take(LISTED) {
        let of = [text(one, "action"), text(one, "capability"), text(one, "target")].join(" ");
        notice = notice.with("Left", format!("{}: {}", of.trim_end(), text(one, "why")));
    }
    Some(by(notice, entry))
}

/// Automation may do less than before.
pub(super) fn lowered(lowered: &Lowered) -> Notice {
    let target = lowered.target.map_or_else(|| "every target".to_owned(), |target| target.to_string());
    let notice = Notice::new(NoticeKind::AutonomyLowered, Audience::Approvers)
        .with("Capability", &lowered.capability)
        .with("Target", target)
        .with("Level", lowered.to)
        .with("Why", &lowered.why);
    Notice { by: "system".to_owned(), ..notice }
}

#[cfg(test)]
mod tests;
