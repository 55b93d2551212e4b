//! Who works in a tenant, and as what. Each change queues its own entry.
//!
//! Transactions of one tenant take place one after the other, so that of two administrators who step down at once one stays.

use shieldops_model::{RoleId, TenantId, Timestamp, UserId};
use sqlx::Row as _;

use crate::{
    Access, Result, RoleRef, StoreError, Tx,
    alerts::id_of,
    people::{self, User, administrators},
    roles,
    rows::bytes,
    tokens,
};

async fn known_role(tx: &mut Tx, role: &RoleRef) -> Result<()> {
    match role {
        RoleRef::BuiltIn(_) => Ok(()),
        RoleRef::Custom(id) => roles::find(tx, *id).await?.map(drop).ok_or(StoreError::NotFound),
    }
}

/// Holds the person's row to the end of the transaction: tenants change side by side on PostgreSQL, and the last membership
/// must not go, with the person, while another one is being made.
pub async fn hold(tx: &mut Tx, user: UserId) -> Result<()> {
    let held = sqlx::query("UPDATE users SET name=name WHERE id=$1").bind(bytes(user));
    if held.execute(tx.conn()).await?.rows_affected() == 0 { Err(StoreError::NotFound) } else { Ok(()) }
}

pub(crate) async fn insert(tx: &mut Tx, user: UserId, role: &RoleRef, now: Timestamp) -> Result<()> {
    known_role(tx, role).await?;
    let done = sqlx::query(
        "INSERT INTO memberships (principal, tenant, role, created_at) VALUES ($1,$2,$3,$4) ON CONFLICT DO NOTHING",
    )
    .bind(bytes(user))
    .bind(tx.t())
    .bind(role.to_string())
    .bind(now.as_micros())
    .execute(tx.conn())
    .await?;
    StoreError::exists_unless_inserted(&done, "membership")
}

/// Makes somebody who is a person already a member of this tenant.
///
/// # Errors
/// `AlreadyExists` when they are one; `NotFound` for a custom role that the tenant does not have, and for nobody.
pub async fn add(tx: &mut Tx, user: UserId, role: &RoleRef, now: Timestamp) -> Result<()> {
    hold(tx, user).await?;
    insert(tx, user, role, now).await?;
    // A link that another tenant made would open this one too.
    people::end_reset_links(tx, user, now).await?;
    tx.touched("user", user, 1);
    tx.record("membership.added", &[&user], serde_json::json!({"after": {"role": role}}))
}

/// Changes role, or disables and enables a member in this tenant.
///
/// # Errors
/// `NotFound`; `Stale` when the membership is not at the expected version; `LastAdministrator` when no administrator who
/// can sign in would be left.
pub async fn set(
    tx: &mut Tx,
    user: UserId,
    role: Option<&RoleRef>,
    disabled: Option<bool>,
    expected: Option<i64>,
    now: Timestamp,
) -> Result<User> {
    let before = people::user(tx, user).await?.ok_or(StoreError::NotFound)?;
    StoreError::stale_unless(expected, before.version)?;
    let after_role = role.map_or_else(|| before.role.clone(), ToString::to_string);
    let after_disabled = disabled.unwrap_or(before.disabled);
    if let Some(role) = role {
        known_role(tx, role).await?;
    }
    if after_role != "admin" || after_disabled {
        keep_an_administrator(tx, &before).await?;
    }
    sqlx::query(
        "UPDATE memberships SET role=$3, version=version+1, \
         disabled_at=CASE WHEN $4=0 THEN NULL WHEN disabled_at IS NULL AND $5=1 THEN $6 ELSE disabled_at END WHERE principal=$1 AND tenant=$2",
    )
    .bind(bytes(user))
    .bind(tx.t())
    .bind(&after_role)
    // Left alone unless asked for: the person may be disabled everywhere, and not here.
    .bind(i64::from(disabled != Some(false)))
    .bind(i64::from(disabled == Some(true)))
    .bind(now.as_micros())
    .execute(tx.conn())
    .await?;
    let after = people::user(tx, user).await?.ok_or(StoreError::NotFound)?;
    tx.touched("user", user, after.version);
    let state = |user: &User| serde_json::json!({"role": user.role, "disabled": user.disabled});
    tx.record("membership.changed", &[&user], serde_json::json!({"before": state(&before), "after": state(&after)}))?;
    Ok(after)
}

