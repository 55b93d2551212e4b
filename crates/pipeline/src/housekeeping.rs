//! Slow chores of one tenant: ledger entries for sealed segments, retention.

use std::{sync::Arc, time::Duration};

use shieldops_bus::Offset;
use shieldops_model::{SegmentId, TenantId};
use shieldops_store::{Job, facts};
use tokio_util::sync::CancellationToken;

use crate::{Pipeline, PipelineError, Result};

const EVERY: Duration = Duration::from_secs(30);
const LAST_SEGMENT: &str = "last_recorded_segment";

pub(crate) async fn run(pipeline: Pipeline, tenant: TenantId, stop: CancellationToken) {
    loop {
        if let Err(error) = round(&pipeline, tenant).await {
            tracing::error!(tenant.id = %tenant, error = &error as &dyn std::error::Error, "housekeeping failed and will be tried again");
        }
        tokio::select! { () = tokio::time::sleep(EVERY) => {}, () = stop.cancelled() => return }
    }
}

async fn round(pipeline: &Pipeline, tenant: TenantId) -> Result<()> {
    record_segments(pipeline, tenant).await?;
    let now = pipeline.store.clock().now();
    let bus = Arc::clone(&pipeline.bus);
    let deleted = tokio::task::spawn_blocking(move || bus.apply_retention(now))
        .await
        .map_err(|_ended| PipelineError::Stopped)??;
    if deleted.segments > 0 {
        let mut tx = pipeline.store.job(tenant, Job::Pipeline)?.begin().await?;
        tx.record(
            "segments.retired",
            &[],
            serde_json::json!({"segments": deleted.segments, "bytes": deleted.bytes, "events": deleted.events}),
        )?;
        tx.commit(now).await?;
    }
    Ok(())
}

/// One ledger entry for each sealed segment that has none yet: its count and the Merkle root of its frames.
pub(crate) async fn record_segments(pipeline: &Pipeline, tenant: TenantId) -> Result<()> {
    let scope = pipeline.store.job(tenant, Job::Pipeline)?;
    let last: Option<SegmentId> = facts::find(&mut scope.read().await?, LAST_SEGMENT).await?;
    for segment in pipeline.bus.sealed_segments(tenant, last) {
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
