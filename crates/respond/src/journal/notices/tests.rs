//! What a commit tells people, and whom.

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
    assert_eq!((told.kind, values), (NoticeKind::UndoFailed, vec!["1 left", "act_1 linux.block_ip local: no answer"]));
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
        let reason = notice.facts.into_iter().filter(|fact| fact.label == "Reason").map(|fact| fact.value).collect();
        (notice.kind, notice.audience, reason)
    };
    told.into_iter().map(shown).collect()
}

#[test]
fn a_freeze_that_is_set_aside_is_told_to_everyone_once_with_its_reason_and_asks_for_approval_all_the_same() {
    let by = json!({"by": "usr_01h455vb4pex5vsknk084sn02q", "name": "ann", "reason": "it burns", "at": "2026-01-01T00:00:00Z"});
    let asked = (NoticeKind::ApprovalRequest, Audience::Approvers, Vec::new());
    let everyone = |kind, reason: &[&str]| (kind, Audience::Everyone, reason.iter().map(ToString::to_string).collect());
    assert_eq!(
        of_a_plan("plan.freeze_overridden", &json!({"freeze_override": by})),
        [everyone(NoticeKind::FreezeOverridden, &["it burns"]), asked.clone()]
    );
    assert_eq!(of_a_plan("plan.votes_void", &json!({}))[0], asked, "and again, when the votes are void");
    assert_eq!(of_a_plan("plan.proposed", &json!({})), [asked, everyone(NoticeKind::PlanAnnounced, &[])]);
    let broken = of_a_plan("plan.break_glass", &json!({"break_glass": by}));
    assert_eq!(broken, [(NoticeKind::BreakGlass, Audience::Administrators, vec!["it burns".to_owned()])]);
}

/// What people are told as a plan ends: whom, and the facts beside its name, risk and reason.
fn of_its_end(kind: &'static str, actor: &str, payload: Value, more: &Value) -> Vec<(Audience, Vec<String>)> {
    let entry = Entry { kind, subjects: Vec::new(), actor: actor.to_owned(), payload };
    let told = of_plan(&entry, &a_plan(more));
    let shown = |notice: Notice| {
        assert_eq!(notice.kind, NoticeKind::NotDone);
        let own = |fact: &&shieldops_model::NoticeFact| !["Plan", "Risk", "Why"].contains(&fact.label.as_str());
        let facts = notice.facts.iter().filter(own).map(|fact| format!("{}: {}", fact.label, fact.value));
        (notice.audience, facts.collect())
    };
    told.into_iter().map(shown).collect()
}

const ASKED: &str = "usr_01h455vb4pex5vsknk084sn02q";

#[test]
fn what_was_agreed_to_and_never_began_is_told_with_its_reason() {
    let told = |audience, fact: &str| vec![(audience, vec![fact.to_owned()])];
    let denied = json!({"state": "denied", "decision": {"allow": false, "denies": [{"code": "forbidden_effect", "detail": "deletes backups"}],
        "approvals_needed": 1, "risk": "low", "risk_terms": [], "input_hash": "", "policy_hash": ""}});
    let why = "Not done: policy denied the plan: forbidden_effect: deletes backups";
    assert_eq!(of_its_end("plan.denied", EXECUTOR, json!({}), &denied), told(Audience::Approvers, why));
    assert_eq!(of_its_end("plan.returned", EXECUTOR, json!({}), &denied), told(Audience::Approvers, why));
    assert_eq!(of_its_end("plan.denied", "usr_1", json!({}), &denied), [], "whoever plans sees the answer");

    let expired = json!({"state": "expired"});
    let agreed = of_its_end("plan.expired", "system:expiry", json!({"was": "approved"}), &expired);
    assert_eq!(agreed, told(Audience::Approvers, "Not done: the plan expired before it began"));
    assert_eq!(of_its_end("plan.expired", "system:expiry", json!({"was": "proposed"}), &expired), []);
}

#[test]
fn a_no_is_told_to_who_asked_and_a_veto_to_everybody_who_was_told_that_it_goes_ahead() {
    let asked = Audience::Person(ASKED.parse().unwrap());
    let rejected = json!({"state": "rejected", "rejected_reason": "wrong host", "requester": ASKED});
    let told = of_its_end("plan.rejected", "usr_1", json!({"veto": false}), &rejected);
    assert_eq!(told, [(asked, vec!["Not done: the plan was rejected: wrong host".to_owned()])]);
    assert_eq!(of_its_end("plan.rejected", ASKED, json!({"veto": false}), &rejected), [], "they know");
    let told = of_its_end("plan.rejected", ASKED, json!({"veto": true}), &rejected);
    assert_eq!(told[0].0, Audience::Approvers);
}

