//! What was seen of what is listed: one row a list, indicator and entity, with the provenance that the list had when it was
//! last seen, so that it outlives the list.

use serde::{Deserialize, Serialize};
use shieldops_model::{AlertId, Entity, EventId, Severity, Timestamp};
use sqlx::{Row as _, any::AnyRow};
use utoipa::ToSchema;

use crate::{
    Access, Page, PageRequest, Result, StoreError, Tx,
    access::{open, seal},
    alerts::id_of,
    rows::{count, time},
};

const TABLE: &str = "indicator_hits";
/// Rows that one tenant may have; beyond, those seen longest ago go.
pub const MAX: i64 = 100_000;

/// Where an indicator comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Provenance {
    /// `ilt_…`, or the name of a file of the installation.
    pub list_id: String,
    pub list: String,
    /// Who made the list, or where it is published.
    pub source: String,
    /// In what was imported, from 1.
    pub line: u32,
    pub reference: String,
    /// 0 to 100.
    pub confidence: Option<u8>,
    pub added_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
}

/// One indicator of one list, seen in one entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sighting {
    pub entity: Entity,
    /// `ip`, `cidr`, `domain`, `hash`, `url` or `email`.
    pub kind: String,
    /// As the list has it, in canonical form.
    pub indicator: String,
    pub provenance: Provenance,
    pub severity: Severity,
    /// The entry of an allow-list that made it no alert.
    pub allowed_by: Option<Provenance>,
    /// The last event it was seen in.
    pub event_id: EventId,
}

/// A sighting as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Hit {
    #[serde(flatten)]
    pub sighting: Sighting,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    pub count: u64,
    /// The newest alert of it.
    pub alert_id: Option<AlertId>,
}

/// Which hits a list shows.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub list_id: Option<String>,
    pub allowed: Option<bool>,
}

/// Sightings of a batch under one id.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Of list, indicator and entity.
    pub id: [u8; 32],
    /// Of the alerts that it raises.
    pub fingerprint: [u8; 32],
    pub sighting: Sighting,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    pub count: u64,
}

/// Notes what a batch saw.
pub async fn note(tx: &mut Tx, seen: &[Seen]) -> Result<()> {
    for one in seen {
        let body = seal(tx, TABLE, &one.id, &one.sighting)?;
        sqlx::query(
            "INSERT INTO indicator_hits (tenant_id, id, list_id, fingerprint, allowed, first_seen, last_seen, count, body) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9) \
             ON CONFLICT (tenant_id, id) DO UPDATE SET allowed=excluded.allowed, body=excluded.body, count=indicator_hits.count+excluded.count, \
             first_seen=CASE WHEN excluded.first_seen<indicator_hits.first_seen THEN excluded.first_seen ELSE indicator_hits.first_seen END, \
             last_seen=CASE WHEN excluded.last_seen>indicator_hits.last_seen THEN excluded.last_seen ELSE indicator_hits.last_seen END",
        )
        .bind(tx.t())
        .bind(one.id.to_vec())
        .bind(&one.sighting.provenance.list_id)
        .bind(one.fingerprint.to_vec())
        .bind(i64::from(one.sighting.allowed_by.is_some()))
        .bind(one.first_seen.as_micros())
        .bind(one.last_seen.as_micros())
        .bind(i64::try_from(one.count).unwrap_or(i64::MAX))
        .bind(body)
        .execute(tx.conn())
        .await?;
    }
    if seen.is_empty() { Ok(()) } else { trim(tx).await }
}

async fn trim(tx: &mut Tx) -> Result<()> {
    sqlx::query(
        "DELETE FROM indicator_hits WHERE tenant_id=$1 AND id IN (SELECT id FROM indicator_hits WHERE tenant_id=$1 ORDER BY last_seen DESC, id DESC LIMIT 1000000 OFFSET $2)",
    )
    .bind(tx.t())
    .bind(MAX)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Those last seen come first. The cursor is the time and id of the last one shown.
pub async fn list(access: &mut impl Access, filter: &Filter, page: &PageRequest) -> Result<Page<Hit>> {
    let tenant = access.t();
    let (time, id) = cursor(page)?;
    let rows = sqlx::query(
        "SELECT * FROM indicator_hits WHERE tenant_id=$1 AND (last_seen<$2 OR (last_seen=$2 AND id<$3)) \
         AND ($5 IS NULL OR list_id=$5) AND ($6 IS NULL OR allowed=$6) ORDER BY last_seen DESC, id DESC LIMIT $4",
    )
    .bind(tenant)
    .bind(time)
    .bind(id)
    .bind(page.fetch())
    .bind(&filter.list_id)
    .bind(filter.allowed.map(i64::from))
    .fetch_all(access.conn())
    .await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let id: Vec<u8> = row.try_get("id")?;
        let mut hit = read(access, row)?;
        hit.alert_id = newest_alert(access, row.try_get("fingerprint")?).await?;
        found.push((hex::encode(id), hit));
    }
    let page = page.page(found, |(id, hit)| format!("{}.{id}", hit.last_seen.as_micros()));
    Ok(Page { items: page.items.into_iter().map(|(_, hit)| hit).collect(), next_cursor: page.next_cursor })
}

/// What was seen of lists in the alerts of a fingerprint.
pub async fn of_fingerprint(access: &mut impl Access, fingerprint: &[u8]) -> Result<Vec<Hit>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT * FROM indicator_hits WHERE tenant_id=$1 AND fingerprint=$2 ORDER BY last_seen DESC LIMIT 100",
    )
    .bind(tenant)
    .bind(fingerprint.to_vec())
    .fetch_all(access.conn())
    .await?;
    rows.iter().map(|row| read(access, row)).collect()
}

async fn newest_alert(access: &mut impl Access, fingerprint: Vec<u8>) -> Result<Option<AlertId>> {
    let tenant = access.t();
    let row = sqlx::query(
        "SELECT id FROM alerts WHERE tenant_id=$1 AND fingerprint=$2 ORDER BY window_start DESC, id DESC LIMIT 1",
    )
    .bind(tenant)
    .bind(fingerprint)
    .fetch_optional(access.conn())
    .await?;
    row.map(|row| id_of(&row, "id")).transpose()
}

fn cursor(page: &PageRequest) -> Result<(i64, Vec<u8>)> {
    let Some(text) = &page.cursor else { return Ok((i64::MAX, vec![u8::MAX; 33])) };
    let read = || {
        let (time, id) = text.split_once('.')?;
        Some((time.parse().ok()?, hex::decode(id).ok()?))
    };
    read().ok_or(StoreError::InvalidCursor)
}

fn read(access: &impl Access, row: &AnyRow) -> Result<Hit> {
    let id: Vec<u8> = row.try_get("id")?;
    let sealed: Vec<u8> = row.try_get("body")?;
    Ok(Hit {
        sighting: open(access, TABLE, &id, &sealed)?,
        first_seen: time(row, "first_seen")?,
        last_seen: time(row, "last_seen")?,
        count: count(row, "count")?,
        alert_id: None,
    })
}
