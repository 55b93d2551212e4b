//! What could not be taken or understood, with the reason: never thrown away silently.

use serde::{Deserialize, Serialize};
use shieldops_model::{DeadLetterId, EventId, Timestamp, id};
use sqlx::{Row as _, any::AnyRow};

use crate::{
    Access, Page, PageRequest, Result, Tx,
    access::{open, seal},
    bookkeeping,
    db::clean,
};

const TABLE: &str = "dead_letters";
/// Letters looked at together when the oldest go.
const TOGETHER: i64 = 500;
/// Bytes of the offending input that are kept.
pub const SAMPLE_BYTES: usize = 64 * 1024;

/// How much is kept of a tenant: beyond either bound the oldest go, and it is counted that they did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    pub letters: u64,
    /// Bytes as they rest, sealed.
    pub bytes: u64,
}

impl Default for Keep {
    fn default() -> Self {
        Self { letters: 100_000, bytes: 1024 * 1024 * 1024 }
    }
}

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

/// Adds letters; a flood is bounded by `keep`.
pub async fn insert(tx: &mut Tx, letters: &[DeadLetter], keep: Keep) -> Result<()> {
    if letters.is_empty() {
        return Ok(());
    }
    let mut kept = kept(tx).await?;
    for letter in letters {
        let size = insert_one(tx, letter).await?;
        kept = Kept { letters: kept.letters + 1, bytes: kept.bytes + size };
        bookkeeping::count(tx, BYTES, size).await?;
    }
    bookkeeping::count(tx, ALL, i64::try_from(letters.len()).unwrap_or(i64::MAX)).await?;
    tx.announce("dead_letter", "new");
    trim(tx, kept, keep).await
}

/// The names of the counters: letters ever, letters that went, bytes that are kept.
pub const ALL: &str = "dead_letters";
pub const DROPPED: &str = "dead_letters_dropped";
pub const BYTES: &str = "dead_letter_bytes";

/// What there is of a tenant's letters.
#[derive(Debug, Clone, Copy)]
struct Kept {
    letters: i64,
    bytes: i64,
}

/// From the counters; counted once in a directory of a version that did not keep them.
async fn kept(tx: &mut Tx) -> Result<Kept> {
    let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let all = signed(bookkeeping::counter(tx, ALL).await?);
    if let Some(bytes) = bookkeeping::find_counter(tx, BYTES).await? {
        return Ok(Kept { letters: all - signed(bookkeeping::counter(tx, DROPPED).await?), bytes });
    }
    let row = sqlx::query("SELECT COUNT(*) AS letters, CAST(COALESCE(SUM(LENGTH(body)), 0) AS BIGINT) AS bytes FROM dead_letters WHERE tenant_id=$1")
        .bind(tx.t())
        .fetch_one(tx.conn())
        .await?;
    let kept = Kept { letters: row.try_get("letters")?, bytes: row.try_get("bytes")? };
    bookkeeping::count(tx, BYTES, kept.bytes).await?;
    bookkeeping::count(tx, DROPPED, all - kept.letters).await?;
    Ok(kept)
}

/// The bytes it takes.
async fn insert_one(tx: &mut Tx, letter: &DeadLetter) -> Result<i64> {
    let row = letter.id.to_bytes();
    let body = seal(tx, TABLE, &row, letter)?;
    let size = i64::try_from(body.len()).unwrap_or(i64::MAX);
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
    Ok(size)
}

/// Removes the oldest until a tenth is free, so that this is rare.
async fn trim(tx: &mut Tx, mut kept: Kept, keep: Keep) -> Result<()> {
    let bound = |bound: u64| i64::try_from(bound).unwrap_or(i64::MAX);
    let (letters, bytes) = (bound(keep.letters), bound(keep.bytes));
    if kept.letters <= letters && kept.bytes <= bytes {
        return Ok(());
    }
    let enough = |kept: Kept| kept.letters <= letters / 10 * 9 && kept.bytes <= bytes / 10 * 9;
    while !enough(kept) {
        let rows = sqlx::query(
            "SELECT id, CAST(LENGTH(body) AS BIGINT) AS size FROM dead_letters WHERE tenant_id=$1 ORDER BY id LIMIT $2",
        )
        .bind(tx.t())
        .bind(TOGETHER)
        .fetch_all(tx.conn())
        .await?;
        let before = kept;
        let mut last: Option<Vec<u8>> = None;
        for row in &rows {
            if enough(kept) {
                break;
            }
            let size: i64 = row.try_get("size")?;
            kept = Kept { letters: kept.letters - 1, bytes: kept.bytes - size };
            last = Some(row.try_get("id")?);
        }
        let Some(last) = last else { return Ok(()) };
        sqlx::query("DELETE FROM dead_letters WHERE tenant_id=$1 AND id<=$2")
            .bind(tx.t())
            .bind(last)
            .execute(tx.conn())
            .await?;
        bookkeeping::count(tx, DROPPED, before.letters - kept.letters).await?;
        bookkeeping::count(tx, BYTES, kept.bytes - before.bytes).await?;
    }
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
