//! Who is told of what a commit does: a function of the commit alone, so that a notice stands in the same transaction. It
//! blocks nothing and allows nothing, and nothing waits for it.

use serde_json::Value;
use shieldops_model::{Action, ActionState, Audience, Notice, NoticeKind, Plan, PlanState};

use super::{Change, Entry, Lowered, Write};

/// Who carries plans out.
const EXECUTOR: &str = "system:executor";
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
    let plan = inserted.or_else(|| {
        change.writes.iter().rev().find_map(|write| match write {
            Write::UpdatePlan(plan) => Some(&**plan),
            _ => None,
        })
    });
    let action = change.writes.iter().rev().find_map(|write| match write {
        Write::UpdateAction(action) => Some(&**action),
        _ => None,
    });
    let failed: Vec<Notice> = change.writes.iter().filter_map(|write| undo_failed(entry, write)).collect();
    if !failed.is_empty() {
        return failed;
    }
    match (plan, action) {
        // The plan of an undo comes with what is said of the action that it undoes.
        (Some(plan), Some(action)) if entry.kind.starts_with("action.") => {
            let waits = plan.state == PlanState::Proposed;
            of_action(entry, action).into_iter().chain(waits.then(|| proposed(plan)).into_iter().flatten()).collect()
        }
        (Some(plan), _) => of_plan(entry, plan),
        (None, Some(action)) => of_action(entry, action).into_iter().collect(),
        (None, None) => of_tenant(entry).into_iter().collect(),
    }
}

/// An undo is an action of its own; what failed is told of the one that should be undone.
fn undo_failed(entry: &Entry, write: &Write) -> Option<Notice> {
    let Write::UpdateAction(action) = write else { return None };
    (action.state == ActionState::UndoFailed).then(|| told(entry, action, NoticeKind::UndoFailed))
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
        "run.ended" => not_done(plan).into_iter().collect(),
        "plan.denied" if entry.actor == EXECUTOR => {
            let why = entry.payload.get("why").and_then(Value::as_str).unwrap_or_default();
            vec![about(plan, NoticeKind::NotDone, Audience::Approvers).with("Not done", format!("denied: {why}"))]
        }
        _ => Vec::new(),
    }
}

