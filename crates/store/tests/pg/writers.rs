//! Many writers of one tenant: the others are served.

use std::time::{Duration, Instant};

use shieldops_model::{Clock as _, TenantId};
use shieldops_store::Job;

use crate::{
    support::{commit, world},
    tenancy::tenant,
};

/// More than there are connections for writers.
const CROWD: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_that_waits_for_one_tenant_leaves_connections_to_the_others() {
    let Some(world) = world().await else { return };
    let acme = tenant(&world, "acme", None).await;
    let held = acme.begin().await.unwrap();
    let now = world.clock.now();
    let crowd: Vec<_> = (0..CROWD)
        .map(|_| {
            let acme = acme.clone();
            tokio::spawn(async move { commit(&acme, &["note.added"], now).await })
        })
        .collect();
    // They are waiting by then: nothing but the lock is in their way.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let began = Instant::now();
    commit(&world.scope(), &["note.added"], now).await.unwrap();
    let installation = world.store.job(TenantId::INSTALLATION, Job::Cli).unwrap();
    commit(&installation, &["note.added"], now).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    drop(held);
    for one in crowd {
        one.await.unwrap().unwrap();
    }
    assert!(world.verify(&[]).await.ok);
}
