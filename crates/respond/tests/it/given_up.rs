//! A run whose target cannot be read is given up: what was begun is unverified, and that is told once.

use shieldops_model::{ActionState, OnFailure, Plan, PlanState, ProposedAction};
use shieldops_respond::{CrashPoints, PlanRequest, Requester, RequesterKind};

use crate::{
    away::{NAME, World, lighting},
    switch::{CHANGE, person, request},
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

/// A second plan of the same lamp, whose process is lost at this point as it joins.
async fn joins_and_is_lost_at(world: &mut World, point: &str, actions: Vec<ProposedAction>) -> (Plan, Plan) {
    let first = world.planned("sim/away", 0..1).await;
    world.go(&first).await;
    world.idle().await;
    world.restart(CrashPoints::give_up_at(point));
    let wish = PlanRequest { actions, on_failure: OnFailure::Undo, ..request(CHANGE, None) };
    let second = world.engine.propose(wish).await.unwrap();
    world.go(&second).await;
    world.idle().await;
    assert_eq!(world.plan(&second).await.state, PlanState::Executing, "{point}");
    (first, second)
}

#[tokio::test(start_paused = true)]
async fn who_joined_an_effect_and_was_lost_joins_it_once_or_wants_it_no_more() {
    for (point, away) in
        [("before_joined", false), ("after_joined", false), ("before_joined", true), ("after_joined", true)]
    {
        let mut world = World::new();
        let (first, second) = joins_and_is_lost_at(&mut world, point, lighting("sim/away", 0..1)).await;
        world.go_away(away);
        world.restart(CrashPoints::none());
        world.engine.recover().await.unwrap();
        world.idle().await;
        let ended = world.plan(&second).await;
        let state = if away { ActionState::Aborted } else { ActionState::Verified };
        assert_eq!((ended.state, ended.actions[0].state), (PlanState::Executed, state), "{point}");
        world.go_away(false);
        for plan in [&first, &second].into_iter().take(if away { 1 } else { 2 }) {
            assert_eq!(world.lit_lamps(), 1, "{point}");
            world.engine.undo(plan.actions[0].id, &person(9), "an exercise").await.unwrap();
        }
        assert_eq!(world.lit_lamps(), 0, "{point}: nobody wants it any more");
    }
}

#[tokio::test(start_paused = true)]
async fn who_joined_an_effect_and_was_lost_wants_it_no_more_when_its_plan_is_taken_back() {
    let mut world = World::new();
    let actions = [lighting("sim/well", 1..2), lighting("sim/away", 0..1)].concat();
    let (first, second) = joins_and_is_lost_at(&mut world, "after_joined", actions).await;
    world.go_away(true);
    world.restart(CrashPoints::none());
    world.engine.recover().await.unwrap();
    world.idle().await;
    let ended = world.plan(&second).await;
    let states: Vec<_> = ended.actions.iter().map(|action| action.state).collect();
    assert_eq!((ended.state, states), (PlanState::Executed, vec![ActionState::Undone, ActionState::Skipped]));
    world.go_away(false);
    world.engine.undo(first.actions[0].id, &person(9), "an exercise").await.unwrap();
    assert_eq!(world.lit_lamps(), 0, "nobody wants it any more");
}

#[tokio::test(start_paused = true)]
async fn what_was_begun_and_not_done_is_planned_again_once() {
    for point in ["before_planned_again", "after_planned_again"] {
        let mut world = World::new();
        world.restart(CrashPoints::give_up_at("after_intent"));
        let plan = world.planned("sim/well", 0..1).await;
        world.go(&plan).await;
        world.idle().await;
        world.lose_recovery_at(point).await;
        world.engine.recover().await.unwrap();
        world.idle().await;
        let ended = world.plan(&plan).await;
        assert_eq!((ended.state, ended.actions[0].state), (PlanState::Executed, ActionState::Verified), "{point}");
        let told = (world.told("action.planned"), world.told("action.verified"), ended.actions[0].owners.len());
        assert_eq!((told, world.lit_lamps()), ((1, 1, 1), 1), "{point}");
    }
}
