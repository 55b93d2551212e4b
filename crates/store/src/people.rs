//! People. They belong to the installation: one row a person, however many tenants they work in. What a tenant's
//! administrators see of them is the membership. Callers record the entries of this module.

use serde::Serialize;
use shieldops_model::{SessionId, TenantId, Timestamp, UserId};
use sqlx::{AnyConnection, Row as _, any::AnyRow};

use crate::{
    Access, Result, RoleRef, Store, StoreError, Tx,
    alerts::id_of,
    db::{Whose, flag},
    rows::{bytes, optional_id, optional_time, time},
    tenants,
};
pub use crate::{
    admin_link::{create_admin_link, spend_admin_link},
    sessions::{NewCredential, create_session, revoke_session},
    tenants::Tenant,
    tokens::{Token, create_token, revoke_token, tokens},
};

/// A person of the installation.
#[derive(Clone)]
pub struct Person {
    pub id: UserId,
    /// The login.
    pub name: String,
    pub display: Option<String>,
    pub password_hash: Option<String>,
    /// Everywhere, by the operator.
    pub disabled: bool,
    pub operator: bool,
    pub created_at: Timestamp,
    pub last_sign_in_at: Option<Timestamp>,
}

/// A member of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct User {
    pub id: UserId,
    pub name: String,
    pub display: Option<String>,
    /// A built-in role by its name, a custom one by its id.
    pub role: String,
    /// In this tenant, or everywhere.
    pub disabled: bool,
    /// Whether a password was ever set.
    pub has_password: bool,
    /// Whether a second factor or a passkey is set up.
    pub second_factor: bool,
    pub created_at: Timestamp,
    pub last_sign_in_at: Option<Timestamp>,
    /// Of the membership.
    pub version: i64,
}

impl User {
    /// One that is about to be made.
    pub fn new(id: UserId, name: &str, role: &RoleRef, now: Timestamp) -> Self {
        Self {
            id,
            name: name.to_owned(),
            display: None,
            role: role.to_string(),
            disabled: false,
            has_password: false,
            second_factor: false,
            created_at: now,
            last_sign_in_at: None,
            version: 1,
        }
    }
}

/// A tenant that a person may work in.
#[derive(Debug, Clone)]
pub struct Membership {
    pub tenant: Tenant,
    pub role: RoleRef,
    /// In this tenant.
    pub disabled: bool,
    pub last_used_at: Option<Timestamp>,
    /// Not a member: let in as one of its parent.
    pub via_grant: Option<shieldops_model::GrantId>,
}

macro_rules! person {
    ($of:literal) => {
        concat!(
            "SELECT u.id, u.name, u.display, u.password_hash, u.disabled_at, u.created_at, u.last_sign_in_at, \
             CASE WHEN EXISTS (SELECT 1 FROM memberships o WHERE o.principal=u.id AND o.tenant=$2 AND o.disabled_at IS NULL) THEN 1 ELSE 0 END AS operator \
             FROM users u WHERE ", $of
        )
    };
}

macro_rules! members {
    ($of:literal) => {
        concat!(
            "SELECT u.id, u.name, u.display, u.password_hash, u.created_at, u.last_sign_in_at, m.role, m.version, \
             CASE WHEN u.disabled_at IS NULL AND m.disabled_at IS NULL THEN 0 ELSE 1 END AS disabled, \
             CASE WHEN EXISTS (SELECT 1 FROM second_factors f WHERE f.principal=u.id) THEN 1 ELSE 0 END AS second_factor \
             FROM users u JOIN memberships m ON m.principal=u.id AND m.tenant=$1 ", $of
        )
    };
}

impl Store {
    /// The person of this login, whatever tenants they are in.
    pub async fn find_person(&self, name: &str) -> Result<Option<Person>> {
        let mut reading = self.db().read(Whose::Installation).await?;
        let row = sqlx::query(person!("u.name=$1"))
            .bind(name)
            .bind(bytes(TenantId::INSTALLATION))
            .fetch_optional(reading.conn())
            .await?;
        row.map(|row| person_row(&row)).transpose()
    }

