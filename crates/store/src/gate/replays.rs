//! Replays: what other policies would have decided of questions that were kept. A job does the work; its beginning and end have
//! entries, and the report, which `policy` gives its meaning, is what became of it.

use std::time::Duration;

use serde_json::Value;
use shieldops_model::{JobId, Timestamp, id};
use sqlx::{Row as _, any::AnyRow};

use super::inputs::REPLAYED;
use crate::{
    Access, Page, PageRequest, Result, Tx,
    jobs::JobState,
    reports::{Reported, Reports},
    rows::bytes,
};

const REPORTS: Reports = Reports("policy_replays");
/// How old the end of its window may be where a replay proves something.
const PROVES: Duration = Duration::from_hours(24);
/// Replays of a tenant that are kept.
const KEPT: i64 = 200;

#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    /// The job's.
    pub id: JobId,
    /// The version that was tried; 0: files that are no version.
    pub number: i64,
    /// Of all policies that were tried, hex.
    pub policy_hash: String,
    pub from: Timestamp,
    pub to: Timestamp,
    pub state: JobState,
    pub at: Timestamp,
    pub by: String,
    /// Absent until it has ended.
    pub report: Option<Value>,
}

pub async fn insert(tx: &mut Tx, replay: &Replay) -> Result<()> {
    let body = REPORTS.sealed(tx, replay.id, replay.report.as_ref())?;
    sqlx::query(
        "INSERT INTO policy_replays (tenant_id, id, number, hash, since, until, state, at, actor, body) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)",
    )
    .bind(tx.t())
    .bind(bytes(replay.id))
    .bind(replay.number)
    .bind(&replay.policy_hash)
    .bind(replay.from.as_micros())
    .bind(replay.to.as_micros())
    .bind(replay.state.as_str())
    .bind(replay.at.as_micros())
    .bind(&replay.by)
    .bind(body)
    .execute(tx.conn())
    .await?;
    sqlx::query(
        "DELETE FROM policy_replays WHERE tenant_id=$1 AND id<=(SELECT r.id FROM policy_replays r WHERE r.tenant_id=$1 \
         ORDER BY r.id DESC LIMIT 1 OFFSET $2)",
    )
    .bind(tx.t())
    .bind(KEPT)
    .execute(tx.conn())
    .await?;
    tx.announce("automation", "automation");
    Ok(())
}

/// Notes the end of a replay that runs.
///
/// # Errors
/// `Conflict` when it has ended already.
pub async fn finish(tx: &mut Tx, replay: &Replay) -> Result<()> {
    REPORTS.finish(tx, replay.id, replay.state, replay.report.as_ref()).await?;
    tx.announce("automation", "automation");
    Ok(())
}

pub async fn find(access: &mut impl Access, id: JobId) -> Result<Option<Replay>> {
    let tenant = access.t();
    let row = sqlx::query("SELECT * FROM policy_replays WHERE tenant_id=$1 AND id=$2").bind(tenant).bind(bytes(id));
    row.fetch_optional(access.conn()).await?.map(|row| read(access, &row)).transpose()
}

/// Newest first.
pub async fn list(access: &mut impl Access, page: &PageRequest) -> Result<Page<Replay>> {
    let tenant = access.t();
    let rows = sqlx::query("SELECT * FROM policy_replays WHERE tenant_id=$1 AND id<$2 ORDER BY id DESC LIMIT $3")
        .bind(tenant)
        .bind(page.below::<id::JobKind>()?)
        .bind(page.fetch())
        .fetch_all(access.conn())
        .await?;
    let items: Result<Vec<Replay>> = rows.iter().map(|row| read(access, row)).collect();
    Ok(page.page(items?, |replay| replay.id.to_string()))
}

/// The newest replay of exactly these policies that came to its end, over the whole time of a replay and until of late: a
/// narrower one would prove whatever its window leaves out.
pub async fn proof(access: &mut impl Access, policy_hash: &str, now: Timestamp) -> Result<Option<Replay>> {
    let tenant = access.t();
    let row = sqlx::query(
        "SELECT * FROM policy_replays WHERE tenant_id=$1 AND hash=$2 AND state='done' AND until>=$3 AND until-since>=$4 \
         ORDER BY id DESC LIMIT 1",
    )
    .bind(tenant)
    .bind(policy_hash)
    .bind(now.minus(PROVES).as_micros())
    .bind(micros(REPLAYED))
    .fetch_optional(access.conn())
    .await?;
    row.map(|row| read(access, &row)).transpose()
}

/// Says of replays whose job is over that they are too: their process ended in the middle.
pub async fn give_up(tx: &mut Tx) -> Result<()> {
    REPORTS.give_up(tx).await
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

fn read(access: &impl Access, row: &AnyRow) -> Result<Replay> {
    let Reported { id, from, to, state, at, by, report } = REPORTS.read(access, row)?;
    let (number, policy_hash) = (row.try_get("number")?, row.try_get("hash")?);
    Ok(Replay { id, number, policy_hash, from, to, state, at, by, report })
}
