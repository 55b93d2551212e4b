//! Lists of indicators that a tenant owns: a row a list, its entries in sealed blocks, and what was seen of them. An import
//! is staged beside what is in use and takes its place in one transaction, so that one which ends half-way changed nothing.

pub mod blocks;
pub mod hits;

use serde::{Deserialize, Serialize};
use serde_json::json;
use shieldops_model::{IndicatorListId, Severity, Timestamp};
use sqlx::{Row as _, any::AnyRow};

use crate::{
    Access, Result, StoreError, Tx,
    access::{open, seal},
    alerts::id_of,
    bookkeeping,
    rows::{bytes, count, optional_time, time},
};

const TABLE: &str = "indicator_lists";
/// Lists that one tenant may have.
pub const MAX: usize = 500;
/// Grows with every change of what is to be looked up.
const CHANGES: &str = "indicators.changes";

/// What people say of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    pub name: String,
    pub description: String,
    /// Who made it, or where it is published.
    pub source: String,
    /// 0 to 100; of entries that say nothing themselves.
    pub confidence: Option<u8>,
    /// Of the alerts.
    pub severity: Severity,
    /// Entries count from their import for so long, unless they say when they expire.
    pub valid_days: Option<u32>,
    /// Whether events are looked up in it.
    pub enabled: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndicatorList {
    pub id: IndicatorListId,
    pub about: About,
    /// What it names is never a hit.
    pub allow: bool,
    /// The import that is in use; 0 before the first.
    pub revision: i64,
    /// The import that goes on, or went on last.
    pub staged: i64,
    pub entries: u64,
    /// Lines of the last import that were no indicator.
    pub refused: u64,
    pub imported_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub by: String,
    pub version: i64,
}

/// What is to be looked up changed since, when this number did.
pub async fn stamp(access: &mut impl Access) -> Result<u64> {
    bookkeeping::counter(access, CHANGES).await
}

pub async fn find(access: &mut impl Access, id: IndicatorListId) -> Result<Option<IndicatorList>> {
    let tenant = access.t();
    let row = sqlx::query("SELECT * FROM indicator_lists WHERE tenant_id=$1 AND id=$2").bind(tenant).bind(bytes(id));
    row.fetch_optional(access.conn()).await?.map(|row| read(access, &row)).transpose()
}

pub async fn get(access: &mut impl Access, id: IndicatorListId) -> Result<IndicatorList> {
    find(access, id).await?.ok_or(StoreError::NotFound)
}

/// All of them, in the order in which they were made.
pub async fn all(access: &mut impl Access) -> Result<Vec<IndicatorList>> {
    let tenant = access.t();
    let rows = sqlx::query("SELECT * FROM indicator_lists WHERE tenant_id=$1 ORDER BY id LIMIT $2")
        .bind(tenant)
        .bind(limit())
        .fetch_all(access.conn())
        .await?;
    rows.iter().map(|row| read(access, row)).collect()
}

/// # Errors
/// `AlreadyExists` for a name that the tenant has, `Refused` when it has as many lists as it may.
pub async fn create(
    tx: &mut Tx,
    id: IndicatorListId,
    about: About,
    allow: bool,
    now: Timestamp,
) -> Result<IndicatorList> {
    let known = all(tx).await?;
    if known.len() >= MAX {
        return Err(StoreError::Refused { detail: format!("a tenant has at most {MAX} lists of indicators") });
    }
    if known.iter().any(|list| list.about.name == about.name) {
        return Err(StoreError::AlreadyExists { what: about.name });
    }
    let list = IndicatorList {
        id,
        about,
        allow,
        revision: 0,
        staged: 0,
        entries: 0,
        refused: 0,
        imported_at: None,
        created_at: now,
        updated_at: now,
        by: tx.scope().actor().id.clone(),
        version: 1,
    };
    let body = sealed(tx, &list)?;
    sqlx::query(
        "INSERT INTO indicator_lists (tenant_id, id, allow, revision, staged, entries, refused, imported_at, created_at, updated_at, actor, version, body) \
         VALUES ($1,$2,$3,0,0,0,0,NULL,$4,$4,$5,1,$6)",
    )
    .bind(tx.t())
    .bind(bytes(id))
    .bind(i64::from(allow))
    .bind(now.as_micros())
    .bind(&list.by)
    .bind(body)
    .execute(tx.conn())
    .await?;
    tx.touched("indicators", id, 1);
    tx.record("indicators.created", &[&id], json!({"name": list.about.name, "allow": allow}))?;
    Ok(list)
}

/// Changes what is said of a list.
pub async fn update(tx: &mut Tx, mut list: IndicatorList, about: About, now: Timestamp) -> Result<IndicatorList> {
    if all(tx).await?.iter().any(|other| other.id != list.id && other.about.name == about.name) {
        return Err(StoreError::AlreadyExists { what: about.name });
    }
    let body = json!({"before": list.about, "after": about});
    (list.about, list.updated_at) = (about, now);
    write(tx, &mut list).await?;
    tx.record("indicators.updated", &[&list.id], body)?;
    Ok(list)
}

