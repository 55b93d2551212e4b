//! Leases: one holder at a time, a larger epoch for the next, and nothing of a stale holder is committed.

use std::time::Duration;

use shieldops_model::Clock as _;
use shieldops_store::{Job, StoreError, ledger, targets};
use tokio_util::sync::CancellationToken;

use crate::support::{World, open, target, world};

const TTL: Duration = Duration::from_secs(15);

async fn exported(world: &World) -> Vec<String> {
    let mut export = ledger::export(&world.scope()).await.unwrap();
    let mut lines = Vec::new();
    while let Some(part) = export.next().await.unwrap() {
        lines.extend(part);
    }
    lines
}

#[tokio::test]
async fn one_of_two_stores_holds_a_lease_until_its_time_is_over() {
    let Some(world) = world().await else { return };
    let other = open(world.dir.path(), &world.clock, &world.database).await.unwrap();
    let first = world.store.lease("expiry", TTL).await.unwrap().unwrap();
    assert_eq!(other.lease("expiry", TTL).await.unwrap(), None);
    assert!(other.lease("another", TTL).await.unwrap().is_some());
    assert_eq!(world.store.lease("expiry", TTL).await.unwrap(), Some(first.clone()), "its holder keeps it");
    world.clock.advance(TTL.checked_sub(Duration::from_secs(1)).unwrap());
    assert!(world.store.renew(&first, TTL).await.unwrap());
    world.clock.advance(TTL.checked_sub(Duration::from_secs(1)).unwrap());
    assert_eq!(other.lease("expiry", TTL).await.unwrap(), None, "it was renewed");
    world.clock.advance(Duration::from_secs(1));
    let second = other.lease("expiry", TTL).await.unwrap().unwrap();
    assert!(second.epoch() > first.epoch());
    assert!(!world.store.renew(&first, TTL).await.unwrap(), "who came late does not get it back");
    world.store.release(&first).await.unwrap();
    assert_eq!(world.store.lease("expiry", TTL).await.unwrap(), None, "nor gives away what is another's");
    other.release(&second).await.unwrap();
    let third = world.store.lease("expiry", TTL).await.unwrap().unwrap();
    assert!(third.epoch() > second.epoch());
    other.close().await;
}

#[tokio::test]
async fn a_stale_holder_commits_nothing_and_a_holder_leaves_its_epoch_in_the_ledger() {
    let Some(world) = world().await else { return };
    let other = open(world.dir.path(), &world.clock, &world.database).await.unwrap();
    let lease = world.store.lease("expiry", TTL).await.unwrap().unwrap();
    let scope = world.scope().fenced(&lease);
    let held = target("sim/held");
    let mut tx = scope.begin().await.unwrap();
    targets::insert(&mut tx, &held).await.unwrap();
    tx.record("target.created", &[&held.id], ()).unwrap();
    tx.commit(world.clock.now()).await.unwrap();

    world.clock.advance(TTL);
    let next = other.lease("expiry", TTL).await.unwrap().unwrap();
    let stale = target("sim/stale");
    let mut tx = scope.begin().await.unwrap();
    targets::insert(&mut tx, &stale).await.unwrap();
    tx.record("target.created", &[&stale.id], ()).unwrap();
    let refused = tx.commit(world.clock.now()).await;
    assert!(matches!(&refused, Err(StoreError::Fenced { lease }) if lease == "expiry"), "{refused:?}");
    let all = targets::all(&mut world.scope().read().await.unwrap()).await.unwrap();
    assert_eq!(all, [held], "nothing of it was committed");

    let mut tx = other.job(world.tenant, Job::Cli).unwrap().fenced(&next).begin().await.unwrap();
    tx.record("some.thing", &[], ()).unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    let lines = exported(&world).await;
    let lines = lines.iter().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let epochs: Vec<_> =
        lines.filter_map(|line| line.pointer("/payload/epoch").and_then(serde_json::Value::as_i64)).collect();
    assert_eq!(epochs, [lease.epoch(), next.epoch()]);
    other.close().await;
}

#[tokio::test]
async fn a_server_takes_over_at_once_from_an_earlier_process_of_its_directory_and_its_work_is_fenced() {
    let Some(world) = world().await else { return };
    let dead = world.store.lease("expiry", TTL).await.unwrap().unwrap();
    let server = open(world.dir.path(), &world.clock, &world.database).await.unwrap();
    let (stop, tenant) = (CancellationToken::new(), world.tenant);
    let work = |_ends| async {
        let mut tx = server.job(tenant, Job::Cli).unwrap().begin().await.unwrap();
        tx.record("some.thing", &[], ()).unwrap();
        tx.commit(world.clock.now()).await.unwrap();
        stop.cancel();
    };
    server.while_leased("expiry", &stop, work).await;
    let lines = exported(&world).await;
    let wanted = format!("\"epoch\":{}", dead.epoch() + 1);
    assert!(lines.iter().any(|line| line.contains(&wanted)), "{lines:?}");
    assert!(world.store.lease("expiry", TTL).await.unwrap().is_some(), "it was given back");
    server.close().await;
}
