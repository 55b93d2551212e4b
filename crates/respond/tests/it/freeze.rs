//! A change freeze: it holds what changes, never what contains, and a person who may approve sets it aside with a reason.

use serde_json::json;
use shieldops_model::{ActionState, Environment, Override, PlanState};
use shieldops_policy::{Freeze, GateSettings};
use shieldops_respond::{Error, Journal as _, PLAN_LIFE, Person, PlanRequest};

use crate::switch::{CHANGE, CONTAIN, START, World, codes, person, request};

/// Production, in a freeze.
fn frozen() -> World {
    let frozen = json!({"name": "close of the year", "reason": "the books", "environments": ["production"],
        "when": {"kind": "dates", "from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"}});
    let freeze: Freeze = serde_json::from_value(frozen).unwrap();
    World::new(Environment::Production, GateSettings { freezes: vec![freeze], ..GateSettings::default() })
}

fn told(reason: &str) -> Override {
    let Person { user: by, name, client_addr, confirmed } = person(9);
    Override { by, name, reason: reason.to_owned(), at: START, client_addr, confirmed }
}

#[tokio::test]
async fn a_freeze_holds_a_change_until_a_person_sets_it_aside_and_approvals_are_still_needed() {
    let world = frozen();
    let frozen = world.planned(CHANGE, None).await;
    assert_eq!((frozen.state, codes(&frozen)), (PlanState::Denied, vec!["change_freeze"]));
    let requester = request(CHANGE, None).requester;
    let again =
        world.engine.replan(frozen.id, requester, person(9).client_addr, Some(told("the outage is worse"))).await;
    let plan = again.unwrap();
    assert_eq!((plan.state, codes(&plan)), (PlanState::Proposed, Vec::new()));
    assert_eq!(plan.freeze_override.as_ref().map(|told| told.reason.as_str()), Some("the outage is worse"));
    assert!(plan.decision.obligations.notify.contains(&"everyone".to_owned()), "{:?}", plan.decision.obligations);
    let entry = world.journal.entries().pop().unwrap();
    assert_eq!(
        (entry.kind, &entry.payload["freeze_override"]["reason"]),
        ("plan.freeze_overridden", &json!("the outage is worse"))
    );
    assert!(plan.decision.approvals_needed > 0);
    let early = world.engine.execute(plan.id, &person(9)).await.unwrap_err().to_string();
    assert!(early.contains("approvals"), "{early}");
    let done = world.approved(&plan).await;
    assert_eq!((done.state, world.is_on()), (PlanState::Executed, true), "{done:?}");
}

#[tokio::test]
async fn containment_needs_no_override_and_one_that_nothing_needs_is_not_kept() {
    let world = frozen();
    let plan =
        world.engine.propose(PlanRequest { freeze_override: Some(told("just in case")), ..request(CONTAIN, None) });
    let plan = plan.await.unwrap();
    assert_eq!((plan.state, plan.freeze_override), (PlanState::Proposed, None), "nobody is alerted for nothing");
    assert_eq!(world.journal.entries().pop().unwrap().kind, "plan.proposed");
}

#[tokio::test]
async fn an_override_lifts_nothing_but_the_freeze() {
    let world = frozen();
    let wide =
        PlanRequest { freeze_override: Some(told("the outage is worse")), ..request(CHANGE, Some("127.0.0.0/30")) };
    let plan = world.engine.propose(wide).await.unwrap();
    assert_eq!((plan.state, codes(&plan)), (PlanState::Denied, vec!["loopback_address"]));
    assert_eq!(world.journal.entries().pop().unwrap().kind, "plan.denied");
}

#[tokio::test]
async fn an_override_is_of_one_plan_and_the_next_one_is_frozen_again() {
    let world = frozen();
    let first = PlanRequest { freeze_override: Some(told("the outage is worse")), ..request(CHANGE, None) };
    let first = world.engine.propose(first).await.unwrap();
    world.engine.reject(first.id, "not now", &person(1)).await.unwrap();
    let again = world.engine.replan(first.id, request(CHANGE, None).requester, person(9).client_addr, None).await;
    let again = again.unwrap();
    assert_eq!((again.state, codes(&again)), (PlanState::Denied, vec!["change_freeze"]));
    assert_eq!(again.freeze_override, None);
}

#[tokio::test]
async fn what_a_freeze_alone_holds_may_begin_by_a_broken_glass_while_it_lasts_and_is_skipped_after_that() {
    let world = frozen();
    let held = world.planned(CHANGE, None).await;
    assert_eq!((held.state, held.actions[0].state), (PlanState::Denied, ActionState::Planned));
    world.engine.expire_due().await.unwrap();
    assert_eq!(world.action(&held.actions[0]).await.state, ActionState::Planned);
    let other = world.planned(CHANGE, None).await;
    world.engine.break_glass(other.id, &other.hash, &person(1), "the outage is worse").await.unwrap();
    assert_eq!((world.ended(&other).await.state, world.is_on()), (PlanState::Executed, true));
    world.clock.advance(PLAN_LIFE);
    let late = world.engine.break_glass(held.id, &held.hash, &person(1), "the outage is worse").await;
    assert_eq!(late.unwrap_err(), Error::Expired);
    world.engine.expire_due().await.unwrap();
    let action = world.action(&held.actions[0]).await;
    let why = "a freeze held the plan until its time was over";
    assert_eq!((action.state, action.detail.as_deref()), (ActionState::Skipped, Some(why)));
    assert_eq!(world.journal.plan(held.id).await.unwrap().unwrap().state, PlanState::Denied, "it was denied");
}

#[tokio::test]
async fn what_more_than_a_freeze_denies_no_broken_glass_lets_go_and_its_action_is_over() {
    let world = frozen();
    let denied = world.planned(CHANGE, Some("127.0.0.0/30")).await;
    assert_eq!(codes(&denied), ["change_freeze", "loopback_address"]);
    assert_eq!(denied.actions[0].state, ActionState::Skipped);
    let refused = world.engine.break_glass(denied.id, &denied.hash, &person(1), "the outage is worse").await;
    assert!(matches!(refused, Err(Error::Denied(_))), "{refused:?}");
}