    pub async fn get_person(&self, id: UserId) -> Result<Option<Person>> {
        let mut reading = self.db().read(Whose::Installation).await?;
        let row = sqlx::query(person!("u.id=$1"))
            .bind(bytes(id))
            .bind(bytes(TenantId::INSTALLATION))
            .fetch_optional(reading.conn())
            .await?;
        row.map(|row| person_row(&row)).transpose()
    }

    /// The member of this login in a tenant, with the password hash.
    pub async fn find_login(&self, tenant: TenantId, name: &str) -> Result<Option<(User, Option<String>)>> {
        let mut reading = self.db().read(Whose::Installation).await?;
        let row = sqlx::query(members!("WHERE u.name=$2"))
            .bind(bytes(tenant))
            .bind(name)
            .fetch_optional(reading.conn())
            .await?;
        row.map(|row| Ok((user_row(&row)?, row.try_get("password_hash")?))).transpose()
    }

    /// The tenants that a person may work in, the one used last first: their own, and those that let their tenant in.
    /// A membership wins over a grant. At most 1,000 of each.
    pub async fn memberships_of(&self, user: UserId, now: Timestamp) -> Result<Vec<Membership>> {
        let mut reading = self.db().read(Whose::Installation).await?;
        let own = sqlx::query(
            "SELECT t.*, m.role, m.disabled_at, m.last_used_at FROM memberships m JOIN tenants t ON t.tenant=m.tenant \
             WHERE m.principal=$1 AND t.state<>'deleted' ORDER BY COALESCE(m.last_used_at, 0) DESC, m.created_at, t.slug LIMIT 1000",
        )
        .bind(bytes(user))
        .fetch_all(reading.conn())
        .await?;
        let mut found: Vec<Membership> = own.iter().map(membership_row).collect::<Result<_>>()?;
        let granted = sqlx::query(
            "SELECT t.*, g.id AS grant_id, g.role FROM grants g JOIN tenants t ON t.tenant=g.tenant JOIN tenants p ON p.tenant=g.grantee \
             JOIN memberships m ON m.tenant=g.grantee AND m.principal=$1 AND m.disabled_at IS NULL AND m.role IN ('admin','operator') \
             WHERE g.revoked_at IS NULL AND g.expires_at>$2 AND t.parent=g.grantee AND t.state<>'deleted' AND p.state='active' ORDER BY t.slug, g.id DESC LIMIT 1000",
        )
        .bind(bytes(user))
        .bind(now.as_micros())
        .fetch_all(reading.conn())
        .await?;
        for row in &granted {
            let membership = granted_row(row)?;
            if !found.iter().any(|known| known.tenant.id == membership.tenant.id && !known.disabled) {
                found.push(membership);
            }
        }
        Ok(found)
    }

    /// Whether any administrator of the tenant can sign in.
    pub async fn has_administrator(&self, tenant: TenantId) -> Result<bool> {
        let mut reading = self.db().read(Whose::Installation).await?;
        Ok(administrators(reading.conn(), tenant, None).await? > 0)
    }
}

fn person_row(row: &AnyRow) -> Result<Person> {
    Ok(Person {
        id: id_of(row, "id")?,
        name: row.try_get("name")?,
        display: row.try_get("display")?,
        password_hash: row.try_get("password_hash")?,
        disabled: optional_time(row, "disabled_at")?.is_some(),
        operator: flag(row, "operator")?,
        created_at: time(row, "created_at")?,
        last_sign_in_at: optional_time(row, "last_sign_in_at")?,
    })
}

fn user_row(row: &AnyRow) -> Result<User> {
    let password: Option<String> = row.try_get("password_hash")?;
    Ok(User {
        id: id_of(row, "id")?,
        name: row.try_get("name")?,
        display: row.try_get("display")?,
        role: row.try_get("role")?,
        disabled: flag(row, "disabled")?,
        has_password: password.is_some(),
        second_factor: flag(row, "second_factor")?,
        created_at: time(row, "created_at")?,
        last_sign_in_at: optional_time(row, "last_sign_in_at")?,
        version: row.try_get("version")?,
    })
}

