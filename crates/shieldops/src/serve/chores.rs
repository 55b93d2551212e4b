//! What nobody waits for: entries that tenants' ledgers are owed, and what may be forgotten after a while.

use std::time::Duration;

use shieldops_model::TenantId;
use shieldops_store::{
    Job, Store, TenantScope, backtests,
    gate::{inputs, replays},
    idempotency,
    jobs::{self, JobState},
};
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_mins(10);
/// A running job of which nothing was heard for so long is one whose process ended.
const ABANDONED: Duration = Duration::from_mins(2);

/// Until told to stop. Safe on many nodes at once.
pub(crate) async fn run(store: Store, stop: CancellationToken) {
    loop {
        if let Err(error) = store.deliver_notices(store.clock().now()).await {
            tracing::error!(%error, "entries for tenants' ledgers wait and will be tried again");
        }
        if let Err(error) = sweep(&store).await {
            tracing::error!(%error, "old idempotency keys and abandoned jobs wait");
        }
        tokio::select! { () = tokio::time::sleep(EVERY) => {}, () = stop.cancelled() => return }
    }
}

/// Forgets the answers that are kept for repeated requests, and questions to policy that nobody may replay any more. A tenant that cannot be opened holds up no other.
async fn sweep(store: &Store) -> anyhow::Result<()> {
    let tenants = store.tenants().await?;
    for tenant in tenants.iter().map(|tenant| tenant.id).chain([TenantId::INSTALLATION]) {
        let Ok(scope) = store.job(tenant, Job::Cli) else { continue };
        idempotency::sweep(&scope, store.clock().now()).await?;
        inputs::sweep(&scope, store.clock().now()).await?;
        abandoned(&scope).await?;
    }
    Ok(())
}

/// Says of jobs whose process ended that they did not come to their end.
async fn abandoned(scope: &TenantScope) -> anyhow::Result<()> {
    let now = scope.store().clock().now();
    let running = jobs::running(&mut scope.read().await?).await?;
    for mut job in running.into_iter().filter(|job| now.since(job.updated_at) > ABANDONED) {
        let mut tx = scope.begin().await?;
        (job.state, job.updated_at) = (JobState::Failed, now);
        jobs::finish(&mut tx, &job).await?;
        backtests::give_up(&mut tx).await?;
        replays::give_up(&mut tx).await?;
        tx.commit(now).await?;
    }
    Ok(())
}
