//! The installation tables: tenants, users, memberships, and the index from a credential's hash to its principal.
//! Read before a scope exists; every read is in the caller's own request, so a revocation holds on the next one.

use std::time::Duration;

use serde::Serialize;
use shieldops_model::{Id, SessionId, TenantId, Timestamp, TokenId, UserId, id};
use sqlx::{AnyConnection, Row as _, any::AnyRow};

use crate::{
    Access, Principal, PrincipalKind, Result, Store, StoreError, Tx,
    alerts::id_of,
    db::{Whose, flag, turn_to},
};

/// How long a note of use waits for the writer.
const PATIENCE: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Tenant {
    pub id: TenantId,
    pub slug: String,
    pub name: String,
    pub demo: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct User {
    pub id: UserId,
    pub name: String,
    pub role: String,
    pub disabled: bool,
    /// Whether a password was ever set.
    pub has_password: bool,
    pub created_at: Timestamp,
    pub last_sign_in_at: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Token {
    pub id: TokenId,
    pub kind: String,
    pub name: String,
    pub user_id: Option<UserId>,
    pub source: Option<String>,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

/// A new credential: only its hash is kept.
#[derive(Debug, Clone)]
pub struct NewCredential {
    pub hash: [u8; 32],
    pub user: Option<UserId>,
    pub client_addr: Option<String>,
    pub expires_at: Option<Timestamp>,
}

impl Store {
    /// Every tenant, the first one first.
    pub async fn tenants(&self) -> Result<Vec<Tenant>> {
        let mut reading = self.db().read(Whose::Installation).await?;
        let rows = sqlx::query("SELECT tenant, slug, name, demo FROM tenants ORDER BY created_at, tenant LIMIT 10000")
            .fetch_all(reading.conn())
            .await?;
        rows.iter().map(tenant_row).collect()
    }

    /// The tenant made when the directory was.
    pub async fn first(&self) -> Result<Tenant> {
        self.tenants().await?.into_iter().next().ok_or(StoreError::NotFound)
    }

    /// Whom a credential's hash stands for now: not revoked, not expired, its user not disabled and still a member.
    pub async fn authenticate(&self, hash: &[u8; 32], now: Timestamp) -> Result<Option<Principal>> {
        let mut reading = self.db().read(Whose::Installation).await?;
        let row = sqlx::query(
            "SELECT p.kind, p.id, p.principal, p.tenant, p.expires_at, u.name AS user_name, m.role \
             FROM principal_index p LEFT JOIN users u ON u.id=p.principal AND u.disabled_at IS NULL \
             LEFT JOIN memberships m ON m.principal=p.principal AND m.tenant=p.tenant \
             WHERE p.hash=$1 AND p.revoked_at IS NULL AND (p.expires_at IS NULL OR p.expires_at>$2) AND p.kind<>'admin_link'",
        )
        .bind(hash.to_vec())
        .bind(now.as_micros())
        .fetch_optional(reading.conn())
        .await?;
        let Some(mut known) = row.map(|row| principal(&row)).transpose()?.flatten() else { return Ok(None) };
        if let Some(token) = known.token {
            turn_to(reading.conn(), known.tenant).await?;
            of_token(reading.conn(), token, &mut known).await?;
        }
        Ok(Some(known))
    }

    /// The user of this name in a tenant, with the password hash.
    pub async fn find_login(&self, tenant: TenantId, name: &str) -> Result<Option<(User, Option<String>)>> {
        let mut reading = self.db().read(Whose::Installation).await?;
        let row = sqlx::query(
            "SELECT u.id, u.name, u.password_hash, u.disabled_at, u.created_at, u.last_sign_in_at, m.role FROM users u \
             JOIN memberships m ON m.principal=u.id AND m.tenant=$1 WHERE u.name=$2",
        )
        .bind(tenant.to_bytes().to_vec())
        .bind(name)
        .fetch_optional(reading.conn())
        .await?;
        row.map(|row| Ok((user_row(&row)?, row.try_get("password_hash")?))).transpose()
    }

    /// Whether any administrator of the tenant has a password.
    pub async fn has_administrator(&self, tenant: TenantId) -> Result<bool> {
        let mut reading = self.db().read(Whose::Installation).await?;
        administrator_known(reading.conn(), tenant).await
    }

    /// Whether an admin link can be spent now, and its tenant still has no administrator with a password.
    pub async fn admin_link_is_open(&self, tenant: TenantId, hash: &[u8; 32], now: Timestamp) -> Result<bool> {
        let mut reading = self.db().read(Whose::Installation).await?;
        let open: Option<i64> = sqlx::query_scalar(
            "SELECT 1 FROM principal_index WHERE hash=$1 AND tenant=$2 AND kind='admin_link' AND revoked_at IS NULL AND expires_at>$3",
        )
        .bind(hash.to_vec())
        .bind(tenant.to_bytes().to_vec())
        .bind(now.as_micros())
        .fetch_optional(reading.conn())
        .await?;
        Ok(open.is_some() && !administrator_known(reading.conn(), tenant).await?)
    }

    /// Notes that a credential was used, at most once a minute. Bookkeeping: left for the next time when the writer is busy.
    pub async fn used(&self, hash: &[u8; 32], now: Timestamp) -> Result<()> {
        let minute_ago = now.as_micros() - 60_000_000;
        let mut reading = self.db().read(Whose::Installation).await?;
        let stale: Option<i64> = sqlx::query_scalar(
            "SELECT 1 FROM principal_index WHERE hash=$1 AND (last_used_at IS NULL OR last_used_at<$2)",
        )
        .bind(hash.to_vec())
        .bind(minute_ago)
        .fetch_optional(reading.conn())
        .await?;
        drop(reading);
        if stale.is_some() {
            let Ok(writer) = tokio::time::timeout(PATIENCE, self.writer().acquire()).await else { return Ok(()) };
            let mut writer = writer?;
            let update = sqlx::query("UPDATE principal_index SET last_used_at=$2 WHERE hash=$1");
            update.bind(hash.to_vec()).bind(now.as_micros()).execute(&mut *writer).await?;
        }
        Ok(())
    }
}

fn tenant_row(row: &AnyRow) -> Result<Tenant> {
    Ok(Tenant {
        id: id_of(row, "tenant")?,
        slug: row.try_get("slug")?,
        name: row.try_get("name")?,
        demo: flag(row, "demo")?,
    })
}

fn user_row(row: &AnyRow) -> Result<User> {
    let disabled: Option<i64> = row.try_get("disabled_at")?;
    let password: Option<String> = row.try_get("password_hash")?;
    let signed_in: Option<i64> = row.try_get("last_sign_in_at")?;
    Ok(User {
        id: id_of(row, "id")?,
        name: row.try_get("name")?,
        role: row.try_get("role")?,
        disabled: disabled.is_some(),
        has_password: password.is_some(),
        created_at: Timestamp::from_micros(row.try_get("created_at")?),
        last_sign_in_at: signed_in.map(Timestamp::from_micros),
    })
}

fn principal(row: &AnyRow) -> Result<Option<Principal>> {
    let kind: String = row.try_get("kind")?;
    let user: Option<UserId> = optional_id(row, "principal")?;
    let role: Option<String> = row.try_get("role")?;
    let name: Option<String> = row.try_get("user_name")?;
    let expires_at: Option<i64> = row.try_get("expires_at")?;
    let (kind, role, user_name) = match (kind.as_str(), role, name) {
        ("ingest", _, _) => (PrincipalKind::Ingest, "ingest".to_owned(), String::new()),
        ("session", Some(role), Some(name)) => (PrincipalKind::Session, role, name),
        ("personal", Some(role), Some(name)) => (PrincipalKind::Personal, role, name),
        // The user is disabled or no longer a member.
        _ => return Ok(None),
    };
    let id: Id<id::SessionKind> = id_of(row, "id")?;
    Ok(Some(Principal {
        kind,
        tenant: id_of(row, "tenant")?,
        user: if kind == PrincipalKind::Ingest { None } else { user },
        user_name,
        role,
        session: (kind == PrincipalKind::Session).then_some(id),
        token: (kind != PrincipalKind::Session).then(|| TokenId::from_bits(id.bits())),
        source: None,
        expires_at: expires_at.map(Timestamp::from_micros),
    }))
}

/// An ingest token is named by its row, which also has its default source.
async fn of_token(conn: &mut AnyConnection, token: TokenId, known: &mut Principal) -> Result<()> {
    let row = sqlx::query("SELECT name, source FROM tokens WHERE tenant_id=$1 AND id=$2")
        .bind(known.tenant.to_bytes().to_vec())
        .bind(token.to_bytes().to_vec())
        .fetch_optional(conn)
        .await?;
    let Some(row) = row else { return Ok(()) };
    known.source = row.try_get("source")?;
    if known.kind == PrincipalKind::Ingest {
        known.user_name = row.try_get("name")?;
    }
    Ok(())
}

fn optional_id<K: id::Kind>(row: &AnyRow, column: &str) -> Result<Option<Id<K>>> {
    let bytes: Option<Vec<u8>> = row.try_get(column)?;
    bytes.map(|_present| id_of(row, column)).transpose()
}

async fn administrator_known(conn: &mut AnyConnection, tenant: TenantId) -> Result<bool> {
    let known: Option<i64> = sqlx::query_scalar(
        "SELECT 1 FROM users u JOIN memberships m ON m.principal=u.id WHERE m.tenant=$1 AND m.role='admin' \
         AND u.password_hash IS NOT NULL AND u.disabled_at IS NULL LIMIT 1",
    )
    .bind(tenant.to_bytes().to_vec())
    .fetch_optional(conn)
    .await?;
    Ok(known.is_some())
}

/// Makes a user and its membership.
pub async fn create_user(tx: &mut Tx, user: &User, password_hash: Option<&str>) -> Result<()> {
    let done = sqlx::query(
        "INSERT INTO users (id, name, password_hash, created_at) VALUES ($1,$2,$3,$4) ON CONFLICT DO NOTHING",
    )
    .bind(user.id.to_bytes().to_vec())
    .bind(&user.name)
    .bind(password_hash)
    .bind(user.created_at.as_micros())
    .execute(tx.conn())
    .await?;
    StoreError::exists_unless_inserted(&done, &user.name)?;
    sqlx::query("INSERT INTO memberships (principal, tenant, role) VALUES ($1,$2,$3)")
        .bind(user.id.to_bytes().to_vec())
        .bind(tx.t())
        .bind(&user.role)
        .execute(tx.conn())
        .await?;
    tx.touched("user", user.id, 0);
    Ok(())
}

/// Sets the password hash of a member of the tenant; every session of the user but `keep` ends.
pub async fn set_password(
    tx: &mut Tx,
    user: UserId,
    password_hash: &str,
    keep: Option<SessionId>,
    now: Timestamp,
) -> Result<()> {
    let done = sqlx::query("UPDATE users SET password_hash=$2 WHERE id=$1 AND EXISTS (SELECT 1 FROM memberships WHERE principal=$1 AND tenant=$3)")
        .bind(user.to_bytes().to_vec())
        .bind(password_hash)
        .bind(tx.t())
        .execute(tx.conn())
        .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::NotFound);
    }
    sqlx::query("UPDATE principal_index SET revoked_at=$2 WHERE principal=$1 AND kind='session' AND revoked_at IS NULL AND ($3 IS NULL OR id<>$3)")
        .bind(user.to_bytes().to_vec())
        .bind(now.as_micros())
        .bind(keep.map(|id| id.to_bytes().to_vec()))
        .execute(tx.conn())
        .await?;
    tx.touched("user", user, 0);
    Ok(())
}

/// Changes role and state; a disabled user's credentials stop at once, since they are checked with every request.
pub async fn set_user(tx: &mut Tx, user: UserId, role: &str, disabled_at: Option<Timestamp>) -> Result<()> {
    let done = sqlx::query("UPDATE memberships SET role=$3 WHERE principal=$1 AND tenant=$2")
        .bind(user.to_bytes().to_vec())
        .bind(tx.t())
        .bind(role)
        .execute(tx.conn())
        .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::NotFound);
    }
    sqlx::query("UPDATE users SET disabled_at=$2 WHERE id=$1")
        .bind(user.to_bytes().to_vec())
        .bind(disabled_at.map(Timestamp::as_micros))
        .execute(tx.conn())
        .await?;
    tx.touched("user", user, 0);
    Ok(())
}

