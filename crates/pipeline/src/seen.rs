//! Counts of a batch, per source and per minute, and how far event time has come by it.

use std::collections::BTreeMap;

use shieldops_model::{Event, EventId, Timestamp};
use shieldops_store::{
    Access, Tx,
    bookkeeping::{self, Counted, Seen},
};

use crate::{
    Result,
    watermark::{SILENT_AFTER, Watermark},
    worker::CONSUMER,
};

/// Counts the events; gives those that came behind their source's watermark.
pub(crate) async fn count(tx: &mut Tx, events: &[Event], now: Timestamp) -> Result<Vec<EventId>> {
    let mut behind = Vec::new();
    if events.is_empty() {
        return Ok(behind);
    }
    let mut sources: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    for event in events {
        sources.entry(&event.source).or_default().push(event);
    }
    bookkeeping::keep_watermark(tx, CONSUMER, now.minus(SILENT_AFTER)).await?;
    for (source, events) in sources {
        let counted = bookkeeping::counted(tx, source).await?;
        if let Some(seen) = seen(counted, &events, now, &mut behind) {
            bookkeeping::source_seen(tx, &seen).await?;
        }
    }
    bookkeeping::minute_seen(tx, now, u64::try_from(events.len()).unwrap_or(0)).await?;
    Ok(behind)
}

/// What a tenant's watermark is now.
pub(crate) async fn watermark(access: &mut impl Access, now: Timestamp) -> Result<Option<Timestamp>> {
    Ok(bookkeeping::watermark(access, CONSUMER, now.minus(SILENT_AFTER)).await?)
}

/// What a batch's events of one source, in the order of the log, add to it.
fn seen(counted: Counted, events: &[&Event], now: Timestamp, behind: &mut Vec<EventId>) -> Option<Seen> {
    let last = events.iter().max_by_key(|event| event.id)?;
    let mut watermark = Watermark(counted.watermark);
    let late: Vec<EventId> = events.iter().filter(|event| watermark.take(event)).map(|event| event.id).collect();
    behind.extend(&late);
    Some(Seen {
        counted: Counted { watermark: watermark.0, ..counted },
        events: u64::try_from(events.len()).unwrap_or(0),
        late: u64::try_from(late.len()).unwrap_or(0),
        event_at: last.time,
        ingested_at: last.ingested_at,
        now,
    })
}
