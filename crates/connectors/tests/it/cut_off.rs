//! Runs that are cut off while the process lives, that come back armed, or that many begin at once.

use std::time::Duration;

use serde_json::json;
use shieldops_model::{Action, ActionState, Plan, PlanState};
use shieldops_respond::{By, Change, CrashPoints, Entry, Journal as _, Prospect, UndoScope, Write};

use crate::support::{ATTACKER, World, person, request_on, unlimited};

const OTHER: &str = "198.51.100.10";
const ISOLATE: &str = "linux.isolate_host";
/// A run of which nothing is heard for so long was cut off.
const SILENT: Duration = Duration::from_mins(2);

fn states(plan: &Plan) -> (PlanState, Vec<ActionState>) {
    (plan.state, plan.actions.iter().map(|action| action.state).collect())
}

async fn read(world: &World, plan: &Plan) -> Plan {
    world.journal.plan(plan.id).await.unwrap().unwrap()
}

/// A plan that blocks two addresses, approved.
async fn two_blocks(world: &World) -> Plan {
    let mut request = world.request(json!({"address": ATTACKER, "expires_in_s": 3600}));
    let mut other = request.actions[0].clone();
    other.params = json!({"address": OTHER});
    request.actions.push(other);
    let plan = world.engine.propose(request).await.unwrap();
    world.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
    world.idle().await;
    read(world, &plan).await
}

#[tokio::test]
async fn a_run_that_the_database_cut_off_goes_on_by_itself() {
    for point in ["run.started", "action.intent", "action.verified", "run.ended"] {
        let world = World::new("sim/test");
        world.journal.fail_with(point);
        let plan = two_blocks(&world).await;
        assert_ne!(plan.state, PlanState::Executed, "{point}: it was not cut off");
        world.engine.expire_due().await.unwrap();
        world.idle().await;
        assert_eq!(states(&read(&world, &plan).await), states(&plan), "{point}: somebody may still be at it");
        world.clock.advance(SILENT);
        world.engine.expire_due().await.unwrap();
        world.idle().await;
        let expected = (PlanState::Executed, vec![ActionState::Verified; 2]);
        assert_eq!(states(&read(&world, &plan).await), expected, "{point}");
        assert!(!world.reaches(OTHER).await, "{point}");
    }
}

#[tokio::test]
async fn what_was_begun_is_looked_at_while_halted_and_the_rest_waits() {
    let world = World::new("sim/test");
    world.journal.fail_with("action.verified");
    let plan = two_blocks(&world).await;
    world.engine.halt(("usr_ann", "ann"), "an exercise").await.unwrap();
    world.clock.advance(SILENT);
    world.engine.expire_due().await.unwrap();
    world.idle().await;
    let expected = (PlanState::Executing, vec![ActionState::Verified, ActionState::Planned]);
    assert_eq!(states(&read(&world, &plan).await), expected);
    assert!(world.reaches(OTHER).await);
}

#[tokio::test]
async fn votes_that_are_void_carry_no_rest_of_a_run() {
    for (later, last) in
        [(Duration::from_mins(10), ActionState::Verified), (Duration::from_hours(20), ActionState::Aborted)]
    {
        let world = World::new("sim/test");
        world.journal.halt_with("action.verified");
        let plan = two_blocks(&world).await;
        world.clock.advance(later);
        world.engine.resume(&person(1), "it is over").await.unwrap();
        world.idle().await;
        let after = read(&world, &plan).await;
        assert_eq!(
            states(&after),
            (PlanState::Executed, vec![ActionState::Verified, last]),
            "{:?}",
            after.actions[1].detail
        );
        assert_eq!(world.reaches(OTHER).await, last == ActionState::Aborted);
    }
}

