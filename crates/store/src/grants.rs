//! Grants: a child tenant lets the administrators and operators of its parent in, as something, for a time. Each change queues
//! its own entry in the child's ledger; the parent's gets a notice.

use serde::Serialize;
use serde_json::json;
use shieldops_model::{GrantId, TenantId, Timestamp, id};
use sqlx::{Row as _, any::AnyRow};
use utoipa::ToSchema;

use crate::{
    Access, Page, PageRequest, Result, RoleRef, Store, StoreError, Tx,
    alerts::id_of,
    notices,
    rows::{bytes, open_own, optional_time, seal_own, time},
    tenants,
};

const TABLE: &str = "grants";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Grant {
    pub id: GrantId,
    /// The child: whose it is.
    pub tenant: TenantId,
    /// The parent: whose people come in.
    pub grantee: TenantId,
    #[schema(value_type = String)]
    pub role: RoleRef,
    pub reason: String,
    pub granted_by: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

/// Lets the parent in.
///
/// # Errors
/// `Refused` when the grantee is not this tenant's parent, or the time is over already.
pub async fn create(tx: &mut Tx, grant: &Grant) -> Result<()> {
    let tenant = tx.tenant();
    let parent = tenants::find(tx, tenant).await?.parent;
    if parent != Some(grant.grantee) || grant.tenant != tenant {
        return Err(StoreError::Refused { detail: "a grant is for the tenant's parent only".to_owned() });
    }
    if grant.expires_at <= grant.created_at {
        return Err(StoreError::Refused { detail: "the grant would be over before it begins".to_owned() });
    }
    if let RoleRef::Custom(role) = grant.role {
        crate::roles::find(tx, role).await?.ok_or(StoreError::NotFound)?;
    }
    let store = tx.scope.store.clone();
    sqlx::query(
        "INSERT INTO grants (id, tenant, grantee, role, reason, granted_by, created_at, expires_at) VALUES ($1,$2,$3,$4,$5,$6,$7,$8)",
    )
    .bind(bytes(grant.id))
    .bind(tx.t())
    .bind(bytes(grant.grantee))
    .bind(grant.role.to_string())
    .bind(seal_own(&store, TABLE, &grant.id.to_bytes(), &grant.reason)?)
    .bind(&grant.granted_by)
    .bind(grant.created_at.as_micros())
    .bind(grant.expires_at.as_micros())
    .execute(tx.conn())
    .await?;
    tx.touched("grant", grant.id, 1);
    let body = json!({"after": {"grantee": grant.grantee, "role": grant.role, "reason": grant.reason, "expires_at": grant.expires_at}});
    notices::leave(tx, grant.grantee, "grant.received", vec![grant.id.to_string(), tenant.to_string()], body.clone())
        .await?;
    tx.record("grant.created", &[&grant.id, &grant.grantee], body)
}

/// Ends a grant, by the child that made it or by the parent that has it. It holds on the next request.
pub async fn revoke(tx: &mut Tx, id: GrantId, now: Timestamp) -> Result<()> {
    let row = sqlx::query("SELECT * FROM grants WHERE id=$1 AND (tenant=$2 OR grantee=$2) AND revoked_at IS NULL")
        .bind(bytes(id))
        .bind(tx.t())
        .fetch_optional(tx.conn())
        .await?;
    let store = tx.scope.store.clone();
    let grant = read(&store, &row.ok_or(StoreError::NotFound)?)?;
    let update = sqlx::query("UPDATE grants SET revoked_at=$2 WHERE id=$1").bind(bytes(id));
    update.bind(now.as_micros()).execute(tx.conn()).await?;
    end_made_through(tx, grant.tenant, now).await?;
    tx.touched("grant", id, 2);
    let (here, body) = (tx.tenant(), json!({"before": {"grantee": grant.grantee, "role": grant.role}}));
    let (other, kind) =
        if here == grant.tenant { (grant.grantee, "grant.ended") } else { (grant.tenant, "grant.revoked") };
    notices::leave(tx, other, kind, vec![id.to_string(), here.to_string()], body.clone()).await?;
    tx.record("grant.revoked", &[&id, &other], body)
}

/// Ends the keys, ingest tokens and open links of a tenant that were made through grants that are revoked.
pub(crate) async fn end_made_through(tx: &mut Tx, tenant: TenantId, now: Timestamp) -> Result<()> {
    for end in [
        "UPDATE principal_index SET revoked_at=$2 WHERE revoked_at IS NULL \
         AND by_grant IN (SELECT id FROM grants WHERE tenant=$1 AND revoked_at IS NOT NULL)",
        "UPDATE invitations SET revoked_at=$2 WHERE revoked_at IS NULL AND spent_at IS NULL \
         AND by_grant IN (SELECT id FROM grants WHERE tenant=$1 AND revoked_at IS NOT NULL)",
    ] {
        sqlx::query(end).bind(bytes(tenant)).bind(now.as_micros()).execute(tx.conn()).await?;
    }
    Ok(())
}

/// The grants that this tenant made, newest first, the ended ones among them.
pub async fn list(access: &mut impl Access, page: &PageRequest) -> Result<Page<Grant>> {
    page_of(access, page, "SELECT * FROM grants WHERE tenant=$1 AND id<$2 ORDER BY id DESC LIMIT $3").await
}

/// The grants that let this tenant in elsewhere.
pub async fn held(access: &mut impl Access, page: &PageRequest) -> Result<Page<Grant>> {
    page_of(access, page, "SELECT * FROM grants WHERE grantee=$1 AND id<$2 ORDER BY id DESC LIMIT $3").await
}

async fn page_of(access: &mut impl Access, page: &PageRequest, sql: &'static str) -> Result<Page<Grant>> {
    let tenant = access.t();
    let rows = sqlx::query(sql)
        .bind(tenant)
        .bind(page.below::<id::GrantKind>()?)
        .bind(page.fetch())
        .fetch_all(access.conn())
        .await?;
    let store = access.store().clone();
    let items: Result<Vec<Grant>> = rows.iter().map(|row| read(&store, row)).collect();
    Ok(page.page(items?, |grant| grant.id.to_string()))
}

fn read(store: &Store, row: &AnyRow) -> Result<Grant> {
    let (role, reason): (String, Vec<u8>) = (row.try_get("role")?, row.try_get("reason")?);
    let id: GrantId = id_of(row, "id")?;
    Ok(Grant {
        id,
        tenant: id_of(row, "tenant")?,
        grantee: id_of(row, "grantee")?,
        role: RoleRef::parse(&role),
        reason: open_own(store, TABLE, &id.to_bytes(), &reason)?,
        granted_by: row.try_get("granted_by")?,
        created_at: time(row, "created_at")?,
        expires_at: time(row, "expires_at")?,
        revoked_at: optional_time(row, "revoked_at")?,
    })
}
