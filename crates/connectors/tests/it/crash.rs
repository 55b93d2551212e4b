//! A process that is lost at any journal write: nothing is repeated, nothing forgotten, nothing misreported.

use serde_json::json;
use shieldops_model::{ActionState, PlanState};
use shieldops_policy::{ProtectedEntry, ProtectedKind};
use shieldops_respond::{CrashPoints, Journal as _};

use crate::support::{ATTACKER, World, person, target, unlimited};

/// Points that a block never comes to: nothing of it settles, is armed, joined, halted, read to be kept, taken back or given up.
const ELSEWHERE: [&str; 12] = [
    "_settling",
    "_disarmed",
    "_joined",
    "_planned_again",
    "_paused",
    "_resumed",
    "_collected",
    "_unverified",
    "_taking_back",
    "_taken_back",
    "_given_up",
    "_undo_planned",
];

/// Blocks with a crash at `point`, begins again, and says how often nft was given a batch for it.
async fn block_with_crash_at(world: &mut World, point: &str) {
    world.restart(CrashPoints::give_up_at(point));
    let plan = world.propose(json!({"address": ATTACKER})).await;
    world.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
    world.idle().await;
    let lost = world.journal.plan(plan.id).await.unwrap().unwrap();
    let reached = !(ELSEWHERE.iter().any(|end| point.ends_with(end))
        || (world.target.starts_with("sim/") && point.contains("child")));
    assert_eq!(lost.state != PlanState::Executed || point == "after_run_ended", reached, "{point}");
    world.restart(CrashPoints::none());
    world.engine.recover().await.unwrap();
    let plan = world.engine.wait(plan.id, std::time::Duration::from_mins(2)).await.unwrap();
    let action = &plan.actions[0];
    assert_eq!(action.state, ActionState::Verified, "{point}: {:?}", action.detail);
    assert!(!world.reaches(ATTACKER).await, "{point}: not in force");
    assert_eq!(action.owners.len(), 1, "{point}");
    let tried: Vec<_> = action.proofs.iter().map(|proof| (proof.moment.as_str(), proof.result.as_str())).collect();
    assert_eq!(tried, [("before", "reachable"), ("after", "refused")], "{point}: recovery proves as any run does");
    let undone = world.undo(action).await.unwrap();
    assert_eq!(undone.state, ActionState::Undone, "{point}: {:?}", undone.detail);
    assert!(world.reaches(ATTACKER).await, "{point}");
}

