//! What could not be taken or understood, with the reason: never thrown away silently.

use serde::{Deserialize, Serialize};
use shieldops_model::{DeadLetterId, EventId, Timestamp, id};
use sqlx::{Row as _, any::AnyRow};

use crate::{
    Access, Page, PageRequest, Result, Tx,
    access::{open, seal},
    db::clean,
};

const TABLE: &str = "dead_letters";
/// Letters kept per tenant, give or take `TRIM_EVERY`; the oldest go first, and the count of all stays.
pub const KEEP: i64 = 100_000;
const TRIM_EVERY: u64 = 1_000;
/// Bytes of the offending input that are kept.
pub const SAMPLE_BYTES: usize = 64 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DeadLetter {
    pub id: DeadLetterId,
    pub at: Timestamp,
    pub source: String,
    /// `intake`: refused in the answer and not stored; `normalise`: stored, but not understood.
    pub stage: String,
    pub code: String,
    pub detail: String,
    /// The beginning of the input, lossy text.
    pub sample: String,
    /// Bytes of the whole input.
    pub size: u64,
    /// The stored event, when there is one.
    pub event_id: Option<EventId>,
}

/// Adds letters; a flood is bounded by `KEEP`.
pub async fn insert(tx: &mut Tx, letters: &[DeadLetter]) -> Result<()> {
    for letter in letters {
        let row = letter.id.to_bytes();
        let body = seal(tx, TABLE, &row, letter)?;
        sqlx::query(
            "INSERT INTO dead_letters (tenant_id, id, at, source, stage, code, body) VALUES ($1,$2,$3,$4,$5,$6,$7)",
        )
        .bind(tx.t())
        .bind(row.to_vec())
        .bind(letter.at.as_micros())
        .bind(clean(&letter.source).into_owned())
        .bind(&letter.stage)
        .bind(&letter.code)
        .bind(body)
        .execute(tx.conn())
        .await?;
    }
    if letters.is_empty() {
        return Ok(());
    }
    let added = u64::try_from(letters.len()).unwrap_or(u64::MAX);
    crate::bookkeeping::count(tx, "dead_letters", i64::try_from(added).unwrap_or(i64::MAX)).await?;
    let all = crate::bookkeeping::counter(tx, "dead_letters").await?;
    tx.announce("dead_letter", "new");
    // Finding the oldest walks them all: not with every letter.
    if all / TRIM_EVERY == all.saturating_sub(added) / TRIM_EVERY {
        return Ok(());
    }
    sqlx::query("DELETE FROM dead_letters WHERE tenant_id=$1 AND id < (SELECT id FROM dead_letters WHERE tenant_id=$1 ORDER BY id DESC LIMIT 1 OFFSET $2)")
        .bind(tx.t())
        .bind(KEEP)
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub async fn list(access: &mut impl Access, page: &PageRequest) -> Result<Page<DeadLetter>> {
    let tenant = access.t();
    let rows = sqlx::query("SELECT id, body FROM dead_letters WHERE tenant_id=$1 AND id<$2 ORDER BY id DESC LIMIT $3")
        .bind(tenant)
        .bind(page.below::<id::DeadLetterKind>()?)
        .bind(page.fetch())
        .fetch_all(access.conn())
        .await?;
    let read = |row: &AnyRow| -> Result<DeadLetter> {
        let id: Vec<u8> = row.try_get("id")?;
        let body: Vec<u8> = row.try_get("body")?;
        open(access, TABLE, &id, &body)
    };
    let items: Result<Vec<DeadLetter>> = rows.iter().map(read).collect();
    Ok(page.page(items?, |letter| letter.id.to_string()))
}
