//! The engine's promises, on the simulator.

use std::time::Duration;

use serde_json::json;
use shieldops_model::{ActionState, Id, PlanState, ProposedAction, ProposedPlan, TargetRef};
use shieldops_respond::{Error, Journal as _, PLAN_LIFE, Person, PlanRequest, Requester, RequesterKind};

use crate::support::{ATTACKER, World, person, target};

fn world() -> World {
    World::new("sim/test")
}

#[tokio::test]
async fn a_simulated_block_is_verified_undone_and_labelled() {
    let world = world();
    let action = world.block(ATTACKER).await;
    assert_eq!((action.state, action.simulated), (ActionState::Verified, true));
    assert!(!world.reaches(ATTACKER).await);
    assert!(action.proofs.iter().all(|proof| proof.detail.contains("simulated")));
    let undone = world.undo(&action).await.unwrap();
    assert_eq!(undone.state, ActionState::Undone);
    assert!(world.reaches(ATTACKER).await);
    for entry in world.journal.entries().iter().filter(|entry| entry.kind.starts_with("action.")) {
        assert_eq!(entry.payload["simulated"], true, "{entry:?}");
    }
}

#[tokio::test]
async fn every_step_is_a_ledger_entry() {
    let world = world();
    let action = world.block(ATTACKER).await;
    world.undo(&action).await.unwrap();
    let kinds: Vec<_> = world.journal.entries().iter().map(|entry| entry.kind).collect();
    assert_eq!(
        kinds,
        [
            "plan.proposed",
            "plan.approved",
            "run.started",
            "action.intent",
            "action.verified",
            "action.proved",
            "run.ended",
            "action.undoing",
            "run.started",
            "action.intent",
            "action.verified",
            "run.ended",
        ]
    );
}

#[tokio::test]
async fn an_approval_of_another_hash_by_the_requester_or_too_late_is_void() {
    let world = world();
    let plan = world.propose(json!({"address": ATTACKER})).await;
    let wrong = world.engine.approve(plan.id, "00", &person(1)).await.unwrap_err();
    assert_eq!(wrong, Error::HashMismatch { actual: plan.hash.clone() });

    let own = Requester { id: person(1).user.to_string(), kind: RequesterKind::User };
    let request = shieldops_respond::PlanRequest {
        requester: own,
        requester_addr: Some("192.0.2.8".to_owned()),
        ..world.request(json!({"address": ATTACKER}))
    };
    let mine = world.engine.propose(request).await.unwrap();
    assert_eq!(world.engine.approve(mine.id, &mine.hash, &person(1)).await.unwrap_err(), Error::OwnPlan);

    world.clock.advance(PLAN_LIFE);
    assert_eq!(world.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap_err(), Error::Expired);
    assert_eq!(world.journal.plan(plan.id).await.unwrap().unwrap().state, PlanState::Expired);
    assert!(world.reaches(ATTACKER).await);
    let again = world
        .engine
        .replan(
            plan.id,
            Requester { id: person(3).user.to_string(), kind: RequesterKind::User },
            Some("192.0.2.9".to_owned()),
            None,
        )
        .await
        .unwrap();
    assert_eq!(world.approved(&again).await.state, ActionState::Verified);
}

#[tokio::test]
async fn nothing_runs_before_its_approval_and_execute_changes_nothing_afterwards() {
    let world = world();
    let plan = world.propose(json!({"address": ATTACKER})).await;
    assert!(matches!(world.engine.execute(plan.id, &person(1)).await.unwrap_err(), Error::State { .. }));
    world.approved(&plan).await;
    let entries = world.journal.entries().len();
    assert_eq!(world.engine.execute(plan.id, &person(1)).await.unwrap().state, PlanState::Executed);
    assert_eq!(world.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap().state, PlanState::Executed);
    assert_eq!(world.journal.entries().len(), entries);
}

#[tokio::test]
async fn nobody_approves_the_loss_of_their_own_way_in() {
    let world = world();
    // Proposed by the system: no address of a requester is protected.
    let requester = Requester { id: "system:investigation".to_owned(), kind: RequesterKind::System };
    let request = PlanRequest { requester, requester_addr: None, ..world.request(json!({"address": "192.0.2.7"})) };
    let plan = world.engine.propose(request).await.unwrap();
    let denied = world.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap_err();
    assert!(matches!(&denied, Error::Denied(reasons) if reasons[0].code == "operator_address"), "{denied}");
    let blind = Person { client_addr: None, ..person(1) };
    world.engine.approve(plan.id, &plan.hash, &blind).await.unwrap();
    let plan = world.engine.wait(plan.id, Duration::from_mins(2)).await.unwrap();
    assert_eq!((plan.state, plan.decision.denies[0].code.as_str()), (PlanState::Denied, "operator_unknown"));
}