/// The process is lost while a host is isolated, and automation is halted before another begins.
#[tokio::test]
async fn an_isolation_that_was_begun_keeps_its_owner_when_a_halt_meets_its_recovery() {
    for (point, state) in [
        ("before_disarmed", ActionState::Unverified),
        ("after_disarmed", ActionState::Verified),
        ("before_outcome", ActionState::Verified),
    ] {
        let mut world = World::new("sim/test");
        world.restart(CrashPoints::give_up_at(point));
        let mut request = world.request(json!({"keep": ["192.0.2.0/24"], "port": 22, "expires_in_s": 3600}));
        ISOLATE.clone_into(&mut request.actions[0].capability);
        let plan = world.engine.propose(request).await.unwrap();
        assert_eq!(plan.state, PlanState::Proposed, "{:?}", plan.decision);
        for approver in 1..=u128::from(plan.decision.approvals_needed) {
            world.engine.approve(plan.id, &plan.hash, &person(approver)).await.unwrap();
        }
        world.idle().await;
        world.restart(CrashPoints::none());
        world.engine.halt(("usr_ann", "ann"), "an exercise").await.unwrap();
        world.engine.recover().await.unwrap();
        world.idle().await;
        let after = read(&world, &plan).await;
        let action = &after.actions[0];
        assert_eq!((action.state, action.owners.len()), (state, 1), "{point}: {:?}", action.detail);
        let told: Vec<_> = world.journal.entries().iter().map(|entry| entry.kind).collect();
        assert!(!told.contains(&"action.planned"), "{point}: nobody says that nothing was done: {told:?}");
        assert_eq!(after.state, PlanState::Executed, "{point}");
    }
}

async fn running(world: &World, action: &Action) {
    let row = Action { state: ActionState::Running, ..world.action(action).await };
    let entry =
        Entry { kind: "action.intent", subjects: Vec::new(), actor: "system:test".to_owned(), payload: json!({}) };
    let writes = vec![Write::UpdateAction(Box::new(row))];
    world.journal.commit(Change { at: action.updated_at, writes, entry: Some(entry) }).await.unwrap();
}

#[tokio::test]
async fn what_is_being_done_now_is_named_in_an_undo_of_many() {
    let world = World::new("sim/test");
    let action = world.block(ATTACKER).await;
    running(&world, &action).await;
    let (from, to) = (action.updated_at, action.updated_at.plus(Duration::from_mins(1)));
    for scope in [UndoScope::Plan(action.plan_id), UndoScope::Time { by: By::User(person(90).user), from, to }] {
        let preview = world.engine.preview_undo(&scope, &person(1)).await.unwrap();
        assert_eq!(preview.items.len(), 1, "{scope:?}");
        let item = &preview.items[0];
        assert_eq!((item.action_id, item.prospect), (action.id, Prospect::Unknown));
        assert!(item.why.as_ref().unwrap().contains("halt automation"), "{:?}", item.why);
    }
}

#[tokio::test]
async fn an_undo_of_a_time_reads_more_than_one_page() {
    let world = World::new("sim/test");
    let mut blocked = Vec::new();
    for last in 1..=8 {
        blocked.push(world.block(&format!("198.51.100.{last}")).await);
        world.clock.advance(Duration::from_secs(1));
    }
    let (from, to) = (blocked[0].updated_at, blocked[7].updated_at);
    let scope = UndoScope::Time { by: By::User(person(90).user), from, to };
    let preview = world.engine.preview_undo(&scope, &person(1)).await.unwrap();
    let found: Vec<_> = preview.items.iter().map(|item| item.action_id).collect();
    let newest_first: Vec<_> = blocked[..7].iter().rev().map(|action| action.id).collect();
    assert_eq!(found, newest_first, "the last one is not before the end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn plans_that_begin_together_stay_within_the_cap_together() {
    let world = World::new("sim/test");
    let mut around = unlimited();
    around.settings.numbers.limits.of_mut(shieldops_model::Environment::Production).per_minute = 3;
    world.journal.put_surroundings(around);
    let others: Vec<_> = (0..12).map(|number| world.another(number)).collect();
    world.engine.halt(("usr_ann", "ann"), "an exercise").await.unwrap();
    let mut plans = Vec::new();
    for name in &others {
        let plan = world.engine.propose(request_on(name, json!({"address": ATTACKER}))).await.unwrap();
        world.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
        plans.push(plan);
    }
    world.engine.resume(&person(1), "it is over").await.unwrap();
    world.idle().await;
    let mut ran = 0;
    for plan in &plans {
        ran += usize::from(read(&world, plan).await.state == PlanState::Executed);
    }
    assert_eq!(ran, 3, "of twelve that came together");
}
