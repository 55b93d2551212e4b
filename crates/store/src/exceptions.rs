//! Exceptions from rules: Sigma filters with an owner, a reason and a day on which they end by themselves. An event whose
//! time is before that day stays excepted, however late it comes.

use serde::{Deserialize, Serialize};
use serde_json::json;
use shieldops_model::{ExceptionId, Timestamp};
use sqlx::{Row as _, any::AnyRow};

use crate::{
    Access, Result, StoreError, Tx,
    access::{open, seal},
    alerts::id_of,
    rows::{bytes, time},
};

const TABLE: &str = "exceptions";
/// Exceptions that one tenant may have, ended ones included.
pub const MAX: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    pub id: ExceptionId,
    pub title: String,
    /// The Sigma filter, as it was written.
    pub filter: String,
    /// The rules it names, by id or name; none is any rule of its log source.
    pub rules: Vec<String>,
    pub owner: String,
    pub reason: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Events from this time on are not excepted.
    pub expires_at: Timestamp,
    /// Who made or last changed it.
    pub by: String,
    pub by_name: String,
    pub version: i64,
}

#[derive(Serialize, Deserialize)]
struct Body {
    title: String,
    filter: String,
    rules: Vec<String>,
    owner: String,
    reason: String,
    by_name: String,
}

pub async fn find(access: &mut impl Access, id: ExceptionId) -> Result<Option<Exception>> {
    let tenant = access.t();
    let row = sqlx::query("SELECT * FROM exceptions WHERE tenant_id=$1 AND id=$2").bind(tenant).bind(bytes(id));
    row.fetch_optional(access.conn()).await?.map(|row| read(access, &row)).transpose()
}

/// Those that except events from `since` on, newest first.
pub async fn after(access: &mut impl Access, since: Timestamp) -> Result<Vec<Exception>> {
    let tenant = access.t();
    let rows = sqlx::query("SELECT * FROM exceptions WHERE tenant_id=$1 AND expires_at>$2 ORDER BY id DESC LIMIT $3")
        .bind(tenant)
        .bind(since.as_micros())
        .bind(limit())
        .fetch_all(access.conn())
        .await?;
    rows.iter().map(|row| read(access, row)).collect()
}

/// All of them, newest first.
pub async fn all(access: &mut impl Access) -> Result<Vec<Exception>> {
    after(access, Timestamp::from_micros(i64::MIN)).await
}

/// # Errors
/// `Refused` when the tenant has as many as it may.
pub async fn insert(tx: &mut Tx, exception: &Exception) -> Result<()> {
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM exceptions WHERE tenant_id=$1")
        .bind(tx.t())
        .fetch_one(tx.conn())
        .await?;
    if count >= limit() {
        let detail = format!("a tenant has at most {MAX} exceptions: delete some that have ended");
        return Err(StoreError::Refused { detail });
    }
    let body = sealed(tx, exception)?;
    sqlx::query(
        "INSERT INTO exceptions (tenant_id, id, expires_at, created_at, updated_at, actor, version, body) VALUES ($1,$2,$3,$4,$5,$6,$7,$8)",
    )
    .bind(tx.t())
    .bind(bytes(exception.id))
    .bind(exception.expires_at.as_micros())
    .bind(exception.created_at.as_micros())
    .bind(exception.updated_at.as_micros())
    .bind(&exception.by)
    .bind(exception.version)
    .bind(body)
    .execute(tx.conn())
    .await?;
    told(tx, exception);
    record(tx, "exception.created", exception)
}

/// Writes a changed exception over the version it was read at.
pub async fn update(tx: &mut Tx, exception: &mut Exception) -> Result<()> {
    let read_at = exception.version;
    exception.version += 1;
    let actor = tx.scope().actor().clone();
    (exception.by, exception.by_name) = (actor.id, actor.name);
    let body = sealed(tx, exception)?;
    let done = sqlx::query(
        "UPDATE exceptions SET expires_at=$4, updated_at=$5, actor=$6, version=$7, body=$8 WHERE tenant_id=$1 AND id=$2 AND version=$3",
    )
    .bind(tx.t())
    .bind(bytes(exception.id))
    .bind(read_at)
    .bind(exception.expires_at.as_micros())
    .bind(exception.updated_at.as_micros())
    .bind(&exception.by)
    .bind(exception.version)
    .bind(body)
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    told(tx, exception);
    record(tx, "exception.updated", exception)
}

pub async fn delete(tx: &mut Tx, exception: &Exception) -> Result<()> {
    let done = sqlx::query("DELETE FROM exceptions WHERE tenant_id=$1 AND id=$2 AND version=$3")
        .bind(tx.t())
        .bind(bytes(exception.id))
        .bind(exception.version)
        .execute(tx.conn())
        .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    told(tx, exception);
    record(tx, "exception.deleted", exception)
}

/// Watchers of rules hear of it too: what a rule finds has changed.
fn told(tx: &mut Tx, exception: &Exception) {
    tx.touched("exception", exception.id, exception.version);
    tx.announce("rule", "all");
}

fn record(tx: &mut Tx, kind: &'static str, exception: &Exception) -> Result<()> {
    let body = json!({"title": exception.title, "filter": exception.filter, "rules": exception.rules,
        "owner": exception.owner, "reason": exception.reason, "expires_at": exception.expires_at});
    let mut subjects: Vec<&dyn std::fmt::Display> = vec![&exception.id];
    subjects.extend(exception.rules.iter().take(16).map(|rule| rule as &dyn std::fmt::Display));
    tx.record(kind, &subjects, body)
}

fn sealed(tx: &Tx, exception: &Exception) -> Result<Vec<u8>> {
    let body = Body {
        title: exception.title.clone(),
        filter: exception.filter.clone(),
        rules: exception.rules.clone(),
        owner: exception.owner.clone(),
        reason: exception.reason.clone(),
        by_name: exception.by_name.clone(),
    };
    seal(tx, TABLE, &exception.id.to_bytes(), &body)
}

fn limit() -> i64 {
    i64::try_from(MAX).unwrap_or(i64::MAX)
}

fn read(access: &impl Access, row: &AnyRow) -> Result<Exception> {
    let id: ExceptionId = id_of(row, "id")?;
    let sealed: Vec<u8> = row.try_get("body")?;
    let body: Body = open(access, TABLE, &id.to_bytes(), &sealed)?;
    Ok(Exception {
        id,
        title: body.title,
        filter: body.filter,
        rules: body.rules,
        owner: body.owner,
        reason: body.reason,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
        expires_at: time(row, "expires_at")?,
        by: row.try_get("actor")?,
        by_name: body.by_name,
        version: row.try_get("version")?,
    })
}
