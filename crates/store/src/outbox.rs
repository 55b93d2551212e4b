//! What people are to be told of. A notice is queued in the transaction of what it tells of, so neither is there without the
//! other; nothing reads it before it acts. When it is due it is addressed: one letter for each receiver and channel.

mod letters;

use std::time::Duration;

use serde::Serialize;
use shieldops_model::{Notice, NoticeId, PlanId, Timestamp, id};
use sqlx::{Row as _, any::AnyRow};
use utoipa::ToSchema;

use crate::{
    Access, Result, Tx,
    access::{open, seal},
    alerts::id_of,
    rows::{bytes, small, time},
};
pub use letters::{Channel, Filter, Letter, LetterState, NewLetter, address, due, failed, find_letter, list, sent};

const TABLE: &str = "outbox";
/// Notices of a tenant that may wait; more are counted and not kept, for whoever floods must not fill the database.
pub const WAITING: i64 = 10_000;
/// How long the same is not told again of one action.
const AGAIN: Duration = Duration::from_hours(1);
/// The counter of those that were not kept.
pub const DROPPED: &str = "notices_dropped";

/// A notice on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    pub id: NoticeId,
    pub at: Timestamp,
    pub due_at: Timestamp,
    pub notice: Notice,
}

/// Leaves a notice that is to be told at `due_at`; nothing when too many wait, or when the same was told of the same action
/// within the hour: a host that is away is tried every minute.
pub async fn queue(tx: &mut Tx, notice: &Notice, due_at: Timestamp, now: Timestamp) -> Result<Option<NoticeId>> {
    let waiting: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox WHERE tenant_id=$1 AND state='waiting'")
        .bind(tx.t())
        .fetch_one(tx.conn())
        .await?;
    if waiting >= WAITING {
        crate::bookkeeping::count(tx, DROPPED, 1).await?;
        return Ok(None);
    }
    if told_lately(tx, notice, now).await? {
        return Ok(None);
    }
    let id: NoticeId = id::mint(now, &mut rand::rng());
    let body = seal(tx, TABLE, &id.to_bytes(), notice)?;
    sqlx::query(
        "INSERT INTO outbox (tenant_id, id, kind, plan_id, action_id, step, at, due_at, state, body) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,'waiting',$9)",
    )
    .bind(tx.t())
    .bind(bytes(id))
    .bind(notice.kind.as_str())
    .bind(notice.plan.map(bytes))
    .bind(notice.action.map(bytes))
    .bind(i64::from(notice.step))
    .bind(now.as_micros())
    .bind(due_at.as_micros())
    .bind(body)
    .execute(tx.conn())
    .await?;
    tx.announce("notice", id);
    Ok(Some(id))
}

async fn told_lately(tx: &mut Tx, notice: &Notice, now: Timestamp) -> Result<bool> {
    let Some(action) = notice.action else { return Ok(false) };
    let told: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM outbox WHERE tenant_id=$1 AND action_id=$2 AND kind=$3 AND step=$4 AND at>$5",
    )
    .bind(tx.t())
    .bind(bytes(action))
    .bind(notice.kind.as_str())
    .bind(i64::from(notice.step))
    .bind(now.minus(AGAIN).as_micros())
    .fetch_one(tx.conn())
    .await?;
    Ok(told > 0)
}

/// Notices whose time has come and that have no letters yet, the longest due first.
pub async fn waiting(access: &mut impl Access, now: Timestamp, limit: i64) -> Result<Vec<Queued>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT * FROM outbox WHERE tenant_id=$1 AND state='waiting' AND due_at<=$2 ORDER BY due_at, id LIMIT $3",
    )
    .bind(tenant)
    .bind(now.as_micros())
    .bind(limit)
    .fetch_all(access.conn())
    .await?;
    // One that cannot be read, of a later version perhaps, waits and holds up no other.
    let known = |row: &AnyRow| match read(access, row) {
        Ok(notice) => Some(notice),
        Err(error) => {
            tracing::error!(%error, "a notice cannot be read and waits");
            None
        }
    };
    Ok(rows.iter().filter_map(known).collect())
}

pub async fn find(access: &mut impl Access, id: NoticeId) -> Result<Option<Queued>> {
    let tenant = access.t();
    let row = sqlx::query("SELECT * FROM outbox WHERE tenant_id=$1 AND id=$2").bind(tenant).bind(bytes(id));
    row.fetch_optional(access.conn()).await?.map(|row| read(access, &row)).transpose()
}

