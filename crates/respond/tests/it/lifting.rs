//! What stands on a thing that comes under protection: one plan that would lift it, and only a person who starts it.

use shieldops_model::{ActionState, Criticality, Environment, Plan, PlanState, Risk, Target};
use shieldops_policy::GateSettings;
use shieldops_respond::{Journal as _, Surroundings, stand_in};

use crate::switch::{CONTAIN, LOOK, World, person};

async fn lifting(world: &World, of: &Plan) -> Option<Plan> {
    let id = world.engine.plan_lifting(of.actions[0].id, "it is protected now").await.unwrap()?;
    Some(world.journal.plan(id).await.unwrap().unwrap())
}

#[tokio::test]
async fn what_stands_has_one_plan_that_lifts_it_however_often_it_is_asked_for_and_a_person_starts_it() {
    let world = World::new(Environment::Production, GateSettings::default());
    let done = world.approved(&world.planned(CONTAIN, None).await).await;
    let plan = lifting(&world, &done).await.unwrap();
    assert_eq!((plan.requester.as_str(), plan.why.as_str()), ("system:protection", "it is protected now"));
    assert_eq!((plan.undo_of, plan.actions[0].undo_of), (Some(done.id), Some(done.actions[0].id)));
    assert_eq!(lifting(&world, &done).await.unwrap().id, plan.id, "asked again, it is the same");
    assert!(plan.decision.approvals_needed > 0, "what one person approved does not cover it: {:?}", plan.decision);
    world.engine.execute(plan.id, &person(2)).await.unwrap_err();
    assert_eq!((world.is_on(), world.action(&done.actions[0]).await.state), (true, ActionState::Verified));
    let lifted = world.approved(&plan).await;
    assert_eq!((lifted.state, world.is_on()), (PlanState::Executed, false), "{lifted:?}");
    assert_eq!(world.action(&done.actions[0]).await.state, ActionState::Undone);
    assert_eq!(lifting(&world, &done).await, None, "it is gone");
}

#[tokio::test]
async fn what_holds_an_open_incident_by_a_critical_plan_is_lifted_by_two() {
    let world = World::new(Environment::Production, GateSettings::default());
    let (environment, criticality) = (Environment::Production, Criticality::High);
    world.journal.put_target(Target { environment, criticality, ..stand_in("sim/a") });
    let done = world.planned(CONTAIN, None).await;
    world.engine.approve(done.id, &done.hash, &person(1)).await.unwrap();
    world.engine.approve(done.id, &done.hash, &person(2)).await.unwrap();
    assert_eq!((world.ended(&done).await.state, done.risk), (PlanState::Executed, Risk::Critical));
    // By itself one person would do here.
    world.journal.put_target(Target { environment: Environment::Staging, ..stand_in("sim/a") });
    let open = Surroundings { incident_open: true, ..Surroundings::default() };
    world.journal.put_surroundings(open);
    let plan = lifting(&world, &done).await.unwrap();
    assert_eq!((plan.decision.approvals_needed, plan.decision.obligations.strong_session), (2, true));
    world.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
    assert!(world.is_on(), "one person lets nothing go");
    world.engine.approve(plan.id, &plan.hash, &person(2)).await.unwrap();
    assert_eq!((world.ended(&plan).await.state, world.is_on()), (PlanState::Executed, false));
}

#[tokio::test]
async fn nothing_is_planned_where_nothing_stands() {
    let world = World::staging();
    let waits = world.planned(CONTAIN, None).await;
    assert_eq!(lifting(&world, &waits).await, None, "nobody approved it yet");
    let read = world.planned(LOOK, None).await;
    world.engine.execute(read.id, &person(9)).await.unwrap();
    let read = world.ended(&read).await;
    assert_eq!((read.state, lifting(&world, &read).await), (PlanState::Executed, None), "what only looked");
    let done = world.approved(&waits).await;
    world.engine.undo(done.actions[0].id, &person(2), "over").await.unwrap();
    let undo = world.journal.plans_of_undo(done.id).pop().unwrap();
    let undo = world.journal.plan(undo).await.unwrap().unwrap();
    assert_eq!(lifting(&world, &undo).await, None, "an undo is no effect");
}
