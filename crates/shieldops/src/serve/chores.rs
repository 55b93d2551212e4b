//! What nobody waits for: entries that tenants' ledgers are owed, jobs whose process is gone, and what may be forgotten after
//! a while.

use std::{collections::BTreeSet, time::Duration};

use shieldops_model::TenantId;
use shieldops_store::{
    Job, Store, StoreError, TenantScope, backtests,
    gate::{inputs, replays},
    idempotency,
    jobs::{self, JobState},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_mins(10);
/// How often it is looked whether a server is gone.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Until told to stop. Safe on many nodes at once.
pub(crate) async fn run(store: Store, stop: CancellationToken) {
    let (mut living, mut swept) = (BTreeSet::new(), None::<Instant>);
    loop {
        if swept.is_none_or(|at| at.elapsed() >= EVERY) {
            swept = Some(Instant::now());
            living.clear();
            if let Err(error) = store.deliver_notices(store.clock().now()).await {
                tracing::error!(%error, "entries for tenants' ledgers wait and will be tried again");
            }
            if let Err(error) = sweep(&store).await {
                tracing::error!(%error, "old idempotency keys and questions to policy wait");
            }
        }
        match take_over(&store, &living).await {
            Ok(now) => living = now,
            Err(error) => tracing::error!(%error, "jobs of processes that are gone wait and will be tried again"),
        }
        tokio::select! { () = tokio::time::sleep(LOOK_EVERY) => {}, () = stop.cancelled() => return }
    }
}

/// The tenants, and the installation itself. One that cannot be opened holds up no other.
async fn scopes(store: &Store) -> anyhow::Result<Vec<TenantScope>> {
    let tenants = store.tenants().await?;
    let all = tenants.iter().map(|tenant| tenant.id).chain([TenantId::INSTALLATION]);
    Ok(all.filter_map(|tenant| store.job(tenant, Job::Server).ok()).collect())
}

/// Forgets the answers that are kept for repeated requests, and questions to policy that nobody may replay any more.
async fn sweep(store: &Store) -> anyhow::Result<()> {
    for scope in scopes(store).await? {
        idempotency::sweep(&scope, store.clock().now()).await?;
        inputs::sweep(&scope, store.clock().now()).await?;
    }
    Ok(())
}

/// When another server is gone that was known, or none is known yet, ends what it left. Gives those that live.
async fn take_over(store: &Store, known: &BTreeSet<String>) -> anyhow::Result<BTreeSet<String>> {
    let living = store.living().await?;
    if known.is_empty() || !known.is_subset(&living) {
        for scope in scopes(store).await? {
            abandoned(&scope).await?;
        }
    }
    Ok(living)
}

/// Says of jobs that nobody runs that they did not come to their end.
async fn abandoned(scope: &TenantScope) -> anyhow::Result<()> {
    let now = scope.store().clock().now();
    for mut job in jobs::abandoned(scope).await? {
        let mut tx = scope.begin().await?;
        (job.state, job.updated_at) = (JobState::Failed, now);
        match jobs::finish(&mut tx, &job).await {
            // Another node was quicker.
            Err(StoreError::Conflict) => continue,
            done => done?,
        }
        backtests::give_up(&mut tx).await?;
        replays::give_up(&mut tx).await?;
        tx.commit(now).await?;
    }
    Ok(())
}
