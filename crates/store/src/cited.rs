//! Copies of cited events, size-capped, so that citations outlive the retention of the bus.

use serde::{Deserialize, Serialize};
use shieldops_model::{Event, EventId, TimeQuality, Timestamp};
use sqlx::{Row as _, any::AnyRow};

use crate::{
    Access, Result, StoreError, Tx,
    access::{open, seal},
};

const TABLE: &str = "cited_events";
/// Bytes of an event that are copied.
pub const MAX_BYTES: usize = 64 * 1024;

#[derive(Serialize, Deserialize)]
struct Copy {
    source: String,
    format: String,
    time: Timestamp,
    ingested_at: Timestamp,
    time_quality: TimeQuality,
    demo: bool,
    raw: Vec<u8>,
}

/// Copies an event; one that is kept already is left alone.
pub async fn keep(tx: &mut Tx, event: &Event) -> Result<()> {
    let row = event.id.to_bytes();
    let copy = Copy {
        source: event.source.clone(),
        format: event.format.clone(),
        time: event.time,
        ingested_at: event.ingested_at,
        time_quality: event.time_quality,
        demo: event.demo,
        raw: event.raw.iter().take(MAX_BYTES).copied().collect(),
    };
    let body = seal(tx, TABLE, &row, &copy)?;
    sqlx::query(
        "INSERT INTO cited_events (tenant_id, event_id, time, body) VALUES ($1,$2,$3,$4) ON CONFLICT DO NOTHING",
    )
    .bind(tx.t())
    .bind(row.to_vec())
    .bind(event.time.as_micros())
    .bind(body)
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub async fn find(access: &mut impl Access, id: EventId) -> Result<Option<Event>> {
    let tenant = access.t();
    let row = sqlx::query("SELECT body FROM cited_events WHERE tenant_id=$1 AND event_id=$2")
        .bind(tenant)
        .bind(id.to_bytes().to_vec())
        .fetch_optional(access.conn())
        .await?;
    let Some(row) = row else { return Ok(None) };
    let body: Vec<u8> = row.try_get("body")?;
    let copy: Copy = open(access, TABLE, &id.to_bytes(), &body)?;
    Ok(Some(Event {
        id,
        tenant: access.tenant(),
        source: copy.source,
        format: copy.format,
        time: copy.time,
        ingested_at: copy.ingested_at,
        time_quality: copy.time_quality,
        demo: copy.demo,
        raw: copy.raw.into(),
    }))
}

/// The formats of these events; fewer than were asked for where some are not kept.
pub async fn formats(access: &mut impl Access, events: &[EventId]) -> Result<Vec<String>> {
    let tenant = access.t();
    let ids: Vec<String> = events.iter().map(|event| hex::encode(event.to_bytes())).collect();
    let rows = sqlx::query(
        "SELECT event_id, body FROM cited_events WHERE tenant_id=$1 AND event_id IN (SELECT unhex(value) FROM json_each($2))",
    )
    .bind(tenant)
    .bind(serde_json::to_string(&ids).map_err(StoreError::damaged)?)
    .fetch_all(access.conn())
    .await?;
    let format = |row: &AnyRow| -> Result<String> {
        let (id, body): (Vec<u8>, Vec<u8>) = (row.try_get("event_id")?, row.try_get("body")?);
        Ok(open::<Copy>(access, TABLE, &id, &body)?.format)
    };
    rows.iter().map(format).collect()
}
