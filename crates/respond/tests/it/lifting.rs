//! What stands on a thing that comes under protection: one plan that would lift it, and only a person who starts it.

use shieldops_model::{ActionState, Environment, Plan, PlanState};
use shieldops_policy::GateSettings;
use shieldops_respond::Journal as _;

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
