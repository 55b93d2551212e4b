//! An undo that waits for a second person: until it runs, the action is as it was, is watched, and ends on time.

use std::time::Duration;

use serde_json::json;
use shieldops_model::{Action, ActionState, Plan, PlanState, Risk};
use shieldops_respond::{Change, CrashPoints, Entry, Error, Journal as _, PLAN_LIFE, UndoScope, Write};

use crate::support::{ATTACKER, World, person, unlimited};

/// A block by a plan that was critical, for an incident that is open: who lets go needs a second person.
async fn contained(expires_in_s: Option<u64>) -> (World, Action) {
    let world = World::new("sim/test");
    let action = world.done(json!({"address": ATTACKER, "expires_in_s": expires_in_s})).await;
    let mut around = unlimited();
    around.incident_open = true;
    world.journal.put_surroundings(around);
    let plan = Plan { risk: Risk::Critical, ..world.journal.plan(action.plan_id).await.unwrap().unwrap() };
    let kind = "plan.proposed";
    let entry = Entry { kind, subjects: Vec::new(), actor: "system:test".to_owned(), payload: json!({}) };
    let writes = vec![Write::UpdatePlan(Box::new(plan))];
    world.journal.commit(Change { at: action.updated_at, writes, entry: Some(entry) }).await.unwrap();
    (world, action)
}

async fn asked(world: &World, action: &Action) -> Plan {
    let preview = world.engine.preview_undo(&UndoScope::Plan(action.plan_id), &person(2)).await.unwrap();
    assert_eq!((preview.need_approval, preview.undoable), (1, 0), "{:?}", preview.items);
    let after = world.engine.undo(action.id, &person(2), "a false alarm").await.unwrap();
    assert_eq!((after.state, after.owners.len()), (ActionState::Verified, 1), "{:?}", after.detail);
    let open = proposed(world, action).await.unwrap();
    assert_eq!(after.detail.unwrap(), format!("the undo waits for approval of {}", open.id));
    assert!(!world.reaches(ATTACKER).await);
    open
}

/// The undo of this action that waits for somebody.
async fn proposed(world: &World, action: &Action) -> Option<Plan> {
    let asked = world.journal.undos_asked(action.plan_id).await.unwrap();
    asked.into_iter().find(|plan| plan.state == PlanState::Proposed)
}

/// Somebody changes what is blocked by hand.
fn change_by_hand(world: &World, change: impl FnOnce(&mut serde_json::Value)) {
    let file = world.folder.path().join("sim/test.json");
    let mut host: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    change(&mut host["table"]["sets"]["blocked_v4"]["elements"]);
    std::fs::write(&file, host.to_string()).unwrap();
}

fn lift_by_hand(world: &World) {
    change_by_hand(world, |elements| elements.as_object_mut().unwrap().clear());
}

#[tokio::test]
async fn an_undo_that_is_rejected_leaves_the_action_as_it_was_watched_and_undoable() {
    let (world, action) = contained(None).await;
    let undo = asked(&world, &action).await;
    assert_eq!(asked(&world, &action).await.id, undo.id, "to ask again asks nobody again");
    world.engine.reject(undo.id, "it is none", &person(3)).await.unwrap();
    let after = world.action(&action).await;
    let said = "its undo was not done: the plan was rejected: it is none";
    assert_eq!((after.state, after.detail.as_deref()), (ActionState::Verified, Some(said)));
    let again = asked(&world, &action).await;
    world.engine.approve(again.id, &again.hash, &person(3)).await.unwrap();
    world.idle().await;
    assert_eq!(world.action(&action).await.state, ActionState::Undone);
}

#[tokio::test]
async fn an_undo_that_is_denied_leaves_the_one_that_waits() {
    let (world, action) = contained(None).await;
    let undo = asked(&world, &action).await;
    let denied = world.engine.undo(action.id, &person(2), " ").await;
    assert!(matches!(&denied, Err(Error::Denied(why)) if why[0].code == "reason_missing"), "{denied:?}");
    assert_eq!(world.journal.plan(undo.id).await.unwrap().unwrap().state, PlanState::Proposed);
}

#[tokio::test]
async fn an_action_is_watched_while_its_undo_waits() {
    let (world, action) = contained(None).await;
    asked(&world, &action).await;
    lift_by_hand(&world);
    world.engine.reobserve().await.unwrap();
    assert_eq!(world.action(&action).await.state, ActionState::Drifted);
}

