//! What actions read from their targets to be kept: evidence, sealed, each piece with its hash. It is never changed.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use shieldops_model::{ActionId, Timestamp};
use sqlx::{Row as _, any::AnyRow};
use utoipa::ToSchema;

use crate::{
    Access, Page, PageRequest, Result, StoreError, Tx,
    access::{open, open_bytes, seal, seal_bytes},
    rows::time,
};

const HEADS: &str = "collected";
const BODIES: &str = "collected_bytes";

/// A piece of evidence, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Piece {
    /// Of its action, from 1.
    pub number: i64,
    pub at: Timestamp,
    /// What it is, as the target names it.
    pub name: String,
    pub media_type: String,
    pub size: u64,
    /// SHA-256 over the bytes, hex: the ledger has the same.
    pub sha256: String,
    /// What is missing of it, and why.
    pub note: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    name: String,
    media_type: String,
    note: Option<String>,
}

/// A piece as it comes from the target.
#[derive(Debug, Clone)]
pub struct New {
    pub name: String,
    pub media_type: String,
    pub note: Option<String>,
    pub bytes: Vec<u8>,
}

fn place(action: ActionId, number: i64) -> Vec<u8> {
    [action.to_bytes().as_slice(), &number.to_be_bytes()].concat()
}

/// Keeps a piece; the caller records the entry that names its hash.
pub async fn keep(tx: &mut Tx, action: ActionId, new: &New, at: Timestamp) -> Result<Piece> {
    let last: i64 =
        sqlx::query_scalar("SELECT COALESCE(MAX(number), 0) FROM collected WHERE tenant_id=$1 AND action_id=$2")
            .bind(tx.t())
            .bind(action.to_bytes().to_vec())
            .fetch_one(tx.conn())
            .await?;
    let number = last + 1;
    let row = place(action, number);
    let digest = Sha256::digest(&new.bytes);
    let head = Head { name: new.name.clone(), media_type: new.media_type.clone(), note: new.note.clone() };
    let head = seal(tx, HEADS, &row, &head)?;
    let body = seal_bytes(tx, BODIES, &row, &new.bytes);
    let size = u64::try_from(new.bytes.len()).unwrap_or(u64::MAX);
    sqlx::query(
        "INSERT INTO collected (tenant_id, action_id, number, at, size, sha256, head, body) VALUES ($1,$2,$3,$4,$5,$6,$7,$8)",
    )
    .bind(tx.t())
    .bind(action.to_bytes().to_vec())
    .bind(number)
    .bind(at.as_micros())
    .bind(i64::try_from(size).unwrap_or(i64::MAX))
    .bind(digest.to_vec())
    .bind(head)
    .bind(body)
    .execute(tx.conn())
    .await?;
    tx.touched("action", action, 0);
    Ok(Piece {
        number,
        at,
        name: new.name.clone(),
        media_type: new.media_type.clone(),
        size,
        sha256: hex::encode(digest),
        note: new.note.clone(),
    })
}

/// The pieces of an action in the order in which they were read; the cursor is a number.
pub async fn list(access: &mut impl Access, action: ActionId, page: &PageRequest) -> Result<Page<Piece>> {
    let (tenant, above) = (access.t(), page.number()?.unwrap_or(0));
    let rows = sqlx::query(
        "SELECT number, at, size, sha256, head FROM collected WHERE tenant_id=$1 AND action_id=$2 AND number>$3 ORDER BY number LIMIT $4",
    )
    .bind(tenant)
    .bind(action.to_bytes().to_vec())
    .bind(above)
    .bind(page.fetch())
    .fetch_all(access.conn())
    .await?;
    let items: Result<Vec<Piece>> = rows.iter().map(|row| piece(access, action, row)).collect();
    Ok(page.page(items?, |piece| piece.number.to_string()))
}

/// A piece and its bytes, which are those that were hashed.
///
/// # Errors
/// `Damaged` when they are not.
pub async fn find(access: &mut impl Access, action: ActionId, number: i64) -> Result<Option<(Piece, Vec<u8>)>> {
    let tenant = access.t();
    let row = sqlx::query(
        "SELECT number, at, size, sha256, head, body FROM collected WHERE tenant_id=$1 AND action_id=$2 AND number=$3",
    )
    .bind(tenant)
    .bind(action.to_bytes().to_vec())
    .bind(number)
    .fetch_optional(access.conn())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let piece = piece(access, action, &row)?;
    let sealed: Vec<u8> = row.try_get("body")?;
    let bytes = open_bytes(access, BODIES, &place(action, number), &sealed)?;
    if hex::encode(Sha256::digest(&bytes)) != piece.sha256 {
        return Err(StoreError::damaged("collected: the bytes are not those that were hashed"));
    }
    Ok(Some((piece, bytes)))
}

fn piece(access: &impl Access, action: ActionId, row: &AnyRow) -> Result<Piece> {
    let number: i64 = row.try_get("number")?;
    let sealed: Vec<u8> = row.try_get("head")?;
    let digest: Vec<u8> = row.try_get("sha256")?;
    let size: i64 = row.try_get("size")?;
    let head: Head = open(access, HEADS, &place(action, number), &sealed)?;
    Ok(Piece {
        number,
        at: time(row, "at")?,
        name: head.name,
        media_type: head.media_type,
        size: u64::try_from(size).unwrap_or_default(),
        sha256: hex::encode(digest),
        note: head.note,
    })
}
