//! A transaction and its ledger entry are committed together or not at all.

use shieldops_model::Clock as _;
use shieldops_store::{StoreError, alerts, facts, targets};

use crate::support::{alert, cut_checkpoints, target, world};

#[tokio::test]
async fn a_change_without_its_entry_is_refused_and_nothing_of_it_stays() {
    let Some(world) = world().await else { return };
    let mut tx = world.scope().begin().await.unwrap();
    let target = target("sim/one");
    targets::insert(&mut tx, &target).await.unwrap();
    assert!(matches!(tx.commit(world.clock.now()).await, Err(StoreError::Unrecorded)));
    let mut reader = world.scope().read().await.unwrap();
    assert_eq!(targets::find(&mut reader, target.id).await.unwrap(), None);
}

#[tokio::test]
async fn a_transaction_that_is_dropped_leaves_neither_rows_nor_entries() {
    let Some(world) = world().await else { return };
    let mut tx = world.scope().begin().await.unwrap();
    targets::insert(&mut tx, &target("sim/one")).await.unwrap();
    tx.record("target.created", &[], ()).unwrap();
    drop(tx);
    assert!(targets::all(&mut world.scope().read().await.unwrap()).await.unwrap().is_empty());
    assert_eq!(world.verify(&[]).await.logs[0].entries, 0);
}

#[tokio::test]
async fn what_was_committed_is_sound_with_the_server_running_and_stopped() {
    let Some(world) = world().await else { return };
    assert!(world.verify(&[]).await.ok, "a new directory is sound");
    world.commit(&["one.made", "two.made"]).await.unwrap();
    world.commit(&["three.made"]).await.unwrap();
    let running = world.verify(&[]).await;
    let stopped = world.stop().await.verify().await;
    for report in [running, stopped] {
        assert!(report.ok, "{report:?}");
        let log = &report.logs[0];
        assert_eq!((log.entries, log.checkpoint_size, log.checkpoints, log.uncovered_commits), (3, 3, 2, 0));
    }
}

#[tokio::test]
async fn a_stale_version_is_a_conflict() {
    let Some(world) = world().await else { return };
    let mut alert = alert(1);
    let mut tx = world.scope().begin().await.unwrap();
    alerts::insert(&mut tx, &alert).await.unwrap();
    tx.record("alert.raised", &[&alert.id], ()).unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    let mut stale = alert.clone();
    let mut tx = world.scope().begin().await.unwrap();
    alerts::update(&mut tx, &mut alert).await.unwrap();
    assert!(matches!(alerts::update(&mut tx, &mut stale).await, Err(StoreError::Conflict)));
}

#[tokio::test]
async fn an_alert_of_a_known_key_exists_already() {
    let Some(world) = world().await else { return };
    let mut tx = world.scope().begin().await.unwrap();
    alerts::insert(&mut tx, &alert(1)).await.unwrap();
    assert!(matches!(alerts::insert(&mut tx, &alert(1)).await, Err(StoreError::AlreadyExists { .. })));
    assert!(alerts::insert(&mut tx, &alert(2)).await.is_ok());
}

#[tokio::test]
async fn a_fact_reads_back() {
    let Some(world) = world().await else { return };
    let mut tx = world.scope().begin().await.unwrap();
    facts::set(&mut tx, "name", &vec![1, 2]).await.unwrap();
    tx.commit(world.clock.now()).await.unwrap();
    let mut reader = world.scope().read().await.unwrap();
    assert_eq!(facts::find::<Vec<i32>>(&mut reader, "name").await.unwrap(), Some(vec![1, 2]));
    assert_eq!(facts::find::<Vec<i32>>(&mut reader, "other").await.unwrap(), None);
}

#[tokio::test]
async fn a_checkpoint_that_a_crash_left_out_is_written_at_the_next_start() {
    if crate::POSTGRES {
        // The next commit covers it there: other nodes may have committed since.
        return;
    }
    let Some(world) = world().await else { return };
    world.commit(&["one"]).await.unwrap();
    world.commit(&["two"]).await.unwrap();
    let stopped = world.stop().await;
    let whole = std::fs::read(stopped.checkpoints()).unwrap();
    cut_checkpoints(&stopped.checkpoints(), 1);
    let report = stopped.verify().await;
    assert!(report.ok && report.logs[0].uncovered_commits == 1, "{report:?}");
    let stopped = stopped.start().await.stop().await;
    assert_eq!(std::fs::read(stopped.checkpoints()).unwrap(), whole);
    assert_eq!(stopped.verify().await.logs[0].uncovered_commits, 0);
}

#[tokio::test]
async fn a_checkpoint_that_could_not_be_written_is_written_by_the_next_commit() {
    if crate::POSTGRES {
        // The next commit covers it there: other nodes may have committed since.
        return;
    }
    let Some(world) = world().await else { return };
    world.commit(&["one"]).await.unwrap();
    world.commit(&["two"]).await.unwrap();
    cut_checkpoints(&world.checkpoints(), 1);
    world.commit(&["three"]).await.unwrap();
    let report = world.stop().await.verify().await;
    assert!(report.ok && report.logs[0].checkpoints == 3, "{report:?}");
}