/// Ends a membership, with the sessions that were opened in this tenant and the personal tokens that were made in it. The
/// person's row goes with their last membership: true then.
pub async fn remove(tx: &mut Tx, user: UserId, now: Timestamp) -> Result<bool> {
    let before = people::user(tx, user).await?.ok_or(StoreError::NotFound)?;
    keep_an_administrator(tx, &before).await?;
    hold(tx, user).await?;
    tokens::end_of_person(tx, user, now).await?;
    let delete = sqlx::query("DELETE FROM memberships WHERE principal=$1 AND tenant=$2").bind(bytes(user));
    delete.bind(tx.t()).execute(tx.conn()).await?;
    let gone = forget_strangers(tx).await? > 0;
    tx.touched("user", user, before.version);
    let body = serde_json::json!({"before": {"name": before.name, "role": before.role}, "person_removed": gone});
    tx.record("membership.removed", &[&user], body)?;
    Ok(gone)
}

/// Removes the rows of people who are in no tenant any more, and what is theirs.
pub(crate) async fn forget_strangers(tx: &mut Tx) -> Result<u64> {
    let done =
        sqlx::query("DELETE FROM users WHERE NOT EXISTS (SELECT 1 FROM memberships m WHERE m.principal=users.id)")
            .execute(tx.conn())
            .await?;
    for theirs in [
        "DELETE FROM second_factors WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id=second_factors.principal)",
        "DELETE FROM recovery_codes WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id=recovery_codes.principal)",
        "DELETE FROM ceremonies WHERE principal IS NOT NULL AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id=ceremonies.principal)",
        "DELETE FROM principal_index WHERE kind='session' AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id=principal_index.principal)",
    ] {
        sqlx::query(theirs).execute(tx.conn()).await?;
    }
    Ok(done.rows_affected())
}

async fn keep_an_administrator(tx: &mut Tx, member: &User) -> Result<()> {
    let counts = member.role == "admin" && !member.disabled && member.has_password;
    let tenant = tx.tenant();
    if counts && administrators(tx.conn(), tenant, Some(member.id)).await? == 0 {
        return Err(StoreError::LastAdministrator);
    }
    Ok(())
}

/// How many members have a custom role.
pub async fn with_role(access: &mut impl Access, role: RoleId) -> Result<u64> {
    let tenant = access.t();
    let found: i64 = sqlx::query_scalar("SELECT count(*) FROM memberships WHERE tenant=$1 AND role=$2")
        .bind(tenant)
        .bind(role.to_string())
        .fetch_one(access.conn())
        .await?;
    Ok(u64::try_from(found).unwrap_or(0))
}

/// The logins of the members, at most 10,000.
pub async fn names(access: &mut impl Access) -> Result<Vec<(UserId, String)>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT u.id, u.name FROM memberships m JOIN users u ON u.id=m.principal WHERE m.tenant=$1 ORDER BY u.name LIMIT 10000",
    )
    .bind(tenant)
    .fetch_all(access.conn())
    .await?;
    rows.iter().map(|row| Ok((id_of(row, "id")?, row.try_get("name")?))).collect()
}

/// Whether the person can sign in to another tenant, as a member who is not disabled there. The installation itself is no
/// such place.
pub async fn has_another_home(tx: &mut Tx, user: UserId) -> Result<bool> {
    let others: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM memberships m JOIN tenants t ON t.tenant=m.tenant \
         WHERE m.principal=$1 AND m.tenant<>$2 AND m.disabled_at IS NULL AND t.state IN ('active','suspended','locked')",
    )
    .bind(bytes(user))
    .bind(tx.t())
    .fetch_one(tx.conn())
    .await?;
    Ok(others > 0)
}

/// Whether the person works in no tenant but this one; the installation itself counts as one.
pub async fn is_sole(access: &mut impl Access, user: UserId) -> Result<bool> {
    let tenant: TenantId = access.tenant();
    let others: i64 = sqlx::query_scalar("SELECT count(*) FROM memberships WHERE principal=$1 AND tenant<>$2")
        .bind(bytes(user))
        .bind(bytes(tenant))
        .fetch_one(access.conn())
        .await?;
    Ok(others == 0)
}
