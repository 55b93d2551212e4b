//! Slow chores: ledger entries for each tenant's sealed segments, and retention over the whole log.

use std::{collections::HashMap, sync::Arc, time::Duration};

use shieldops_bus::{Bus, Deleted, Offset};
use shieldops_model::{Clock, SegmentId, TenantId, Timestamp};
use shieldops_store::{Job, facts};
use tokio_util::sync::CancellationToken;

use crate::{Pipeline, PipelineError, Result};

const EVERY: Duration = Duration::from_secs(30);
/// The clock may gain this much on the time since boot before it is taken for set.
const AHEAD: Duration = Duration::from_hours(1);
const LAST_SEGMENT: &str = "last_recorded_segment";

/// Records one tenant's sealed segments until told to stop.
pub(crate) async fn segments(pipeline: Pipeline, bus: Arc<Bus>, tenant: TenantId, stop: CancellationToken) {
    loop {
        if let Err(error) = record_segments(&pipeline, &bus, tenant).await {
            tracing::error!(tenant.id = %tenant, error = &error as &dyn std::error::Error, "sealed segments could not be recorded and will be tried again");
        }
        tokio::select! { () = tokio::time::sleep(EVERY) => {}, () = stop.cancelled() => return }
    }
}

/// Deletes what may be deleted, until told to stop. The limits are those of the whole log; each tenant's ledger says what
/// was deleted of its own, and nothing of another's.
pub(crate) async fn retention(pipeline: Pipeline, bus: Arc<Bus>, stop: CancellationToken) {
    let since = Begun::now(&**pipeline.store.clock());
    loop {
        if let Err(error) = retire(&pipeline, &bus, &since).await {
            tracing::error!(error = &error as &dyn std::error::Error, "retention failed and will be tried again");
        }
        tokio::select! { () = tokio::time::sleep(EVERY) => {}, () = stop.cancelled() => return }
    }
}

/// What the clocks said at first.
struct Begun {
    wall: Timestamp,
    boot: Duration,
}

impl Begun {
    fn now(clock: &dyn Clock) -> Self {
        Self { wall: clock.now(), boot: clock.boot() }
    }

    /// The time by which events are old. A clock that somebody set ahead makes none so: what is deleted does not come back.
    /// That goes on until the clock is right again, or the server begins with it.
    fn age_by(&self, clock: &dyn Clock) -> Timestamp {
        let (now, passed) = (clock.now(), self.wall.plus(clock.boot().saturating_sub(self.boot)));
        if now <= passed.plus(AHEAD) {
            return now;
        }
        tracing::error!(clock = %now, since_start = %passed, "the clock was set ahead: retention goes by the time since the start");
        passed
    }
}

async fn retire(pipeline: &Pipeline, bus: &Arc<Bus>, since: &Begun) -> Result<()> {
    let (now, log) = (since.age_by(&**pipeline.store.clock()), Arc::clone(bus));
    let recorded = recorded(pipeline, bus).await;
    // What stands in no entry yet is kept: of what is deleted, the ledger must be able to say what it was.
    let may = move |tenant, segment| recorded.get(&tenant).is_some_and(|last| segment <= *last);
    let deleted = tokio::task::spawn_blocking(move || log.apply_retention_where(now, &may))
        .await
        .map_err(|_ended| PipelineError::Stopped)?;
    for (tenant, deleted) in deleted {
        if let Err(error) = retired(pipeline, tenant, &deleted).await {
            tracing::error!(tenant.id = %tenant, segments = deleted.segments, error = &error as &dyn std::error::Error, "events were deleted by retention and have no ledger entry");
        }
    }
    Ok(())
}

/// The last segment of each tenant that stands in its ledger.
async fn recorded(pipeline: &Pipeline, bus: &Bus) -> HashMap<TenantId, SegmentId> {
    let last = async |tenant: TenantId| -> Result<Option<SegmentId>> {
        Ok(facts::find(&mut pipeline.store.job(tenant, Job::Pipeline)?.read().await?, LAST_SEGMENT).await?)
    };
    let mut recorded = HashMap::new();
    for tenant in bus.tenants() {
        match last(tenant).await {
            Ok(segment) => recorded.extend(segment.map(|segment| (tenant, segment))),
            Err(error) => {
                tracing::error!(tenant.id = %tenant, error = &error as &dyn std::error::Error, "which segments are recorded cannot be read, and none is deleted");
            }
        }
    }
    recorded
}

async fn retired(pipeline: &Pipeline, tenant: TenantId, deleted: &Deleted) -> Result<()> {
    let mut tx = pipeline.store.job(tenant, Job::Pipeline)?.begin().await?;
    let body = serde_json::json!({"segments": deleted.segments, "bytes": deleted.bytes, "events": deleted.events});
    tx.record("segments.retired", &[], body)?;
    tx.commit(pipeline.store.clock().now()).await?;
    Ok(())
}

/// One ledger entry for each sealed segment that has none yet: its count and the Merkle root of its frames.
pub(crate) async fn record_segments(pipeline: &Pipeline, bus: &Bus, tenant: TenantId) -> Result<()> {
    let scope = pipeline.store.job(tenant, Job::Pipeline)?;
    let last: Option<SegmentId> = facts::find(&mut scope.read().await?, LAST_SEGMENT).await?;
    for segment in bus.sealed_segments(tenant, last) {
        let now = pipeline.store.clock().now();
        let mut tx = scope.begin().await?;
        facts::set(&mut tx, LAST_SEGMENT, &segment.id).await?;
        let Offset(offset) = segment.offset;
        let body = serde_json::json!({
            "segment": segment.id, "partition": segment.partition, "count": segment.count, "offset": offset,
            "first": segment.first, "last": segment.last, "bytes": segment.bytes, "root": hex::encode(segment.root),
        });
        tx.record("segment.sealed", &[&segment.id], body)?;
        tx.commit(now).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    #[tokio::test]
    async fn what_stands_in_no_entry_is_not_deleted() {
        let world = World::new().await;
        world.sign_in(0..3).await;
        let (pipeline, bus, tenant) = (&world.pipeline, &world.bus, world.tenant);
        bus.seal(tenant).unwrap();
        bus.set_processed(tenant, bus.end(tenant));
        let since = Begun::now(&world.clock);
        world.clock.advance(Duration::from_hours(24 * 30));
        retire(pipeline, bus, &since).await.unwrap();
        assert_eq!((world.events().len(), world.entries("segments.retired").await), (3, 0));
        record_segments(pipeline, bus, tenant).await.unwrap();
        retire(pipeline, bus, &since).await.unwrap();
        assert_eq!((world.events().len(), world.entries("segments.retired").await), (0, 1));
        assert_eq!(world.entries("segment.sealed").await, 1);
    }

    #[tokio::test]
    async fn a_clock_that_somebody_sets_ahead_deletes_nothing() {
        let world = World::new().await;
        world.sign_in(0..3).await;
        let (pipeline, bus, tenant) = (&world.pipeline, &world.bus, world.tenant);
        bus.seal(tenant).unwrap();
        bus.set_processed(tenant, bus.end(tenant));
        record_segments(pipeline, bus, tenant).await.unwrap();
        let since = Begun::now(&world.clock);
        world.clock.leap(Duration::from_hours(24 * 30));
        retire(pipeline, bus, &since).await.unwrap();
        assert_eq!((world.events().len(), world.entries("segments.retired").await), (3, 0));
        world.clock.advance(Duration::from_hours(24 * 30));
        retire(pipeline, bus, &since).await.unwrap();
        assert_eq!(world.events().len(), 0, "time itself still passes");
    }
}
