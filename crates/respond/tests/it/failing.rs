//! A plan one of whose actions does not succeed: what it did before stays, or is taken back where the plan said so.

use shieldops_model::{ActionState, OnFailure, Plan, PlanState};
use shieldops_respond::{CrashPoints, PlanRequest};

use crate::{
    away::{World, lighting},
    switch::{CHANGE, request},
};

/// Lamps 0 to 3, of which the one of place 2 is broken.
async fn ran(world: &World, on_failure: OnFailure) -> Plan {
    world.break_lamp(2);
    let wish = PlanRequest { actions: lighting("sim/well", 0..4), on_failure, ..request(CHANGE, None) };
    let plan = world.engine.propose(wish).await.unwrap();
    world.go(&plan).await;
    world.idle().await;
    world.plan(&plan).await
}

fn states(plan: &Plan) -> Vec<ActionState> {
    plan.actions.iter().map(|action| action.state).collect()
}

#[tokio::test]
async fn what_was_done_before_a_failure_stays_where_the_plan_says_nothing() {
    let world = World::new();
    let plan = ran(&world, OnFailure::Keep).await;
    let after = [ActionState::Verified, ActionState::Verified, ActionState::Failed, ActionState::Skipped];
    assert_eq!((plan.state, states(&plan), world.lit_lamps()), (PlanState::Executed, after.to_vec(), 2));
}

#[tokio::test]
async fn a_plan_that_says_so_takes_back_what_it_did_newest_first() {
    let world = World::new();
    let plan = ran(&world, OnFailure::Undo).await;
    let after = [ActionState::Undone, ActionState::Undone, ActionState::Failed, ActionState::Skipped];
    assert_eq!((plan.state, states(&plan), world.lit_lamps()), (PlanState::Executed, after.to_vec(), 0));
    let entries = world.journal.entries();
    let undoing = entries.iter().filter(|entry| entry.kind == "action.undoing").map(|entry| entry.subjects[0].clone());
    assert_eq!(undoing.collect::<Vec<_>>(), [plan.actions[1].id.to_string(), plan.actions[0].id.to_string()]);
}

#[tokio::test]
async fn a_process_that_is_lost_while_it_takes_back_leaves_the_rest_to_the_next() {
    let mut world = World::new();
    // The run of the first undo comes to it before the plan's own.
    world.restart(CrashPoints::give_up_at("before_run_ended"));
    let plan = ran(&world, OnFailure::Undo).await;
    assert_eq!((plan.state, world.lit_lamps()), (PlanState::Executing, 1));
    world.restart(CrashPoints::none());
    world.engine.recover().await.unwrap();
    world.idle().await;
    let plan = world.plan(&plan).await;
    assert_eq!((plan.state, world.lit_lamps()), (PlanState::Executed, 0), "{:?}", states(&plan));
}

#[tokio::test]
async fn of_several_actions_the_one_that_cannot_be_planned_is_named() {
    let world = World::new();
    let actions = [lighting("sim/well", 0..1), lighting("sim/nobody", 1..2)].concat();
    let refused = |actions| world.engine.propose(PlanRequest { actions, ..request(CHANGE, None) });
    let said = refused(actions).await.unwrap_err().to_string();
    assert!(said.contains("sim/nobody (actions/1)"), "{said}");
    let alone = refused(lighting("sim/nobody", 1..2)).await.unwrap_err().to_string();
    assert!(!alone.contains("actions/"), "{alone}");
}
