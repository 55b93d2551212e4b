//! How intake does: counts, sources, dead letters.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Serialize;
use shieldops_model::Timestamp;
use shieldops_pipeline::{LATENESS, SILENT_AFTER};
use shieldops_store::{
    bookkeeping::{self, SourceStats},
    dead_letters::{self, DeadLetter},
};
use utoipa::ToSchema;

use crate::{App, List, Problem, auth::Caller, metrics::SyslogCounts, page::PlainQuery};

/// Counts since the data directory was made.
#[derive(Serialize, ToSchema)]
pub(crate) struct IngestStats {
    /// Events that were acknowledged: durable.
    pub(crate) accepted: u64,
    pub(crate) stored: u64,
    pub(crate) processed: u64,
    /// Lines that were refused in the answer.
    pub(crate) rejected: u64,
    pub(crate) dead_letters: u64,
    /// Dead letters that went because there were newer ones: `ingest.dead_letter_bytes`, and 100,000.
    pub(crate) dead_letters_dropped: u64,
    /// Bytes that the kept ones take.
    pub(crate) dead_letter_bytes: u64,
    /// Acknowledged and not yet processed.
    pub(crate) lag_events: u64,
    /// Bytes and segments of the log as they rest now.
    pub(crate) bytes: u64,
    pub(crate) segments: u64,
    /// Stored events that cannot be read any more.
    pub(crate) damaged_events: u64,
    /// Names of sources that are counted apart; events of further names count under `other`.
    pub(crate) sources_limit: u64,
    /// What the sources that are not silent agree on: their events up to this event time are thought to be here. It never
    /// goes back. Absent while no event had a time to believe.
    pub(crate) watermark: Option<Timestamp>,
    /// An event that comes more than this after one of its source with a later time is late.
    pub(crate) lateness_seconds: u64,
    /// A source of which nothing was processed for this long holds the watermark back no longer.
    pub(crate) silent_after_seconds: u64,
    /// Absent where this process has no listener for syslog of the tenant. What it lost stands nowhere else.
    pub(crate) syslog: Option<SyslogCounts>,
    pub(crate) sources: Vec<SourceStats>,
}

pub(crate) async fn stats(app: &App, caller: &Caller) -> Result<IngestStats, Problem> {
    let bus = app.pipeline.stats(caller.principal.tenant);
    let mut reader = caller.scope.read().await?;
    Ok(IngestStats {
        accepted: bus.accepted,
        stored: bus.accepted,
        processed: bus.processed.0,
        rejected: bookkeeping::counter(&mut reader, "rejected").await?,
        dead_letters: bookkeeping::counter(&mut reader, dead_letters::ALL).await?,
        dead_letters_dropped: bookkeeping::counter(&mut reader, dead_letters::DROPPED).await?,
        dead_letter_bytes: bookkeeping::counter(&mut reader, dead_letters::BYTES).await?,
        lag_events: bus.lag_events,
        bytes: bus.bytes,
        segments: bus.segments,
        damaged_events: bus.damaged_events,
        sources_limit: bookkeeping::SOURCES.unsigned_abs(),
        watermark: app.pipeline.watermark(&mut reader).await?,
        lateness_seconds: LATENESS.as_secs(),
        silent_after_seconds: SILENT_AFTER.as_secs(),
        syslog: app.metrics.syslog(Some(caller.principal.tenant)),
        sources: bookkeeping::sources(&mut reader).await?,
    })
}

/// Counts and sources.
#[utoipa::path(get, path = "/api/v1/ingest/stats", operation_id = "get_ingest_stats", tag = "ingest", responses((status = 200, body = IngestStats)))]
pub(crate) async fn show(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<IngestStats>, Problem> {
    Ok(Json(stats(&app, &caller).await?))
}

/// What could not be taken or understood, newest first.
#[utoipa::path(get, path = "/api/v1/dead-letters", operation_id = "list_dead_letters", tag = "ingest", params(PlainQuery), responses((status = 200, body = List<DeadLetter>)))]
pub(crate) async fn letters(caller: Caller, query: PlainQuery) -> Result<Json<List<DeadLetter>>, Problem> {
    Ok(Json(query.answer(dead_letters::list(&mut caller.scope.read().await?, query.page()).await?)))
}
