//! Jobs whose process is gone: nobody runs them, and that is known at once.

use std::time::Duration;

use shieldops_model::{JobId, id};
use shieldops_store::{Job, TenantScope, jobs, jobs::BulkJob};

use crate::support::{open, world};

async fn begun(scope: &TenantScope) -> BulkJob {
    let now = scope.store().clock().now();
    let id: JobId = id::mint(now, &mut rand::rng());
    let job = BulkJob::begun(id, "alerts.update", 2, "usr_x", now);
    let mut tx = scope.begin().await.unwrap();
    jobs::create(&mut tx, &job).await.unwrap();
    tx.commit(now).await.unwrap();
    job
}

#[tokio::test]
async fn a_job_whose_process_was_killed_is_known_as_soon_as_the_next_one_comes() {
    let Some(world) = world().await else { return };
    world.store.come().await.unwrap();
    let left = begun(&world.scope()).await;
    assert_eq!(jobs::abandoned(&world.scope()).await.unwrap(), [], "it runs");
    let next = open(world.dir.path(), &world.clock, &world.database).await.unwrap();
    let scope = next.job(world.tenant, Job::Server).unwrap();
    assert_eq!(jobs::abandoned(&scope).await.unwrap(), [], "beside a server nothing is taken from it");
    next.come().await.unwrap();
    let own = begun(&scope).await;
    assert_eq!(jobs::abandoned(&scope).await.unwrap(), [left], "and what it began itself goes on");
    assert!(next.living().await.unwrap().len() == 1, "one server has the directory");
    assert_eq!(jobs::running(&mut scope.read().await.unwrap()).await.unwrap().len(), 2);
    assert!(jobs::running(&mut scope.read().await.unwrap()).await.unwrap().contains(&own));
    next.close().await;
}

#[tokio::test]
async fn a_job_that_says_nothing_for_an_hour_does_not_run_though_its_process_does() {
    let Some(world) = world().await else { return };
    world.store.come().await.unwrap();
    let job = begun(&world.scope()).await;
    world.clock.advance(Duration::from_mins(59));
    assert_eq!(jobs::abandoned(&world.scope()).await.unwrap(), []);
    world.clock.advance(Duration::from_mins(2));
    assert_eq!(jobs::abandoned(&world.scope()).await.unwrap(), [job]);
}
