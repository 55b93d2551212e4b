//! Plans that end without a run: their actions end with them, and what a person said no to is asked about again.

use std::time::Duration;

use serde_json::json;
use shieldops_model::{Action, ActionState, Id, Plan, PlanState, Timestamp};
use shieldops_respond::{Change, Entry, Journal as _, PLAN_LIFE, Write};

use crate::{
    many::{acting, automated, proposal},
    support::{ATTACKER, World, person},
};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_said_no_to_is_asked_about_again_when_another_incident_wants_it() {
    let world = World::new("sim/test");
    world.journal.put_surroundings(acting(3, &world));
    let plan = automated(&world, ATTACKER).await;
    world.engine.reject(plan.id, "ours", &person(1)).await.unwrap();
    world.journal.put_surroundings(acting(4, &world));
    let other = |incident: u128, address: &'static str| {
        let world = &world;
        async move {
            let made = world.engine.propose_revision(Id::from_bits(incident), &[proposal(address, 0.95)], false).await;
            let plan = made.unwrap().into_iter().next().unwrap().unwrap();
            world.idle().await;
            world.journal.plan(plan.id).await.unwrap().unwrap()
        }
    };
    let again = other(6, ATTACKER).await;
    let codes: Vec<_> = again.decision.obligations.because.iter().map(|reason| reason.code.as_str()).collect();
    assert_eq!((again.state, again.decision.approvals_needed), (PlanState::Proposed, 1), "{:?}", again.decision);
    assert!(codes.contains(&"refused_by_person"), "{codes:?}");
    assert!(world.reaches(ATTACKER).await);
    assert_eq!(other(6, "203.0.113.67").await.state, PlanState::Executed, "it was about one address");
    world.clock.advance(Duration::from_hours(24));
    world.journal.put_surroundings(acting(4, &world));
    assert_eq!(other(7, ATTACKER).await.state, PlanState::Executed, "a no is forgotten after its time");
}

/// Ends the plan in each way that it can end without a run.
#[tokio::test(flavor = "multi_thread")]
async fn the_actions_of_a_plan_that_ends_without_a_run_end_with_it_and_say_why() {
    let world = World::new("sim/test");
    let ended = |plan: Plan| {
        let world = &world;
        async move {
            let action = world.action(&plan.actions[0]).await;
            assert_eq!(action.state, ActionState::Skipped, "{:?}", plan.state);
            let steps = world.journal.steps(action.id).await.unwrap();
            assert!(plan.state == PlanState::Denied || steps.last().unwrap().kind == "outcome", "{steps:?}");
            action.detail.unwrap()
        }
    };
    let denied = world.propose(json!({"address": "127.0.0.1"})).await;
    assert_eq!((denied.state, denied.actions[0].state), (PlanState::Denied, ActionState::Skipped));
    assert!(ended(denied).await.starts_with("policy denied the plan: loopback_address: "));
    let plan = world.propose(json!({"address": ATTACKER})).await;
    let rejected = world.engine.reject(plan.id, "ours", &person(1)).await.unwrap();
    assert_eq!(ended(rejected).await, "the plan was rejected: ours");
    let plan = world.propose(json!({"address": ATTACKER})).await;
    world.clock.advance(PLAN_LIFE);
    world.engine.expire_due().await.unwrap();
    let expired = world.journal.plan(plan.id).await.unwrap().unwrap();
    assert_eq!(ended(expired).await, "the plan expired before it began");
    let (incident, first) = (Id::from_bits(5), [proposal(ATTACKER, 0.7)]);
    let plan = world.engine.propose_revision(incident, &first, false).await.unwrap().remove(0).unwrap();
    world.engine.propose_revision(incident, &[], false).await.unwrap();
    let superseded = world.journal.plan(plan.id).await.unwrap().unwrap();
    assert_eq!(ended(superseded).await, "the plan was superseded");
    let plan = world.propose(json!({"address": ATTACKER})).await;
    world.journal.put_target(shieldops_model::Target { protected: true, ..crate::support::target("sim/test") });
    world.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
    world.idle().await;
    let denied = world.journal.plan(plan.id).await.unwrap().unwrap();
    assert!(ended(denied).await.contains("protected_target"));
    assert!(planned(&world).await.is_empty());
}

async fn planned(world: &World) -> Vec<Action> {
    world.journal.changed_since(&[ActionState::Planned], Timestamp::from_secs(0), None).await.unwrap()
}

/// As an earlier version of the product left them: the plan is over and its action is not.
#[tokio::test]
async fn what_plans_left_planned_that_ended_before_this_version_is_ended_too() {
    let world = World::new("sim/test");
    let open = world.propose(json!({"address": ATTACKER})).await;
    for (state, at_once) in [(PlanState::Rejected, true), (PlanState::Expired, true), (PlanState::Denied, false)] {
        let mut plan = world.propose(json!({"address": "203.0.113.67"})).await;
        plan.state = state;
        let write = Write::UpdatePlan(Box::new(plan.clone()));
        let (at, actor) = (plan.created_at, "system:test".to_owned());
        let entry = Some(Entry { kind: "plan.test", subjects: Vec::new(), actor, payload: json!({}) });
        world.journal.commit(Change { at, writes: vec![write], entry }).await.unwrap();
        world.engine.expire_due().await.unwrap();
        let ended = world.action(&plan.actions[0]).await.state == ActionState::Skipped;
        assert_eq!(ended, at_once, "{state:?}: a denied plan may be one that a broken glass lets go");
    }
    world.clock.advance(Duration::from_hours(24));
    world.engine.expire_due().await.unwrap();
    assert!(planned(&world).await.is_empty());
    let open = world.journal.plan(open.id).await.unwrap().unwrap();
    assert_eq!(open.state, PlanState::Expired);
    assert_eq!(world.journal.entries().iter().filter(|entry| entry.kind == "action.skipped").count(), 3);
}