#[tokio::test]
async fn an_undo_that_nobody_answers_ends_and_another_may_be_asked_for() {
    let (world, action) = contained(None).await;
    let undo = asked(&world, &action).await;
    world.clock.advance(PLAN_LIFE);
    world.engine.expire_due().await.unwrap();
    assert_eq!(world.journal.plan(undo.id).await.unwrap().unwrap().state, PlanState::Expired);
    let after = world.action(&action).await;
    let said = "its undo was not done: the plan expired before it began";
    assert_eq!((after.state, after.detail.as_deref(), after.owners.len()), (ActionState::Verified, Some(said), 1));
    assert_ne!(asked(&world, &action).await.id, undo.id);
}

#[tokio::test]
async fn the_time_of_an_action_ends_it_while_its_undo_waits_for_somebody() {
    let (world, action) = contained(Some(600)).await;
    let undo = asked(&world, &action).await;
    world.clock.advance(Duration::from_mins(10));
    world.engine.expire_due().await.unwrap();
    assert_eq!(world.action(&action).await.state, ActionState::Expired);
    assert_eq!(world.journal.plan(undo.id).await.unwrap().unwrap().state, PlanState::Superseded);
    assert!(world.reaches(ATTACKER).await);
}

#[tokio::test]
async fn an_undo_that_waits_is_lost_by_no_other_that_the_server_was_lost_with() {
    let (mut world, action) = contained(Some(600)).await;
    let undo = asked(&world, &action).await;
    world.restart(CrashPoints::give_up_at("before_undo_planned"));
    world.clock.advance(Duration::from_mins(10));
    let _lost = world.engine.expire_due().await;
    let state = |state| (state, usize::from(state == PlanState::Superseded));
    let now = async |world: &World| {
        let told = world.journal.entries().iter().filter(|entry| entry.kind == "plan.superseded").count();
        (world.journal.plan(undo.id).await.unwrap().unwrap().state, told)
    };
    assert_eq!(now(&world).await, state(PlanState::Proposed));
    world.restart(CrashPoints::none());
    world.engine.expire_due().await.unwrap();
    assert_eq!(
        (now(&world).await, world.action(&action).await.state),
        (state(PlanState::Superseded), ActionState::Expired)
    );
}

/// As an earlier version left it: called undoing, and nobody at it.
#[tokio::test]
async fn an_action_that_was_left_undoing_is_undone_when_it_is_asked_for() {
    let world = World::new("sim/test");
    let action = world.block(ATTACKER).await;
    let left = Action { state: ActionState::Undoing, ..world.action(&action).await };
    let kind = "action.undoing";
    let entry = Entry { kind, subjects: Vec::new(), actor: "system:test".to_owned(), payload: json!({}) };
    let writes = vec![Write::UpdateAction(Box::new(left))];
    world.journal.commit(Change { at: action.updated_at, writes, entry: Some(entry) }).await.unwrap();
    assert_eq!(world.undo(&action).await.unwrap().state, ActionState::Undone);
    assert!(world.reaches(ATTACKER).await);
}

#[tokio::test]
async fn the_undo_of_an_effect_whose_time_is_over_is_not_asked_for_again_for_a_day_when_a_person_rejects_it() {
    let world = World::new("sim/test");
    let action = world.done(json!({"address": ATTACKER, "expires_in_s": 600})).await;
    // Somebody made it last by hand: the end of its time asks before it takes that away.
    change_by_hand(&world, |elements| {
        let element = &mut elements[ATTACKER];
        (element["timeout_s"], element["ends"]) = (serde_json::Value::Null, serde_json::Value::Null);
    });
    let waits = async || {
        world.engine.expire_due().await.unwrap();
        proposed(&world, &action).await
    };
    world.clock.advance(Duration::from_mins(10));
    let undo = waits().await.expect("somebody is asked");
    world.engine.reject(undo.id, "it stays", &person(3)).await.unwrap();
    for _ in 0..5 {
        world.clock.advance(Duration::from_hours(4));
        assert_eq!(waits().await, None, "a person said no");
    }
    assert!(!world.reaches(ATTACKER).await);
    world.clock.advance(Duration::from_hours(5));
    assert!(waits().await.is_some(), "a day later it is asked again");
    let again = world.engine.undo(action.id, &person(2), "over").await;
    assert!(again.is_ok(), "and by a person at any time: {again:?}");
}