/// Begins an import: what an earlier one left behind is gone.
pub async fn stage(tx: &mut Tx, list: &mut IndicatorList) -> Result<()> {
    blocks::delete_unused(tx, list.id, list.revision).await?;
    list.staged = list.staged.max(list.revision) + 1;
    sqlx::query("UPDATE indicator_lists SET staged=$3 WHERE tenant_id=$1 AND id=$2")
        .bind(tx.t())
        .bind(bytes(list.id))
        .bind(list.staged)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Says how far the import is that goes on: which it is, and how many blocks it has. Who holds this place has seen all of it.
/// Other pieces wait until the transaction has ended.
pub async fn place(tx: &mut Tx, list: &IndicatorList) -> Result<String> {
    sqlx::query("UPDATE indicator_lists SET staged=staged WHERE tenant_id=$1 AND id=$2")
        .bind(tx.t())
        .bind(bytes(list.id))
        .execute(tx.conn())
        .await?;
    let staged: i64 = sqlx::query_scalar("SELECT staged FROM indicator_lists WHERE tenant_id=$1 AND id=$2")
        .bind(tx.t())
        .bind(bytes(list.id))
        .fetch_one(tx.conn())
        .await?;
    Ok(format!("{staged}-{}", blocks::count(tx, list.id, staged).await?))
}

/// What an import brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// What was there stays.
    pub append: bool,
    pub refused: u64,
}

/// Puts what was staged to use.
pub async fn put_to_use(
    tx: &mut Tx,
    mut list: IndicatorList,
    imported: Imported,
    now: Timestamp,
) -> Result<IndicatorList> {
    if imported.append && list.revision > 0 {
        blocks::join(tx, list.id, list.revision, list.staged).await?;
    }
    blocks::delete_unused(tx, list.id, list.staged).await?;
    list.revision = list.staged;
    list.entries = blocks::entries(tx, list.id, list.revision).await?;
    (list.refused, list.imported_at, list.updated_at) = (imported.refused, Some(now), now);
    write(tx, &mut list).await?;
    let body = json!({"entries": list.entries, "refused": imported.refused, "append": imported.append, "revision": list.revision});
    tx.record("indicators.imported", &[&list.id], body)?;
    Ok(list)
}

/// Deletes a list with its entries; what was seen of it stays.
pub async fn delete(tx: &mut Tx, list: &IndicatorList) -> Result<()> {
    blocks::delete_unused(tx, list.id, -1).await?;
    let done = sqlx::query("DELETE FROM indicator_lists WHERE tenant_id=$1 AND id=$2 AND version=$3")
        .bind(tx.t())
        .bind(bytes(list.id))
        .bind(list.version)
        .execute(tx.conn())
        .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    changed(tx, list).await?;
    tx.record("indicators.deleted", &[&list.id], json!({"name": list.about.name, "entries": list.entries}))
}

async fn write(tx: &mut Tx, list: &mut IndicatorList) -> Result<()> {
    let read_at = list.version;
    list.version += 1;
    list.by.clone_from(&tx.scope().actor().id);
    let body = sealed(tx, list)?;
    let done = sqlx::query(
        "UPDATE indicator_lists SET revision=$4, entries=$5, refused=$6, imported_at=$7, updated_at=$8, actor=$9, version=$10, body=$11 \
         WHERE tenant_id=$1 AND id=$2 AND version=$3",
    )
    .bind(tx.t())
    .bind(bytes(list.id))
    .bind(read_at)
    .bind(list.revision)
    .bind(i64::try_from(list.entries).unwrap_or(i64::MAX))
    .bind(i64::try_from(list.refused).unwrap_or(i64::MAX))
    .bind(list.imported_at.map(Timestamp::as_micros))
    .bind(list.updated_at.as_micros())
    .bind(&list.by)
    .bind(list.version)
    .bind(body)
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    changed(tx, list).await
}

async fn changed(tx: &mut Tx, list: &IndicatorList) -> Result<()> {
    bookkeeping::count(tx, CHANGES, 1).await?;
    tx.touched("indicators", list.id, list.version);
    Ok(())
}

fn sealed(tx: &Tx, list: &IndicatorList) -> Result<Vec<u8>> {
    seal(tx, TABLE, &list.id.to_bytes(), &list.about)
}

fn limit() -> i64 {
    i64::try_from(MAX).unwrap_or(i64::MAX)
}

fn read(access: &impl Access, row: &AnyRow) -> Result<IndicatorList> {
    let id: IndicatorListId = id_of(row, "id")?;
    let sealed: Vec<u8> = row.try_get("body")?;
    let allow: i64 = row.try_get("allow")?;
    Ok(IndicatorList {
        id,
        about: open(access, TABLE, &id.to_bytes(), &sealed)?,
        allow: allow != 0,
        revision: row.try_get("revision")?,
        staged: row.try_get("staged")?,
        entries: count(row, "entries")?,
        refused: count(row, "refused")?,
        imported_at: optional_time(row, "imported_at")?,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
        by: row.try_get("actor")?,
        version: row.try_get("version")?,
    })
}
