//! The entries of lists, in blocks that the engine reads as they are; sealed with the tenant's key.

use shieldops_model::IndicatorListId;
use sqlx::Row as _;

use crate::{
    Access, Result, Tx,
    access::{open_bytes, seal_bytes},
    rows::bytes,
};

const TABLE: &str = "indicator_blocks";

/// A block's name; the order of names is that of the entries.
pub type BlockId = [u8; 16];

/// Adds a block to the import that goes on.
pub async fn add(tx: &mut Tx, list: IndicatorListId, revision: i64, id: BlockId, block: (&[u8], usize)) -> Result<()> {
    let (plain, entries) = block;
    let body = seal_bytes(tx, TABLE, &key(list, id), plain);
    sqlx::query(
        "INSERT INTO indicator_blocks (tenant_id, list_id, id, revision, entries, body) VALUES ($1,$2,$3,$4,$5,$6)",
    )
    .bind(tx.t())
    .bind(bytes(list))
    .bind(id.to_vec())
    .bind(revision)
    .bind(i64::try_from(entries).unwrap_or(i64::MAX))
    .bind(body)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The names of an import's blocks, in order.
pub async fn ids(access: &mut impl Access, list: IndicatorListId, revision: i64) -> Result<Vec<BlockId>> {
    let tenant = access.t();
    let rows =
        sqlx::query("SELECT id FROM indicator_blocks WHERE tenant_id=$1 AND list_id=$2 AND revision=$3 ORDER BY id")
            .bind(tenant)
            .bind(bytes(list))
            .bind(revision)
            .fetch_all(access.conn())
            .await?;
    let id = |row: &sqlx::any::AnyRow| -> Result<BlockId> {
        let id: Vec<u8> = row.try_get("id")?;
        id.try_into().map_err(|_wrong| crate::StoreError::damaged("indicator_blocks: a block has no name"))
    };
    rows.iter().map(id).collect()
}

/// A block's bytes; nothing when it is gone.
pub async fn get(access: &mut impl Access, list: IndicatorListId, id: BlockId) -> Result<Option<Vec<u8>>> {
    let tenant = access.t();
    let sealed: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT body FROM indicator_blocks WHERE tenant_id=$1 AND list_id=$2 AND id=$3")
            .bind(tenant)
            .bind(bytes(list))
            .bind(id.to_vec())
            .fetch_optional(access.conn())
            .await?;
    sealed.map(|sealed| open_bytes(access, TABLE, &key(list, id), &sealed)).transpose()
}

/// Entries of an import.
pub async fn entries(access: &mut impl Access, list: IndicatorListId, revision: i64) -> Result<u64> {
    let tenant = access.t();
    let sum: i64 = sqlx::query_scalar(
        "SELECT CAST(COALESCE(SUM(entries), 0) AS BIGINT) FROM indicator_blocks WHERE tenant_id=$1 AND list_id=$2 AND revision=$3",
    )
    .bind(tenant)
    .bind(bytes(list))
    .bind(revision)
    .fetch_one(access.conn())
    .await?;
    Ok(u64::try_from(sum).unwrap_or(0))
}

/// Blocks of an import.
pub async fn count(access: &mut impl Access, list: IndicatorListId, revision: i64) -> Result<i64> {
    let tenant = access.t();
    let select =
        sqlx::query_scalar("SELECT COUNT(*) FROM indicator_blocks WHERE tenant_id=$1 AND list_id=$2 AND revision=$3");
    Ok(select.bind(tenant).bind(bytes(list)).bind(revision).fetch_one(access.conn()).await?)
}

/// Entries that wait for the last piece of their import, of all lists.
pub async fn staged(access: &mut impl Access) -> Result<u64> {
    let tenant = access.t();
    let sum: i64 = sqlx::query_scalar(
        "SELECT CAST(COALESCE(SUM(b.entries), 0) AS BIGINT) FROM indicator_blocks b JOIN indicator_lists l \
         ON l.tenant_id=b.tenant_id AND l.id=b.list_id WHERE b.tenant_id=$1 AND b.revision>l.revision",
    )
    .bind(tenant)
    .fetch_one(access.conn())
    .await?;
    Ok(u64::try_from(sum).unwrap_or(0))
}

/// Makes the blocks of one import some of another's.
pub(super) async fn join(tx: &mut Tx, list: IndicatorListId, from: i64, to: i64) -> Result<()> {
    sqlx::query("UPDATE indicator_blocks SET revision=$4 WHERE tenant_id=$1 AND list_id=$2 AND revision=$3")
        .bind(tx.t())
        .bind(bytes(list))
        .bind(from)
        .bind(to)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Deletes all but the blocks of one import.
pub(super) async fn delete_unused(tx: &mut Tx, list: IndicatorListId, used: i64) -> Result<()> {
    sqlx::query("DELETE FROM indicator_blocks WHERE tenant_id=$1 AND list_id=$2 AND revision<>$3")
        .bind(tx.t())
        .bind(bytes(list))
        .bind(used)
        .execute(tx.conn())
        .await?;
    Ok(())
}

fn key(list: IndicatorListId, id: BlockId) -> Vec<u8> {
    [list.to_bytes(), id].concat()
}
