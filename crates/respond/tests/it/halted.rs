//! While automation is halted: nothing begins, and a person may still say no.

use shieldops_model::{ActionState, Environment, PlanState};
use shieldops_policy::GateSettings;
use shieldops_respond::{CrashPoints, Error, Journal as _};

use crate::{
    away::World,
    switch::{self, CONTAIN, START, person},
};

#[tokio::test]
async fn what_was_approved_and_has_not_begun_can_still_be_rejected() {
    let world = switch::World::new(Environment::Production, GateSettings::default());
    let plan = world.planned(CONTAIN, None).await;
    world.engine.halt(("usr_ann", "ann"), "the investigation is wrong").await.unwrap();
    world.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
    world.engine.recover().await.unwrap();
    let held = world.journal.plan(plan.id).await.unwrap().unwrap();
    assert_eq!(held.state, PlanState::Approved, "the halt holds it");
    world.engine.reject(plan.id, "it is nothing", &person(2)).await.unwrap();
    world.engine.resume(&person(1), "it is over").await.unwrap();
    world.engine.recover().await.unwrap();
    let after = world.ended(&plan).await;
    assert_eq!((after.state, after.actions[0].state), (PlanState::Rejected, ActionState::Skipped));
    assert!(!world.is_on());
}

#[tokio::test]
async fn what_ran_cannot_be_rejected() {
    let world = World::new();
    let plan = world.planned("sim/well", 0..1).await;
    world.go(&plan).await;
    world.idle().await;
    let refused = world.engine.reject(plan.id, "too late", &person(2)).await.unwrap_err();
    assert!(matches!(refused, Error::State { .. }), "{refused}");
}

async fn resume(world: &World) {
    world.engine.resume(&person(1), "it is over").await.unwrap();
    world.idle().await;
}

#[tokio::test]
async fn a_run_that_is_halted_says_so_each_time_and_goes_on_when_a_person_resumes() {
    let world = World::new();
    let plan = world.planned("sim/well", 0..3).await;
    world.journal.halt_with("action.verified");
    world.go(&plan).await;
    world.idle().await;
    for done in 1..3 {
        let held = world.plan(&plan).await;
        let verified = held.actions.iter().filter(|action| action.state == ActionState::Verified).count();
        assert_eq!((held.state, held.paused_at, verified), (PlanState::Executing, Some(START), done));
        world.journal.halt_with("action.verified");
        resume(&world).await;
    }
    let ended = world.plan(&plan).await;
    assert_eq!((ended.state, ended.paused_at), (PlanState::Executed, None));
    let steps = world.journal.steps(plan.actions[2].id).await.unwrap();
    let kinds: Vec<_> = steps.iter().map(|step| step.kind.as_str()).take(5).collect();
    assert_eq!(kinds, ["run_started", "paused", "resumed", "paused", "resumed"]);
}

#[tokio::test]
async fn a_process_that_is_lost_around_a_pause_leaves_a_run_that_goes_on() {
    for point in ["before_paused", "after_paused", "before_resumed", "after_resumed"] {
        let mut world = World::new();
        world.restart(CrashPoints::give_up_at(point));
        let plan = world.planned("sim/well", 0..2).await;
        world.journal.halt_with("action.verified");
        world.go(&plan).await;
        world.idle().await;
        resume(&world).await;
        world.restart(CrashPoints::none());
        world.engine.recover().await.unwrap();
        world.idle().await;
        let ended = world.plan(&plan).await;
        assert_eq!((ended.state, ended.paused_at), (PlanState::Executed, None), "{point}");
        assert!(ended.actions.iter().all(|action| action.state == ActionState::Verified), "{point}");
    }
}
