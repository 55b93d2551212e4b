//! A tenant's own policies: versions, what is in force, what was asked, and what was asked again.

use std::time::Duration;

use serde_json::json;
use shieldops_model::{Clock as _, Decision, PlanId, id};
use shieldops_store::{
    Job, PageRequest, StoreError, TenantScope,
    gate::{
        inputs::{self, Asked, Kept, Place},
        policies::{self, Content, New},
        replays::{self, Replay},
    },
    jobs::JobState,
    ledger,
};

use crate::{
    support::{World, world},
    tenancy::tenant,
};

/// Somebody else than `world.scope()`.
fn second(world: &World) -> TenantScope {
    world.store.job(world.tenant, Job::Demo).unwrap()
}

fn new(text: &str) -> New {
    New {
        hash: format!("hash of {text}"),
        policy_hash: format!("all with {text}"),
        tests_passed: 1,
        tests_failed: 0,
        reason: "a try".to_owned(),
        content: Content { files: vec![("nights.rego".to_owned(), text.to_owned())], tests: json!({"tests": []}) },
    }
}

async fn written(scope: &TenantScope, text: &str) -> Result<i64, StoreError> {
    let now = scope.store().clock().now();
    let mut tx = scope.begin().await?;
    let version = policies::write(&mut tx, new(text), now).await?;
    tx.commit(now).await?;
    Ok(version.number)
}

async fn activated(scope: &TenantScope, number: i64) -> Result<(), StoreError> {
    let now = scope.store().clock().now();
    let mut tx = scope.begin().await?;
    policies::activate(&mut tx, number, "agreed", now).await?;
    tx.commit(now).await
}

async fn in_force(scope: &TenantScope) -> Option<(i64, String)> {
    let found = policies::in_force(&mut scope.read().await.unwrap()).await.unwrap();
    found.map(|found| (found.number, found.hash))
}

#[tokio::test]
async fn a_version_decides_once_another_person_says_so_and_an_older_one_can_come_back() {
    let Some(world) = world().await else { return };
    let (author, other) = (world.scope(), second(&world));
    assert_eq!((written(&author, "one").await.unwrap(), written(&author, "two").await.unwrap()), (1, 2));
    assert_eq!(in_force(&author).await, None, "a version that is written decides nothing");
    assert!(matches!(activated(&author, 1).await, Err(StoreError::Refused { .. })));
    assert!(matches!(activated(&other, 9).await, Err(StoreError::NotFound)));
    activated(&other, 1).await.unwrap();
    assert!(matches!(activated(&other, 1).await, Err(StoreError::Conflict)), "it is in force");
    activated(&other, 2).await.unwrap();
    assert_eq!(in_force(&author).await, Some((2, "hash of two".to_owned())));
    activated(&other, 1).await.unwrap();
    assert_eq!(in_force(&author).await, Some((1, "hash of one".to_owned())));
    let mut reader = author.read().await.unwrap();
    let last = policies::last(&mut reader).await.unwrap().unwrap();
    assert_eq!((last.sequence, last.number, last.activated.by.as_str()), (3, 1, "system:demo"));
    let page = policies::versions(&mut reader, &PageRequest { limit: Some(1), cursor: None }).await.unwrap();
    let newest = &page.items[0];
    assert_eq!((newest.number, newest.files, newest.tests_passed, newest.by.as_str()), (2, 1, 1, "system:cli"));
    assert!(newest.activated.is_some() && page.next_cursor.is_some());
    assert_eq!(policies::content(&mut reader, 1).await.unwrap().unwrap(), new("one").content);
}

#[tokio::test]
async fn only_two_people_take_policies_out_of_force_and_each_step_is_in_the_ledger() {
    let Some(world) = world().await else { return };
    let (author, other) = (world.scope(), second(&world));
    let off = async |scope: &TenantScope, asked_by: &str| {
        let now = scope.store().clock().now();
        let mut tx = scope.begin().await?;
        policies::deactivate(&mut tx, asked_by, "over", now).await?;
        tx.commit(now).await
    };
    assert!(matches!(off(&author, "system:demo").await, Err(StoreError::Conflict)), "there are none");
    written(&author, "one").await.unwrap();
    activated(&other, 1).await.unwrap();
    assert!(matches!(off(&author, "system:cli").await, Err(StoreError::Refused { .. })));
    off(&author, "system:demo").await.unwrap();
    assert_eq!(in_force(&author).await, None);
    let entries = ledger::of_subject(&mut author.read().await.unwrap(), &world.tenant.to_string()).await.unwrap();
    let kinds: Vec<&str> =
        entries.iter().map(|entry| entry.kind.as_str()).filter(|kind| kind.starts_with("policy.")).collect();
    assert_eq!(kinds, ["policy.version_written", "policy.activated", "policy.deactivated"]);
}

