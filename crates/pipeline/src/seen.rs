//! Counts of a batch: per source and per minute.

use std::collections::BTreeMap;

use shieldops_model::{Event, Timestamp};
use shieldops_store::{Tx, bookkeeping};

use crate::Result;

pub(crate) async fn count(tx: &mut Tx, events: &[Event], now: Timestamp) -> Result<()> {
    let mut sources: BTreeMap<&str, (u64, &Event)> = BTreeMap::new();
    for event in events {
        let (count, last) = sources.entry(&event.source).or_insert((0, event));
        *count += 1;
        if event.id > last.id {
            *last = event;
        }
    }
    for (source, (count, last)) in sources {
        bookkeeping::source_seen(tx, source, count, last.time, last.ingested_at).await?;
    }
    if !events.is_empty() {
        bookkeeping::minute_seen(tx, now, u64::try_from(events.len()).unwrap_or(0)).await?;
    }
    Ok(())
}
