//! Undo of many, rescue with the server dead, veto windows, break-glass, and automation on its own.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use shieldops_connectors::linux::{Linux, LinuxOptions};
use shieldops_model::{ActionState, Clock as _, Id, PlanState, ProposedPlan};
use shieldops_policy::{AddressSource, StandingGrant};
use shieldops_respond::{
    By, Engine, EngineOptions, Error, Journal as _, Offline, Prospect, Registry, RescueFolder, Rescued, Surroundings,
    UndoScope,
};
use shieldops_seal::DataKey;

use crate::support::{ATTACKER, World, person, unlimited};

pub(crate) fn proposal(address: &str, confidence: f64) -> ProposedPlan {
    let request = crate::support::request_on("sim/test", json!({"address": address}));
    ProposedPlan { title: request.title, why: request.why, confidence, actions: request.actions }
}

/// Automation may act, and a grant covers it.
pub(crate) fn acting(level: u8, world: &World) -> Surroundings {
    let mut around = unlimited();
    around.autonomy.tenant = Some(level);
    around.address_source = AddressSource::Authenticated;
    around.grants = vec![StandingGrant {
        id: "grant".to_owned(),
        capability: "linux.block_ip".to_owned(),
        environment: shieldops_model::Environment::Production,
        targets: vec![Id::from_bits(77)],
        labels: std::collections::BTreeMap::new(),
        granted_by: Id::from_bits(1),
        expires_at: world.clock.now().plus(Duration::from_hours(1)),
    }];
    around
}