#[tokio::test]
async fn policies_are_of_one_tenant_and_what_was_in_force_is_never_forgotten() {
    let Some(world) = world().await else { return };
    let beside = tenant(&world, "beside", None).await;
    written(&world.scope(), "one").await.unwrap();
    activated(&second(&world), 1).await.unwrap();
    assert_eq!(in_force(&beside).await, None);
    assert!(policies::find(&mut beside.read().await.unwrap(), 1).await.unwrap().is_none());
    assert_eq!(written(&beside, "theirs").await.unwrap(), 1, "its versions have numbers of their own");
    for _ in 0..202 {
        written(&world.scope(), "more").await.unwrap();
    }
    let mut reader = world.scope().read().await.unwrap();
    let there = async |reader: &mut _, number| policies::find(reader, number).await.unwrap().is_some();
    assert!(there(&mut reader, 1).await && !there(&mut reader, 2).await && there(&mut reader, 203).await);
}

#[tokio::test]
async fn policies_in_force_that_are_lost_are_an_error_and_never_none() {
    let Some(world) = world().await else { return };
    written(&world.scope(), "one").await.unwrap();
    activated(&second(&world), 1).await.unwrap();
    world.sql("DELETE FROM policy_versions").await;
    let lost = policies::in_force(&mut world.scope().read().await.unwrap()).await;
    assert!(matches!(lost, Err(StoreError::Damaged { .. })), "{lost:?}");
}

#[tokio::test]
async fn policies_that_are_too_large_are_refused_with_their_size() {
    let Some(world) = world().await else { return };
    let large = written(&world.scope(), &"x".repeat(policies::BYTES)).await.unwrap_err().to_string();
    assert!(large.contains("at most 2097152 fit"), "{large}");
    assert_eq!(written(&world.scope(), "small").await.unwrap(), 1, "nothing of it was kept");
}

fn mint<K: id::Kind>(world: &World) -> shieldops_model::Id<K> {
    id::mint(world.clock.now(), &mut rand::rng())
}

fn decided() -> Decision {
    serde_json::from_value(json!({
        "allow": true, "denies": [], "approvals_needed": 1, "risk": "low", "risk_terms": [],
        "obligations": {"notify": [], "veto_window_s": null, "strong_session": false, "because": []},
        "controls": [], "input_hash": "a", "policy_hash": "b",
    }))
    .unwrap()
}

async fn asked(world: &World, plan: PlanId, text: &str) {
    let now = world.clock.now();
    let mut tx = world.scope().begin().await.unwrap();
    let asked = Asked { plan, at: now, input: json!({"text": text}), decided: decided() };
    inputs::keep(&mut tx, &asked).await.unwrap();
    tx.commit(now).await.unwrap();
}

async fn all(world: &World, piece: u32) -> Vec<Kept> {
    let now = world.clock.now();
    let window = (now.minus(Duration::from_hours(24 * 90)), now.plus(Duration::from_secs(1)));
    let (mut found, mut behind): (Vec<Kept>, Option<Place>) = (Vec::new(), None);
    loop {
        let mut reader = world.scope().read().await.unwrap();
        let more = inputs::between(&mut reader, window, behind, piece).await.unwrap();
        let Some(last) = more.last() else { break };
        behind = Some(last.place);
        found.extend(more);
    }
    let count = inputs::count(&mut world.scope().read().await.unwrap(), window.0, window.1).await.unwrap();
    assert_eq!(count, u64::try_from(found.len()).unwrap());
    found
}

#[tokio::test]
async fn every_question_is_found_once_newest_first_in_pieces_of_any_size() {
    let Some(world) = world().await else { return };
    let plans: [PlanId; 2] = [mint(&world), mint(&world)];
    for round in 0..3 {
        for plan in plans {
            asked(&world, plan, &format!("round {round}")).await;
            asked(&world, plan, &format!("round {round} again")).await;
        }
        world.clock.advance(Duration::from_secs(1));
    }
    let whole = all(&world, 200).await;
    assert_eq!(whole.len(), 12);
    assert!(whole.is_sorted_by_key(|kept| std::cmp::Reverse(kept.place.at)));
    assert_eq!(whole[0].asked.as_ref().unwrap().0, json!({"text": "round 2 again"}));
    for piece in [1, 5] {
        assert_eq!(all(&world, piece).await, whole, "in pieces of {piece}");
    }
}