fn membership_row(row: &AnyRow) -> Result<Membership> {
    let role: String = row.try_get("role")?;
    Ok(Membership {
        tenant: tenants::tenant_row(row)?,
        role: RoleRef::parse(&role),
        disabled: optional_time(row, "disabled_at")?.is_some(),
        last_used_at: optional_time(row, "last_used_at")?,
        via_grant: None,
    })
}

fn granted_row(row: &AnyRow) -> Result<Membership> {
    let role: String = row.try_get("role")?;
    Ok(Membership {
        tenant: tenants::tenant_row(row)?,
        role: RoleRef::parse(&role),
        disabled: false,
        last_used_at: None,
        via_grant: optional_id(row, "grant_id")?,
    })
}

/// Administrators of a tenant who can sign in, but for one.
pub(crate) async fn administrators(conn: &mut AnyConnection, tenant: TenantId, but: Option<UserId>) -> Result<i64> {
    Ok(sqlx::query_scalar(
        "SELECT count(*) FROM users u JOIN memberships m ON m.principal=u.id WHERE m.tenant=$1 AND m.role='admin' \
         AND u.password_hash IS NOT NULL AND u.disabled_at IS NULL AND m.disabled_at IS NULL AND u.id<>$2",
    )
    .bind(bytes(tenant))
    .bind(but.map(bytes).unwrap_or_default())
    .fetch_one(conn)
    .await?)
}

/// Makes a person and the membership in this tenant.
///
/// # Errors
/// `AlreadyExists` when somebody has the name, in whatever tenant.
pub async fn create_user(tx: &mut Tx, user: &User, password_hash: Option<&str>) -> Result<()> {
    let done = sqlx::query(
        "INSERT INTO users (id, name, display, password_hash, created_at) VALUES ($1,$2,$3,$4,$5) ON CONFLICT DO NOTHING",
    )
    .bind(bytes(user.id))
    .bind(&user.name)
    .bind(&user.display)
    .bind(password_hash)
    .bind(user.created_at.as_micros())
    .execute(tx.conn())
    .await?;
    StoreError::exists_unless_inserted(&done, &user.name)?;
    crate::memberships::insert(tx, user.id, &RoleRef::parse(&user.role), user.created_at).await?;
    tx.touched("user", user.id, 1);
    Ok(())
}

/// What outlives a new password.
#[derive(Debug, Clone, Copy, Default)]
pub struct Keep {
    /// The session that asks.
    pub session: Option<SessionId>,
    pub tokens: bool,
}

/// Sets a person's password; every session and personal token of theirs ends but for what is kept, and every open reset
/// link. Answers how many tokens ended.
///
/// # Errors
/// `NotFound` when the person is no member of this tenant; the installation's own scope reaches everybody.
pub async fn set_password(tx: &mut Tx, user: UserId, password_hash: &str, keep: Keep, now: Timestamp) -> Result<u64> {
    let everybody = i64::from(tx.tenant() == TenantId::INSTALLATION);
    let done = sqlx::query(
        "UPDATE users SET password_hash=$2 WHERE id=$1 AND ($4=1 OR EXISTS (SELECT 1 FROM memberships WHERE principal=$1 AND tenant=$3))",
    )
    .bind(bytes(user))
    .bind(password_hash)
    .bind(tx.t())
    .bind(everybody)
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::NotFound);
    }
    end_reset_links(tx, user, now).await?;
    crate::sessions::end_all(tx, user, keep.session, now).await?;
    let ended = if keep.tokens { 0 } else { crate::tokens::end_personal(tx, user, now).await? };
    tx.touched("user", user, 0);
    Ok(ended)
}

