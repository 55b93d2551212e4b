//! What an investigation does where the log gives no more than a part of what it cites.

use std::time::Duration;

use super::*;
use crate::{testing::World, worker};

async fn detected() -> World {
    let world = World::new().await;
    world.sign_in(0..2).await;
    worker::catch_up(&world.pipeline, &world.bus, world.tenant, &CancellationToken::new()).await;
    world
}

/// Investigates every incident, and gives what the first revision of each says.
async fn investigated(world: &World) -> Vec<Investigation> {
    let scope = world.pipeline.store.job(world.tenant, Job::Investigation).unwrap();
    let due = incidents::due(&mut scope.read().await.unwrap(), world.now()).await.unwrap();
    let mut written = Vec::new();
    for incident in due {
        revise(&world.pipeline, &world.bus, &scope, incident).await.unwrap();
        written.extend(investigations::get(&mut scope.read().await.unwrap(), incident, Some(1)).await);
    }
    assert_eq!(written.len(), 2);
    written
}

#[tokio::test]
async fn an_incident_whose_event_is_damaged_is_investigated_and_says_so() {
    let world = detected().await;
    world.damage();
    for revision in investigated(&world).await {
        let told = revision.not_checked.iter().any(|gap| gap.what == "1 stored event that cannot be read");
        assert!(told, "{:?}", revision.not_checked);
        assert!(!revision.timeline.is_empty(), "the copy that was kept of it is looked at");
    }
}

#[tokio::test]
async fn what_retention_deleted_is_looked_at_in_the_copy_that_was_kept() {
    let world = detected().await;
    world.bus.seal(world.tenant).unwrap();
    world.bus.apply_retention(world.now().plus(Duration::from_hours(24 * 30)));
    assert_eq!(world.events(), vec![]);
    for revision in investigated(&world).await {
        assert!(!revision.timeline.is_empty());
    }
}
