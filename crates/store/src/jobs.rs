//! Work that is larger than a request: how far it is, and what became of each item. Beginning and end
//! queue their own entries; progress is bookkeeping, since each item's change has an entry of its own.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use shieldops_model::{JobId, Timestamp, id};
use sqlx::{Row as _, any::AnyRow};
use utoipa::ToSchema;

use crate::{
    Access, Page, PageRequest, Result, StoreError, TenantScope, Tx,
    access::{open, seal},
    alerts::id_of,
    rows::{bytes, small, time},
};

const TABLE: &str = "jobs";
/// A job of which nothing was heard for so long does not run any more, though its process may live,
const SILENT: Duration = Duration::from_hours(1);
/// and one that names no process: it was begun by an earlier version.
const SILENT_OF_NOBODY: Duration = Duration::from_mins(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    Running,
    Done,
    /// It ended before every item was tried.
    Failed,
}

impl JobState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    pub(crate) fn of(text: &str) -> Self {
        match text {
            "done" => Self::Done,
            "failed" => Self::Failed,
            _ => Self::Running,
        }
    }
}

/// What became of one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ItemResult {
    pub id: String,
    /// As HTTP says it.
    pub status: u16,
    pub code: Option<String>,
    pub detail: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct BulkJob {
    pub id: JobId,
    /// The operation.
    pub kind: String,
    pub state: JobState,
    pub total: u32,
    /// Items that were tried, the failed ones among them.
    pub done: u32,
    pub failed: u32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub by: String,
    /// What it is about: the rule of a backtest.
    pub subject: Option<String>,
    /// Why it ended before every item was tried.
    pub why: Option<String>,
    pub results: Vec<ItemResult>,
}