#[tokio::test]
async fn a_question_that_is_too_large_or_cannot_be_opened_is_counted_and_not_asked_again() {
    let Some(world) = world().await else { return };
    asked(&world, mint(&world), &"x".repeat(inputs::BYTES)).await;
    assert_eq!(
        all(&world, 9).await[0].asked.as_ref().unwrap_err(),
        "the question had more than 262144 bytes and was not kept"
    );
    asked(&world, mint(&world), "small").await;
    world.sql("UPDATE policy_inputs SET body=(SELECT body FROM policy_inputs ORDER BY plan_id LIMIT 1)").await;
    let found = all(&world, 9).await;
    let unread = found.iter().filter(|kept| kept.asked.as_ref().is_err_and(|why| why.starts_with("it cannot be read")));
    assert_eq!((found.len(), unread.count()), (2, 1), "a body of another row does not open: {found:?}");
}

#[tokio::test]
async fn questions_are_kept_for_thirty_five_days() {
    let Some(world) = world().await else { return };
    let day = Duration::from_hours(24);
    asked(&world, mint(&world), "old").await;
    world.clock.advance(day * 2);
    asked(&world, mint(&world), "young").await;
    world.clock.advance(day * 32);
    assert_eq!(inputs::sweep(&world.scope(), world.clock.now()).await.unwrap(), 0);
    world.clock.advance(day * 2);
    assert_eq!(inputs::sweep(&world.scope(), world.clock.now()).await.unwrap(), 1);
    assert_eq!(all(&world, 9).await[0].asked.as_ref().unwrap().0, json!({"text": "young"}));
}

/// One that runs.
fn replaying(world: &World) -> Replay {
    let now = world.clock.now();
    Replay {
        id: mint(world),
        number: 3,
        policy_hash: "all".to_owned(),
        from: now.minus(inputs::REPLAYED),
        to: now,
        state: JobState::Running,
        at: now,
        by: "usr_1".to_owned(),
        report: None,
    }
}

#[tokio::test]
async fn a_replay_whose_job_is_over_has_failed_and_proves_nothing() {
    let Some(world) = world().await else { return };
    let (scope, now, replay) = (world.scope(), world.clock.now(), replaying(&world));
    let mut tx = scope.begin().await.unwrap();
    replays::insert(&mut tx, &replay).await.unwrap();
    tx.commit(now).await.unwrap();
    let mut tx = scope.begin().await.unwrap();
    replays::give_up(&mut tx).await.unwrap();
    tx.commit(now).await.unwrap();
    let mut reader = scope.read().await.unwrap();
    assert_eq!(replays::find(&mut reader, replay.id).await.unwrap().unwrap().state, JobState::Failed);
    assert_eq!(replays::proof(&mut reader, "all", now).await.unwrap(), None);
}

#[tokio::test]
async fn a_replay_is_proof_for_exactly_its_policies_once_it_has_ended() {
    let Some(world) = world().await else { return };
    let (scope, now, mut replay) = (world.scope(), world.clock.now(), replaying(&world));
    let mut tx = scope.begin().await.unwrap();
    replays::insert(&mut tx, &replay).await.unwrap();
    tx.commit(now).await.unwrap();
    let proof = async |hash: &str| replays::proof(&mut scope.read().await.unwrap(), hash, now).await.unwrap();
    assert_eq!(proof("all").await, None, "it goes on");
    (replay.state, replay.report) = (JobState::Done, Some(json!({"replayed": 4})));
    let mut tx = scope.begin().await.unwrap();
    replays::finish(&mut tx, &replay).await.unwrap();
    assert!(matches!(replays::finish(&mut tx, &replay).await, Err(StoreError::Conflict)), "it has ended");
    tx.commit(now).await.unwrap();
    assert_eq!(proof("all").await, Some(replay.clone()));
    assert_eq!(proof("others").await, None);
    assert_eq!(replays::find(&mut scope.read().await.unwrap(), replay.id).await.unwrap(), Some(replay));
}

#[tokio::test]
async fn a_replay_proves_nothing_over_a_part_of_its_time_or_of_long_ago() {
    let Some(world) = world().await else { return };
    let (scope, now) = (world.scope(), world.clock.now());
    let (second, day) = (Duration::from_secs(1), Duration::from_hours(24));
    let whole = replaying(&world);
    for (hash, from, to, proves) in [
        ("whole", whole.from, whole.to, true),
        ("nothing", now.minus(second), now, false),
        ("nearly", whole.from.plus(second), now, false),
        ("yesterday", whole.from.minus(day), now.minus(day), true),
        ("old", whole.from.minus(day).minus(second), now.minus(day).minus(second), false),
    ] {
        let done =
            Replay { id: mint(&world), policy_hash: hash.to_owned(), from, to, state: JobState::Done, ..whole.clone() };
        let mut tx = scope.begin().await.unwrap();
        replays::insert(&mut tx, &done).await.unwrap();
        tx.commit(now).await.unwrap();
        let found = replays::proof(&mut scope.read().await.unwrap(), hash, now).await.unwrap();
        assert_eq!(found.is_some(), proves, "{hash}");
    }
}
