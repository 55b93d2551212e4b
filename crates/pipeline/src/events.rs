//! Reading events back: by id, and by entity, time, source and text, with a word on how far the search looked.

use std::sync::Arc;

use shieldops_bus::{Looked, Query};
use shieldops_model::{Entity, Event, EventId, Timestamp};
use shieldops_store::{TenantScope, cited};
use tokio::sync::Semaphore;

use crate::{Pipeline, PipelineError, Result};

/// Searches at a time: each reads and opens much of the log, and the workers want the processor too.
static SEARCHES: Semaphore = Semaphore::const_new(2);
/// Events one request looks at before it answers with what it has.
const LOOK: u64 = 500_000;

#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    pub entity: Option<Entity>,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// Text anywhere in the raw bytes, without regard to ASCII case.
    pub text: Option<String>,
    pub source: Option<String>,
    /// The last event of the page before.
    pub before: Option<EventId>,
    pub limit: usize,
}

pub struct EventSearch {
    pub events: Vec<Event>,
    pub next: Option<EventId>,
    pub looked: Looked,
}

/// An event of the log, or the copy that was kept because it is cited. A process without a log has the copies.
pub async fn find(pipeline: &Pipeline, scope: &TenantScope, id: EventId) -> Result<Option<Event>> {
    if let Ok(bus) = pipeline.bus() {
        let (log, tenant) = (Arc::clone(bus), scope.tenant());
        let found = tokio::task::spawn_blocking(move || log.get(tenant, id))
            .await
            .map_err(|_ended| PipelineError::Stopped)??;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(cited::find(&mut scope.read().await?, id).await?)
}

/// One page, newest first.
///
/// # Errors
/// `NoLog` in a process that owns no log.
pub async fn search(pipeline: &Pipeline, scope: &TenantScope, query: EventQuery) -> Result<EventSearch> {
    let log = Arc::clone(pipeline.bus()?);
    let turn = SEARCHES.acquire().await.map_err(|_closed| PipelineError::Stopped)?;
    let tenant = scope.tenant();
    let work = move || {
        // Held to the end of the work, though the request that asked may be gone.
        let _turn = turn;
        let text = query.text.as_ref().map(|text| text.to_ascii_lowercase().into_bytes());
        let mut wanted = |event: &Event| {
            query.source.as_ref().is_none_or(|source| event.source == *source)
                && text.as_ref().is_none_or(|text| contains(&event.raw, text))
        };
        let range = Query {
            from: query.from,
            to: query.to,
            before: query.before,
            limit: query.limit,
            max_events: LOOK,
            ..Query::default()
        };
        match &query.entity {
            Some(entity) => log.find_by_key(tenant, entity.key(), &range, &mut wanted),
            None => log.scan(tenant, &range, &mut wanted),
        }
    };
    let page = tokio::task::spawn_blocking(work).await.map_err(|_ended| PipelineError::Stopped)??;
    Ok(EventSearch { events: page.events, next: page.next, looked: page.looked })
}

/// Whether `raw` contains `lower` when its ASCII letters are lowered.
fn contains(raw: &[u8], lower: &[u8]) -> bool {
    lower.is_empty()
        || raw
            .windows(lower.len())
            .any(|window| window.iter().zip(lower).all(|(byte, want)| byte.to_ascii_lowercase() == *want))
}

#[cfg(test)]
mod tests {
    use super::contains;

    #[test]
    fn text_is_found_without_regard_to_case() {
        assert!(contains(b"Failed Password for root", b"failed password"));
        assert!(!contains(b"short", b"much longer than the event"));
        assert!(contains(b"", b""));
    }
}