impl BulkJob {
    /// One that runs from now on and has done nothing yet.
    pub fn begun(id: JobId, kind: &str, total: u32, by: &str, now: Timestamp) -> Self {
        Self {
            id,
            kind: kind.to_owned(),
            state: JobState::Running,
            total,
            done: 0,
            failed: 0,
            created_at: now,
            updated_at: now,
            by: by.to_owned(),
            subject: None,
            why: None,
            results: Vec::new(),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Body {
    #[serde(default)]
    subject: Option<String>,
    #[serde(default)]
    why: Option<String>,
    /// The process that runs it.
    #[serde(default)]
    holder: Option<String>,
    results: Vec<ItemResult>,
}

pub async fn create(tx: &mut Tx, job: &BulkJob) -> Result<()> {
    let body = sealed(tx, job)?;
    sqlx::query(
        "INSERT INTO jobs (tenant_id, id, kind, state, total, done, failed, created_at, updated_at, actor, body) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)",
    )
    .bind(tx.t())
    .bind(bytes(job.id))
    .bind(&job.kind)
    .bind(job.state.as_str())
    .bind(i64::from(job.total))
    .bind(i64::from(job.done))
    .bind(i64::from(job.failed))
    .bind(job.created_at.as_micros())
    .bind(job.updated_at.as_micros())
    .bind(&job.by)
    .bind(body)
    .execute(tx.conn())
    .await?;
    tx.touched("job", job.id, 0);
    tx.record("job.started", &[&job.id], json!({"kind": job.kind, "items": job.total}))
}

/// Notes how far a running job is.
///
/// # Errors
/// `Conflict` when it is not running any more.
pub async fn progress(tx: &mut Tx, job: &BulkJob) -> Result<()> {
    write(tx, job).await?;
    tx.announce("job", job.id);
    Ok(())
}

/// Ends a running job.
///
/// # Errors
/// `Conflict` when it has ended already.
pub async fn finish(tx: &mut Tx, job: &BulkJob) -> Result<()> {
    write(tx, job).await?;
    tx.touched("job", job.id, 1);
    let mut body =
        json!({"kind": job.kind, "state": job.state, "items": job.total, "done": job.done, "failed": job.failed});
    if let Some(why) = &job.why {
        body["why"] = why.clone().into();
    }
    tx.record("job.finished", &[&job.id], body)
}

async fn write(tx: &mut Tx, job: &BulkJob) -> Result<()> {
    let body = sealed(tx, job)?;
    let done = sqlx::query(
        "UPDATE jobs SET state=$3, done=$4, failed=$5, updated_at=$6, body=$7 WHERE tenant_id=$1 AND id=$2 AND state='running'",
    )
    .bind(tx.t())
    .bind(bytes(job.id))
    .bind(job.state.as_str())
    .bind(i64::from(job.done))
    .bind(i64::from(job.failed))
    .bind(job.updated_at.as_micros())
    .bind(body)
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 { Err(StoreError::Conflict) } else { Ok(()) }
}

fn sealed(tx: &Tx, job: &BulkJob) -> Result<Vec<u8>> {
    let holder = Some(tx.scope.store.holder().to_owned());
    let (subject, why, results) = (job.subject.clone(), job.why.clone(), job.results.clone());
    seal(tx, TABLE, &job.id.to_bytes(), &Body { subject, why, holder, results })
}

pub async fn find(access: &mut impl Access, id: JobId) -> Result<Option<BulkJob>> {
    let tenant = access.t();
    let row = sqlx::query("SELECT * FROM jobs WHERE tenant_id=$1 AND id=$2").bind(tenant).bind(bytes(id));
    row.fetch_optional(access.conn()).await?.map(|row| read(access, &row)).transpose()
}

/// Newest first, without the results of their items.
pub async fn list(access: &mut impl Access, page: &PageRequest) -> Result<Page<BulkJob>> {
    let tenant = access.t();
    let rows = sqlx::query("SELECT * FROM jobs WHERE tenant_id=$1 AND id<$2 ORDER BY id DESC LIMIT $3")
        .bind(tenant)
        .bind(page.below::<id::JobKind>()?)
        .bind(page.fetch())
        .fetch_all(access.conn())
        .await?;
    let without = |job: BulkJob| BulkJob { results: Vec::new(), ..job };
    let items: Result<Vec<BulkJob>> = rows.iter().map(|row| read(access, row).map(without)).collect();
    Ok(page.page(items?, |job| job.id.to_string()))
}

/// Jobs that run, or that a process which ended left running; at most 100.
pub async fn running(access: &mut impl Access) -> Result<Vec<BulkJob>> {
    Ok(held(access).await?.into_iter().map(|(job, _holder)| job).collect())
}

/// Of the running jobs, those that nobody runs: their process is none of the living, or nothing was heard of them for long.
pub async fn abandoned(scope: &TenantScope) -> Result<Vec<BulkJob>> {
    let held = held(&mut scope.read().await?).await?;
    if held.is_empty() {
        return Ok(Vec::new());
    }
    // Asked after the jobs were read: whoever began one of them had come before.
    let (living, now) = (scope.store().living().await?, scope.store().clock().now());
    let silent = |job: &BulkJob, holder: Option<&String>| match holder {
        Some(holder) if living.contains(holder) => now.since(job.updated_at) > SILENT,
        Some(_dead) => true,
        None => now.since(job.updated_at) > SILENT_OF_NOBODY,
    };
    Ok(held.into_iter().filter(|(job, holder)| silent(job, holder.as_ref())).map(|(job, _holder)| job).collect())
}

async fn held(access: &mut impl Access) -> Result<Vec<(BulkJob, Option<String>)>> {
    let tenant = access.t();
    let rows =
        sqlx::query("SELECT * FROM jobs WHERE tenant_id=$1 AND state='running' ORDER BY id LIMIT 100").bind(tenant);
    let rows = rows.fetch_all(access.conn()).await?;
    rows.iter().map(|row| read_held(access, row)).collect()
}

fn read(access: &impl Access, row: &AnyRow) -> Result<BulkJob> {
    read_held(access, row).map(|(job, _holder)| job)
}

fn read_held(access: &impl Access, row: &AnyRow) -> Result<(BulkJob, Option<String>)> {
    let sealed: Vec<u8> = row.try_get("body")?;
    let mut job = head(row)?;
    let Body { subject, why, holder, results } = open(access, TABLE, &job.id.to_bytes(), &sealed)?;
    (job.subject, job.why, job.results) = (subject, why, results);
    Ok((job, holder))
}

fn head(row: &AnyRow) -> Result<BulkJob> {
    let state: String = row.try_get("state")?;
    Ok(BulkJob {
        id: id_of(row, "id")?,
        kind: row.try_get("kind")?,
        state: JobState::of(&state),
        total: small(row, "total")?,
        done: small(row, "done")?,
        failed: small(row, "failed")?,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
        by: row.try_get("actor")?,
        subject: None,
        why: None,
        results: Vec::new(),
    })
}
