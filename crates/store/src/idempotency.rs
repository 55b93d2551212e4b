//! Requests that may be repeated: a key is claimed before the work, the answer is stored after it, and a repetition gets the
//! stored answer. Bookkeeping: the work has its own entries.
//!
//! A claim whose server died stays in flight until it is a day old: whether the work was done is not known here, and doing
//! it twice is worse than asking the caller to look.
//!
//! No commit of these waits for the disk. A claim is never missing where its work is there, for the work commits later and
//! waits; an answer that is lost with the machine leaves its claim in flight, as a server that died does.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shieldops_model::Timestamp;
use sqlx::Row as _;

use crate::{
    Access, Result, StoreError, TenantScope, Tx,
    access::{open, seal},
};

const TABLE: &str = "idempotency";
/// How long a key is remembered.
pub const KEPT_FOR: Duration = Duration::from_hours(24);

/// Who repeats what.
#[derive(Debug, Clone)]
pub struct Claim {
    /// `Principal::subject`.
    pub principal: [u8; 16],
    /// The operation and what it is about.
    pub operation: String,
    pub key: String,
    pub body_hash: [u8; 32],
}

impl Claim {
    /// What binds the sealed answer to this claim.
    fn row(&self) -> Vec<u8> {
        [self.principal.as_slice(), self.operation.as_bytes(), &[0], self.key.as_bytes()].concat()
    }
}

/// An answer as it is given again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// Nobody used the key: do the work, then `finish` or `abandon`.
    First,
    /// The work of an earlier request is not done, or its server died at it.
    InFlight {
        since: Timestamp,
    },
    /// The key was used with another body.
    Conflict,
    Replay(Answer),
}

/// Claims a key. Of two who claim at once, one is first.
pub async fn begin(scope: &TenantScope, claim: &Claim, now: Timestamp) -> Result<Begun> {
    let mut tx = Tx::begin_unwaited(scope).await?;
    forget(&mut tx, claim, oldest(now)).await?;
    let done = sqlx::query(
        "INSERT INTO idempotency (tenant_id, principal, operation, request_key, body_hash, state, at) VALUES ($1,$2,$3,$4,$5,'in_flight',$6) ON CONFLICT DO NOTHING",
    )
    .bind(tx.t())
    .bind(claim.principal.to_vec())
    .bind(&claim.operation)
    .bind(&claim.key)
    .bind(claim.body_hash.to_vec())
    .bind(now.as_micros())
    .execute(tx.conn())
    .await?;
    let begun = if done.rows_affected() == 1 { Begun::First } else { known(&mut tx, claim).await? };
    if begun == Begun::First {
        tx.commit(now).await?;
    }
    Ok(begun)
}

async fn known(tx: &mut Tx, claim: &Claim) -> Result<Begun> {
    let row = sqlx::query(
        "SELECT body_hash, state, answer, at FROM idempotency WHERE tenant_id=$1 AND principal=$2 AND operation=$3 AND request_key=$4",
    )
    .bind(tx.t())
    .bind(claim.principal.to_vec())
    .bind(&claim.operation)
    .bind(&claim.key)
    .fetch_one(tx.conn())
    .await?;
    let body_hash: Vec<u8> = row.try_get("body_hash")?;
    if body_hash != claim.body_hash {
        return Ok(Begun::Conflict);
    }
    let answer: Option<Vec<u8>> = row.try_get("answer")?;
    match answer {
        Some(sealed) => open(tx, TABLE, &claim.row(), &sealed).map(Begun::Replay),
        None => Ok(Begun::InFlight { since: Timestamp::from_micros(row.try_get("at")?) }),
    }
}

/// Stores the answer that repetitions get.
pub async fn finish(scope: &TenantScope, claim: &Claim, answer: &Answer, now: Timestamp) -> Result<()> {
    let mut tx = Tx::begin_unwaited(scope).await?;
    let sealed = seal(&tx, TABLE, &claim.row(), answer)?;
    let done = sqlx::query(
        "UPDATE idempotency SET state='done', status=$5, answer=$6 WHERE tenant_id=$1 AND principal=$2 AND operation=$3 AND request_key=$4 AND state='in_flight'",
    )
    .bind(tx.t())
    .bind(claim.principal.to_vec())
    .bind(&claim.operation)
    .bind(&claim.key)
    .bind(i64::from(answer.status))
    .bind(sealed)
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::NotFound);
    }
    tx.commit(now).await
}

/// Gives the key back: nothing was done.
pub async fn abandon(scope: &TenantScope, claim: &Claim, now: Timestamp) -> Result<()> {
    let mut tx = Tx::begin_unwaited(scope).await?;
    sqlx::query(
        "DELETE FROM idempotency WHERE tenant_id=$1 AND principal=$2 AND operation=$3 AND request_key=$4 AND state='in_flight'",
    )
    .bind(tx.t())
    .bind(claim.principal.to_vec())
    .bind(&claim.operation)
    .bind(&claim.key)
    .execute(tx.conn())
    .await?;
    tx.commit(now).await
}

/// Forgets the keys of this tenant that are older than a day.
pub async fn sweep(scope: &TenantScope, now: Timestamp) -> Result<u64> {
    let mut tx = scope.begin().await?;
    let delete = sqlx::query("DELETE FROM idempotency WHERE tenant_id=$1 AND at<$2").bind(tx.t());
    let done = delete.bind(oldest(now)).execute(tx.conn()).await?;
    tx.commit(now).await?;
    Ok(done.rows_affected())
}

async fn forget(tx: &mut Tx, claim: &Claim, before: i64) -> Result<()> {
    sqlx::query(
        "DELETE FROM idempotency WHERE tenant_id=$1 AND principal=$2 AND operation=$3 AND request_key=$4 AND at<$5",
    )
    .bind(tx.t())
    .bind(claim.principal.to_vec())
    .bind(&claim.operation)
    .bind(&claim.key)
    .bind(before)
    .execute(tx.conn())
    .await?;
    Ok(())
}

fn oldest(now: Timestamp) -> i64 {
    now.as_micros().saturating_sub(i64::try_from(KEPT_FOR.as_micros()).unwrap_or(i64::MAX))
}
