//! A place in a log that is lost, restored or replaced: nothing is taken for seen that was not, and it is told.

use std::{fs, path::Path};

use shieldops_store::{
    bookkeeping,
    coverage::{self, Window},
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{testing::World, worker};

async fn detect(world: &World) {
    worker::catch_up(&world.pipeline, &world.bus, world.tenant, &CancellationToken::new()).await;
}

async fn covered(world: &World, source: &str) -> usize {
    let mut reader = world.pipeline.store.job(world.tenant, Job::Pipeline).unwrap().read().await.unwrap();
    let hour = std::time::Duration::from_hours(1);
    let (from, to) = (world.now().minus(hour), world.now().plus(hour));
    let window = Window { sources: &[source], from, to, gaps: true, limit: 100 };
    coverage::minutes(&mut reader, &window).await.unwrap().len()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[tokio::test]
async fn what_comes_after_the_log_was_lost_is_looked_at_and_the_loss_is_told() {
    let world = World::new().await;
    world.sign_in(0..5).await;
    detect(&world).await;
    let world = world.restart(|log| fs::remove_dir_all(log).unwrap());
    world.sign_in(5..8).await;
    detect(&world).await;
    assert_eq!(world.alerts().await, 8, "the new log has fewer events than the old one had, and all are looked at");
    assert_eq!((world.entries("bus.replaced").await, covered(&world, "log replaced").await), (1, 1));
    let world = world.restart(|_| ());
    detect(&world).await;
    assert_eq!((world.alerts().await, world.entries("bus.replaced").await), (8, 1), "told once");
}

#[tokio::test]
async fn in_a_log_restored_from_a_copy_what_is_new_is_looked_at_and_nothing_twice() {
    let world = World::new().await;
    world.sign_in(0..2).await;
    detect(&world).await;
    let kept = tempfile::tempdir().unwrap();
    let world = world.restart(|log| copy(log, kept.path()));
    world.sign_in(2..4).await;
    detect(&world).await;
    let world = world.restart(|log| {
        fs::remove_dir_all(log).unwrap();
        copy(kept.path(), log);
    });
    // The log is longer again than the place that was reached, before anybody looks.
    world.sign_in(10..14).await;
    detect(&world).await;
    assert_eq!((world.alerts().await, world.entries("bus.replaced").await), (8, 1));
    let mut reader = world.pipeline.store.job(world.tenant, Job::Pipeline).unwrap().read().await.unwrap();
    let counted: u64 = bookkeeping::sources(&mut reader).await.unwrap().iter().map(|source| source.events).sum();
    assert_eq!(counted, 8, "no event was counted twice");
}

#[tokio::test]
async fn an_ordinary_restart_is_no_news_whatever_retention_has_deleted() {
    let world = World::new().await;
    world.sign_in(0..3).await;
    detect(&world).await;
    let world = world.restart(|_| ());
    detect(&world).await;
    world.bus.seal(world.tenant).unwrap();
    world.bus.apply_retention(world.now().plus(std::time::Duration::from_hours(24 * 30)));
    assert_eq!(world.events(), vec![]);
    let world = world.restart(|_| ());
    world.sign_in(3..4).await;
    detect(&world).await;
    assert_eq!((world.alerts().await, world.entries("bus.replaced").await), (4, 0));
}

#[tokio::test]
async fn a_place_of_an_older_version_goes_on_and_gets_its_event() {
    let world = World::new().await;
    world.sign_in(0..3).await;
    let mut tx = world.pipeline.store.job(world.tenant, Job::Pipeline).unwrap().begin().await.unwrap();
    bookkeeping::set_offset(&mut tx, CONSUMER, &2_u64.to_be_bytes()).await.unwrap();
    tx.commit(world.now()).await.unwrap();
    detect(&world).await;
    assert_eq!((world.alerts().await, world.entries("bus.replaced").await), (1, 0));
    let last = world.events().last().map(|event| event.id);
    assert_eq!(of(&world.pipeline, world.tenant).await.unwrap(), Place { at: Offset(3), last });
}

#[tokio::test]
async fn events_that_were_deleted_unseen_are_counted() {
    let world = World::new().await;
    world.sign_in(0..3).await;
    world.bus.seal(world.tenant).unwrap();
    world.bus.set_processed(world.tenant, Offset(3));
    world.bus.apply_retention(world.now().plus(std::time::Duration::from_hours(24 * 30)));
    let place = check(&world.pipeline, &world.bus, world.tenant).await.unwrap();
    assert_eq!((place.at, world.entries("bus.replaced").await), (Offset(3), 1));
}
