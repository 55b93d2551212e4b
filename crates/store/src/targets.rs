//! Registered targets, and how high those stood that are gone.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use shieldops_model::{Standing, Target, TargetId, Timestamp, id, ssh::Keyed, target::TargetRef};
use sqlx::{Row as _, any::AnyRow};

use crate::{
    Access, Page, PageRequest, Result, StoreError, Tx,
    access::{open, seal},
};

const TABLE: &str = "targets";
const FORMER: &str = "former_targets";

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

/// Keeps whose host a target is. For who goes by its version it is the row that it was: what was planned on it stands.
pub async fn bind(tx: &mut Tx, target: &Target) -> Result<()> {
    let row = target.id.to_bytes();
    let body = seal(tx, TABLE, &row, &Keyed(target.clone()))?;
    let done = sqlx::query("UPDATE targets SET body=$4 WHERE tenant_id=$1 AND id=$2 AND version=$3")
        .bind(tx.t())
        .bind(row.to_vec())
        .bind(target.version)
        .bind(body)
        .execute(tx.conn())
        .await?;
    if done.rows_affected() == 0 { Err(StoreError::Conflict) } else { Ok(()) }
}

/// Removes a target; how high it stood is remembered.
pub async fn remove(tx: &mut Tx, target: &Target, now: Timestamp) -> Result<()> {
    let done = sqlx::query("DELETE FROM targets WHERE tenant_id=$1 AND id=$2")
        .bind(tx.t())
        .bind(target.id.to_bytes().to_vec())
        .execute(tx.conn())
        .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::NotFound);
    }
    remember(tx, target, now).await?;
    tx.touched("target", target.id, 0);
    Ok(())
}

/// By what a host is known again: the name of its target, its address and its key. Hashes: addresses rest sealed.
fn tokens(target: &Target) -> BTreeSet<String> {
    let mut known = vec![format!("name {} {}", target.kind.as_str(), target.name)];
    if let Some(ssh) = &target.ssh {
        let address = ssh.address.parse::<std::net::IpAddr>().map(|at| at.to_canonical().to_string());
        let address = address.unwrap_or_else(|_name| ssh.address.trim_end_matches('.').to_lowercase());
        known.push(format!("address {address}"));
        // The key alone: whatever stands behind it is a comment.
        let key: Vec<&str> = ssh.host_key.split_ascii_whitespace().take(2).collect();
        known.push(format!("key {}", key.join(" ")));
    }
    known.into_iter().map(|text| hex::encode(Sha256::digest(text))).collect()
}

/// Remembers how high a target stands as what it is, in the place of what was remembered of such a one before.
pub async fn remember(tx: &mut Tx, target: &Target, now: Timestamp) -> Result<()> {
    let standing = target.standing();
    for token in tokens(target) {
        let body = seal(tx, FORMER, token.as_bytes(), &standing)?;
        sqlx::query(
            "INSERT INTO former_targets (tenant_id, token, at, body) VALUES ($1,$2,$3,$4) \
             ON CONFLICT (tenant_id, token) DO UPDATE SET at=excluded.at, body=excluded.body",
        )
        .bind(tx.t())
        .bind(&token)
        .bind(now.as_micros())
        .bind(body)
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

/// How high other targets stand that are the same host as this one, by name, address or key. Where there is none, how high
/// the last one stood that was.
pub async fn same_host(access: &mut impl Access, target: &Target) -> Result<Vec<Standing>> {
    let mine = tokens(target);
    let (mut left, mut found) = (mine.clone(), Vec::new());
    for other in all(access).await?.into_iter().filter(|other| other.id != target.id) {
        let known = tokens(&other);
        if known.is_disjoint(&mine) {
            continue;
        }
        left.retain(|token| !known.contains(token));
        found.push(other.standing());
    }
    for token in left {
        let tenant = access.t();
        let body: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT body FROM former_targets WHERE tenant_id=$1 AND token=$2")
                .bind(tenant)
                .bind(&token)
                .fetch_optional(access.conn())
                .await?;
        found.extend(body.map(|body| open::<Standing>(access, FORMER, token.as_bytes(), &body)).transpose()?);
    }
    Ok(found)
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

/// Every target, for an investigation and for policy: registered by people, one by one.
pub async fn all(access: &mut impl Access) -> Result<Vec<Target>> {
    let tenant = access.t();
    let rows = sqlx::query("SELECT id, body FROM targets WHERE tenant_id=$1 ORDER BY id")
        .bind(tenant)
        .fetch_all(access.conn())
        .await?;
    rows.iter().map(|row| read(access, row)).collect()
}

/// The same for work that must go on: a damaged row is left out, and the log tells.
pub async fn whole(access: &mut impl Access) -> Result<Vec<Target>> {
    let tenant = access.t();
    let rows = sqlx::query("SELECT id, body FROM targets WHERE tenant_id=$1 ORDER BY id")
        .bind(tenant)
        .fetch_all(access.conn())
        .await?;
    let mut whole = Vec::with_capacity(rows.len());
    for row in &rows {
        match read(access, row) {
            Err(StoreError::Damaged { detail }) => {
                tracing::error!(tenant.id = %access.tenant(), detail, "a target is damaged and left out");
            }
            read => whole.push(read?),
        }
    }
    Ok(whole)
}

fn read(access: &impl Access, row: &AnyRow) -> Result<Target> {
    let id: Vec<u8> = row.try_get("id")?;
    let body: Vec<u8> = row.try_get("body")?;
    Ok(open::<Keyed>(access, TABLE, &id, &body)?.0)
}