#[tokio::test]
async fn a_denied_plan_says_why_and_cannot_be_approved() {
    let world = world();
    for (address, code) in
        [("127.0.0.1", "loopback_address"), ("::ffff:127.0.0.1", "loopback_address"), ("203.0.113.10", "own_address")]
    {
        let plan = world.propose(json!({"address": address})).await;
        assert_eq!((plan.state, plan.decision.denies[0].code.as_str()), (PlanState::Denied, code));
        assert!(matches!(world.engine.approve(plan.id, &plan.hash, &person(1)).await, Err(Error::State { .. })));
    }
}

#[tokio::test]
async fn a_target_that_changed_since_the_plan_voids_its_approval() {
    let world = world();
    let plan = world.propose(json!({"address": ATTACKER})).await;
    world.journal.put_target(shieldops_model::Target {
        owner: Some("somebody".to_owned()),
        version: 2,
        ..target("sim/test")
    });
    world.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
    let plan = world.engine.wait(plan.id, Duration::from_mins(2)).await.unwrap();
    assert_eq!((plan.state, plan.decision.denies[0].code.as_str()), (PlanState::Denied, "plan_changed"));
    assert!(world.reaches(ATTACKER).await);
}

#[tokio::test]
async fn a_target_that_was_protected_since_the_plan_is_not_touched() {
    let world = world();
    let plan = world.propose(json!({"address": ATTACKER})).await;
    world.journal.put_target(shieldops_model::Target { protected: true, ..target("sim/test") });
    world.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
    let plan = world.engine.wait(plan.id, Duration::from_mins(2)).await.unwrap();
    assert_eq!((plan.state, plan.decision.denies[0].code.as_str()), (PlanState::Denied, "protected_target"));
}

#[tokio::test]
async fn halting_holds_every_run_that_has_not_begun_and_no_undo() {
    let world = world();
    let live = world.block("198.51.100.9").await;
    let plan = world.propose(json!({"address": ATTACKER})).await;
    world.engine.halt(("usr_ann", "ann"), "an exercise").await.unwrap();
    world.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
    let held = world.engine.wait(plan.id, Duration::from_millis(200)).await.unwrap();
    assert_eq!(held.state, PlanState::Approved);
    assert_eq!(world.engine.execute(plan.id, &person(1)).await.unwrap_err(), Error::Halted);
    assert_eq!(world.undo(&live).await.unwrap().state, ActionState::Undone);
    world.engine.resume(&person(1), "it is over").await.unwrap();
    let run = world.engine.wait(plan.id, Duration::from_mins(2)).await.unwrap();
    assert_eq!(run.actions[0].state, ActionState::Verified);
}

#[tokio::test]
async fn drift_before_apply_aborts_and_skips_the_rest() {
    let world = world();
    let mut request = world.request(json!({"address": ATTACKER}));
    let mut other = request.actions[0].clone();
    other.params = json!({"address": "198.51.100.10"});
    request.actions.push(other);
    let plan = world.engine.propose(request).await.unwrap();
    // Another plan blocks the same address for a minute: what was approved is no longer what would happen.
    world.done(json!({"address": ATTACKER, "expires_in_s": 60})).await;
    let aborted = world.approved(&plan).await;
    assert_eq!(aborted.state, ActionState::Aborted, "{:?}", aborted.detail);
    let plan = world.journal.plan(plan.id).await.unwrap().unwrap();
    assert_eq!((plan.state, plan.actions[1].state), (PlanState::Executed, ActionState::Skipped));
    assert!(world.reaches("198.51.100.10").await);
}

#[tokio::test]
async fn an_undo_after_somebody_else_s_change_says_so_and_asks_again() {
    let world = world();
    let action = world.done(json!({"address": ATTACKER, "expires_in_s": 600})).await;
    // Somebody made the block permanent by hand.
    let file = world.folder.path().join("sim/test.json");
    let mut host: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let element = &mut host["table"]["sets"]["blocked_v4"]["elements"][ATTACKER];
    (element["timeout_s"], element["ends"]) = (json!(null), json!(null));
    std::fs::write(&file, host.to_string()).unwrap();

    let asked = world.undo(&action).await.unwrap();
    assert_eq!(asked.state, ActionState::Drifted);
    assert!(asked.detail.unwrap().contains("waits for approval"));
    let undo = world.journal.plans_in(&[PlanState::Proposed]).await.unwrap().remove(0);
    assert_eq!((undo.undo_of, undo.decision.approvals_needed), (Some(action.plan_id), 1));
    assert!(!world.reaches(ATTACKER).await);
    world.approved(&undo).await;
    assert_eq!(world.action(&action).await.state, ActionState::Undone);
    assert!(world.reaches(ATTACKER).await);
}

