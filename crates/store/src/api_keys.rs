//! API keys of a tenant. They belong to the tenant, not to a person, and outlive whoever made them. Several secrets of one
//! key may be valid at once, so that it is rotated without a pause: each is a hash in the index with the key's id.
//!
//! What a key may do is copied beside each hash (`facts`), because it is read before there is a scope; every change writes
//! both. Each change queues its own entry.

use serde::Serialize;
use serde_json::json;
use shieldops_model::{KeyId, Timestamp, id};
use sqlx::{Row as _, any::AnyRow};
use utoipa::ToSchema;

use crate::{
    Access, KeyFacts, Page, PageRequest, Result, StoreError, Tx,
    alerts::id_of,
    rows::{bytes, json as json_column, optional_time, small, time, to_json},
    sessions::{Indexed, NewCredential, index},
};

/// Secrets of one key that may be valid at once.
const SECRETS: u32 = 5;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ApiKey {
    pub id: KeyId,
    pub name: String,
    pub permissions: Vec<String>,
    /// `METHOD /path`; empty: every route that the permissions allow.
    pub routes: Vec<String>,
    /// Addresses and networks; empty: anywhere.
    pub addresses: Vec<String>,
    pub rate_per_s: Option<u32>,
    pub created_by: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    /// Secrets that are valid now.
    pub secrets: u32,
    pub version: i64,
}

impl ApiKey {
    fn facts(&self) -> Result<String> {
        to_json(&KeyFacts {
            id: self.id,
            permissions: self.permissions.clone(),
            routes: self.routes.clone(),
            addresses: self.addresses.clone(),
            rate_per_s: self.rate_per_s,
        })
    }

    fn shown(&self) -> serde_json::Value {
        json!({"name": self.name, "permissions": self.permissions, "routes": self.routes, "addresses": self.addresses,
            "rate_per_s": self.rate_per_s, "expires_at": self.expires_at})
    }
}

/// Makes a key with its first secret.
pub async fn create(tx: &mut Tx, key: &ApiKey, hash: [u8; 32]) -> Result<()> {
    sqlx::query(
        "INSERT INTO api_keys (tenant_id, id, name, permissions, routes, addresses, rate_per_s, created_by, created_at, expires_at, version) \
         VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)",
    )
    .bind(tx.t())
    .bind(bytes(key.id))
    .bind(&key.name)
    .bind(to_json(&key.permissions)?)
    .bind(to_json(&key.routes)?)
    .bind(to_json(&key.addresses)?)
    .bind(key.rate_per_s.map(i64::from))
    .bind(&key.created_by)
    .bind(key.created_at.as_micros())
    .bind(key.expires_at.map(Timestamp::as_micros))
    .bind(key.version)
    .execute(tx.conn())
    .await?;
    add_secret(tx, key, hash, key.created_at).await?;
    tx.touched("key", key.id, key.version);
    tx.record("key.created", &[&key.id], json!({"after": key.shown()}))
}

async fn add_secret(tx: &mut Tx, key: &ApiKey, hash: [u8; 32], now: Timestamp) -> Result<()> {
    let facts = key.facts()?;
    let row = Indexed { label: &key.name, facts: Some(&facts), ..Indexed::new("key", key.id.to_bytes()) };
    let credential = NewCredential { hash, expires_at: key.expires_at, ..NewCredential::default() };
    index(tx, row, &credential, now).await
}

/// Writes a key over the version that `key.version` names; every secret of it changes at once. One that was made through a
/// grant does not outlast it.
///
/// # Errors
/// `NotFound` for one that was revoked too, `Stale`.
pub async fn update(tx: &mut Tx, key: &ApiKey, now: Timestamp) -> Result<ApiKey> {
    let before = live(tx, key.id, now).await?;
    StoreError::stale_unless(Some(key.version), before.version)?;
    let key =
        &ApiKey { expires_at: granted_until(tx, key.id).await?.into_iter().chain(key.expires_at).min(), ..key.clone() };
    sqlx::query(
        "UPDATE api_keys SET name=$3, permissions=$4, routes=$5, addresses=$6, rate_per_s=$7, expires_at=$8, version=version+1 WHERE tenant_id=$1 AND id=$2",
    )
    .bind(tx.t())
    .bind(bytes(key.id))
    .bind(&key.name)
    .bind(to_json(&key.permissions)?)
    .bind(to_json(&key.routes)?)
    .bind(to_json(&key.addresses)?)
    .bind(key.rate_per_s.map(i64::from))
    .bind(key.expires_at.map(Timestamp::as_micros))
    .execute(tx.conn())
    .await?;
    // A secret that a rotation lets end sooner keeps its end.
    sqlx::query(
        "UPDATE principal_index SET label=$3, facts=$4, \
         expires_at=CASE WHEN expires_at IS NULL OR expires_at=$6 OR expires_at>$5 THEN $7 ELSE expires_at END \
         WHERE id=$1 AND tenant=$2 AND kind='key'",
    )
    .bind(bytes(key.id))
    .bind(tx.t())
    .bind(&key.name)
    .bind(key.facts()?)
    .bind(key.expires_at.map_or(i64::MAX, Timestamp::as_micros))
    .bind(before.expires_at.map_or(i64::MAX, Timestamp::as_micros))
    .bind(key.expires_at.map(Timestamp::as_micros))
    .execute(tx.conn())
    .await?;
    let after = find(tx, key.id, now).await?.ok_or(StoreError::NotFound)?;
    tx.touched("key", key.id, after.version);
    tx.record("key.updated", &[&key.id], json!({"before": before.shown(), "after": after.shown()}))?;
    Ok(after)
}

