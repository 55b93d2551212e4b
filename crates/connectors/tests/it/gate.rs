//! What no run may get past: a halt, an expiry, an approval; and what a lost run must not leave behind.

use std::time::Duration;

use serde_json::json;
use shieldops_model::{ActionState, PlanState};
use shieldops_respond::{CrashPoints, Journal as _};

use crate::support::{ATTACKER, World, person};

const OTHER: &str = "198.51.100.10";

fn world() -> World {
    World::new("sim/test")
}

#[tokio::test]
async fn a_halt_in_the_middle_of_a_run_pauses_it_before_its_next_action() {
    let world = world();
    let mut request = world.request(json!({"address": ATTACKER}));
    let mut other = request.actions[0].clone();
    other.params = json!({"address": OTHER});
    request.actions.push(other);
    let plan = world.engine.propose(request).await.unwrap();
    world.journal.halt_with("action.verified");
    world.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
    world.idle().await;
    let paused = world.journal.plan(plan.id).await.unwrap().unwrap();
    let states = |plan: &shieldops_model::Plan| plan.actions.iter().map(|action| action.state).collect::<Vec<_>>();
    assert_eq!(paused.state, PlanState::Executing);
    assert_eq!(states(&paused), [ActionState::Verified, ActionState::Planned]);
    assert!(world.reaches(OTHER).await, "nothing begins after a halt");
    world.engine.resume(&person(1), "it is over").await.unwrap();
    let done = world.engine.wait(plan.id, Duration::from_mins(2)).await.unwrap();
    assert_eq!((done.state, states(&done)), (PlanState::Executed, vec![ActionState::Verified; 2]));
    assert!(!world.reaches(OTHER).await);
}

#[tokio::test]
async fn an_effect_that_is_there_already_is_joined_only_with_leave() {
    let world = world();
    let owner = world.block(ATTACKER).await;
    let plan = world.propose(json!({"address": ATTACKER})).await;
    world.engine.halt(("usr_ann", "ann"), "an exercise").await.unwrap();
    world.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
    world.clock.advance(Duration::from_secs(901));
    world.engine.resume(&person(1), "it is over").await.unwrap();
    world.idle().await;
    let late = world.journal.plan(plan.id).await.unwrap().unwrap();
    assert_eq!((late.state, late.approvals.len()), (PlanState::Proposed, 0), "a vote without a run is void");
    assert_eq!(late.actions[0].state, ActionState::Planned);
    assert_eq!(world.action(&owner).await.owners.len(), 1);
}

#[tokio::test]
async fn an_undo_whose_run_was_lost_goes_on_when_it_is_asked_for_again() {
    for point in ["after_run_started", "before_run_started", "after_intent"] {
        let mut world = world();
        let action = world.block(ATTACKER).await;
        world.restart(CrashPoints::give_up_at(point));
        world.undo(&action).await.unwrap_err();
        assert_eq!(world.action(&action).await.state, ActionState::Undoing);
        world.restart(CrashPoints::none());
        assert_eq!(world.undo(&action).await.unwrap().state, ActionState::Undone, "{point}");
        assert!(world.reaches(ATTACKER).await, "{point}");
    }
}

#[tokio::test]
async fn an_expiry_whose_run_was_lost_is_tried_again() {
    let mut world = world();
    let action = world.done(json!({"address": ATTACKER, "expires_in_s": 60})).await;
    world.restart(CrashPoints::give_up_at("after_intent"));
    world.clock.advance(Duration::from_secs(61));
    world.engine.expire_due().await.unwrap_err();
    assert_eq!(world.action(&action).await.state, ActionState::Undoing);
    world.restart(CrashPoints::none());
    world.clock.advance(Duration::from_mins(2));
    world.engine.expire_due().await.unwrap();
    assert_eq!(world.action(&action).await.state, ActionState::Expired);
    assert!(world.reaches(ATTACKER).await);
}

#[tokio::test]
async fn a_plan_says_how_its_target_is_reached_and_its_hash_binds_it() {
    let world = world();
    let plan = world.propose(json!({"address": ATTACKER})).await;
    let path = plan.actions[0].control_path.clone().unwrap();
    assert_eq!((path.via.as_str(), path.at_risk), ("simulator", false));
    let rows = [(crate::support::target("sim/test").id, crate::support::target("sim/test"))].into();
    assert_eq!(shieldops_respond::plan_hash(&plan, &rows).unwrap(), plan.hash);
    let mut other = plan.clone();
    other.actions[0].control_path.as_mut().unwrap().at_risk = true;
    assert_ne!(shieldops_respond::plan_hash(&other, &rows).unwrap(), plan.hash);
}
