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

#[tokio::test]
async fn an_investigation_says_which_events_of_its_time_no_rule_was_run_on() {
    let world = detected().await;
    let at = world.events()[0].window_time();
    let mut tx = world.pipeline.store.job(world.tenant, Job::Pipeline).unwrap().begin().await.unwrap();
    let skipped = |source: &str, rules: &str, minute: Timestamp, skipped| coverage::Minute {
        source: source.to_owned(),
        minute,
        rules: rules.to_owned(),
        evaluated: 0,
        late: 0,
        skipped,
    };
    let rows = [
        skipped("auditd", "", at, 7),
        skipped("auditd", "", at.minus(Duration::from_mins(1)), 5),
        skipped(coverage::REPLACED, "", at, 0),
        skipped("auditd", "", at.minus(Duration::from_hours(24 * 20)), 900),
    ];
    coverage::add(&mut tx, &rows).await.unwrap();
    tx.commit(world.now()).await.unwrap();
    for revision in investigated(&world).await {
        let told: Vec<&str> = revision.not_checked.iter().map(|gap| gap.what.as_str()).collect();
        for expected in [
            "Rules on 12 events of auditd in 2 minutes",
            // Nobody loaded lists here.
            "Indicators in 2 events of sshd in 1 minute",
            "What an earlier event log still held",
        ] {
            assert!(told.contains(&expected), "{told:?}");
        }
    }
}
