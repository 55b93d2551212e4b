//! What policy was asked and what it said, kept for a time so that other policies can be asked the same. Bookkeeping: written
//! in the transaction of the decision, which has its own entry.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shieldops_model::{Decision, PlanId, Timestamp};
use sqlx::{Row as _, any::AnyRow};

use crate::{
    Access, Result, TenantScope, Tx,
    access::{open, seal},
    alerts::id_of,
    rows::{bytes, time},
};

const TABLE: &str = "policy_inputs";
/// How far back a replay may look; each question is kept a little longer.
pub const REPLAYED: Duration = Duration::from_hours(24 * 30);
const KEPT: Duration = Duration::from_hours(24 * 35);
/// Bytes of a question that is kept.
pub const BYTES: usize = 256 * 1024;
/// Rows that one statement of the sweep forgets, and statements of one sweep.
const PIECE: i64 = 1_000;
const PIECES: usize = 50;

/// A question as it was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    pub plan: PlanId,
    pub at: Timestamp,
    pub input: Value,
    pub decided: Decision,
}

/// A question that was kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    pub place: Place,
    /// Absent, with the reason, when it cannot be asked again.
    pub asked: std::result::Result<(Value, Decision), String>,
}

/// Where a question stands among all of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub at: Timestamp,
    pub plan: PlanId,
    pub number: i64,
}

#[derive(Serialize, Deserialize)]
struct Body {
    /// Absent: it was too large.
    input: Option<Value>,
    decided: Decision,
}

/// Keeps a question, in the order in which those about its plan were asked.
pub async fn keep(tx: &mut Tx, asked: &Asked) -> Result<()> {
    let last: i64 =
        sqlx::query_scalar("SELECT COALESCE(MAX(number), 0) FROM policy_inputs WHERE tenant_id=$1 AND plan_id=$2")
            .bind(tx.t())
            .bind(bytes(asked.plan))
            .fetch_one(tx.conn())
            .await?;
    let number = last + 1;
    let fits = asked.input.to_string().len() <= BYTES;
    let body = Body { input: fits.then(|| asked.input.clone()), decided: asked.decided.clone() };
    let body = seal(tx, TABLE, &row_key(asked.plan, number), &body)?;
    sqlx::query("INSERT INTO policy_inputs (tenant_id, plan_id, number, at, body) VALUES ($1,$2,$3,$4,$5)")
        .bind(tx.t())
        .bind(bytes(asked.plan))
        .bind(number)
        .bind(asked.at.as_micros())
        .bind(body)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// How many were asked from `from` until before `to`.
pub async fn count(access: &mut impl Access, from: Timestamp, to: Timestamp) -> Result<u64> {
    let tenant = access.t();
    let number: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM policy_inputs WHERE tenant_id=$1 AND at>=$2 AND at<$3")
        .bind(tenant)
        .bind(from.as_micros())
        .bind(to.as_micros())
        .fetch_one(access.conn())
        .await?;
    Ok(u64::try_from(number).unwrap_or(0))
}

/// Questions from `from` until before `to`, newest first, behind the place where the last piece ended.
pub async fn between(
    access: &mut impl Access,
    (from, to): (Timestamp, Timestamp),
    behind: Option<Place>,
    limit: u32,
) -> Result<Vec<Kept>> {
    let (at, plan, number) = match behind {
        Some(place) => (place.at.as_micros(), bytes(place.plan), place.number),
        None => (to.as_micros(), Vec::new(), 0),
    };
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT plan_id, number, at, body FROM policy_inputs WHERE tenant_id=$1 AND at>=$2 \
         AND (at<$3 OR (at=$3 AND (plan_id<$4 OR (plan_id=$4 AND number<$5)))) ORDER BY at DESC, plan_id DESC, number DESC LIMIT $6",
    )
    .bind(tenant)
    .bind(from.as_micros())
    .bind(at)
    .bind(plan)
    .bind(number)
    .bind(i64::from(limit))
    .fetch_all(access.conn())
    .await?;
    rows.iter().map(|row| read(access, row)).collect()
}

/// Forgets what is older than is kept, so much at a time; how many.
pub async fn sweep(scope: &TenantScope, now: Timestamp) -> Result<u64> {
    let mut gone = 0;
    for _ in 0..PIECES {
        let mut tx = scope.begin().await?;
        let done = sqlx::query(
            "DELETE FROM policy_inputs WHERE tenant_id=$1 AND (plan_id, number) IN \
             (SELECT plan_id, number FROM policy_inputs WHERE tenant_id=$1 AND at<$2 ORDER BY at LIMIT $3)",
        )
        .bind(tx.t())
        .bind(now.minus(KEPT).as_micros())
        .bind(PIECE)
        .execute(tx.conn())
        .await?
        .rows_affected();
        tx.commit(now).await?;
        gone += done;
        if done < u64::try_from(PIECE).unwrap_or(u64::MAX) {
            break;
        }
    }
    Ok(gone)
}

fn row_key(plan: PlanId, number: i64) -> Vec<u8> {
    [&plan.to_bytes()[..], &number.to_be_bytes()].concat()
}

/// One that cannot be opened is kept among them: a replay says how many it could not ask.
fn read(access: &impl Access, row: &AnyRow) -> Result<Kept> {
    let plan: PlanId = id_of(row, "plan_id")?;
    let number: i64 = row.try_get("number")?;
    let sealed: Vec<u8> = row.try_get("body")?;
    let place = Place { at: time(row, "at")?, plan, number };
    let asked = match open::<Body>(access, TABLE, &row_key(plan, number), &sealed) {
        Ok(Body { input: Some(input), decided }) => Ok((input, decided)),
        Ok(Body { input: None, .. }) => Err(format!("the question had more than {BYTES} bytes and was not kept")),
        Err(error) => Err(format!("it cannot be read: {error}")),
    };
    Ok(Kept { place, asked })
}
