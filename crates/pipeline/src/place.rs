//! Where detection goes on in a tenant's log. The place is kept with the id of the last event that was looked at: a count
//! alone would say nothing of the log that it counts, and in another log, or one that was cut short or restored, what came
//! next would be taken for seen.

use std::sync::Arc;

use shieldops_bus::{Before, Bus, Offset};
use shieldops_model::{EventId, TenantId};
use shieldops_store::{Job, Tx, bookkeeping};

use crate::{Pipeline, PipelineError, Result, covered, worker::CONSUMER};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    pub(crate) at: Offset,
    /// The last event that was looked at; none before the first, and of a place kept by an older version.
    pub(crate) last: Option<EventId>,
}

impl Place {
    /// The offset, big endian, and behind it the id.
    fn parse(bytes: &[u8]) -> Self {
        let number = bytes.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let id = bytes.get(8..).and_then(|rest| rest.first_chunk()).map(|bytes| EventId::from_bytes(*bytes));
        Self { at: Offset(number), last: id }
    }

    /// The place after these events.
    pub(crate) fn after(self, at: Offset, events: impl Iterator<Item = EventId>) -> Self {
        Self { at, last: events.max().max(self.last) }
    }

    pub(crate) async fn keep(self, tx: &mut Tx) -> Result<()> {
        let mut bytes = self.at.0.to_be_bytes().to_vec();
        bytes.extend(self.last.map(EventId::to_bytes).into_iter().flatten());
        Ok(bookkeeping::set_offset(tx, CONSUMER, &bytes).await?)
    }
}

/// Where this tenant's worker goes on.
pub(crate) async fn of(pipeline: &Pipeline, tenant: TenantId) -> Result<Place> {
    let mut reader = pipeline.store.job(tenant, Job::Pipeline)?.read().await?;
    Ok(bookkeeping::offset(&mut reader, CONSUMER).await?.map_or_else(Place::default, |bytes| Place::parse(&bytes)))
}

/// A place that is not one of the log as it is now.
struct Moved {
    to: Place,
    why: &'static str,
    /// Events that detection never saw, where that can be known.
    lost: Option<u64>,
}

/// The same, once the log is seen to be the one that the place was kept for. Where it is not, detection goes on behind the
/// last event that it looked at, and that is told.
pub(crate) async fn check(pipeline: &Pipeline, bus: &Arc<Bus>, tenant: TenantId) -> Result<Place> {
    let (place, log) = (of(pipeline, tenant).await?, Arc::clone(bus));
    let compare = move || compare(&log, tenant, place);
    let moved = tokio::task::spawn_blocking(compare).await.map_err(|_ended| PipelineError::Stopped)??;
    let Some(moved) = moved else { return Ok(place) };
    tell(pipeline, bus, tenant, (place, &moved)).await?;
    Ok(moved.to)
}

fn compare(bus: &Bus, tenant: TenantId, place: Place) -> Result<Option<Moved>> {
    let moved = match bus.before(tenant, place.at)? {
        Before::Start | Before::Unreadable => return Ok(None),
        Before::Event(id) if place.last.is_none_or(|last| last == id) => return Ok(None),
        Before::Event(_) => moved(bus, tenant, place, "the log is another one than detection looked at")?,
        Before::Beyond { .. } => moved(bus, tenant, place, "the log ends before the place that detection had reached")?,
        Before::Deleted { until } => {
            let why = "events were deleted by retention before detection looked at them";
            let to = Place { at: until, last: known(bus, tenant, until)?.or(place.last) };
            Moved { to, why, lost: Some(until.0.saturating_sub(place.at.0)) }
        }
    };
    Ok(Some(moved))
}

fn moved(bus: &Bus, tenant: TenantId, place: Place, why: &'static str) -> Result<Moved> {
    // Of a place without an id nothing is known: rather all is looked at again than anything never.
    let at = place.last.map_or(Ok(Offset(0)), |last| bus.behind(tenant, last))?;
    Ok(Moved { to: Place { at, last: known(bus, tenant, at)? }, why, lost: None })
}

fn known(bus: &Bus, tenant: TenantId, at: Offset) -> Result<Option<EventId>> {
    Ok(match bus.before(tenant, at)? {
        Before::Event(id) => Some(id),
        _ => None,
    })
}

async fn tell(pipeline: &Pipeline, bus: &Bus, tenant: TenantId, (from, moved): (Place, &Moved)) -> Result<()> {
    let (now, Moved { to, why, lost }) = (pipeline.store.clock().now(), moved);
    let ends = bus.end(tenant);
    tracing::error!(tenant.id = %tenant, place = from.at.0, goes_on = to.at.0, log.end = ends.0, lost, "{why}");
    let mut tx = pipeline.store.job(tenant, Job::Pipeline)?.begin().await?;
    covered::moved(&mut tx, *lost, now).await?;
    to.keep(&mut tx).await?;
    let body = serde_json::json!({
        "why": why, "place": from.at.0, "last_event": from.last, "goes_on": to.at.0, "log_ends": ends.0, "events_lost": lost,
    });
    tx.record("bus.replaced", &[], body)?;
    tx.commit(now).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
