//! An effect that is accepted at once and begins later, by the entry of a crontab: it is verified when that time is over,
//! whatever happened meanwhile. The clock is moved, nobody sleeps.

use std::time::Duration;

use serde_json::{Value, json};
use shieldops_model::{Action, ActionState, Plan, PlanState};
use shieldops_respond::{CrashPoints, Draw, Journal as _};

use crate::support::{ATTACKER, World, person, target};

const CRON: &str = "linux.disable_cron_entry";
const ALMOST: Duration = Duration::from_mins(1);
const SECOND: Duration = Duration::from_secs(1);

async fn staged(world: &World) -> Value {
    let all = shieldops_connectors::capabilities(std::sync::Arc::clone(&world.linux));
    let cron = all.into_iter().find(|capability| capability.describe().name == CRON).unwrap();
    let mut params = cron.proving().unwrap().stage(&target("sim/test"), &mut Draw::new(3)).await.unwrap();
    params.as_object_mut().unwrap().remove("expires_in_s");
    params
}

/// A plan that disables an entry and then blocks an address, approved; its run waits.
async fn begun(world: &World) -> Plan {
    let params = staged(world).await;
    let mut request = world.request(params);
    CRON.clone_into(&mut request.actions[0].capability);
    let mut block = request.actions[0].clone();
    (block.capability, block.params) = ("linux.block_ip".to_owned(), json!({"address": ATTACKER}));
    request.actions.push(block);
    let plan = world.engine.propose(request).await.unwrap();
    world.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
    world.idle().await;
    read(world, &plan).await
}

async fn read(world: &World, plan: &Plan) -> Plan {
    world.journal.plan(plan.id).await.unwrap().unwrap()
}

fn states(plan: &Plan) -> (PlanState, Vec<ActionState>) {
    (plan.state, plan.actions.iter().map(|action| action.state).collect())
}

/// What the engine's own watch does each second.
async fn later(world: &World, span: Duration) {
    world.clock.advance(span);
    world.engine.expire_due().await.unwrap();
    world.idle().await;
}

fn waiting() -> (PlanState, Vec<ActionState>) {
    (PlanState::Executing, vec![ActionState::Settling, ActionState::Planned])
}

fn verified() -> (PlanState, Vec<ActionState>) {
    (PlanState::Executed, vec![ActionState::Verified; 2])
}

#[tokio::test]
async fn an_entry_is_verified_when_cron_has_read_it_again_and_the_target_is_free_meanwhile() {
    let world = World::new("sim/test");
    let plan = begun(&world).await;
    assert_eq!(states(&plan), waiting());
    assert!(plan.actions[0].detail.as_ref().unwrap().contains("within 61 s"), "{:?}", plan.actions[0].detail);
    let takes = plan.actions[0].estimate.unwrap();
    assert_eq!((takes.ms, takes.measured), (61_300, 0), "who approved it was told how long it takes");
    assert!(world.reaches(ATTACKER).await, "what comes after it waits for it");
    let other = world.block("198.51.100.9").await;
    assert_eq!(other.state, ActionState::Verified, "another plan on this target is not held up");
    assert!(world.engine.reobserve().await.unwrap().is_empty());
    later(&world, ALMOST).await;
    assert_eq!(states(&read(&world, &plan).await), waiting(), "a second is left");
    later(&world, SECOND).await;
    let done = read(&world, &plan).await;
    assert_eq!(states(&done), verified());
    assert!(done.actions[0].detail.is_none() && !world.reaches(ATTACKER).await);
    let kinds: Vec<_> = world.journal.entries().iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "action.settling").count(), 1, "{kinds:?}");
}

#[tokio::test]
async fn the_wait_begins_again_with_the_process_and_is_never_lost() {
    for point in ["none", "after_settling", "before_settling"] {
        let mut world = World::new("sim/test");
        world.restart(if point == "none" { CrashPoints::none() } else { CrashPoints::give_up_at(point) });
        let plan = begun(&world).await;
        world.clock.advance(ALMOST);
        world.restart(CrashPoints::none());
        world.engine.recover().await.unwrap();
        world.idle().await;
        assert_eq!(states(&read(&world, &plan).await), waiting(), "{point}");
        later(&world, ALMOST).await;
        assert_eq!(states(&read(&world, &plan).await), waiting(), "{point}: it began anew");
        later(&world, SECOND).await;
        world.settled().await;
        assert_eq!(states(&read(&world, &plan).await), verified(), "{point}");
    }
}

#[tokio::test]
async fn what_somebody_takes_back_while_it_settles_is_failed_and_not_done_again() {
    let world = World::new("sim/test");
    let plan = begun(&world).await;
    let file = world.folder.path().join("sim/hosts/test.json");
    staged(&world).await;
    let before = std::fs::read_to_string(&file).unwrap();
    later(&world, ALMOST + SECOND).await;
    let (state, actions) = states(&read(&world, &plan).await);
    assert_eq!((state, actions[0], actions[1]), (PlanState::Executed, ActionState::Failed, ActionState::Skipped));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before, "nothing was done to it again");
}

#[tokio::test]
async fn an_undo_may_come_while_an_effect_settles_and_settles_itself() {
    let world = World::new("sim/test");
    let plan = begun(&world).await;
    let undo = async |action: &Action| world.engine.undo(action.id, &person(2), "a false alarm").await;
    let undoing = undo(&plan.actions[0]).await.unwrap();
    assert_eq!(undoing.state, ActionState::Undoing);
    later(&world, ALMOST).await;
    assert_eq!(undo(&plan.actions[0]).await.unwrap().state, ActionState::Undoing, "to ask again changes nothing");
    later(&world, SECOND).await;
    let after = read(&world, &plan).await;
    assert_eq!((after.actions[0].state, after.actions[0].owners.len()), (ActionState::Undone, 0));
    assert_eq!(states(&after), (PlanState::Executed, vec![ActionState::Undone, ActionState::Skipped]));
    later(&world, SECOND).await;
    assert!(world.engine.settling().is_none(), "nothing is waited for any more");
}

#[tokio::test]
async fn a_second_owner_of_an_effect_that_settles_waits_with_it() {
    let world = World::new("sim/test");
    let plan = begun(&world).await;
    let mut request = world.request(plan.actions[0].params.clone());
    CRON.clone_into(&mut request.actions[0].capability);
    let second = world.engine.propose(request).await.unwrap();
    world.engine.approve(second.id, &second.hash, &person(1)).await.unwrap();
    world.idle().await;
    let joined = read(&world, &second).await;
    assert_eq!((joined.actions[0].state, joined.actions[0].changed), (ActionState::Settling, false));
    world.settled().await;
    assert_eq!(read(&world, &second).await.actions[0].state, ActionState::Verified);
}

#[tokio::test]
async fn a_halt_lets_what_settles_end_and_nothing_begin() {
    let world = World::new("sim/test");
    let plan = begun(&world).await;
    world.engine.halt(("usr_ann", "ann"), "an exercise").await.unwrap();
    later(&world, ALMOST + SECOND).await;
    let expected = (PlanState::Executing, vec![ActionState::Verified, ActionState::Planned]);
    assert_eq!(states(&read(&world, &plan).await), expected);
    world.engine.resume(&person(1), "it is over").await.unwrap();
    world.idle().await;
    assert_eq!(states(&read(&world, &plan).await), verified());
}
