//! Custom roles of a tenant. A role is a list of permissions, perhaps for some environments only; roles do not nest, so there
//! are no loops. Each change queues its own entry.

use serde::Serialize;
use serde_json::json;
use shieldops_model::{Environment, RoleId, Timestamp};
use sqlx::{Row as _, any::AnyRow};
use utoipa::ToSchema;

use crate::{
    Access, Result, StoreError, Tx,
    alerts::id_of,
    memberships,
    rows::{bytes, json as json_column, time, to_json},
};

/// Custom roles of one tenant.
const MOST: u32 = 500;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Role {
    pub id: RoleId,
    pub name: String,
    pub permissions: Vec<String>,
    /// Absent: all of them.
    pub environments: Option<Vec<Environment>>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}

/// # Errors
/// `AlreadyExists` for a name that is taken, `TooMany`.
pub async fn create(tx: &mut Tx, role: &Role) -> Result<()> {
    let known: i64 =
        sqlx::query_scalar("SELECT count(*) FROM roles WHERE tenant_id=$1").bind(tx.t()).fetch_one(tx.conn()).await?;
    if known >= i64::from(MOST) {
        return Err(StoreError::TooMany { what: "custom roles", limit: MOST });
    }
    let done = sqlx::query(
        "INSERT INTO roles (tenant_id, id, name, permissions, environments, created_at, updated_at, version) VALUES ($1,$2,$3,$4,$5,$6,$7,$8) ON CONFLICT DO NOTHING",
    )
    .bind(tx.t())
    .bind(bytes(role.id))
    .bind(&role.name)
    .bind(to_json(&role.permissions)?)
    .bind(role.environments.as_ref().map(to_json).transpose()?)
    .bind(role.created_at.as_micros())
    .bind(role.updated_at.as_micros())
    .bind(role.version)
    .execute(tx.conn())
    .await?;
    StoreError::exists_unless_inserted(&done, &role.name)?;
    tx.touched("role", role.id, role.version);
    tx.record("role.created", &[&role.id], json!({"after": facts(role)}))
}

/// Writes a role over the version that `role.version` names; the answer has the next one. It holds on the next request of
/// everybody who has the role.
///
/// # Errors
/// `NotFound`, `Stale`, `AlreadyExists` for a name that another role has.
pub async fn update(tx: &mut Tx, role: &Role) -> Result<Role> {
    let before = find(tx, role.id).await?.ok_or(StoreError::NotFound)?;
    StoreError::stale_unless(Some(role.version), before.version)?;
    let taken = sqlx::query("SELECT 1 FROM roles WHERE tenant_id=$1 AND name=$2 AND id<>$3").bind(tx.t());
    if taken.bind(&role.name).bind(bytes(role.id)).fetch_optional(tx.conn()).await?.is_some() {
        return Err(StoreError::AlreadyExists { what: role.name.clone() });
    }
    let after = Role { version: role.version + 1, created_at: before.created_at, ..role.clone() };
    sqlx::query(
        "UPDATE roles SET name=$3, permissions=$4, environments=$5, updated_at=$6, version=$7 WHERE tenant_id=$1 AND id=$2",
    )
    .bind(tx.t())
    .bind(bytes(role.id))
    .bind(&after.name)
    .bind(to_json(&after.permissions)?)
    .bind(after.environments.as_ref().map(to_json).transpose()?)
    .bind(after.updated_at.as_micros())
    .bind(after.version)
    .execute(tx.conn())
    .await?;
    tx.touched("role", after.id, after.version);
    tx.record("role.updated", &[&after.id], json!({"before": facts(&before), "after": facts(&after)}))?;
    Ok(after)
}

/// # Errors
/// `NotFound`, `Stale`, `InUseBy` while a member, an open invitation or a live grant has it.
pub async fn remove(tx: &mut Tx, id: RoleId, expected: Option<i64>) -> Result<()> {
    let before = find(tx, id).await?.ok_or(StoreError::NotFound)?;
    StoreError::stale_unless(expected, before.version)?;
    let members = memberships::with_role(tx, id).await?;
    if members > 0 {
        return Err(StoreError::InUseBy { what: format!("{members} members") });
    }
    for (what, held) in [
        (
            "an open invitation",
            "SELECT 1 FROM invitations WHERE tenant=$1 AND role=$2 AND spent_at IS NULL AND revoked_at IS NULL LIMIT 1",
        ),
        ("a grant", "SELECT 1 FROM grants WHERE tenant=$1 AND role=$2 AND revoked_at IS NULL LIMIT 1"),
    ] {
        let held = sqlx::query(held).bind(tx.t()).bind(id.to_string());
        if held.fetch_optional(tx.conn()).await?.is_some() {
            return Err(StoreError::InUseBy { what: what.to_owned() });
        }
    }
    let delete = sqlx::query("DELETE FROM roles WHERE tenant_id=$1 AND id=$2").bind(tx.t());
    delete.bind(bytes(id)).execute(tx.conn()).await?;
    tx.touched("role", id, before.version);
    tx.record("role.deleted", &[&id], json!({"before": facts(&before)}))
}

pub async fn find(access: &mut impl Access, id: RoleId) -> Result<Option<Role>> {
    let tenant = access.t();
    let row = sqlx::query("SELECT * FROM roles WHERE tenant_id=$1 AND id=$2").bind(tenant).bind(bytes(id));
    row.fetch_optional(access.conn()).await?.map(|row| read(&row)).transpose()
}

/// By name; a tenant has at most 500.
pub async fn list(access: &mut impl Access) -> Result<Vec<Role>> {
    let tenant = access.t();
    let rows = sqlx::query("SELECT * FROM roles WHERE tenant_id=$1 ORDER BY name LIMIT 500").bind(tenant);
    rows.fetch_all(access.conn()).await?.iter().map(read).collect()
}

fn facts(role: &Role) -> serde_json::Value {
    json!({"name": role.name, "permissions": role.permissions, "environments": role.environments})
}

fn read(row: &AnyRow) -> Result<Role> {
    let limited: Option<String> = row.try_get("environments")?;
    Ok(Role {
        id: id_of(row, "id")?,
        name: row.try_get("name")?,
        permissions: json_column(row, "permissions")?,
        environments: limited.map(|_some| json_column(row, "environments")).transpose()?,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
        version: row.try_get("version")?,
    })
}