pub(crate) async fn automated(world: &World, address: &str) -> shieldops_model::Plan {
    let made = world.engine.propose_revision(Id::from_bits(5), &[proposal(address, 0.95)], false).await.unwrap();
    let plan = made.into_iter().next().unwrap().unwrap();
    world.idle().await;
    world.journal.plan(plan.id).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn at_level_4_under_a_grant_automation_acts_at_once_and_its_effect_ends_by_itself() {
    let world = World::new("sim/test");
    world.journal.put_surroundings(acting(4, &world));
    let plan = automated(&world, ATTACKER).await;
    assert_eq!(plan.state, PlanState::Executed, "{:?}", plan.decision);
    assert_eq!(plan.actions[0].state, ActionState::Verified);
    assert!(plan.actions[0].expires_at.is_some(), "only a person makes it stay");
    assert!(!world.reaches(ATTACKER).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_grant_or_with_an_address_from_an_unchecked_sender_automation_waits_for_a_person() {
    let world = World::new("sim/test");
    for spoil in [
        (|around| around.grants.clear()) as fn(&mut Surroundings),
        |around| around.address_source = AddressSource::Untrusted,
        |around| around.autonomy.tenant = None,
    ] {
        let mut around = acting(4, &world);
        spoil(&mut around);
        world.journal.put_surroundings(around);
        let plan = automated(&world, ATTACKER).await;
        assert_eq!(plan.state, PlanState::Proposed, "{:?}", plan.decision);
        assert!(plan.decision.approvals_needed >= 1);
        assert!(world.reaches(ATTACKER).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_veto_window_is_waited_out_and_a_no_in_it_ends_the_plan() {
    let world = World::new("sim/test");
    world.journal.put_surroundings(acting(3, &world));
    let plan = automated(&world, ATTACKER).await;
    assert_eq!(plan.state, PlanState::Approved);
    let until = plan.not_before.expect("it waits");
    assert!(world.reaches(ATTACKER).await, "nothing runs while it waits");
    world.engine.expire_due().await.unwrap();
    world.idle().await;
    assert!(world.reaches(ATTACKER).await);
    let other = automated(&world, "203.0.113.67").await;
    world.engine.reject(other.id, "no", &person(1)).await.unwrap();
    world.clock.set(until.plus(Duration::from_secs(1)));
    world.engine.expire_due().await.unwrap();
    world.idle().await;
    assert!(!world.reaches(ATTACKER).await, "nobody said no");
    assert!(world.reaches("203.0.113.67").await, "somebody said no");
    let ended = world.action(&other.actions[0]).await;
    assert_eq!(
        (ended.state, ended.detail.as_deref()),
        (ActionState::Skipped, Some("somebody stopped the plan while it waited: no"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn undo_of_automation_in_a_time_takes_back_its_actions_newest_first_and_no_persons() {
    let world = World::new("sim/test");
    world.journal.put_surroundings(acting(4, &world));
    let from = world.clock.now();
    let ours = world.block("203.0.113.20").await;
    let mut plans = Vec::new();
    for last in [70, 71, 72] {
        world.clock.advance(Duration::from_secs(10));
        plans.push(automated(&world, &format!("203.0.113.{last}")).await);
    }
    let drifted = &plans[1].actions[0];
    let scope = UndoScope::Time { by: By::Automation, from, to: world.clock.now().plus(Duration::from_secs(1)) };
    let preview = world.engine.preview_undo(&scope, &person(1)).await.unwrap();
    let order: Vec<_> = preview.items.iter().map(|item| item.action_id).collect();
    let newest_first: Vec<_> = plans.iter().rev().map(|plan| plan.actions[0].id).collect();
    assert_eq!((preview.undoable, &order), (3, &newest_first));
    assert!(!world.reaches("203.0.113.70").await, "a preview touches nothing");
    let report = world.engine.undo_many(scope.clone(), &person(1), "an exercise").await.unwrap();
    assert_eq!(report.undone, 3, "{report:?}");
    assert!(world.reaches("203.0.113.70").await && world.reaches("203.0.113.72").await);
    assert_eq!(world.action(&ours).await.state, ActionState::Verified);
    let again = world.engine.preview_undo(&scope, &person(1)).await.unwrap();
    assert_eq!(again.undoable, 0);
    let plan = world.engine.preview_undo(&UndoScope::Plan(drifted.plan_id), &person(1)).await.unwrap();
    assert_eq!(plan.items[0].prospect, Prospect::Nothing);
    let empty = UndoScope::Time { by: By::Automation, from, to: from };
    assert!(matches!(world.engine.preview_undo(&empty, &person(1)).await, Err(Error::Invalid(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_took_back_automation_does_not_do_again() {
    let world = World::new("sim/test");
    world.journal.put_surroundings(acting(4, &world));
    let plan = automated(&world, ATTACKER).await;
    world.undo(&plan.actions[0]).await.unwrap();
    let made = world.engine.propose_revision(Id::from_bits(6), &[proposal(ATTACKER, 0.95)], false).await.unwrap();
    let again = made.into_iter().next().unwrap().unwrap();
    assert_eq!((again.state, again.decision.denies[0].code.as_str()), (PlanState::Denied, "undone_by_person"));
    assert!(world.reaches(ATTACKER).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn break_glass_replaces_approvals_and_nothing_else() {
    let world = World::new("sim/test");
    let plan = world.propose(json!({"address": ATTACKER})).await;
    let weak = shieldops_respond::Person { confirmed: None, ..person(1) };
    assert!(matches!(
        world.engine.break_glass(plan.id, &plan.hash, &weak, "it burns").await,
        Err(Error::StrongSession)
    ));
    assert!(matches!(
        world.engine.break_glass(plan.id, "another", &person(1), "it burns").await,
        Err(Error::HashMismatch { .. })
    ));
    world.engine.break_glass(plan.id, &plan.hash, &person(1), "it burns").await.unwrap();
    world.idle().await;
    assert!(!world.reaches(ATTACKER).await);
    assert!(world.journal.entries().iter().any(|entry| entry.kind == "plan.break_glass"));
    let own = world.propose(json!({"address": "127.0.0.1"})).await;
    let denied = world.engine.break_glass(own.id, &own.hash, &person(1), "it burns").await;
    assert!(matches!(denied, Err(Error::Denied(_))), "{denied:?}");
}

/// Everything is taken back from the sealed records alone, and the next start writes it down.
#[tokio::test(flavor = "multi_thread")]
async fn a_rescue_needs_the_records_and_the_keys_only_and_leaves_what_others_changed() {
    let world = World::new("sim/test");
    let key = DataKey::generate(&mut rand::rng());
    let engine = rescuing(&world, &key);
    for address in [ATTACKER, "203.0.113.67"] {
        let plan = engine.propose(world.request(json!({"address": address}))).await.unwrap();
        engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
        world.idle().await;
    }
    let linux = Linux::new(LinuxOptions {
        data_dir: world.folder.path().to_owned(),
        installation: "test".to_owned(),
        clock: Arc::new(world.clock.clone()),
    })
    .unwrap();
    let registry = Registry::new(shieldops_connectors::capabilities(linux)).unwrap();
    let wrong = DataKey::generate(&mut rand::rng());
    let none = Offline::read(world.folder.path(), |_| Ok(wrong.clone())).unwrap();
    assert_eq!(none.installation(), None, "another key opens nothing");
    let found = Offline::read(world.folder.path(), |_| Ok(key.clone())).unwrap();
    let lines = found.undo_all(&registry, "uid 0", || world.clock.now()).await.unwrap();
    assert_eq!(lines.iter().map(|line| line.outcome).collect::<Vec<_>>(), [Rescued::Undone; 2], "{lines:?}");
    assert!(world.reaches(ATTACKER).await && world.reaches("203.0.113.67").await);
    let next = rescuing(&world, &key);
    next.recover().await.unwrap();
    next.recover().await.unwrap();
    let rescued = world.journal.entries().iter().filter(|entry| entry.kind == "action.rescued").count();
    assert_eq!(rescued, 2, "written down once each");
    let left = Offline::read(world.folder.path(), |_| Ok(key.clone())).unwrap();
    assert!(left.is_empty(), "no record is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_does_not_say_whose_it_is_is_written_down_by_who_knows_its_action() {
    let world = World::new("sim/test");
    let key = DataKey::generate(&mut rand::rng());
    let engine = rescuing(&world, &key);
    let mut plans = Vec::new();
    for address in [ATTACKER, "203.0.113.67"] {
        let plan = engine.propose(world.request(json!({"address": address}))).await.unwrap();
        engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
        world.idle().await;
        plans.push(plan);
    }
    let (broken, stray) = (plans[0].actions[0].id, shieldops_model::ActionId::from_bits(9));
    let folder = world.folder.path().join("rescue");
    for name in [broken, stray] {
        std::fs::write(folder.join(name.to_string()), "no record").unwrap();
    }
    let registry = Registry::new(shieldops_connectors::capabilities(Arc::clone(&world.linux))).unwrap();
    let found = Offline::read(world.folder.path(), |_| Ok(key.clone())).unwrap();
    let lines = found.undo_all(&registry, "uid 0", || world.clock.now()).await.unwrap();
    let nameless = lines.iter().filter(|line| line.tenant.is_none()).count();
    assert_eq!((lines.len(), nameless), (3, 2), "{lines:?}");
    rescuing(&world, &key).recover().await.unwrap();
    let rescued = world.journal.entries().into_iter().filter(|entry| entry.kind == "action.rescued");
    let subjects: Vec<String> = rescued.map(|entry| entry.subjects[0].clone()).collect();
    assert_eq!(subjects.len(), 2, "{subjects:?}");
    assert!(subjects.contains(&broken.to_string()), "{subjects:?}");
    let left = std::fs::read_to_string(folder.join("journal")).unwrap();
    assert!(left.lines().count() == 1 && left.contains(&stray.to_string()), "what nobody knows of stays: {left}");
}

/// As by a rescue that was lost while the file was back and its note was not gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_rescue_ends_what_the_first_left_in_the_middle() {
    let Some(mut world) = World::rooted().await else { return };
    let key = DataKey::generate(&mut rand::rng());
    world.engine = rescuing(&world, &key);
    world.sh("mkdir -p /home/a; echo bad > /home/a/x");
    let action = world.act("linux.quarantine_file", json!({"path": "/home/a/x"})).await;
    world.sh(&format!("mv /home/.shieldops-vault/{} /home/a/x", action.id));
    let registry = Registry::new(shieldops_connectors::capabilities(Arc::clone(&world.linux))).unwrap();
    let found = Offline::read(world.folder.path(), |_| Ok(key.clone())).unwrap();
    let lines = found.undo_all(&registry, "uid 0", || world.clock.now()).await.unwrap();
    assert_eq!(lines.iter().map(|line| line.outcome).collect::<Vec<_>>(), [Rescued::Undone], "{lines:?}");
    assert_eq!(world.sh("cat /home/a/x; ls -A /home"), "bad\na");
}

/// Nothing of it was tried: it is in force as before, and the next start watches it on.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_rescue_could_not_read_stays_in_force_and_is_written_down() {
    let world = World::new("sim/test");
    let key = DataKey::generate(&mut rand::rng());
    let engine = rescuing(&world, &key);
    let plan = engine.propose(world.request(json!({"address": ATTACKER}))).await.unwrap();
    engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
    world.idle().await;
    let host = world.folder.path().join("sim/test.json");
    let as_it_was = std::fs::read(&host).unwrap();
    std::fs::write(&host, "no host").unwrap();
    let registry = Registry::new(shieldops_connectors::capabilities(Arc::clone(&world.linux))).unwrap();
    let found = Offline::read(world.folder.path(), |_| Ok(key.clone())).unwrap();
    let lines = found.undo_all(&registry, "uid 0", || world.clock.now()).await.unwrap();
    assert_eq!(lines.iter().map(|line| line.outcome).collect::<Vec<_>>(), [Rescued::Unknown], "{lines:?}");
    std::fs::write(&host, as_it_was).unwrap();
    let next = rescuing(&world, &key);
    next.recover().await.unwrap();
    let id = plan.actions[0].id;
    let action = world.journal.action(id).await.unwrap().unwrap();
    assert_eq!((action.state, &action.detail), (ActionState::Verified, &None), "nothing was touched");
    let entries = world.journal.entries();
    let entry = entries.iter().find(|entry| entry.kind == "action.rescued").unwrap();
    assert_eq!((&entry.payload["outcome"], &entry.payload["by"]), (&json!("unknown"), &json!("uid 0")), "{entry:?}");
    assert!(entry.payload["detail"].is_string(), "and why: {entry:?}");
    let steps = world.journal.steps(id).await.unwrap();
    let step = steps.iter().find(|step| step.kind == "action.rescued").unwrap();
    assert_eq!(step.detail["rescue"]["outcome"], "unknown");
    assert!(next.reobserve().await.unwrap().is_empty(), "it is watched, and is there");
    assert_eq!(next.undo(id, &person(2), "by hand").await.unwrap().state, ActionState::Undone);
}

/// One wants a block for good and one for a day; who wanted it for good lets go: the effect is timed now, and nobody but
/// its owners changed it.
#[tokio::test(flavor = "multi_thread")]
async fn a_rescue_takes_back_an_effect_whose_owners_changed_how_long_it_lasts() {
    let world = World::new("sim/test");
    let key = DataKey::generate(&mut rand::rng());
    let engine = rescuing(&world, &key);
    let mut done = Vec::new();
    for params in [json!({"address": ATTACKER}), json!({"address": ATTACKER, "expires_in_s": 86_400})] {
        let plan = engine.propose(world.request(params)).await.unwrap();
        engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
        world.idle().await;
        done.push(world.action(&plan.actions[0]).await);
    }
    assert_eq!(engine.undo(done[0].id, &person(2), "no longer").await.unwrap().state, ActionState::Undone);
    assert!(!world.reaches(ATTACKER).await, "the other one wants it for a day");
    let registry = Registry::new(shieldops_connectors::capabilities(Arc::clone(&world.linux))).unwrap();
    let found = Offline::read(world.folder.path(), |_| Ok(key.clone())).unwrap();
    let lines = found.undo_all(&registry, "uid 0", || world.clock.now()).await.unwrap();
    assert_eq!(lines.iter().map(|line| line.outcome).collect::<Vec<_>>(), [Rescued::Undone], "{lines:?}");
    assert!(world.reaches(ATTACKER).await);
}

fn rescuing(world: &World, key: &DataKey) -> Arc<Engine> {
    let registry = Registry::new(shieldops_connectors::capabilities(Arc::clone(&world.linux))).unwrap();
    let rescue = RescueFolder::new(world.folder.path(), "test".to_owned(), key.clone()).unwrap();
    Engine::new(EngineOptions {
        tenant: Id::from_bits(1),
        journal: Arc::clone(&world.journal) as _,
        registry: Arc::new(registry),
        policy: Arc::new(shieldops_policy::Policy::built_in().unwrap()),
        clock: Arc::new(world.clock.clone()),
        tracker: world.tracker(),
        crash: shieldops_respond::CrashPoints::none(),
        findings: None,
        rescue: Some(rescue),
    })
}