/// Notes a sign-in. Bookkeeping: the session has its own entry.
pub async fn signed_in(tx: &mut Tx, user: UserId, now: Timestamp) -> Result<()> {
    sqlx::query("UPDATE users SET last_sign_in_at=$2 WHERE id=$1")
        .bind(user.to_bytes().to_vec())
        .bind(now.as_micros())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// The users of the tenant by name, at most 10,000.
pub async fn users(access: &mut impl Access) -> Result<Vec<User>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT u.id, u.name, u.password_hash, u.disabled_at, u.created_at, u.last_sign_in_at, m.role FROM users u \
         JOIN memberships m ON m.principal=u.id WHERE m.tenant=$1 ORDER BY u.name LIMIT 10000",
    )
    .bind(tenant)
    .fetch_all(access.conn())
    .await?;
    rows.iter().map(user_row).collect()
}

async fn index(tx: &mut Tx, kind: &str, id: [u8; 16], credential: &NewCredential, now: Timestamp) -> Result<()> {
    sqlx::query(
        "INSERT INTO principal_index (hash, kind, id, principal, tenant, client_addr, created_at, expires_at) VALUES ($1,$2,$3,$4,$5,$6,$7,$8)",
    )
    .bind(credential.hash.to_vec())
    .bind(kind)
    .bind(id.to_vec())
    .bind(credential.user.map(|user| user.to_bytes().to_vec()))
    .bind(tx.t())
    .bind(&credential.client_addr)
    .bind(now.as_micros())
    .bind(credential.expires_at.map(Timestamp::as_micros))
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub async fn create_session(tx: &mut Tx, id: SessionId, credential: &NewCredential, now: Timestamp) -> Result<()> {
    index(tx, "session", id.to_bytes(), credential, now).await?;
    tx.touched("session", id, 0);
    Ok(())
}

/// Ends a session.
pub async fn revoke_session(tx: &mut Tx, id: SessionId, now: Timestamp) -> Result<()> {
    revoke(tx, id.to_bytes(), now).await?;
    tx.touched("session", id, 0);
    Ok(())
}

async fn revoke(tx: &mut Tx, id: [u8; 16], now: Timestamp) -> Result<()> {
    sqlx::query("UPDATE principal_index SET revoked_at=$3 WHERE id=$1 AND tenant=$2 AND revoked_at IS NULL")
        .bind(id.to_vec())
        .bind(tx.t())
        .bind(now.as_micros())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Makes an ingest or personal token.
pub async fn create_token(tx: &mut Tx, token: &Token, credential: &NewCredential) -> Result<()> {
    index(tx, &token.kind, token.id.to_bytes(), credential, token.created_at).await?;
    sqlx::query(
        "INSERT INTO tokens (tenant_id, id, kind, name, user_id, source, created_at) VALUES ($1,$2,$3,$4,$5,$6,$7)",
    )
    .bind(tx.t())
    .bind(token.id.to_bytes().to_vec())
    .bind(&token.kind)
    .bind(&token.name)
    .bind(token.user_id.map(|user| user.to_bytes().to_vec()))
    .bind(&token.source)
    .bind(token.created_at.as_micros())
    .execute(tx.conn())
    .await?;
    tx.touched("token", token.id, 0);
    Ok(())
}

pub async fn revoke_token(tx: &mut Tx, id: TokenId, now: Timestamp) -> Result<()> {
    let done = sqlx::query("UPDATE tokens SET revoked_at=$3 WHERE tenant_id=$1 AND id=$2 AND revoked_at IS NULL")
        .bind(tx.t())
        .bind(id.to_bytes().to_vec())
        .bind(now.as_micros())
        .execute(tx.conn())
        .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::NotFound);
    }
    revoke(tx, id.to_bytes(), now).await?;
    tx.touched("token", id, 0);
    Ok(())
}

