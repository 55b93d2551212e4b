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

/// The process is lost at a point of the run or of what it takes back, perhaps once more where recovery comes to it again.
#[tokio::test]
async fn a_take_back_is_finished_after_a_crash_at_every_point() {
    let mut reached = Vec::new();
    for point in CrashPoints::NAMES {
        let mut world = World::new();
        world.restart(CrashPoints::give_up_at(*point));
        let plan = ran(&world, OnFailure::Undo).await;
        let lost = (world.plan(&plan).await.state, world.lit_lamps()) != (PlanState::Executed, 0);
        reached.extend(lost.then_some(*point));
        world.restart(CrashPoints::give_up_at(*point));
        drop(world.engine.recover().await);
        world.idle().await;
        world.restart(CrashPoints::none());
        world.engine.recover().await.unwrap();
        world.idle().await;
        let ended = world.plan(&plan).await;
        let after = [ActionState::Undone, ActionState::Undone, ActionState::Failed, ActionState::Skipped];
        assert_eq!(
            (ended.state, states(&ended), world.lit_lamps()),
            (PlanState::Executed, after.to_vec(), 0),
            "{point}"
        );
        assert_eq!(world.journal.plans_of_undo(plan.id).len(), 2, "{point}: one undo for each");
        let told = ["run.taking_back", "action.undoing", "run.ended"].map(|kind| world.told(kind));
        assert_eq!(told, [1, 2, 3], "{point}");
        assert!(ended.actions.iter().all(|action| action.owners.is_empty()), "{point}");
    }
    for point in ["before_undo_planned", "after_undo_planned", "before_taking_back", "after_taking_back"] {
        assert!(reached.contains(&point), "{point}: {reached:?}");
    }
}

/// One lamp of a host that is away when it is to be put out again.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_taken_back_is_told_once_wherever_the_process_is_lost() {
    for point in ["before_not_taken_back", "after_not_taken_back", "before_given_up", "after_given_up"] {
        let mut world = World::new();
        world.break_lamp(2);
        world.restart(CrashPoints::give_up_at("after_taking_back"));
        let actions = [lighting("sim/away", 0..1), lighting("sim/well", 2..4)].concat();
        let wish = PlanRequest { actions, on_failure: OnFailure::Undo, ..request(CHANGE, None) };
        let plan = world.engine.propose(wish).await.unwrap();
        world.go(&plan).await;
        world.idle().await;
        world.go_away(true);
        world.lose_recovery_at(point).await;
        world.engine.recover().await.unwrap();
        world.idle().await;
        let ended = world.plan(&plan).await;
        let after = [ActionState::UndoFailed, ActionState::Failed, ActionState::Skipped];
        assert_eq!((ended.state, states(&ended)), (PlanState::Executed, after.to_vec()), "{point}");
        let told = ["run.taking_back", "action.undo_failed", "run.ended"].map(|kind| world.told(kind));
        assert_eq!((told, world.lit_lamps()), ([1, 1, 1], 1), "{point}");
        assert_eq!(ended.actions[0].owners.len(), 1, "{point}: it is still wanted out");
    }
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
