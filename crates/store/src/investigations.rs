//! Revisions of investigations.

use shieldops_model::{IncidentId, Investigation, Timestamp};
use sqlx::{Row as _, any::AnyRow};

use crate::{
    Access, Result, StoreError, Tx,
    access::{open, seal},
};

const TABLE: &str = "investigations";

fn key(incident: IncidentId, revision: u32) -> Vec<u8> {
    [incident.to_bytes().as_slice(), &revision.to_be_bytes()].concat()
}

pub async fn insert(tx: &mut Tx, incident: IncidentId, revision: &Investigation, now: Timestamp) -> Result<()> {
    let body = seal(tx, TABLE, &key(incident, revision.revision), revision)?;
    sqlx::query("INSERT INTO investigations (tenant_id, incident_id, revision, created_at, planned, body) VALUES ($1,$2,$3,$4,0,$5)")
        .bind(tx.t())
        .bind(incident.to_bytes().to_vec())
        .bind(i64::from(revision.revision))
        .bind(now.as_micros())
        .bind(body)
        .execute(tx.conn())
        .await?;
    tx.touched("investigation", incident, i64::from(revision.revision));
    Ok(())
}

/// One revision, or the latest.
pub async fn find(
    access: &mut impl Access,
    incident: IncidentId,
    revision: Option<u32>,
) -> Result<Option<Investigation>> {
    let tenant = access.t();
    let row = sqlx::query(
        "SELECT revision, body FROM investigations WHERE tenant_id=$1 AND incident_id=$2 AND ($3 IS NULL OR revision=$3) \
         ORDER BY revision DESC LIMIT 1",
    )
    .bind(tenant)
    .bind(incident.to_bytes().to_vec())
    .bind(revision.map(i64::from))
    .fetch_optional(access.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let number = number(&row)?;
    let body: Vec<u8> = row.try_get("body")?;
    open(access, TABLE, &key(incident, number), &body).map(Some)
}

pub async fn get(access: &mut impl Access, incident: IncidentId, revision: Option<u32>) -> Result<Investigation> {
    find(access, incident, revision).await?.ok_or(StoreError::NotFound)
}

/// Latest revisions whose proposals have not been planned yet.
pub async fn unplanned(access: &mut impl Access) -> Result<Vec<(IncidentId, u32)>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT incident_id, max(revision) AS revision FROM investigations WHERE tenant_id=$1 GROUP BY incident_id \
         HAVING max(CASE WHEN planned=1 THEN revision ELSE 0 END) < max(revision) LIMIT 100",
    )
    .bind(tenant)
    .fetch_all(access.conn())
    .await?;
    rows.iter().map(|row| Ok((crate::alerts::id_of(row, "incident_id")?, number(row)?))).collect()
}

fn number(row: &AnyRow) -> Result<u32> {
    let number: i64 = row.try_get("revision")?;
    u32::try_from(number).map_err(|_range| StoreError::damaged(format!("revision {number}")))
}

/// Says that the proposals of this revision were planned. Bookkeeping: the plan has its own entry.
pub async fn mark_planned(tx: &mut Tx, incident: IncidentId, revision: u32) -> Result<()> {
    sqlx::query("UPDATE investigations SET planned=1 WHERE tenant_id=$1 AND incident_id=$2 AND revision<=$3")
        .bind(tx.t())
        .bind(incident.to_bytes().to_vec())
        .bind(i64::from(revision))
        .execute(tx.conn())
        .await?;
    Ok(())
}