/// Ends every open reset link of a person: whoever made one may reach no further than they could then.
pub(crate) async fn end_reset_links(tx: &mut Tx, user: UserId, now: Timestamp) -> Result<()> {
    sqlx::query(
        "UPDATE invitations SET revoked_at=$2 WHERE principal=$1 AND kind='reset' AND spent_at IS NULL AND revoked_at IS NULL",
    )
    .bind(bytes(user))
    .bind(now.as_micros())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The name that others see.
pub async fn set_display(tx: &mut Tx, user: UserId, display: Option<&str>) -> Result<()> {
    let done = sqlx::query("UPDATE users SET display=$2 WHERE id=$1").bind(bytes(user)).bind(display);
    let done = done.execute(tx.conn()).await?;
    changed(tx, user, done.rows_affected())
}

/// Disables a person everywhere, or lets them in again. The installation's own scope only.
pub async fn set_person_disabled(tx: &mut Tx, user: UserId, disabled_at: Option<Timestamp>) -> Result<()> {
    of_installation(tx)?;
    let update = sqlx::query("UPDATE users SET disabled_at=$2 WHERE id=$1").bind(bytes(user));
    let done = update.bind(disabled_at.map(Timestamp::as_micros)).execute(tx.conn()).await?;
    changed(tx, user, done.rows_affected())
}

/// Makes a person an operator of the installation, or ends that. The installation's own scope only.
///
/// # Errors
/// `LastAdministrator` when nobody else would be left to run the installation.
pub async fn set_operator(tx: &mut Tx, user: UserId, operator: bool, now: Timestamp) -> Result<()> {
    of_installation(tx)?;
    if operator {
        crate::memberships::hold(tx, user).await?;
        crate::memberships::insert(tx, user, &RoleRef::BuiltIn("operator".to_owned()), now).await?;
        end_reset_links(tx, user, now).await?;
    } else {
        let others: i64 = sqlx::query_scalar("SELECT count(*) FROM memberships WHERE tenant=$1 AND principal<>$2")
            .bind(tx.t())
            .bind(bytes(user))
            .fetch_one(tx.conn())
            .await?;
        if others == 0 {
            return Err(StoreError::LastAdministrator);
        }
        let delete = sqlx::query("DELETE FROM memberships WHERE tenant=$1 AND principal=$2").bind(tx.t());
        let done = delete.bind(bytes(user)).execute(tx.conn()).await?;
        return changed(tx, user, done.rows_affected());
    }
    tx.touched("user", user, 0);
    Ok(())
}

fn changed(tx: &mut Tx, user: UserId, rows: u64) -> Result<()> {
    if rows == 0 {
        return Err(StoreError::NotFound);
    }
    tx.touched("user", user, 0);
    Ok(())
}

fn of_installation(tx: &Tx) -> Result<()> {
    if tx.tenant() == TenantId::INSTALLATION { Ok(()) } else { Err(StoreError::NotFound) }
}

/// Notes a sign-in. Bookkeeping: the session has its own entry.
pub async fn signed_in(tx: &mut Tx, user: UserId, now: Timestamp) -> Result<()> {
    let update = sqlx::query("UPDATE users SET last_sign_in_at=$2 WHERE id=$1").bind(bytes(user));
    update.bind(now.as_micros()).execute(tx.conn()).await?;
    let update = sqlx::query("UPDATE memberships SET last_used_at=$3 WHERE principal=$1 AND tenant=$2");
    update.bind(bytes(user)).bind(tx.t()).bind(now.as_micros()).execute(tx.conn()).await?;
    Ok(())
}

/// The members of the tenant by name, at most 10,000.
pub async fn users(access: &mut impl Access) -> Result<Vec<User>> {
    let tenant = access.t();
    let rows = sqlx::query(members!("ORDER BY u.name LIMIT 10000")).bind(tenant).fetch_all(access.conn()).await?;
    rows.iter().map(user_row).collect()
}

pub async fn user(access: &mut impl Access, id: UserId) -> Result<Option<User>> {
    let tenant = access.t();
    let row = sqlx::query(members!("WHERE u.id=$2")).bind(tenant).bind(bytes(id)).fetch_optional(access.conn()).await?;
    row.map(|row| user_row(&row)).transpose()
}