#[tokio::test]
async fn an_unchanged_proposal_keeps_its_plan_and_one_that_is_gone_is_superseded() {
    let world = world();
    let proposal = |address: &str| ProposedPlan {
        title: format!("Block {address}"),
        why: "it attacks".to_owned(),
        confidence: 0.9,
        actions: vec![ProposedAction {
            capability: "linux.block_ip".to_owned(),
            target: TargetRef { kind: "linux_host".to_owned(), name: "sim/test".to_owned() },
            params: json!({"address": address, "expires_in_s": null}),
        }],
    };
    let incident = Id::from_bits(5);
    let (a, b) = (proposal(ATTACKER), proposal("198.51.100.9"));
    let first = world.engine.propose_revision(incident, &[a.clone(), b.clone()], true).await.unwrap();
    let first: Vec<_> = first.into_iter().map(Result::unwrap).collect();
    let second = world.engine.propose_revision(incident, std::slice::from_ref(&a), true).await.unwrap();
    let kept = second[0].as_ref().unwrap();
    assert_eq!((kept.id, &kept.hash, kept.demo), (first[0].id, &first[0].hash, true));
    assert_eq!(world.journal.plan(first[1].id).await.unwrap().unwrap().state, PlanState::Superseded);
    world.approved(&first[0]).await;
    world.engine.propose_revision(incident, &[], true).await.unwrap();
    assert_eq!(
        world.journal.plan(first[0].id).await.unwrap().unwrap().state,
        PlanState::Executed,
        "a plan that ran is never superseded"
    );
    let third = world.engine.propose_revision(incident, &[b], true).await.unwrap();
    assert_ne!(third[0].as_ref().unwrap().id, first[1].id, "what is proposed again is planned again");
}

#[tokio::test]
async fn bad_requests_are_refused_with_a_reason() {
    let world = world();
    for (params, want) in [
        (json!({}), "missing field `address`"),
        (json!({"address": "not an address"}), "is not an IP address"),
        (json!({"address": "203.0.113.0/24"}), "is not an IP address"),
        (json!({"address": ATTACKER, "expires_in_s": 0}), "expires_in_s"),
        (json!({"address": ATTACKER, "force": true}), "unknown field `force`"),
        (json!([ATTACKER, 60]), "want an object"),
        (json!({"address": 7}), "`address`: invalid type"),
        (json!({"address": ATTACKER, "expires_in_s": -5}), "`expires_in_s`: invalid value"),
    ] {
        let error = world.engine.propose(world.request(params.clone())).await.unwrap_err();
        assert!(matches!(error, Error::Params(_)) && error.to_string().contains(want), "{params}: {error}");
    }
    let mut request = world.request(json!({"address": ATTACKER}));
    request.actions[0].target.name = "sim/other".to_owned();
    assert!(matches!(world.engine.propose(request.clone()).await.unwrap_err(), Error::UnknownTarget(_)));
    request.actions[0].capability = "linux.format_disk".to_owned();
    assert!(matches!(world.engine.propose(request.clone()).await.unwrap_err(), Error::UnknownCapability(_)));
    request.actions.clear();
    assert!(matches!(world.engine.propose(request).await.unwrap_err(), Error::Invalid(_)));
}

#[tokio::test]
async fn two_owners_with_and_without_an_expiry() {
    let world = world();
    let timed = world.done(json!({"address": ATTACKER, "expires_in_s": 60})).await;
    let forever = world.block(ATTACKER).await;
    assert!(forever.changed, "the timer had to go");
    world.clock.advance(Duration::from_secs(61));
    world.engine.expire_due().await.unwrap();
    assert_eq!(world.action(&timed).await.state, ActionState::Expired);
    assert!(!world.reaches(ATTACKER).await);
    world.engine.reobserve().await.unwrap();
    assert_eq!(world.action(&forever).await.state, ActionState::Verified);
    world.undo(&forever).await.unwrap();
    assert!(world.reaches(ATTACKER).await);
}