fn action(state: &str, more: &Value) -> Value {
    let (at, nothing) = ("2026-01-01T00:00:00Z", [(); 0]);
    let mut action = json!({
        "id": "act_01h455vb4pex5vsknk084sn02q", "plan_id": "pln_01h455vb4pex5vsknk084sn02q", "capability": "linux.block_ip",
        "target_id": "tgt_01h455vb4pex5vsknk084sn02q", "target": {"kind": "linux_host", "name": "sim/web"}, "simulated": true, "demo": false,
        "params": {}, "state": state, "state_key": "", "from": {}, "to": {}, "diff": nothing, "undo_of": null, "adopts": null,
        "control_path": null, "changed": true, "undo": "", "class": "reversible", "detail": null, "owners": nothing, "proofs": nothing,
        "expires_at": null, "applied_at": at, "verified_at": null, "updated_at": at, "version": 1,
    });
    action.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    action
}

/// As a run of these ends.
fn of_a_run(states: &[&str], taken_back: bool, more: &Value) -> Vec<(Audience, Vec<String>)> {
    let actions: Vec<Value> = states.iter().map(|state| action(state, &json!({"detail": "why"}))).collect();
    let mut plan = json!({"state": "executed", "requester": ASKED, "actions": actions});
    plan.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    of_its_end("run.ended", EXECUTOR, json!({"taken_back": taken_back}), &plan)
}

#[test]
fn a_run_that_went_otherwise_is_told_with_how_each_of_its_actions_stands() {
    let nothing = json!({});
    let line = |label: &str| format!("{label}: linux.block_ip on sim/web: why");
    assert_eq!(of_a_run(&["verified", "undone", "expired"], false, &nothing), [], "what people undid meanwhile");
    for (state, label) in [("failed", "Failed"), ("aborted", "Aborted"), ("skipped", "Not begun")] {
        let told = of_a_run(&["verified", state], false, &nothing);
        assert_eq!(told, [(Audience::Approvers, vec!["Verified: 1 of 2 actions".to_owned(), line(label)])]);
    }
    let told = of_a_run(&["unverified", "skipped"], false, &nothing);
    assert_eq!(told[0].1[1..], [line("Not verified"), line("Not begun")]);
    let told = of_a_run(&["undone", "undone", "undo_failed"], true, &nothing);
    assert_eq!(told[0].1[1..], [line("Taken back"), line("Taken back"), line("Not undone")]);
    // Who may approve was told by a notice of its own.
    let told = of_a_run(&["unverified"], false, &nothing);
    assert_eq!(told[0].0, Audience::Person(ASKED.parse().unwrap()));
    assert_eq!(of_a_run(&["unverified"], false, &json!({"requester": "system:expiry"})), []);
    let many = of_a_run(&["failed"; 7], false, &nothing);
    assert_eq!((many[0].1.len(), many[0].1[6].as_str()), (7, "Further actions: 2"));
    let undo = json!({"undo_of": "pln_01h455vb4pex5vsknk084sn02q"});
    assert_eq!(of_a_run(&["failed"], false, &undo), [], "told of the action that it is of");
}

#[test]
fn an_undo_that_is_asked_for_after_one_that_failed_asks_and_says_nothing_of_the_failure_again() {
    let failed = |kind, step: Option<&str>, plan: bool| {
        let action: Action = serde_json::from_value(action("undo_failed", &json!({}))).unwrap();
        let at = Timestamp::from_secs(1_790_000_000);
        let mut writes: Vec<Write> = Vec::new();
        writes.extend(plan.then(|| Write::InsertPlan { plan: a_plan(&json!({})), proposal: None }));
        let step =
            step.map(|kind| super::super::Step { action: action.id, at, kind: kind.to_owned(), detail: json!({}) });
        writes.extend(step.map(Write::Step));
        writes.push(Write::UpdateAction(Box::new(action)));
        let entry = Entry { kind, subjects: Vec::new(), actor: "usr_1".to_owned(), payload: json!({}) };
        let told = of(&Change { at, writes, entry: Some(entry) });
        told.into_iter().map(|notice| notice.kind).collect::<Vec<_>>()
    };
    let asked = failed("action.undo_asked", None, true);
    assert_eq!(asked, [NoticeKind::ApprovalRequest, NoticeKind::PlanAnnounced]);
    assert_eq!(failed("action.unverified", Some("undo_failed"), false), [NoticeKind::UndoFailed]);
    assert_eq!(failed("action.undo_failed", None, false), [NoticeKind::UndoFailed]);
    assert_eq!(failed("action.observed", Some("observed"), false), [], "no undo was tried");
    assert_eq!(failed("plan.rejected", None, false), [], "nor here");
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
