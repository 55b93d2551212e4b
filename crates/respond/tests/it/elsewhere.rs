//! A process takes over while the host is another node's: what was begun there is not ended here, and what an undo of many
//! leaves is told.

use shieldops_model::{ActionState, PlanState};
use shieldops_respond::{CrashPoints, Entry};

use crate::{
    away::{World, one_well_and_three_away, person_9s},
    switch::person,
};

fn of(world: &World, kind: &str) -> Vec<Entry> {
    world.journal.entries().into_iter().filter(|entry| entry.kind == kind).collect()
}

/// This process is lost; the next one is on this node, or on another.
async fn taken_over(world: &mut World, elsewhere: bool) {
    world.is_elsewhere(elsewhere);
    world.restart(CrashPoints::none());
    world.engine.recover().await.unwrap();
    world.engine.expire_due().await.unwrap();
    world.idle().await;
}

#[tokio::test]
async fn an_undo_of_many_that_another_node_began_waits_for_that_node_and_ends_there() {
    let mut world = World::new();
    let mut lit = Vec::new();
    for lamp in 0..3 {
        lit.push(world.lit("sim/away", lamp).await);
    }
    world.restart(CrashPoints::give_up_at("after_apply"));
    world.engine.undo_many(person_9s(), &person(9), "an exercise").await.unwrap_err();
    taken_over(&mut world, true).await;
    for action in &lit {
        let state = world.state(action).await;
        assert!(matches!(state, ActionState::Verified | ActionState::Undoing), "nothing failed: {state:?}");
    }
    let waits = of(&world, "undo.waits");
    assert_eq!((waits.len(), of(&world, "undo.ended").len()), (1, 0));
    let left = waits[0].payload["left"].as_array().unwrap();
    assert!(left.len() >= 2 && left[0]["why"].as_str().unwrap().contains("another node"), "{left:?}");
    taken_over(&mut world, false).await;
    for action in &lit {
        assert_eq!(world.state(action).await, ActionState::Undone);
    }
    let ended = of(&world, "undo.ended");
    assert_eq!((ended.len(), ended[0].payload["left"].as_array().map(Vec::len)), (1, Some(0)), "{ended:?}");
}

#[tokio::test]
async fn a_plan_for_another_nodes_host_is_neither_begun_nor_ended_here() {
    let mut world = World::new();
    world.restart(CrashPoints::give_up_at("before_run_started"));
    let plan = world.planned("sim/away", 0..1).await;
    world.go(&plan).await;
    world.idle().await;
    assert_eq!(world.plan(&plan).await.state, PlanState::Approved);
    taken_over(&mut world, true).await;
    assert_eq!(world.plan(&plan).await.state, PlanState::Approved);
    taken_over(&mut world, false).await;
    assert_eq!((world.plan(&plan).await.state, world.lit_lamps()), (PlanState::Executed, 1));
}

#[tokio::test(start_paused = true)]
async fn what_an_undo_of_many_could_not_undo_is_named_in_its_end() {
    let (world, well, there) = one_well_and_three_away(false).await;
    let report = world.engine.undo_many(person_9s(), &person(9), "an exercise").await.unwrap();
    assert_eq!((report.undone, report.undoable, report.not_read, report.goes_on), (1, 1, 3, false));
    let ended = of(&world, "undo.ended").remove(0).payload;
    let named = |left: &serde_json::Value| left["action"].as_str().map(str::to_owned);
    let left: Vec<_> = ended["left"].as_array().unwrap().iter().filter_map(named).collect();
    assert_eq!(left, there.iter().rev().map(|action| action.id.to_string()).collect::<Vec<_>>());
    assert!(!left.contains(&well.id.to_string()) && ended["left"][0]["target"] == "sim/away", "{ended}");
}
