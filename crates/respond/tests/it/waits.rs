//! A plan that waits: for a veto, for votes, for the end of a halt; and a clock that somebody sets meanwhile.

use std::{collections::BTreeMap, time::Duration};

use shieldops_model::{
    ActionState, Clock as _, Criticality, Environment, Id, Plan, PlanState, ProposedPlan, Risk, Target,
};
use shieldops_policy::{AddressSource, GateSettings, StandingGrant};
use shieldops_respond::{CrashPoints, Journal as _, PLAN_LIFE, Surroundings, stand_in};

use crate::{
    away::{NAME, World, lighting},
    switch::{self, CONTAIN, START, person, request},
};

/// Automation may act after a veto window, anywhere.
fn acting() -> Surroundings {
    let grant = |environment| StandingGrant {
        id: "grant".to_owned(),
        capability: NAME.to_owned(),
        environment,
        targets: vec![Id::from_bits(2)],
        labels: BTreeMap::new(),
        granted_by: Id::from_bits(1),
        expires_at: START.plus(Duration::from_hours(100)),
    };
    let mut around = Surroundings { address_source: AddressSource::Authenticated, ..Surroundings::default() };
    around.autonomy.tenant = Some(3);
    around.grants = [Environment::Staging, Environment::Production].map(grant).to_vec();
    around
}

#[tokio::test]
async fn a_clock_that_is_set_makes_a_plan_wait_anew_which_is_told_once() {
    let world = World::new();
    let (plan, window) = waiting(&world).await;
    assert_eq!(plan.state, PlanState::Approved, "{:?}", plan.decision);
    world.engine.expire_due().await.unwrap();
    world.clock.leap(window * 2);
    for _ in 0..2 {
        world.engine.expire_due().await.unwrap();
        world.idle().await;
        let held = world.plan(&plan).await;
        assert_eq!((held.state, held.not_before), (PlanState::Approved, Some(world.clock.now().plus(window))));
    }
    let told = world.journal.entries().iter().filter(|entry| entry.kind == "run.held").count();
    assert_eq!(told, 1);
    world.clock.advance(window);
    world.engine.expire_due().await.unwrap();
    world.idle().await;
    assert_eq!(world.plan(&plan).await.state, PlanState::Executed, "it does not wait for ever");
}

/// A plan of automation that waits for a veto, and how long.
async fn waiting(world: &World) -> (Plan, Duration) {
    world.journal.put_surroundings(acting());
    let (title, why) = ("Light it".to_owned(), "it is dark".to_owned());
    let proposal = ProposedPlan { title, why, confidence: 0.95, actions: lighting("sim/well", 0..1) };
    let plan = world.engine.propose_revision(Id::from_bits(5), &[proposal], false).await.unwrap().remove(0).unwrap();
    let plan = world.plan(&plan).await;
    let window = plan.not_before.unwrap().since(START);
    (plan, window)
}

#[tokio::test]
async fn a_window_that_begins_again_says_until_when_it_lasts_now() {
    let mut world = World::new();
    let (plan, window) = waiting(&world).await;
    world.clock.advance(window + Duration::from_hours(1));
    world.restart(CrashPoints::none());
    for _ in 0..2 {
        world.engine.expire_due().await.unwrap();
        world.idle().await;
        let waits = world.plan(&plan).await;
        assert_eq!((waits.state, waits.not_before), (PlanState::Approved, Some(world.clock.now().plus(window))));
    }
    let told = world.journal.entries().iter().filter(|entry| entry.kind == "run.waits").count();
    assert_eq!(told, 1);
    world.clock.advance(window);
    world.engine.expire_due().await.unwrap();
    world.idle().await;
    assert_eq!(world.plan(&plan).await.state, PlanState::Executed);
}

