//! A tenant's own settings: every version is kept, the highest is in force. Each change queues its own entry.
//!
//! What is needed before a scope exists is copied into the installation tables by the same transaction: whether a second
//! factor is asked for, and how long open sessions may idle. So a change holds on the next request.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use shieldops_model::{TenantId, TenantSettings, Timestamp};
use sqlx::{Row as _, any::AnyRow};
use utoipa::ToSchema;

use crate::{
    Access, Job, Page, PageRequest, Result, Store, StoreError, Tx,
    access::{open, seal},
    alerts::id_of,
    db::Whose,
    rows::time,
};

const TABLE: &str = "tenant_settings";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Versioned<T> {
    /// 0: nothing was set yet.
    pub version: i64,
    pub at: Option<Timestamp>,
    /// Who set it, as the ledger names them.
    pub by: String,
    pub value: T,
}

/// What is in force.
pub async fn current(access: &mut impl Access) -> Result<Versioned<TenantSettings>> {
    let tenant = access.t();
    let row =
        sqlx::query("SELECT * FROM tenant_settings WHERE tenant_id=$1 ORDER BY version DESC LIMIT 1").bind(tenant);
    match row.fetch_optional(access.conn()).await? {
        Some(row) => read(access, &row),
        None => Ok(Versioned { version: 0, at: None, by: String::new(), value: TenantSettings::default() }),
    }
}

pub async fn of_version(access: &mut impl Access, version: i64) -> Result<Option<Versioned<TenantSettings>>> {
    let tenant = access.t();
    let row = sqlx::query("SELECT * FROM tenant_settings WHERE tenant_id=$1 AND version=$2").bind(tenant).bind(version);
    row.fetch_optional(access.conn()).await?.map(|row| read(access, &row)).transpose()
}

/// Every version, newest first; the cursor is a version.
pub async fn versions(access: &mut impl Access, page: &PageRequest) -> Result<Page<Versioned<TenantSettings>>> {
    let (tenant, below) = (access.t(), page.below_number()?);
    let rows =
        sqlx::query("SELECT * FROM tenant_settings WHERE tenant_id=$1 AND version<$2 ORDER BY version DESC LIMIT $3")
            .bind(tenant)
            .bind(below)
            .bind(page.fetch())
            .fetch_all(access.conn())
            .await?;
    let items: Result<Vec<_>> = rows.iter().map(|row| read(access, row)).collect();
    Ok(page.page(items?, |settings| settings.version.to_string()))
}

/// Puts settings in force that were checked (`TenantSettings::check`).
///
/// # Errors
/// `Stale` when the version in force is not the expected one.
pub async fn put(
    tx: &mut Tx,
    settings: &TenantSettings,
    expected: Option<i64>,
    now: Timestamp,
) -> Result<Versioned<TenantSettings>> {
    let before = current(tx).await?;
    StoreError::stale_unless(expected, before.version)?;
    let body = json!({"before": before.value, "after": settings});
    write(tx, settings, before.version + 1, now).await?;
    tx.record("settings.changed", &[&tx.tenant()], body)?;
    current(tx).await
}

/// Puts an earlier version in force again, as a new one.
///
/// # Errors
/// `NotFound`, `Stale`.
pub async fn rollback(
    tx: &mut Tx,
    version: i64,
    expected: Option<i64>,
    now: Timestamp,
) -> Result<Versioned<TenantSettings>> {
    let before = current(tx).await?;
    StoreError::stale_unless(expected, before.version)?;
    let earlier = of_version(tx, version).await?.ok_or(StoreError::NotFound)?;
    write(tx, &earlier.value, before.version + 1, now).await?;
    let body = json!({"before": before.value, "after": earlier.value, "to_version": version});
    tx.record("settings.rolled_back", &[&tx.tenant()], body)?;
    current(tx).await
}

async fn write(tx: &mut Tx, settings: &TenantSettings, version: i64, now: Timestamp) -> Result<()> {
    let body = seal(tx, TABLE, &version.to_be_bytes(), settings)?;
    let actor = tx.scope.actor().id.clone();
    sqlx::query("INSERT INTO tenant_settings (tenant_id, version, at, actor, body) VALUES ($1,$2,$3,$4,$5)")
        .bind(tx.t())
        .bind(version)
        .bind(now.as_micros())
        .bind(actor)
        .bind(body)
        .execute(tx.conn())
        .await?;
    // Absent where the tenant says nothing: the installation's own holds then, as it is at each request and each sign-in.
    let idle = settings.session_idle_minutes.map(|minutes| Duration::from_mins(minutes.into()));
    sqlx::query("UPDATE tenants SET second_factor=$2, session_idle_us=$3 WHERE tenant=$1")
        .bind(tx.t())
        .bind(i64::from(asks_for_factor(settings)))
        .bind(idle.map(|idle| i64::try_from(idle.as_micros()).unwrap_or(i64::MAX)))
        .execute(tx.conn())
        .await?;
    tx.touched("settings", tx.tenant(), version);
    Ok(())
}

/// What the tenant says itself; what the installation asks of all is added where a request is read.
fn asks_for_factor(settings: &TenantSettings) -> bool {
    settings.require_second_factor == Some(true)
}

/// Takes back what earlier versions copied: a second factor that the installation asked for then, and no tenant itself.
pub(crate) async fn repair(store: &Store) -> Result<()> {
    let mut reading = store.db().read(Whose::Installation).await?;
    let asking = sqlx::query("SELECT tenant FROM tenants WHERE second_factor=1 AND state<>'deleted' LIMIT 10000");
    let asking = asking.fetch_all(reading.conn()).await?;
    drop(reading);
    for row in &asking {
        let tenant: TenantId = id_of(row, "tenant")?;
        if let Err(error) = repair_tenant(store, tenant).await {
            tracing::error!(tenant.id = %tenant, %error, "whether a tenant asks for a second factor could not be read");
        }
    }
    Ok(())
}

async fn repair_tenant(store: &Store, tenant: TenantId) -> Result<()> {
    let mut tx = store.job(tenant, Job::Server)?.begin().await?;
    if asks_for_factor(&current(&mut tx).await?.value) {
        return Ok(());
    }
    sqlx::query("UPDATE tenants SET second_factor=0 WHERE tenant=$1").bind(tx.t()).execute(tx.conn()).await?;
    tx.commit(store.clock().now()).await
}

fn read(access: &impl Access, row: &AnyRow) -> Result<Versioned<TenantSettings>> {
    let version: i64 = row.try_get("version")?;
    let body: Vec<u8> = row.try_get("body")?;
    Ok(Versioned {
        version,
        at: Some(time(row, "at")?),
        by: row.try_get("actor")?,
        value: open(access, TABLE, &version.to_be_bytes(), &body)?,
    })
}