/// The tokens of the tenant, newest first, at most 1,000.
pub async fn tokens(access: &mut impl Access) -> Result<Vec<Token>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT t.id, t.kind, t.name, t.user_id, t.source, t.created_at, t.revoked_at, p.last_used_at FROM tokens t \
         JOIN principal_index p ON p.id=t.id AND p.tenant=t.tenant_id WHERE t.tenant_id=$1 ORDER BY t.id DESC LIMIT 1000",
    )
    .bind(tenant)
    .fetch_all(access.conn())
    .await?;
    let read = |row: &AnyRow| -> Result<Token> {
        let (used, revoked): (Option<i64>, Option<i64>) = (row.try_get("last_used_at")?, row.try_get("revoked_at")?);
        Ok(Token {
            id: id_of(row, "id")?,
            kind: row.try_get("kind")?,
            name: row.try_get("name")?,
            user_id: optional_id(row, "user_id")?,
            source: row.try_get("source")?,
            created_at: Timestamp::from_micros(row.try_get("created_at")?),
            last_used_at: used.map(Timestamp::from_micros),
            revoked_at: revoked.map(Timestamp::from_micros),
        })
    };
    rows.iter().map(read).collect()
}

/// Makes the admin link of this start; the ones of earlier starts end.
pub async fn create_admin_link(tx: &mut Tx, id: SessionId, credential: &NewCredential, now: Timestamp) -> Result<()> {
    sqlx::query(
        "UPDATE principal_index SET revoked_at=$2 WHERE kind='admin_link' AND tenant=$1 AND revoked_at IS NULL",
    )
    .bind(tx.t())
    .bind(now.as_micros())
    .execute(tx.conn())
    .await?;
    index(tx, "admin_link", id.to_bytes(), credential, now).await?;
    tx.touched("admin_link", id, 0);
    Ok(())
}

/// Spends an admin link: true once, within its time, and only while no administrator has a password.
pub async fn spend_admin_link(tx: &mut Tx, hash: &[u8; 32], now: Timestamp) -> Result<bool> {
    let tenant = tx.tenant();
    if administrator_known(tx.conn(), tenant).await? {
        return Ok(false);
    }
    let done = sqlx::query("UPDATE principal_index SET revoked_at=$3 WHERE hash=$1 AND tenant=$2 AND kind='admin_link' AND revoked_at IS NULL AND expires_at>$3")
        .bind(hash.to_vec())
        .bind(tx.t())
        .bind(now.as_micros())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}
