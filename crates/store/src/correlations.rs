//! What correlations remember between batches: sealed bytes whose meaning is the engine's, committed with the place of the
//! consumer that they belong to.

use sqlx::{Row as _, any::AnyRow};

use crate::{
    Access, Result, StoreError, Tx,
    access::{open_bytes, seal_bytes},
};

const TABLE: &str = "correlation_states";
/// The bucket of the logs.
const LOG: i64 = -1;

/// A part of what is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// `None` for the log of a step.
    pub bucket: Option<u8>,
    pub step: u64,
    pub bytes: Vec<u8>,
}

/// Stores a step's log, and a bucket in the place of what was stored of it before; logs up to `forget` go.
pub async fn save(tx: &mut Tx, log: &Part, bucket: &Part, forget: u64) -> Result<()> {
    let number = bucket.bucket.map_or(LOG, i64::from);
    sqlx::query("DELETE FROM correlation_states WHERE tenant_id=$1 AND (bucket=$2 OR (bucket=$3 AND step<=$4))")
        .bind(tx.t())
        .bind(number)
        .bind(LOG)
        .bind(place(forget))
        .execute(tx.conn())
        .await?;
    insert(tx, log).await?;
    insert(tx, bucket).await
}

async fn insert(tx: &mut Tx, part: &Part) -> Result<()> {
    let (bucket, step) = (part.bucket.map_or(LOG, i64::from), place(part.step));
    let body = seal_bytes(tx, TABLE, &key(bucket, step), &part.bytes);
    sqlx::query("INSERT INTO correlation_states (tenant_id, bucket, step, body) VALUES ($1,$2,$3,$4)")
        .bind(tx.t())
        .bind(bucket)
        .bind(step)
        .bind(body)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Everything that is remembered, buckets and logs by step. Of a part that is damaged there is nothing: the others are of
/// use without it, and whoever reads it says so.
pub async fn all(access: &mut impl Access) -> Result<Vec<Part>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT bucket, step, body FROM correlation_states WHERE tenant_id=$1 ORDER BY bucket, step LIMIT 100000",
    )
    .bind(tenant)
    .fetch_all(access.conn())
    .await?;
    rows.iter().map(|row| read(access, row)).collect()
}

fn read(access: &impl Access, row: &AnyRow) -> Result<Part> {
    let (number, step): (i64, i64) = (row.try_get("bucket")?, row.try_get("step")?);
    let body: Vec<u8> = row.try_get("body")?;
    let bucket = match number {
        LOG => None,
        number => Some(u8::try_from(number).map_err(|_wide| StoreError::damaged(format!("{TABLE}: bucket {number}")))?),
    };
    let bytes = match open_bytes(access, TABLE, &key(number, step), &body) {
        Err(StoreError::Damaged { detail }) => {
            tracing::error!(tenant.id = %access.tenant(), detail, "a part of what correlations remember does not open");
            Vec::new()
        }
        opened => opened?,
    };
    Ok(Part { bucket, step: u64::try_from(step).unwrap_or(0), bytes })
}

fn place(step: u64) -> i64 {
    i64::try_from(step).unwrap_or(i64::MAX)
}

fn key(bucket: i64, step: i64) -> Vec<u8> {
    [bucket.to_be_bytes(), step.to_be_bytes()].concat()
}
