//! Making, renaming, suspending, locking and deleting tenants.

use serde_json::json;
use shieldops_model::{TenantChange, TenantId, TenantState, Timestamp, id};

use super::{Tenant, find, live::live_from_outside, of_installation};
use crate::{Access, Result, StoreError, Tx, grants, notices, rows::bytes};

#[derive(Debug, Clone)]
pub struct NewTenant {
    pub slug: String,
    pub name: String,
    pub parent: Option<TenantId>,
    pub demo: bool,
}

/// What is absent stays.
#[derive(Debug, Clone, Default)]
pub struct TenantPatch {
    pub slug: Option<String>,
    pub name: Option<String>,
    /// Another parent, or none.
    pub parent: Option<Option<TenantId>>,
}

/// Makes a tenant with its own data key.
///
/// # Errors
/// `AlreadyExists` for a slug that is taken; `Refused` for a parent that cannot be one.
pub async fn create(tx: &mut Tx, new: &NewTenant, now: Timestamp) -> Result<Tenant> {
    of_installation(tx)?;
    let id: TenantId = id::mint(now, &mut rand::rng());
    check_parent(tx, id, new.parent).await?;
    // Before the row: a key without a tenant is harmless.
    let store = tx.scope.store.clone();
    store.keys().create(id)?;
    let done = sqlx::query(
        "INSERT INTO tenants (tenant, slug, name, demo, created_at, parent, state, version) VALUES ($1,$2,$3,$4,$5,$6,'active',1) ON CONFLICT DO NOTHING",
    )
    .bind(bytes(id))
    .bind(&new.slug)
    .bind(&new.name)
    .bind(i64::from(new.demo))
    .bind(now.as_micros())
    .bind(new.parent.map(bytes))
    .execute(tx.conn())
    .await?;
    StoreError::exists_unless_inserted(&done, &new.slug)?;
    let tenant = find(tx, id).await?;
    let body = json!({"after": facts(&tenant)});
    tell(tx, &tenant, "tenant.created", body).await?;
    Ok(tenant)
}

/// Renames a tenant, or gives it another parent; grants to the parent it had end.
pub async fn update(
    tx: &mut Tx,
    id: TenantId,
    patch: &TenantPatch,
    expected: Option<i64>,
    now: Timestamp,
) -> Result<Tenant> {
    of_installation(tx)?;
    let before = find(tx, id).await?;
    StoreError::stale_unless(expected, before.version)?;
    let parent = patch.parent.unwrap_or(before.parent);
    if parent != before.parent {
        check_parent(tx, id, parent).await?;
        end_grants(tx, id, now).await?;
    }
    let slug = patch.slug.as_deref().unwrap_or(&before.slug);
    // A violated key would end the transaction on PostgreSQL.
    let taken = sqlx::query("SELECT 1 FROM tenants WHERE slug=$1 AND tenant<>$2").bind(slug).bind(bytes(id));
    if taken.fetch_optional(tx.conn()).await?.is_some() {
        return Err(StoreError::AlreadyExists { what: slug.to_owned() });
    }
    sqlx::query("UPDATE tenants SET slug=$2, name=$3, parent=$4, version=version+1 WHERE tenant=$1")
        .bind(bytes(id))
        .bind(slug)
        .bind(patch.name.as_deref().unwrap_or(&before.name))
        .bind(parent.map(bytes))
        .execute(tx.conn())
        .await?;
    let after = find(tx, id).await?;
    let body = json!({"before": facts(&before), "after": facts(&after)});
    tell(tx, &after, "tenant.updated", body).await?;
    Ok(after)
}

