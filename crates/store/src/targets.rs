//! Registered targets.

use shieldops_model::{Target, TargetId, id, ssh::Keyed, target::TargetRef};
use sqlx::{Row as _, any::AnyRow};

use crate::{
    Access, Page, PageRequest, Result, StoreError, Tx,
    access::{open, seal},
};

const TABLE: &str = "targets";

pub async fn insert(tx: &mut Tx, target: &Target) -> Result<()> {
    let row = target.id.to_bytes();
    let body = seal(tx, TABLE, &row, &Keyed(target.clone()))?;
    let done = sqlx::query("INSERT INTO targets (tenant_id, id, kind, name, host, created_at, version, body) VALUES ($1,$2,$3,$4,$5,$6,$7,$8) ON CONFLICT DO NOTHING")
        .bind(tx.t())
        .bind(row.to_vec())
        .bind(target.kind.as_str())
        .bind(&target.name)
        .bind(&target.host)
        .bind(target.created_at.as_micros())
        .bind(target.version)
        .bind(body)
        .execute(tx.conn())
        .await?;
    StoreError::exists_unless_inserted(&done, &target.name)?;
    tx.touched("target", target.id, target.version);
    Ok(())
}

pub async fn update(tx: &mut Tx, target: &mut Target) -> Result<()> {
    let row = target.id.to_bytes();
    let read_at = target.version;
    target.version += 1;
    let body = seal(tx, TABLE, &row, &Keyed(target.clone()))?;
    let done =
        sqlx::query("UPDATE targets SET host=$4, version=$5, body=$6 WHERE tenant_id=$1 AND id=$2 AND version=$3")
            .bind(tx.t())
            .bind(row.to_vec())
            .bind(read_at)
            .bind(&target.host)
            .bind(target.version)
            .bind(body)
            .execute(tx.conn())
            .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    tx.touched("target", target.id, target.version);
    Ok(())
}

pub async fn remove(tx: &mut Tx, id: TargetId) -> Result<()> {
    let done = sqlx::query("DELETE FROM targets WHERE tenant_id=$1 AND id=$2")
        .bind(tx.t())
        .bind(id.to_bytes().to_vec())
        .execute(tx.conn())
        .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::NotFound);
    }
    tx.touched("target", id, 0);
    Ok(())
}

pub async fn find(access: &mut impl Access, id: TargetId) -> Result<Option<Target>> {
    let tenant = access.t();
    let row = sqlx::query("SELECT id, body FROM targets WHERE tenant_id=$1 AND id=$2")
        .bind(tenant)
        .bind(id.to_bytes().to_vec())
        .fetch_optional(access.conn())
        .await?;
    row.map(|row| read(access, &row)).transpose()
}

pub async fn get(access: &mut impl Access, id: TargetId) -> Result<Target> {
    find(access, id).await?.ok_or(StoreError::NotFound)
}

/// The target of this kind and name.
pub async fn find_named(access: &mut impl Access, named: &TargetRef) -> Result<Option<Target>> {
    let tenant = access.t();
    let row = sqlx::query("SELECT id, body FROM targets WHERE tenant_id=$1 AND kind=$2 AND name=$3")
        .bind(tenant)
        .bind(&named.kind)
        .bind(&named.name)
        .fetch_optional(access.conn())
        .await?;
    row.map(|row| read(access, &row)).transpose()
}

pub async fn list(access: &mut impl Access, page: &PageRequest) -> Result<Page<Target>> {
    let tenant = access.t();
    let rows = sqlx::query("SELECT id, body FROM targets WHERE tenant_id=$1 AND id<$2 ORDER BY id DESC LIMIT $3")
        .bind(tenant)
        .bind(page.below::<id::TargetKindId>()?)
        .bind(page.fetch())
        .fetch_all(access.conn())
        .await?;
    let items: Result<Vec<Target>> = rows.iter().map(|row| read(access, row)).collect();
    Ok(page.page(items?, |target| target.id.to_string()))
}

/// Every target, for an investigation and for policy; at most 10,000.
pub async fn all(access: &mut impl Access) -> Result<Vec<Target>> {
    let tenant = access.t();
    let rows = sqlx::query("SELECT id, body FROM targets WHERE tenant_id=$1 ORDER BY id LIMIT 10000")
        .bind(tenant)
        .fetch_all(access.conn())
        .await?;
    rows.iter().map(|row| read(access, row)).collect()
}

fn read(access: &impl Access, row: &AnyRow) -> Result<Target> {
    let id: Vec<u8> = row.try_get("id")?;
    let body: Vec<u8> = row.try_get("body")?;
    Ok(open::<Keyed>(access, TABLE, &id, &body)?.0)
}
