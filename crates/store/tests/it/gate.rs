//! What a tenant decides about its gate: versions of settings, changes that take two, levels, grants, and what was begun.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use shieldops_model::{ActionId, Clock as _, Environment, TargetId, Timestamp, id};
use shieldops_store::{
    Job, PageRequest, StoreError, TenantScope,
    gate::{
        self,
        autonomy::{self, Lowered, Scope, Wish},
        changes::{self, Change, Kind, New, State},
        grants::{self, StandingGrant},
        settings, undone,
        uses::{self, Use},
    },
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

fn mint<K: id::Kind>(world: &World) -> shieldops_model::Id<K> {
    id::mint(world.clock.now(), &mut rand::rng())
}

async fn written(world: &World, document: &Value, expected: Option<i64>) -> Result<i64, StoreError> {
    let mut tx = world.scope().begin().await?;
    let version = settings::write(&mut tx, (document, None), "a try", expected, world.clock.now()).await?;
    tx.commit(world.clock.now()).await?;
    Ok(version.number)
}

async fn activated(scope: &TenantScope, number: i64, tightens: bool) -> Result<(), StoreError> {
    let now = scope.store().clock().now();
    let mut tx = scope.begin().await?;
    settings::activate(&mut tx, number, tightens, "agreed", now).await?;
    tx.commit(now).await
}

#[tokio::test]
async fn what_one_person_wrote_another_puts_in_force_and_only_what_tightens_they_do_alone() {
    let Some(world) = world().await else { return };
    let (author, other) = (world.scope(), second(&world));
    assert!(settings::in_force(&mut author.read().await.unwrap()).await.unwrap().is_none());
    let (wide, narrow) = (json!({"numbers": {"restarts_per_hour": 9}}), json!({"numbers": {"restarts_per_hour": 2}}));
    assert_eq!(written(&world, &wide, Some(0)).await.unwrap(), 1);
    assert!(settings::in_force(&mut author.read().await.unwrap()).await.unwrap().is_none(), "a draft changes nothing");
    assert_eq!(settings::draft(&mut author.read().await.unwrap()).await.unwrap().unwrap().number, 1);
    assert!(matches!(activated(&author, 1, false).await, Err(StoreError::Refused { .. })));
    activated(&other, 1, false).await.unwrap();
    let live = settings::in_force(&mut author.read().await.unwrap()).await.unwrap().unwrap();
    assert_eq!((live.number, &live.document, live.by.as_str()), (1, &wide, "system:cli"));
    assert_eq!(live.activated.unwrap().by, "system:demo");
    assert!(matches!(written(&world, &narrow, Some(0)).await, Err(StoreError::Stale { version: 1 })));
    assert_eq!(written(&world, &narrow, Some(1)).await.unwrap(), 2);
    activated(&author, 2, true).await.unwrap();
    assert!(matches!(activated(&other, 1, false).await, Err(StoreError::Conflict)), "it was in force already");
    assert!(matches!(activated(&other, 9, false).await, Err(StoreError::NotFound)));
    let entries = ledger::of_subject(&mut author.read().await.unwrap(), &world.tenant.to_string()).await.unwrap();
    assert_eq!(entries.last().unwrap().payload["before"]["settings"], wide);
    assert_eq!(entries.last().unwrap().payload["after"]["settings"], narrow);
}

#[tokio::test]
async fn a_draft_that_was_overtaken_is_not_put_in_force() {
    let Some(world) = world().await else { return };
    for number in [1, 2] {
        assert_eq!(written(&world, &json!({"n": number}), Some(0)).await.unwrap(), number);
    }
    activated(&second(&world), 2, false).await.unwrap();
    assert!(matches!(activated(&second(&world), 1, false).await, Err(StoreError::Conflict)));
    let mut reader = world.scope().read().await.unwrap();
    assert!(settings::draft(&mut reader).await.unwrap().is_none());
    let page = PageRequest { limit: Some(1), cursor: None };
    let newest = settings::versions(&mut reader, &page).await.unwrap();
    assert_eq!(newest.items[0].number, 2);
    let rest = PageRequest { limit: Some(1), cursor: newest.next_cursor };
    assert_eq!(settings::versions(&mut reader, &rest).await.unwrap().items[0].number, 1);
}

fn new(subject: &str) -> New {
    let (before, after) = (json!({"level": 2}), json!({"level": 4}));
    New { kind: Kind::Autonomy, subject: subject.into(), reason: "trust".into(), before, after }
}

async fn asked(world: &World, subject: &str) -> Change {
    let mut tx = world.scope().begin().await.unwrap();
    let change = changes::ask(&mut tx, new(subject), world.clock.now()).await.unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    change
}

#[tokio::test]
async fn a_change_waits_for_another_person_until_its_time_is_over() {
    let Some(world) = world().await else { return };
    let mut change = asked(&world, "production").await;
    let mut tx = world.scope().begin().await.unwrap();
    let now = world.clock.now();
    assert!(matches!(changes::confirm(&mut tx, &mut change, now).await, Err(StoreError::Refused { .. })), "its author");
    drop(tx);
    let mut tx = second(&world).begin().await.unwrap();
    changes::confirm(&mut tx, &mut change, now).await.unwrap();
    assert!(matches!(changes::confirm(&mut tx, &mut change, now).await, Err(StoreError::Refused { .. })), "once");
    tx.commit(now).await.unwrap();
    assert_eq!((change.state, change.ended_by.as_deref()), (State::Confirmed, Some("system:demo")));

    let earlier = asked(&world, "linux.block_ip").await;
    let later = asked(&world, "linux.block_ip").await;
    let mut reader = world.scope().read().await.unwrap();
    let known = changes::find(&mut reader, earlier.id, now).await.unwrap().unwrap();
    assert_eq!(known.state, State::Withdrawn, "the newest wish holds");
    assert_eq!((earlier.replaces, known.replaced_by, later.replaces), (None, Some(later.id), Some(earlier.id)));
    let waiting = changes::list(&mut reader, true, &PageRequest::default(), now).await.unwrap().items;
    assert_eq!(waiting.iter().map(|one| one.id).collect::<Vec<_>>(), [later.id]);
    let after = now.plus(changes::WAITS);
    assert!(changes::list(&mut reader, true, &PageRequest::default(), after).await.unwrap().items.is_empty());
    let mut over = changes::find(&mut reader, later.id, after).await.unwrap().unwrap();
    drop(reader);
    let mut tx = second(&world).begin().await.unwrap();
    assert_eq!(over.state, State::Expired);
    assert!(matches!(changes::confirm(&mut tx, &mut over, after).await, Err(StoreError::Refused { .. })));
}

fn wish() -> Wish {
    Wish { by: "usr_a".into(), by_name: "ann".into(), reason: "trust".into(), confirmed_by: Some("usr_b".into()) }
}

fn lowered(world: &World, target: Option<TargetId>, to: u8) -> Lowered {
    let at = world.clock.now();
    Lowered { capability: "linux.block_ip".into(), target, to, why: "it failed".into(), at, until: None }
}

#[tokio::test]
async fn levels_are_set_and_taken_away_and_the_system_only_lowers() {
    let Some(world) = world().await else { return };
    let (scope, now) = (world.scope(), world.clock.now());
    let production = Scope { environment: Some(Environment::Production), capability: None };
    let mut tx = scope.begin().await.unwrap();
    for level in [Some(3), Some(4)] {
        autonomy::set(&mut tx, &production, level, wish(), now).await.unwrap();
    }
    tx.commit(now).await.unwrap();
    let levels = autonomy::levels(&mut scope.read().await.unwrap()).await.unwrap();
    assert_eq!((levels.len(), levels[0].level, levels[0].version), (1, 4, 2));
    assert_eq!((&levels[0].scope, levels[0].confirmed_by.as_deref()), (&production, Some("usr_b")));
    let target = mint(&world);
    let mut tx = scope.begin().await.unwrap();
    autonomy::set(&mut tx, &production, None, wish(), now).await.unwrap();
    assert!(autonomy::lower(&mut tx, &lowered(&world, Some(target), 2)).await.unwrap());
    assert!(!autonomy::lower(&mut tx, &lowered(&world, Some(target), 3)).await.unwrap(), "that would raise it");
    assert!(autonomy::lower(&mut tx, &lowered(&world, None, 1)).await.unwrap(), "every target is another row");
    tx.commit(now).await.unwrap();
    let gate = gate::read(&mut scope.read().await.unwrap(), now, now).await.unwrap();
    assert!(gate.levels.is_empty());
    assert_eq!(gate.lowered.iter().map(|one| (one.target, one.to)).collect::<Vec<_>>(), [(None, 1), (Some(target), 2)]);
    let mut tx = scope.begin().await.unwrap();
    autonomy::restore(&mut tx, "linux.block_ip", Some(target), &wish()).await.unwrap();
    assert!(matches!(autonomy::restore(&mut tx, "other", None, &wish()).await, Err(StoreError::NotFound)));
    tx.commit(now).await.unwrap();
    assert_eq!(autonomy::lowered(&mut scope.read().await.unwrap(), now).await.unwrap().len(), 1);
}

fn grant(world: &World, hours: u64) -> StandingGrant {
    let now = world.clock.now();
    StandingGrant {
        id: mint(world),
        capability: "linux.block_ip".into(),
        environment: Environment::Production,
        targets: vec![mint(world)],
        labels: BTreeMap::from([("role".into(), "web".into())]),
        reason: "the night".into(),
        granted_by: mint(world),
        granted_by_name: "ann".into(),
        created_at: now,
        expires_at: now.plus(Duration::from_hours(hours)),
        revoked_at: None,
        revoked_by_name: None,
        version: 1,
    }
}

#[tokio::test]
async fn a_standing_grant_holds_until_its_time_is_over_or_it_is_revoked() {
    let Some(world) = world().await else { return };
    let (scope, now) = (world.scope(), world.clock.now());
    let (short, long) = (grant(&world, 1), grant(&world, 9));
    let mut tx = scope.begin().await.unwrap();
    for grant in [&short, &long] {
        grants::create(&mut tx, grant).await.unwrap();
    }
    tx.commit(now).await.unwrap();
    let later = now.plus(Duration::from_hours(1));
    let mut reader = scope.read().await.unwrap();
    assert_eq!(gate::read(&mut reader, now, now).await.unwrap().grants.len(), 2);
    assert_eq!(gate::read(&mut reader, later, later).await.unwrap().grants, std::slice::from_ref(&long));
    drop(reader);
    let mut tx = scope.begin().await.unwrap();
    let revoked = grants::revoke(&mut tx, long.id, later).await.unwrap();
    assert_eq!((revoked.revoked_at, revoked.revoked_by_name.as_deref()), (Some(later), Some("system:cli")));
    for over in [long.id, short.id] {
        assert!(matches!(grants::revoke(&mut tx, over, later).await, Err(StoreError::Refused { .. })));
    }
    tx.commit(later).await.unwrap();
    let mut reader = scope.read().await.unwrap();
    assert!(grants::active(&mut reader, later).await.unwrap().is_empty());
    assert_eq!(grants::list(&mut reader, None, &PageRequest::default()).await.unwrap().items.len(), 2);
    assert!(grants::list(&mut reader, Some(later), &PageRequest::default()).await.unwrap().items.is_empty());
}

fn begun(world: &World, action: ActionId) -> Use {
    Use {
        action,
        at: world.clock.now(),
        environment: Environment::Staging,
        target: mint(world),
        capability: "linux.block_ip".into(),
        requester: "system:investigation".into(),
        teams: vec!["web".into()],
        resources: vec!["peer:203.0.113.7".into()],
        restart: false,
    }
}

#[tokio::test]
async fn what_began_counts_once_and_for_an_hour() {
    let Some(world) = world().await else { return };
    let scope = world.scope();
    let (first, second) = (begun(&world, mint(&world)), begun(&world, mint(&world)));
    for one in [&first, &first, &second] {
        let mut tx = scope.begin().await.unwrap();
        uses::begin(&mut tx, one, Timestamp::from_secs(0)).await.unwrap();
        tx.commit(world.clock.now()).await.unwrap();
    }
    let now = world.clock.now();
    let mut reader = scope.read().await.unwrap();
    let uses = gate::read(&mut reader, now, now).await.unwrap().uses;
    assert_eq!(uses.len(), 2, "a resumed run begins no action twice");
    assert!(uses.contains(&first) && uses.contains(&second));
    let later = now.plus(Duration::from_hours(1));
    assert!(gate::read(&mut reader, later, later).await.unwrap().uses.is_empty());
}

#[tokio::test]
async fn what_a_person_undid_is_remembered_by_its_state() {
    let Some(world) = world().await else { return };
    let (scope, now) = (world.scope(), world.clock.now());
    let mut tx = scope.begin().await.unwrap();
    undone::note(&mut tx, "tgt/block/1", "usr_a", now).await.unwrap();
    undone::note(&mut tx, "tgt/block/1", "usr_b", now.plus(Duration::from_secs(5))).await.unwrap();
    tx.commit(now).await.unwrap();
    let keys = ["tgt/block/1".to_owned(), "tgt/block/2".to_owned()];
    let mut reader = scope.read().await.unwrap();
    let found = undone::since(&mut reader, &keys, now).await.unwrap();
    assert_eq!(found, BTreeMap::from([(keys[0].clone(), now.plus(Duration::from_secs(5)))]));
    let later = now.plus(Duration::from_secs(6));
    assert!(undone::since(&mut reader, &keys, later).await.unwrap().is_empty());
}

#[tokio::test]
async fn invariant_10_the_gate_of_another_tenant_is_not_there() {
    let Some(world) = world().await else { return };
    let theirs = tenant(&world, "theirs", None).await;
    written(&world, &json!({}), Some(0)).await.unwrap();
    activated(&second(&world), 1, false).await.unwrap();
    let change = asked(&world, "production").await;
    let (grant, now) = (grant(&world, 1), world.clock.now());
    let mut tx = world.scope().begin().await.unwrap();
    grants::create(&mut tx, &grant).await.unwrap();
    autonomy::lower(&mut tx, &lowered(&world, None, 1)).await.unwrap();
    uses::begin(&mut tx, &begun(&world, mint(&world)), Timestamp::from_secs(0)).await.unwrap();
    tx.commit(now).await.unwrap();
    let mut reader = theirs.read().await.unwrap();
    let gate = gate::read(&mut reader, now, now).await.unwrap();
    assert_eq!((gate.settings, gate.lowered.len(), gate.grants.len(), gate.uses.len()), (None, 0, 0, 0));
    assert!(changes::find(&mut reader, change.id, now).await.unwrap().is_none());
    assert!(settings::find(&mut reader, 1).await.unwrap().is_none());
    drop(reader);
    let mut tx = theirs.begin().await.unwrap();
    assert!(matches!(grants::revoke(&mut tx, grant.id, now).await, Err(StoreError::NotFound)));
}
