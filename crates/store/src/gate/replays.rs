//! Replays: what other policies would have decided of questions that were kept. A job does the work; its beginning and end have
//! entries, and the report, which `policy` gives its meaning, is what became of it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shieldops_model::{JobId, Timestamp, id};
use sqlx::{Row as _, any::AnyRow};

use crate::{
    Access, Page, PageRequest, Result, StoreError, Tx,
    access::{open, seal},
    alerts::id_of,
    jobs::JobState,
    rows::{bytes, time},
};

const TABLE: &str = "policy_replays";
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

#[derive(Serialize, Deserialize)]
struct Body {
    report: Option<Value>,
}

pub async fn insert(tx: &mut Tx, replay: &Replay) -> Result<()> {
    let body = seal(tx, TABLE, &replay.id.to_bytes(), &Body { report: replay.report.clone() })?;
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
    let body = seal(tx, TABLE, &replay.id.to_bytes(), &Body { report: replay.report.clone() })?;
    let done =
        sqlx::query("UPDATE policy_replays SET state=$3, body=$4 WHERE tenant_id=$1 AND id=$2 AND state='running'")
            .bind(tx.t())
            .bind(bytes(replay.id))
            .bind(replay.state.as_str())
            .bind(body)
            .execute(tx.conn())
            .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
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

/// The newest replay of exactly these policies that came to its end.
pub async fn proof(access: &mut impl Access, policy_hash: &str) -> Result<Option<Replay>> {
    let tenant = access.t();
    let row = sqlx::query(
        "SELECT * FROM policy_replays WHERE tenant_id=$1 AND hash=$2 AND state='done' ORDER BY id DESC LIMIT 1",
    )
    .bind(tenant)
    .bind(policy_hash)
    .fetch_optional(access.conn())
    .await?;
    row.map(|row| read(access, &row)).transpose()
}

/// Says of replays whose job is over that they are too: their process ended in the middle.
pub async fn give_up(tx: &mut Tx) -> Result<()> {
    sqlx::query(
        "UPDATE policy_replays SET state='failed' WHERE tenant_id=$1 AND state='running' AND NOT EXISTS \
         (SELECT 1 FROM jobs j WHERE j.tenant_id=policy_replays.tenant_id AND j.id=policy_replays.id AND j.state='running')",
    )
    .bind(tx.t())
    .execute(tx.conn())
    .await?;
    Ok(())
}

fn read(access: &impl Access, row: &AnyRow) -> Result<Replay> {
    let id: JobId = id_of(row, "id")?;
    let sealed: Vec<u8> = row.try_get("body")?;
    let Body { report } = open(access, TABLE, &id.to_bytes(), &sealed)?;
    let state: String = row.try_get("state")?;
    Ok(Replay {
        id,
        number: row.try_get("number")?,
        policy_hash: row.try_get("hash")?,
        from: time(row, "since")?,
        to: time(row, "until")?,
        state: JobState::of(&state),
        at: time(row, "at")?,
        by: row.try_get("actor")?,
        report,
    })
}