/// The end of the grant that a secret of the key was made through, whoever changes the key now.
async fn granted_until(tx: &mut Tx, id: KeyId) -> Result<Option<Timestamp>> {
    let until: Option<i64> = sqlx::query_scalar(
        "SELECT min(g.expires_at) FROM principal_index p JOIN grants g ON g.id=p.by_grant \
         WHERE p.id=$1 AND p.tenant=$2 AND p.kind='key' AND p.revoked_at IS NULL",
    )
    .bind(bytes(id))
    .bind(tx.t())
    .fetch_one(tx.conn())
    .await?;
    Ok(until.map(Timestamp::from_micros))
}

/// Gives a key another secret; the older ones end at `old_until`, unless they end sooner.
///
/// # Errors
/// `NotFound`; `TooMany` while five are valid.
pub async fn rotate(tx: &mut Tx, id: KeyId, hash: [u8; 32], old_until: Timestamp, now: Timestamp) -> Result<ApiKey> {
    let before = live(tx, id, now).await?;
    if before.secrets >= SECRETS {
        return Err(StoreError::TooMany { what: "valid secrets of one key", limit: SECRETS });
    }
    sqlx::query(
        "UPDATE principal_index SET expires_at=$3 WHERE id=$1 AND tenant=$2 AND kind='key' AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at>$3)",
    )
    .bind(bytes(id))
    .bind(tx.t())
    .bind(old_until.as_micros())
    .execute(tx.conn())
    .await?;
    add_secret(tx, &before, hash, now).await?;
    let update = sqlx::query("UPDATE api_keys SET version=version+1 WHERE tenant_id=$1 AND id=$2").bind(tx.t());
    update.bind(bytes(id)).execute(tx.conn()).await?;
    let after = find(tx, id, now).await?.ok_or(StoreError::NotFound)?;
    tx.touched("key", id, after.version);
    tx.record("key.rotated", &[&id], json!({"older_secrets_end_at": old_until, "secrets": after.secrets}))?;
    Ok(after)
}

/// Ends a key with all its secrets.
///
/// # Errors
/// `NotFound` for one that was revoked too, `Stale`.
pub async fn revoke(tx: &mut Tx, id: KeyId, expected: Option<i64>, now: Timestamp) -> Result<()> {
    let before = live(tx, id, now).await?;
    StoreError::stale_unless(expected, before.version)?;
    let update = sqlx::query("UPDATE api_keys SET revoked_at=$3, version=version+1 WHERE tenant_id=$1 AND id=$2");
    update.bind(tx.t()).bind(bytes(id)).bind(now.as_micros()).execute(tx.conn()).await?;
    sqlx::query(
        "UPDATE principal_index SET revoked_at=$3 WHERE id=$1 AND tenant=$2 AND kind='key' AND revoked_at IS NULL",
    )
    .bind(bytes(id))
    .bind(tx.t())
    .bind(now.as_micros())
    .execute(tx.conn())
    .await?;
    tx.touched("key", id, before.version + 1);
    tx.record("key.revoked", &[&id], json!({"before": before.shown()}))
}

async fn live(tx: &mut Tx, id: KeyId, now: Timestamp) -> Result<ApiKey> {
    find(tx, id, now).await?.filter(|key| key.revoked_at.is_none()).ok_or(StoreError::NotFound)
}

macro_rules! keys {
    ($which:literal) => {
        concat!(
            "SELECT k.id, k.name, k.permissions, k.routes, k.addresses, k.rate_per_s, k.created_by, k.created_at, k.expires_at, k.revoked_at, k.version, \
             (SELECT max(p.last_used_at) FROM principal_index p WHERE p.id=k.id AND p.tenant=k.tenant_id AND p.kind='key') AS last_used_at, \
             (SELECT count(*) FROM principal_index p WHERE p.id=k.id AND p.tenant=k.tenant_id AND p.kind='key' AND p.revoked_at IS NULL \
              AND (p.expires_at IS NULL OR p.expires_at>$2)) AS secrets FROM api_keys k WHERE k.tenant_id=$1 AND ", $which
        )
    };
}

pub async fn find(access: &mut impl Access, id: KeyId, now: Timestamp) -> Result<Option<ApiKey>> {
    let tenant = access.t();
    let row = sqlx::query(keys!("k.id=$3")).bind(tenant).bind(now.as_micros()).bind(bytes(id));
    row.fetch_optional(access.conn()).await?.map(|row| read(&row)).transpose()
}

/// Newest first, the revoked ones among them.
pub async fn list(access: &mut impl Access, page: &PageRequest, now: Timestamp) -> Result<Page<ApiKey>> {
    let tenant = access.t();
    let rows = sqlx::query(keys!("k.id<$3 ORDER BY k.id DESC LIMIT $4"))
        .bind(tenant)
        .bind(now.as_micros())
        .bind(page.below::<id::ApiKeyKind>()?)
        .bind(page.fetch())
        .fetch_all(access.conn())
        .await?;
    let items: Result<Vec<ApiKey>> = rows.iter().map(read).collect();
    Ok(page.page(items?, |key| key.id.to_string()))
}

fn read(row: &AnyRow) -> Result<ApiKey> {
    let rate: Option<i64> = row.try_get("rate_per_s")?;
    Ok(ApiKey {
        id: id_of(row, "id")?,
        name: row.try_get("name")?,
        permissions: json_column(row, "permissions")?,
        routes: json_column(row, "routes")?,
        addresses: json_column(row, "addresses")?,
        rate_per_s: rate.and_then(|rate| u32::try_from(rate).ok()),
        created_by: row.try_get("created_by")?,
        created_at: time(row, "created_at")?,
        expires_at: optional_time(row, "expires_at")?,
        revoked_at: optional_time(row, "revoked_at")?,
        last_used_at: optional_time(row, "last_used_at")?,
        secrets: small(row, "secrets")?,
        version: row.try_get("version")?,
    })
}