#[tokio::test]
async fn a_glass_is_broken_where_a_vote_is_old_or_of_somebody_who_may_not_vote_any_more() {
    for gone in [false, true] {
        let world = switch::World::new(Environment::Production, GateSettings::default());
        let (environment, criticality) = (Environment::Production, Criticality::High);
        world.journal.put_target(Target { environment, criticality, ..stand_in("sim/a") });
        let plan = world.planned(CONTAIN, None).await;
        assert_eq!((plan.risk, plan.decision.approvals_needed), (Risk::Critical, 2), "{:?}", plan.decision);
        world.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
        if gone {
            world.journal.put_gone(person(1).user);
        } else {
            world.clock.advance(Duration::from_secs(901));
        }
        world.engine.break_glass(plan.id, &plan.hash, &person(2), "it burns").await.unwrap();
        world.idle().await;
        let done = world.journal.plan(plan.id).await.unwrap().unwrap();
        assert_eq!((done.state, world.is_on()), (PlanState::Executed, true), "{:?}", done.rejected_reason);
    }
}

/// What automation proposes on its own in staging, and would do at once, in a halt.
async fn halted(world: &switch::World, range: Option<&str>) -> Plan {
    let mut around = Surroundings { address_source: AddressSource::Authenticated, ..Surroundings::default() };
    around.autonomy.tenant = Some(4);
    world.journal.put_surroundings(around);
    world.engine.halt(("usr_ann", "ann"), "the investigation is wrong").await.unwrap();
    let wish = request(CONTAIN, range);
    let proposal = ProposedPlan { title: wish.title, why: wish.why, confidence: 0.95, actions: wish.actions };
    let plan = world.engine.propose_revision(Id::from_bits(5), &[proposal], false).await.unwrap().remove(0).unwrap();
    world.idle().await;
    let plan = world.journal.plan(plan.id).await.unwrap().unwrap();
    assert_eq!(plan.state, PlanState::Approved, "{:?}", plan.decision);
    plan
}

#[tokio::test]
async fn a_plan_of_automation_whose_risk_grew_and_that_needs_nobody_is_begun_again() {
    let world = switch::World::staging();
    let plan = halted(&world, Some("203.0.113.0/24")).await;
    world.seen(1..=12);
    world.engine.resume(&person(1), "it is over").await.unwrap();
    world.idle().await;
    let done = world.journal.plan(plan.id).await.unwrap().unwrap();
    assert!(done.risk > plan.risk && done.decision.approvals_needed == 0, "{:?}", done.decision);
    assert!(world.journal.entries().iter().any(|entry| entry.kind == "plan.returned"));
    assert_eq!((done.state, world.is_on()), (PlanState::Executed, true));
}

#[tokio::test]
async fn an_approved_plan_whose_time_is_over_expires_and_counts_for_nothing() {
    let world = switch::World::staging();
    let plan = halted(&world, None).await;
    world.clock.advance(PLAN_LIFE + Duration::from_hours(1));
    world.engine.resume(&person(1), "it is over").await.unwrap();
    world.idle().await;
    let over = world.journal.plan(plan.id).await.unwrap().unwrap();
    assert_eq!((over.state, over.actions[0].state, world.is_on()), (PlanState::Expired, ActionState::Skipped, false));
    assert!(world.journal.entries().iter().all(|entry| entry.kind != "run.started"), "no use was counted");
}

#[tokio::test]
async fn an_approved_plan_whose_time_is_over_expires_while_the_halt_lasts() {
    let world = switch::World::staging();
    let plan = halted(&world, None).await;
    world.clock.advance(PLAN_LIFE + Duration::from_hours(1));
    world.engine.expire_due().await.unwrap();
    world.idle().await;
    let over = world.journal.plan(plan.id).await.unwrap().unwrap();
    assert_eq!((over.state, over.actions[0].state), (PlanState::Expired, ActionState::Skipped));
    world.engine.resume(&person(1), "it is over").await.unwrap();
    world.idle().await;
    assert!(!world.is_on());
}

#[tokio::test]
async fn a_plan_whose_time_is_over_waits_for_no_veto_any_more() {
    let mut world = World::new();
    let (plan, _window) = waiting(&world).await;
    world.clock.advance(PLAN_LIFE + Duration::from_hours(1));
    world.restart(CrashPoints::none());
    world.engine.expire_due().await.unwrap();
    world.idle().await;
    assert_eq!(world.plan(&plan).await.state, PlanState::Expired);
    assert!(world.journal.entries().iter().all(|entry| entry.kind != "run.waits"), "nobody is told of a new window");
}
