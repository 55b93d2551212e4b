//! Copies of cited events, size-capped, so that citations outlive the retention of the bus.

use serde::{Deserialize, Serialize};
use shieldops_model::{Event, EventId, TenantId, TimeQuality, Timestamp};
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
    /// Absent on copies from before it was known.
    #[serde(default)]
    unchecked: bool,
    raw: Vec<u8>,
}

impl Copy {
    fn event(self, tenant: TenantId, id: EventId) -> Event {
        Event {
            id,
            tenant,
            source: self.source,
            format: self.format,
            time: self.time,
            ingested_at: self.ingested_at,
            time_quality: self.time_quality,
            demo: self.demo,
            unchecked: self.unchecked,
            raw: self.raw.into(),
        }
    }
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
        unchecked: event.unchecked,
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
    Ok(Some(copy.event(access.tenant(), id)))
}

/// Copies read with one statement.
const TOGETHER: usize = 200;

/// Copies of these events; fewer than were asked for where some are not kept.
pub async fn all(access: &mut impl Access, events: &[EventId]) -> Result<Vec<Event>> {
    let mut found = Vec::new();
    for events in events.chunks(TOGETHER) {
        let (tenant, owner) = (access.t(), access.tenant());
        let rows = sqlx::query(
            "SELECT event_id, body FROM cited_events WHERE tenant_id=$1 AND event_id IN (SELECT unhex(value) FROM json_each($2))",
        )
        .bind(tenant)
        .bind(hexes(events)?)
        .fetch_all(access.conn())
        .await?;
        for row in &rows {
            let (id, body): (Vec<u8>, Vec<u8>) = (row.try_get("event_id")?, row.try_get("body")?);
            let copy = open::<Copy>(access, TABLE, &id, &body)?;
            let id = EventId::from_bytes(id.try_into().map_err(|_long| StoreError::damaged("cited_events: event_id"))?);
            found.push(copy.event(owner, id));
        }
    }
    Ok(found)
}

fn hexes(events: &[EventId]) -> Result<String> {
    let ids: Vec<String> = events.iter().map(|event| hex::encode(event.to_bytes())).collect();
    serde_json::to_string(&ids).map_err(StoreError::damaged)
}

/// How an event came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    pub format: String,
    /// By a listener that asks nobody who they are.
    pub unchecked: bool,
}

/// How these events came; fewer than were asked for where some are not kept.
pub async fn ways(access: &mut impl Access, events: &[EventId]) -> Result<Vec<Way>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT event_id, body FROM cited_events WHERE tenant_id=$1 AND event_id IN (SELECT unhex(value) FROM json_each($2))",
    )
    .bind(tenant)
    .bind(hexes(events)?)
    .fetch_all(access.conn())
    .await?;
    let way = |row: &AnyRow| -> Result<Way> {
        let (id, body): (Vec<u8>, Vec<u8>) = (row.try_get("event_id")?, row.try_get("body")?);
        let Copy { format, unchecked, .. } = open(access, TABLE, &id, &body)?;
        Ok(Way { format, unchecked })
    };
    rows.iter().map(way).collect()
}
