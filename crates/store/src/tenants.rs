//! Tenants: what there is, and what the operator does to them. Changes are made by a transaction of the installation, whose
//! ledger gets the entry; the tenant's own gets a notice (see `notices`).

mod change;
mod live;

use serde::Serialize;
use shieldops_model::{TenantId, TenantState, Timestamp, id};
use sqlx::{Row as _, any::AnyRow};
use utoipa::ToSchema;

pub(crate) use self::live::live_actions;
pub use self::{
    change::{NewTenant, TenantPatch, change_state, create, update},
    live::{live_actions_of, not_undone_of},
};
use crate::{
    Access, Page, PageRequest, Result, Store, StoreError,
    alerts::id_of,
    db::{Whose, flag},
    rows::{bytes, optional_id, optional_time, time},
};

/// Tenants that are listed at once for the workers.
const MOST: &str = "LIMIT 10000";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Tenant {
    pub id: TenantId,
    pub slug: String,
    pub name: String,
    pub demo: bool,
    pub state: TenantState,
    /// The tenant that may be given grants in this one.
    pub parent: Option<TenantId>,
    pub version: i64,
    pub created_at: Timestamp,
    pub state_changed_at: Option<Timestamp>,
    /// When its key and rows are destroyed, unless the deletion is called off.
    pub delete_after: Option<Timestamp>,
}

impl Store {
    /// Every tenant that is not deleted, the first one first.
    pub async fn tenants(&self) -> Result<Vec<Tenant>> {
        self.tenants_where("state<>'deleted' AND $1=0", 0).await
    }

    /// The tenant made when the directory was.
    pub async fn first(&self) -> Result<Tenant> {
        let mut reading = self.db().read(Whose::Installation).await?;
        let first = "SELECT * FROM tenants WHERE state<>'deleted' ORDER BY created_at, tenant LIMIT 1";
        let row = sqlx::query(first).fetch_optional(reading.conn()).await?.ok_or(StoreError::NotFound)?;
        tenant_row(&row)
    }

    /// Whether the database answers. However many tenants there are, it reads none.
    pub async fn answers(&self) -> Result<()> {
        let mut reading = self.db().read(Whose::Installation).await?;
        sqlx::query("SELECT one FROM installation").fetch_one(reading.conn()).await?;
        Ok(())
    }

    /// The tenants whose time of grace is over.
    pub async fn due_for_shredding(&self, now: Timestamp) -> Result<Vec<Tenant>> {
        self.tenants_where("state='deleting' AND delete_after<=$1", now.as_micros()).await
    }

    async fn tenants_where(&self, which: &'static str, at: i64) -> Result<Vec<Tenant>> {
        let mut reading = self.db().read(Whose::Installation).await?;
        let sql = format!("SELECT * FROM tenants WHERE {which} ORDER BY created_at, tenant {MOST}");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(at).fetch_all(reading.conn()).await?;
        rows.iter().map(tenant_row).collect()
    }

    /// The tenant of a slug, unless it is deleted.
    pub async fn tenant_by_slug(&self, slug: &str) -> Result<Option<Tenant>> {
        let mut reading = self.db().read(Whose::Installation).await?;
        let row = sqlx::query("SELECT * FROM tenants WHERE slug=$1 AND state<>'deleted'")
            .bind(slug)
            .fetch_optional(reading.conn())
            .await?;
        row.map(|row| tenant_row(&row)).transpose()
    }

    /// A tenant, in whatever state.
    pub async fn get_tenant(&self, id: TenantId) -> Result<Tenant> {
        let mut reading = self.db().read(Whose::Installation).await?;
        let row = sqlx::query("SELECT * FROM tenants WHERE tenant=$1").bind(bytes(id));
        let row = row.fetch_optional(reading.conn()).await?.ok_or(StoreError::NotFound)?;
        tenant_row(&row)
    }
}

/// Tenants, newest first. Only the installation's own scope sees them.
pub async fn list(access: &mut impl Access, page: &PageRequest, state: Option<TenantState>) -> Result<Page<Tenant>> {
    of_installation(access)?;
    let rows =
        sqlx::query("SELECT * FROM tenants WHERE tenant<$1 AND ($3='' OR state=$3) ORDER BY tenant DESC LIMIT $2")
            .bind(page.below::<id::TenantKind>()?)
            .bind(page.fetch())
            .bind(state.map_or("", TenantState::as_str))
            .fetch_all(access.conn())
            .await?;
    let items: Result<Vec<Tenant>> = rows.iter().map(tenant_row).collect();
    Ok(page.page(items?, |tenant| tenant.id.to_string()))
}

pub(crate) fn of_installation(access: &impl Access) -> Result<()> {
    if access.tenant() == TenantId::INSTALLATION { Ok(()) } else { Err(StoreError::NotFound) }
}

pub(crate) async fn find(access: &mut impl Access, id: TenantId) -> Result<Tenant> {
    let row = sqlx::query("SELECT * FROM tenants WHERE tenant=$1").bind(bytes(id));
    tenant_row(&row.fetch_optional(access.conn()).await?.ok_or(StoreError::NotFound)?)
}

pub(crate) fn tenant_row(row: &AnyRow) -> Result<Tenant> {
    let state: String = row.try_get("state")?;
    Ok(Tenant {
        id: id_of(row, "tenant")?,
        slug: row.try_get("slug")?,
        name: row.try_get("name")?,
        demo: flag(row, "demo")?,
        state: TenantState::parse(&state).ok_or_else(|| StoreError::damaged("the state of a tenant"))?,
        parent: optional_id(row, "parent")?,
        version: row.try_get("version")?,
        created_at: time(row, "created_at")?,
        state_changed_at: optional_time(row, "state_changed_at")?,
        delete_after: optional_time(row, "delete_after")?,
    })
}