/// What a run left out though it was agreed to: whoever approved need not be looking any more. An undo that fails is told of
/// the action that it is of.
fn not_done(plan: &Plan) -> Option<Notice> {
    let undone = |action: &&Action| matches!(action.state, ActionState::Failed | ActionState::Aborted);
    let left: Vec<&Action> = plan.actions.iter().filter(undone).filter(|action| action.undo_of.is_none()).collect();
    let notice = (!left.is_empty()).then(|| about(plan, NoticeKind::NotDone, Audience::Approvers))?;
    Some(left.into_iter().take(LISTED).fold(notice, |notice, action| {
        let why = action.detail.as_deref().unwrap_or_default();
        notice.with("Not done", format!("{} on {}: {why}", action.capability, action.target.name))
    }))
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

fn about(plan: &Plan, kind: NoticeKind, audience: Audience) -> Notice {
    let notice = Notice {
        plan: Some(plan.id),
        by: plan.requester.clone(),
        simulated: plan.simulated,
        demo: plan.demo,
        ..Notice::new(kind, audience)
    };
    let needed = plan.decision.approvals_needed;
    let notice = notice.with("Plan", &plan.title).with("Risk", crate::plan::word(&plan.risk));
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
mod tests {
    use serde_json::json;
    use shieldops_model::Timestamp;

    use super::*;
    use crate::Automation;

    #[test]
    fn a_lower_level_is_told_with_its_reason() {
        let at = Timestamp::from_secs(1_790_000_000);
        let why = "3 drifts in 24 h".to_owned();
        let told = lowered(&Lowered { capability: "block_ip".to_owned(), target: None, to: 2, why, at, until: None });
        let values: Vec<_> = told.facts.iter().map(|fact| fact.value.as_str()).collect();
        assert_eq!(values, ["block_ip", "every target", "2", "3 drifts in 24 h"]);
    }

    #[test]
    fn what_an_undo_of_many_left_is_told_and_nothing_where_nothing_was_left() {
        let ended = |left: Value| Entry {
            kind: "undo.ended",
            subjects: Vec::new(),
            actor: "usr_1".to_owned(),
            payload: json!({"undone": 1, "left": left}),
        };
        assert!(of_tenant(&ended(json!([]))).is_none());
        let told = of_tenant(&ended(
            json!([{"action": "act_1", "capability": "linux.block_ip", "target": "local", "why": "no answer"}]),
        ));
        let told = told.unwrap();
        let values: Vec<_> = told.facts.iter().map(|fact| fact.value.as_str()).collect();
        assert_eq!(
            (told.kind, values),
            (NoticeKind::UndoFailed, vec!["1 left", "act_1 linux.block_ip local: no answer"])
        );
    }

    fn a_plan(more: &Value) -> Box<Plan> {
        let mut plan = json!({
            "id": "pln_01h455vb4pex5vsknk084sn02q", "hash": "", "state": "proposed", "title": "Restart", "why": "", "risk": "low",
            "simulated": false, "demo": false, "incident_id": null, "requester": "usr_1", "requester_addr": null, "actions": [],
            "decision": {"allow": true, "denies": [], "approvals_needed": 1, "risk": "low", "risk_terms": [], "input_hash": "",
                "policy_hash": "", "obligations": {"notify": ["approvers", "everyone"]}},
            "approvals": [], "rejected_reason": null, "undo_of": null, "not_checkable": [], "created_at": "2026-01-01T00:00:00Z",
            "expires_at": "2026-01-02T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "version": 1,
        });
        plan.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Box::new(serde_json::from_value(plan).unwrap())
    }

    /// What a plan's own entry tells, and whom.
    fn of_a_plan(kind: &'static str, more: &Value) -> Vec<(NoticeKind, Audience, Vec<String>)> {
        let plan = a_plan(more);
        let entry = Entry { kind, subjects: Vec::new(), actor: "usr_1".to_owned(), payload: json!({"by": "ann"}) };
        let writes = vec![Write::InsertPlan { plan, proposal: None }];
        let told = of(&Change { at: Timestamp::from_secs(1_790_000_000), writes, entry: Some(entry) });
        let shown = |notice: Notice| {
            let reason =
                notice.facts.into_iter().filter(|fact| fact.label == "Reason").map(|fact| fact.value).collect();
            (notice.kind, notice.audience, reason)
        };
        told.into_iter().map(shown).collect()
    }

    #[test]
    fn a_freeze_that_is_set_aside_is_told_to_everyone_once_with_its_reason_and_asks_for_approval_all_the_same() {
        let by = json!({"by": "usr_01h455vb4pex5vsknk084sn02q", "name": "ann", "reason": "it burns", "at": "2026-01-01T00:00:00Z"});
        let asked = (NoticeKind::ApprovalRequest, Audience::Approvers, Vec::new());
        let everyone =
            |kind, reason: &[&str]| (kind, Audience::Everyone, reason.iter().map(ToString::to_string).collect());
        assert_eq!(
            of_a_plan("plan.freeze_overridden", &json!({"freeze_override": by})),
            [everyone(NoticeKind::FreezeOverridden, &["it burns"]), asked.clone()]
        );
        assert_eq!(of_a_plan("plan.votes_void", &json!({}))[0], asked, "and again, when the votes are void");
        assert_eq!(of_a_plan("plan.proposed", &json!({})), [asked, everyone(NoticeKind::PlanAnnounced, &[])]);
        let broken = of_a_plan("plan.break_glass", &json!({"break_glass": by}));
        assert_eq!(broken, [(NoticeKind::BreakGlass, Audience::Administrators, vec!["it burns".to_owned()])]);
    }

    #[test]
    fn a_no_of_policy_at_the_last_moment_is_told_and_one_at_the_planning_is_not() {
        let denied = |actor: &str| {
            let payload = json!({"why": "forbidden_effect: deletes backups"});
            let entry = Entry { kind: "plan.denied", subjects: Vec::new(), actor: actor.to_owned(), payload };
            of_plan(&entry, &a_plan(&json!({"state": "denied"})))
        };
        let told = denied(EXECUTOR).remove(0);
        assert_eq!((told.kind, told.audience), (NoticeKind::NotDone, Audience::Approvers));
        assert_eq!(told.facts.last().unwrap().value, "denied: forbidden_effect: deletes backups");
        assert_eq!(denied("usr_1"), []);
    }

    fn heard(kind: &'static str, payload: Value) -> Vec<Notice> {
        let automation = Automation { halted: true, by: None, at: None, reason: None };
        let entry = Entry { kind, subjects: Vec::new(), actor: "usr_1".to_owned(), payload };
        let writes = vec![Write::Automation(automation)];
        of(&Change { at: Timestamp::from_secs(1_790_000_000), writes, entry: Some(entry) })
    }

    #[test]
    fn a_halt_and_an_orphan_are_told_and_what_is_nobody_s_business_is_not() {
        let halted = heard("automation.halted", json!({"reason": "wrong host", "by": "ann"}));
        assert_eq!((halted[0].kind, halted[0].by.as_str()), (NoticeKind::AutomationHalted, "ann (usr_1)"));
        assert_eq!(halted[0].facts[0].value, "wrong host");
        let orphan = heard("target.orphaned", json!({"capability": "block_ip", "target": "sim/a", "simulated": true}));
        assert!(orphan[0].simulated && orphan[0].kind == NoticeKind::Orphaned);
        assert_eq!(heard("action.verified", json!({})), []);
        let silent = Change { at: Timestamp::from_secs(0), writes: Vec::new(), entry: None };
        assert_eq!(of(&silent), []);
    }
}