/// When something is due next: a notice or a letter.
pub async fn next_due(access: &mut impl Access) -> Result<Option<Timestamp>> {
    let tenant = access.t();
    let next: Option<i64> = sqlx::query_scalar(
        "SELECT min(at) FROM (SELECT min(due_at) AS at FROM outbox WHERE tenant_id=$1 AND state='waiting' \
         UNION ALL SELECT min(next_at) AS at FROM outbox_letters WHERE tenant_id=$1 AND state='queued') AS next",
    )
    .bind(tenant)
    .fetch_one(access.conn())
    .await?;
    Ok(next.map(Timestamp::from_micros))
}

/// Nobody needs to be told of it any more; false when it is not waiting.
pub async fn withdraw(tx: &mut Tx, id: NoticeId) -> Result<bool> {
    let done = sqlx::query("UPDATE outbox SET state='void' WHERE tenant_id=$1 AND id=$2 AND state='waiting'");
    Ok(done.bind(tx.t()).bind(bytes(id)).execute(tx.conn()).await?.rows_affected() > 0)
}

/// How far a plan's request for approval was escalated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Request {
    /// The last step that was told: 0 the approvers, 1 those of the team, 2 the administrators.
    pub step: u32,
    /// When others are told next; none when nobody is left.
    pub next_at: Option<Timestamp>,
    /// Everybody was told and nobody answered. It is not a yes: the plan can still be approved until it expires.
    pub unanswered: bool,
}

/// How a plan's request stands; none for a plan that asked nobody.
pub async fn request(access: &mut impl Access, plan: PlanId) -> Result<Option<Request>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT kind, step, due_at, state FROM outbox WHERE tenant_id=$1 AND plan_id=$2 AND kind IN ('approval_request','unanswered') ORDER BY id DESC LIMIT 8",
    )
    .bind(tenant)
    .bind(bytes(plan))
    .fetch_all(access.conn())
    .await?;
    let mut found: Option<Request> = None;
    for row in &rows {
        let (kind, state): (String, String) = (row.try_get("kind")?, row.try_get("state")?);
        let request = found.get_or_insert(Request { step: 0, next_at: None, unanswered: false });
        match state.as_str() {
            "waiting" => request.next_at = Some(time(row, "due_at")?),
            "addressed" if kind == "unanswered" => request.unanswered = true,
            "addressed" => request.step = request.step.max(small(row, "step")?),
            _ => {}
        }
    }
    Ok(found)
}

/// How many notices and letters wait, and how many letters were given up.
pub async fn tally(access: &mut impl Access) -> Result<(u64, u64)> {
    let tenant = access.t();
    let row = sqlx::query(
        "SELECT (SELECT count(*) FROM outbox WHERE tenant_id=$1 AND state='waiting') \
         +(SELECT count(*) FROM outbox_letters WHERE tenant_id=$1 AND state='queued') AS waiting, \
         (SELECT count(*) FROM outbox_letters WHERE tenant_id=$1 AND state='dead') AS dead",
    )
    .bind(tenant)
    .fetch_one(access.conn())
    .await?;
    Ok((crate::rows::count(&row, "waiting")?, crate::rows::count(&row, "dead")?))
}

/// Forgets what ended before a time.
pub async fn sweep(tx: &mut Tx, before: Timestamp) -> Result<()> {
    for ended in [
        "DELETE FROM outbox_letters WHERE tenant_id=$1 AND state<>'queued' AND ended_at<$2",
        "DELETE FROM outbox WHERE tenant_id=$1 AND state<>'waiting' AND due_at<$2 AND NOT EXISTS \
         (SELECT 1 FROM outbox_letters l WHERE l.tenant_id=outbox.tenant_id AND l.notice_id=outbox.id)",
    ] {
        sqlx::query(ended).bind(tx.t()).bind(before.as_micros()).execute(tx.conn()).await?;
    }
    Ok(())
}

fn read(access: &impl Access, row: &AnyRow) -> Result<Queued> {
    let id: NoticeId = id_of(row, "id")?;
    let sealed: Vec<u8> = row.try_get("body")?;
    Ok(Queued {
        id,
        at: time(row, "at")?,
        due_at: time(row, "due_at")?,
        notice: open(access, TABLE, &id.to_bytes(), &sealed)?,
    })
}