async fn undo_with_crash_at(world: &mut World, point: &str) {
    let action = world.block(ATTACKER).await;
    world.restart(CrashPoints::give_up_at(point));
    let lost = world.engine.undo(action.id, &person(2), "a false alarm").await;
    world.restart(CrashPoints::none());
    world.engine.recover().await.unwrap();
    let plans = world.journal.plans_of_undo(action.plan_id);
    for plan in plans {
        world.engine.wait(plan, std::time::Duration::from_mins(2)).await.unwrap();
    }
    if point == "before_undo_planned" {
        // Nothing was written of it: it is as if nobody had asked.
        assert_eq!(world.action(&action).await.state, ActionState::Verified, "{lost:?}");
        assert!(!world.reaches(ATTACKER).await, "{point}");
        world.undo(&action).await.unwrap();
    }
    let undone = world.action(&action).await;
    assert_eq!(undone.state, ActionState::Undone, "{point}: {lost:?} {:?}", undone.detail);
    assert!(undone.owners.is_empty(), "{point}");
    assert!(world.reaches(ATTACKER).await, "{point}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_is_finished_after_a_crash_at_every_point() {
    let Some(mut world) = World::live().await else { return };
    for point in CrashPoints::NAMES {
        Box::pin(block_with_crash_at(&mut world, point)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_is_finished_after_a_crash_at_every_point() {
    let Some(mut world) = World::live().await else { return };
    for point in CrashPoints::NAMES {
        Box::pin(undo_with_crash_at(&mut world, point)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulated_block_too() {
    let mut world = World::new("sim/test");
    for point in CrashPoints::NAMES {
        Box::pin(block_with_crash_at(&mut world, point)).await;
        Box::pin(undo_with_crash_at(&mut world, point)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_halted_recovery_only_observes_and_a_person_lets_it_go_on() {
    for (point, state, plan_state) in [
        ("after_intent", ActionState::Planned, PlanState::Executing),
        ("after_apply", ActionState::Verified, PlanState::Executed),
    ] {
        let mut world = World::new("sim/test");
        world.restart(CrashPoints::give_up_at(point));
        let plan = world.propose(json!({"address": ATTACKER})).await;
        world.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
        world.idle().await;
        world.restart(CrashPoints::none());
        world.engine.halt(("usr_ann", "ann"), "stop").await.unwrap();
        world.engine.recover().await.unwrap();
        world.engine.recover().await.unwrap();
        let plan = world.journal.plan(plan.id).await.unwrap().unwrap();
        assert_eq!((plan.actions[0].state, plan.state), (state, plan_state), "{point}: {:?}", plan.actions[0].detail);
        let paused = world.journal.entries().iter().filter(|entry| entry.kind == "run.paused").count();
        assert_eq!(paused, usize::from(plan_state == PlanState::Executing), "{point}");
        world.engine.resume(&person(1), "it is over").await.unwrap();
        let plan = world.engine.wait(plan.id, std::time::Duration::from_mins(2)).await.unwrap();
        assert_eq!(plan.actions[0].state, ActionState::Verified, "{point}: {:?}", plan.actions[0].detail);
        assert!(!world.reaches(ATTACKER).await, "{point}");
    }
}

/// As by a process that is lost while the file is back and its note is not gone, or the vault is empty and not gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_move_back_that_was_cut_off_is_ended_by_the_next_process() {
    for left in ["true", "rm /home/.shieldops-vault/*.json"] {
        let Some(mut world) = World::rooted().await else { return };
        world.sh("mkdir -p /home/a; echo bad > /home/a/x");
        let action = world.act("linux.quarantine_file", json!({"path": "/home/a/x"})).await;
        world.restart(CrashPoints::give_up_at("after_intent"));
        world.engine.undo(action.id, &person(2), "a false alarm").await.unwrap_err();
        world.sh(&format!("mv /home/.shieldops-vault/{} /home/a/x; {left}", action.id));
        world.restart(CrashPoints::none());
        world.engine.recover().await.unwrap();
        world.idle().await;
        let undone = world.action(&action).await;
        assert_eq!(undone.state, ActionState::Undone, "{left}: {:?}", undone.detail);
        assert_eq!(world.sh("cat /home/a/x; ls -A /home"), "bad\na", "{left}: residue");
    }
}

/// As by a process that is lost between two files.
#[tokio::test(flavor = "multi_thread")]
async fn an_undo_that_was_cut_off_between_two_files_puts_back_the_other_too() {
    let Some(mut world) = World::rooted().await else { return };
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPkZQhZ4b1N6nDCgOM0tBhdC3cjpPDv4q0FYBq9xJ7n";
    world.sh(&format!(
        "useradd -m mallory; cd /home/mallory; mkdir .ssh; echo '{key}' | tee .ssh/authorized_keys > .ssh/authorized_keys2; chown -R mallory: .ssh; cp -a .ssh /before"
    ));
    let action = world.act("linux.remove_authorized_key", json!({"user": "mallory", "key": key})).await;
    assert_eq!(action.state, ActionState::Verified, "{:?}", action.detail);
    world.restart(CrashPoints::give_up_at("after_intent"));
    world.engine.undo(action.id, &person(2), "a false alarm").await.unwrap_err();
    world.sh("cp -a /before/authorized_keys2 /home/mallory/.ssh/");
    world.restart(CrashPoints::none());
    world.engine.recover().await.unwrap();
    world.idle().await;
    let undone = world.action(&action).await;
    assert_eq!(undone.state, ActionState::Undone, "{:?}", undone.detail);
    world.sh("diff -r /before /home/mallory/.ssh");
}

/// Somebody puts the line back while one of two owners lets go: that undo changes nothing, so it was not cut off in the middle.
#[tokio::test(flavor = "multi_thread")]
async fn an_undo_that_changes_nothing_changes_nothing_that_somebody_did_meanwhile() {
    let Some(mut world) = World::rooted().await else { return };
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPkZQhZ4b1N6nDCgOM0tBhdC3cjpPDv4q0FYBq9xJ7n";
    let file = "/home/mallory/.ssh/authorized_keys";
    world.sh(&format!(
        "useradd -m mallory; mkdir /home/mallory/.ssh; echo '{key}' > {file}; chown -R mallory: /home/mallory/.ssh"
    ));
    let params = json!({"user": "mallory", "key": key});
    let action = world.act("linux.remove_authorized_key", params.clone()).await;
    world.clock.advance(std::time::Duration::from_secs(3_700));
    let other = world.act("linux.remove_authorized_key", params).await;
    assert_eq!((action.state, other.state), (ActionState::Verified, ActionState::Verified), "{:?}", other.detail);
    world.restart(CrashPoints::give_up_at("after_undo_planned"));
    world.engine.undo(action.id, &person(2), "a false alarm").await.unwrap_err();
    world.sh(&format!("echo '{key}' > {file}"));
    world.restart(CrashPoints::none());
    world.engine.recover().await.unwrap();
    world.idle().await;
    assert_eq!(world.sh(&format!("cat {file}")), key);
    let after = world.action(&action).await;
    assert!(after.detail.as_ref().unwrap().contains("the state changed since the plan"), "{after:?}");
}

/// Points before anything is done to a target.
const BEFORE: [&str; 4] = ["before_run_started", "after_run_started", "before_intent", "after_intent"];

/// The process is lost wherever, the target or the address is protected meanwhile, and another process goes on.
#[tokio::test(flavor = "multi_thread")]
async fn what_became_protected_while_no_process_ran_is_not_touched() {
    for point in BEFORE {
        for by_entry in [false, true] {
            let mut world = World::new("sim/test");
            let plan = world.propose(json!({"address": ATTACKER})).await;
            world.restart(CrashPoints::give_up_at(point));
            world.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
            world.idle().await;
            if by_entry {
                let mut around = unlimited();
                let (kind, value, why) = (ProtectedKind::Address, ATTACKER.to_owned(), "a customer".to_owned());
                around.settings.protected.push(ProtectedEntry { kind, value, why });
                world.journal.put_surroundings(around);
            } else {
                world.journal.put_target(shieldops_model::Target { protected: true, ..target("sim/test") });
            }
            world.restart(CrashPoints::none());
            world.engine.recover().await.unwrap();
            world.idle().await;
            assert!(world.reaches(ATTACKER).await, "{point}, by entry {by_entry}: it was touched");
            let after = world.journal.plan(plan.id).await.unwrap().unwrap();
            let action = &after.actions[0];
            assert!(matches!(action.state, ActionState::Skipped | ActionState::Aborted), "{point}: {:?}", action.state);
            assert!(matches!(after.state, PlanState::Denied | PlanState::Executed), "{point}: {:?}", after.state);
            assert!(action.owners.is_empty(), "{point}: nobody wants it");
        }
    }
}
