//! Counts of a batch, per source and per minute, and how far event time has come by it.

use std::collections::{BTreeMap, BTreeSet};

use shieldops_model::{Event, EventId, Timestamp};
use shieldops_store::{
    Access, Tx,
    bookkeeping::{self, Counted, Seen},
};

use crate::{
    Result,
    watermark::{SILENT_AFTER, Watermark, possible},
    worker::CONSUMER,
};

/// What the count of a batch says of its events.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Those that came behind their source's watermark.
    pub(crate) late: Vec<EventId>,
    /// The name that each source is counted under: senders choose names, and only so many are kept apart.
    names: BTreeMap<String, String>,
}

impl Counts {
    pub(crate) fn name<'a>(&'a self, source: &'a str) -> &'a str {
        self.names.get(source).map_or(source, String::as_str)
    }
}

/// Counts the events.
pub(crate) async fn count(tx: &mut Tx, events: &[Event], now: Timestamp) -> Result<Counts> {
    let mut counts = Counts::default();
    if events.is_empty() {
        return Ok(counts);
    }
    bookkeeping::keep_watermark(tx, CONSUMER, now.minus(SILENT_AFTER)).await?;
    let sources: BTreeSet<&str> = events.iter().map(|event| event.source.as_str()).collect();
    let sources: Vec<&str> = sources.into_iter().collect();
    let counted = bookkeeping::counted(tx, &sources).await?;
    let names = sources.iter().zip(&counted).map(|(source, one)| ((*source).to_owned(), one.source.clone()));
    counts.names = names.collect();
    let mut known: BTreeMap<String, Counted> = BTreeMap::new();
    for one in counted {
        known.entry(one.source.clone()).or_insert(one);
    }
    let mut by_name: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    for event in events {
        by_name.entry(counts.names.get(&event.source).map_or(&event.source, |name| name)).or_default().push(event);
    }
    let rows =
        by_name.into_iter().filter_map(|(name, events)| seen(known.remove(name)?, &events, now, &mut counts.late));
    let rows: Vec<Seen> = rows.collect();
    bookkeeping::sources_seen(tx, &rows).await?;
    bookkeeping::minute_seen(tx, now, u64::try_from(events.len()).unwrap_or(0)).await?;
    Ok(counts)
}

/// What a tenant's watermark is now.
pub(crate) async fn watermark(access: &mut impl Access, now: Timestamp) -> Result<Option<Timestamp>> {
    let watermark = bookkeeping::watermark(access, CONSUMER, now.minus(SILENT_AFTER)).await?;
    Ok(watermark.map(|watermark| possible(watermark, now)))
}

/// What a batch's events of one source, in the order of the log, add to it.
fn seen(counted: Counted, events: &[&Event], now: Timestamp, behind: &mut Vec<EventId>) -> Option<Seen> {
    let last = events.iter().max_by_key(|event| event.id)?;
    let mut watermark = Watermark(counted.watermark.map(|watermark| possible(watermark, now)));
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