/// Takes a tenant to another state, for a reason that stands in both ledgers.
///
/// # Errors
/// `Refused` when the state does not allow it, or while live actions keep it from being deleted; `Stale`.
#[expect(clippy::too_many_arguments, reason = "each is a member of the operator's request")]
pub async fn change_state(
    tx: &mut Tx,
    id: TenantId,
    change: TenantChange,
    reason: &str,
    delete_after: Option<Timestamp>,
    expected: Option<i64>,
    now: Timestamp,
) -> Result<Tenant> {
    of_installation(tx)?;
    let before = find(tx, id).await?;
    StoreError::stale_unless(expected, before.version)?;
    let next = before.state.after(change).ok_or_else(|| StoreError::Refused {
        detail: format!("the tenant is {}: `{}` does not apply", before.state.as_str(), change.as_str()),
    })?;
    let next = if change == TenantChange::Unlock { before_lock(tx, id).await?.unwrap_or(next) } else { next };
    if next == TenantState::Deleting {
        refuse_while_live(tx, id).await?;
    }
    let delete_after = if next == TenantState::Deleting { Some(delete_after.unwrap_or(now)) } else { None };
    let done = sqlx::query(
        "UPDATE tenants SET state=$2, state_changed_at=$3, delete_after=$4, before_lock=$5, version=version+1 WHERE tenant=$1 AND shredding_at IS NULL",
    )
        .bind(bytes(id))
        .bind(next.as_str())
        .bind(now.as_micros())
        .bind(delete_after.map(Timestamp::as_micros))
        .bind((next == TenantState::Locked).then(|| before.state.as_str()))
        .execute(tx.conn())
        .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Refused { detail: "the tenant's rows are being destroyed: it is too late".to_owned() });
    }
    let after = find(tx, id).await?;
    let body = json!({"before": facts(&before), "after": facts(&after), "reason": reason});
    tell(tx, &after, kind(change), body).await?;
    Ok(after)
}

/// The state that a locked tenant had: a lock that ends does not end a suspension.
async fn before_lock(tx: &mut Tx, id: TenantId) -> Result<Option<TenantState>> {
    let text: Option<String> = sqlx::query_scalar("SELECT before_lock FROM tenants WHERE tenant=$1")
        .bind(bytes(id))
        .fetch_one(tx.conn())
        .await?;
    Ok(text.and_then(|text| TenantState::parse(&text)))
}

const fn kind(change: TenantChange) -> &'static str {
    match change {
        TenantChange::Suspend => "tenant.suspended",
        TenantChange::Resume => "tenant.resumed",
        TenantChange::Lock => "tenant.locked",
        TenantChange::Unlock => "tenant.unlocked",
        TenantChange::ScheduleDeletion => "tenant.deletion_scheduled",
        TenantChange::CancelDeletion => "tenant.deletion_cancelled",
    }
}

fn facts(tenant: &Tenant) -> serde_json::Value {
    json!({"slug": tenant.slug, "name": tenant.name, "state": tenant.state, "parent": tenant.parent, "delete_after": tenant.delete_after})
}

async fn tell(tx: &mut Tx, tenant: &Tenant, kind: &'static str, body: serde_json::Value) -> Result<()> {
    notices::leave(tx, tenant.id, kind, vec![tenant.id.to_string()], body.clone()).await?;
    tx.touched("tenant", tenant.id, tenant.version);
    tx.record(kind, &[&tenant.id], body)
}

async fn refuse_while_live(tx: &mut Tx, id: TenantId) -> Result<()> {
    let live = live_from_outside(tx.conn(), id).await?;
    let Some(first) = live.first() else { return Ok(()) };
    Err(StoreError::Refused {
        detail: format!(
            "{} actions are in force ({first} is the first): undo them, or delete with undo first",
            live.len()
        ),
    })
}

/// One level: a parent has no parent, and a tenant that is a parent gets none. So there are no loops.
async fn check_parent(tx: &mut Tx, id: TenantId, parent: Option<TenantId>) -> Result<()> {
    let Some(parent) = parent else { return Ok(()) };
    let refused = |detail: &str| Err(StoreError::Refused { detail: detail.to_owned() });
    if parent == id {
        return refused("a tenant is not its own parent");
    }
    let above = find(tx, parent).await?;
    if above.parent.is_some() || matches!(above.state, TenantState::Deleting | TenantState::Deleted) {
        return refused("that tenant cannot be a parent: it has one itself, or is being deleted");
    }
    let children = sqlx::query("SELECT 1 FROM tenants WHERE parent=$1 LIMIT 1").bind(bytes(id));
    if children.fetch_optional(tx.conn()).await?.is_some() {
        return refused("a tenant that is a parent has none itself");
    }
    Ok(())
}

async fn end_grants(tx: &mut Tx, id: TenantId, now: Timestamp) -> Result<()> {
    let update = sqlx::query("UPDATE grants SET revoked_at=$2 WHERE tenant=$1 AND revoked_at IS NULL").bind(bytes(id));
    update.bind(now.as_micros()).execute(tx.conn()).await?;
    grants::end_made_through(tx, id, now).await
}
