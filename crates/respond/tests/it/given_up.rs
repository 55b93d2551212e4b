//! A run whose target cannot be read is given up: what was begun is unverified, and that is told once.

use shieldops_model::{ActionState, Plan, PlanState};
use shieldops_respond::{CrashPoints, PlanRequest, Requester, RequesterKind};

use crate::{
    away::{NAME, World, lighting},
    switch::{CHANGE, request},
};

/// An action of automation that a lost process began on a host that is away since.
async fn begun_on_a_host_that_is_away() -> (World, Plan) {
    let mut world = World::new();
    world.restart(CrashPoints::give_up_at("after_intent"));
    let requester = Requester { id: "system:investigation".to_owned(), kind: RequesterKind::System };
    let actions = lighting("sim/away", 0..1);
    let wish = PlanRequest { actions, requester, confidence: Some(0.9), ..request(CHANGE, None) };
    let plan = world.engine.propose(wish).await.unwrap();
    world.go(&plan).await;
    world.idle().await;
    assert_eq!(world.plan(&plan).await.actions[0].state, ActionState::Running);
    world.go_away(true);
    world.restart(CrashPoints::none());
    (world, plan)
}

/// It says once what it does not know, and automation does less.
async fn is_told_unverified(world: &World, plan: &Plan, point: &str) {
    world.engine.recover().await.unwrap();
    world.idle().await;
    let ended = world.plan(plan).await;
    assert_eq!((ended.state, ended.actions[0].state), (PlanState::Executed, ActionState::Unverified), "{point}");
    let lowered: Vec<_> = world.journal.lowered().into_iter().map(|lowered| (lowered.capability, lowered.to)).collect();
    let told = (world.told("action.unverified"), world.told("run.ended"));
    assert_eq!((told, lowered), ((1, 1), vec![(NAME.to_owned(), 2)]), "{point}");
}

#[tokio::test(start_paused = true)]
async fn what_a_lost_process_began_on_a_host_that_is_away_since_is_told_and_automation_does_less() {
    let (world, plan) = begun_on_a_host_that_is_away().await;
    is_told_unverified(&world, &plan, "none").await;
}

#[tokio::test(start_paused = true)]
async fn a_process_that_is_lost_as_it_gives_up_a_run_tells_of_it_once() {
    for point in ["before_unverified", "after_unverified", "before_given_up", "after_given_up"] {
        let (mut world, plan) = begun_on_a_host_that_is_away().await;
        world.lose_recovery_at(point).await;
        is_told_unverified(&world, &plan, point).await;
    }
    // It is back: what nobody had written down is read, what was told stays.
    for (point, state) in [("before_unverified", ActionState::Verified), ("after_unverified", ActionState::Unverified)]
    {
        let (mut world, plan) = begun_on_a_host_that_is_away().await;
        world.lose_recovery_at(point).await;
        world.go_away(false);
        world.engine.recover().await.unwrap();
        world.idle().await;
        let ended = world.plan(&plan).await;
        assert_eq!((ended.state, ended.actions[0].state), (PlanState::Executed, state), "{point}");
        assert_eq!(world.told("run.ended"), 1, "{point}");
    }
}
