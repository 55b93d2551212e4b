//! Sessions: opened by a sign-in, listed, ended. A session belongs to a person; it was opened in one tenant and may be used
//! in every tenant of theirs. Callers record their entries.

use std::time::Duration;

use serde::Serialize;
use shieldops_model::{Confirmation, ConfirmedWith, SessionId, TenantId, Timestamp, UserId};
use sqlx::{Row as _, any::AnyRow};

use crate::{
    Access, Result, Store, StoreError, Tx,
    alerts::id_of,
    db::{Whose, clean},
    rows::{bytes, optional_time, time},
};

/// A new credential: only its hash is kept.
#[derive(Debug, Clone, Default)]
pub struct NewCredential {
    pub hash: [u8; 32],
    pub user: Option<UserId>,
    pub client_addr: Option<String>,
    pub user_agent: Option<String>,
    pub expires_at: Option<Timestamp>,
    /// How and when the person proved who they are.
    pub confirmed: Option<Confirmation>,
    /// It ends when it is not used for so long, where no tenant of its person says otherwise; precise to the minute.
    pub idle: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Session {
    pub id: SessionId,
    pub user_id: UserId,
    pub user_name: String,
    pub client_addr: Option<String>,
    pub user_agent: Option<String>,
    /// The last proof that it was given of who the person is: at sign-in, or again since.
    pub confirmed: Option<Confirmation>,
    /// The tenant it was opened in.
    pub tenant_slug: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
}

/// What the index says of a credential beside the credential itself.
pub(crate) struct Indexed<'a> {
    pub(crate) kind: &'static str,
    pub(crate) id: [u8; 16],
    pub(crate) label: &'a str,
    pub(crate) source: Option<&'a str>,
    pub(crate) facts: Option<&'a str>,
}

impl Indexed<'_> {
    pub(crate) fn new(kind: &'static str, id: [u8; 16]) -> Self {
        Self { kind, id, label: "", source: None, facts: None }
    }
}

pub(crate) async fn index(tx: &mut Tx, row: Indexed<'_>, credential: &NewCredential, now: Timestamp) -> Result<()> {
    // What a person has ends with their own way in; what they leave behind ends with the grant.
    let bound = tx.scope.bound.filter(|_| credential.user.is_none());
    let expires_at = if bound.is_some() { tx.scope.ends(credential.expires_at) } else { credential.expires_at };
    let idle = credential.idle.map(|idle| i64::try_from(idle.as_micros()).unwrap_or(i64::MAX));
    sqlx::query(
        "INSERT INTO principal_index (hash, kind, id, principal, tenant, label, source, facts, client_addr, user_agent, confirmed_with, \
         verified_at, idle_us, created_at, expires_at, by_grant) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16)",
    )
    .bind(credential.hash.to_vec())
    .bind(row.kind)
    .bind(row.id.to_vec())
    .bind(credential.user.map(bytes))
    .bind(tx.t())
    .bind(clean(row.label).into_owned())
    .bind(row.source.map(|source| clean(source).into_owned()))
    .bind(row.facts)
    .bind(&credential.client_addr)
    .bind(credential.user_agent.as_deref().map(|agent| clean(agent).into_owned()))
    .bind(credential.confirmed.map(|confirmed| confirmed.with.as_str()))
    .bind(credential.confirmed.map(|confirmed| confirmed.at.as_micros()))
    .bind(idle)
    .bind(now.as_micros())
    .bind(expires_at.map(Timestamp::as_micros))
    .bind(bound.map(|bound| bytes(bound.grant)))
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub async fn create_session(tx: &mut Tx, id: SessionId, credential: &NewCredential, now: Timestamp) -> Result<()> {
    index(tx, Indexed::new("session", id.to_bytes()), credential, now).await?;
    tx.touched("session", id, 0);
    Ok(())
}

/// Ends a session that was opened in this tenant.
///
/// # Errors
/// `NotFound` when no such session is open here.
pub async fn revoke_session(tx: &mut Tx, id: SessionId, now: Timestamp) -> Result<()> {
    let done = sqlx::query(
        "UPDATE principal_index SET revoked_at=$3 WHERE id=$1 AND tenant=$2 AND kind='session' AND revoked_at IS NULL",
    )
    .bind(bytes(id))
    .bind(tx.t())
    .bind(now.as_micros())
    .execute(tx.conn())
    .await?;
    ended(tx, id, done.rows_affected())
}

/// Ends a session of one's own, wherever it was opened.
///
/// # Errors
/// `NotFound` when the person has no such open session.
pub async fn revoke_own(tx: &mut Tx, user: UserId, id: SessionId, now: Timestamp) -> Result<()> {
    let done = sqlx::query(
        "UPDATE principal_index SET revoked_at=$3 WHERE id=$1 AND principal=$2 AND kind='session' AND revoked_at IS NULL",
    )
    .bind(bytes(id))
    .bind(bytes(user))
    .bind(now.as_micros())
    .execute(tx.conn())
    .await?;
    ended(tx, id, done.rows_affected())
}

fn ended(tx: &mut Tx, id: SessionId, rows: u64) -> Result<()> {
    if rows == 0 {
        return Err(StoreError::NotFound);
    }
    tx.touched("session", id, 0);
    Ok(())
}

/// Ends every session of a person but `keep`, in all tenants; how many there were.
pub async fn end_all(tx: &mut Tx, user: UserId, keep: Option<SessionId>, now: Timestamp) -> Result<u64> {
    let done = sqlx::query(
        "UPDATE principal_index SET revoked_at=$2 WHERE principal=$1 AND kind='session' AND revoked_at IS NULL AND id<>$3",
    )
    .bind(bytes(user))
    .bind(now.as_micros())
    // No session has an id without bits.
    .bind(bytes(keep.unwrap_or(SessionId::from_bits(0))))
    .execute(tx.conn())
    .await?;
    if done.rows_affected() > 0 {
        tx.touched("user", user, 0);
    }
    Ok(done.rows_affected())
}

/// The person of an open session proved again who they are. The last proof counts, and no older one: a password alone takes
/// the strength of a second factor away.
pub async fn set_confirmed(tx: &mut Tx, id: SessionId, confirmed: Confirmation) -> Result<()> {
    let done = sqlx::query(
        "UPDATE principal_index SET confirmed_with=$2, verified_at=$3 WHERE id=$1 AND kind='session' AND revoked_at IS NULL",
    )
    .bind(bytes(id))
    .bind(confirmed.with.as_str())
    .bind(confirmed.at.as_micros())
    .execute(tx.conn())
    .await?;
    ended(tx, id, done.rows_affected())
}

/// Whether the session `p` was used lately enough at `$2`: by the strictest of its person's tenants, each by its own settings
/// or else as the installation says (`p.idle_us`).
macro_rules! idle_holds {
    () => {
        "(p.kind<>'session' OR COALESCE(p.last_used_at, p.created_at)+COALESCE(\
         (SELECT MIN(COALESCE(it.session_idle_us, p.idle_us)) FROM memberships im JOIN tenants it ON it.tenant=im.tenant \
         WHERE im.principal=p.principal AND im.disabled_at IS NULL AND it.state<>'deleted'), p.idle_us, 4000000000000000)>$2)"
    };
}
pub(crate) use idle_holds;

macro_rules! open_sessions {
    ($of:literal) => {
        concat!(
            "SELECT p.id, p.principal, u.name, p.client_addr, p.user_agent, p.confirmed_with, p.verified_at, t.slug, p.created_at, p.expires_at, p.last_used_at \
             FROM principal_index p JOIN users u ON u.id=p.principal JOIN tenants t ON t.tenant=p.tenant \
             WHERE p.kind='session' AND p.revoked_at IS NULL AND (p.expires_at IS NULL OR p.expires_at>$2) \
             AND ", idle_holds!(), " AND ", $of, " ORDER BY p.id DESC LIMIT 1000"
        )
    };
}

/// The open sessions that were opened in this tenant, newest first, at most 1,000; of one person, or of all.
pub async fn list(access: &mut impl Access, user: Option<UserId>, now: Timestamp) -> Result<Vec<Session>> {
    let tenant = access.t();
    let rows = sqlx::query(open_sessions!("p.tenant=$1 AND ($3=0 OR p.principal=$4)"))
        .bind(tenant)
        .bind(now.as_micros())
        .bind(i64::from(user.is_some()))
        .bind(user.map(bytes).unwrap_or_default())
        .fetch_all(access.conn())
        .await?;
    rows.iter().map(read).collect()
}

impl Store {
    /// From where the members of a tenant used open sessions since a time, whichever tenant these were opened in; at most 1,000.
    pub async fn addresses_in_use(&self, tenant: TenantId, since: Timestamp, now: Timestamp) -> Result<Vec<String>> {
        let mut reading = self.db().read(Whose::Installation).await?;
        let rows = sqlx::query(concat!(
            "SELECT DISTINCT p.client_addr FROM principal_index p WHERE p.kind='session' AND p.revoked_at IS NULL AND p.client_addr IS NOT NULL \
             AND (p.expires_at IS NULL OR p.expires_at>$2) AND ", idle_holds!(), " AND COALESCE(p.last_used_at, p.created_at)>=$3 \
             AND (p.tenant=$1 OR EXISTS (SELECT 1 FROM memberships m WHERE m.principal=p.principal AND m.tenant=$1 AND m.disabled_at IS NULL)) LIMIT 1000"
        ))
        .bind(bytes(tenant))
        .bind(now.as_micros())
        .bind(since.as_micros())
        .fetch_all(reading.conn())
        .await?;
        rows.iter().map(|row| Ok(row.try_get("client_addr")?)).collect()
    }

    /// From where people used open sessions since a time who are no members of this tenant, or not in it now; at most 10,000.
    /// An address that both work from may be among them.
    pub async fn addresses_of_others(&self, than: TenantId, since: Timestamp, now: Timestamp) -> Result<Vec<String>> {
        let mut reading = self.db().read(Whose::Installation).await?;
        let rows = sqlx::query(concat!(
            "SELECT DISTINCT p.client_addr FROM principal_index p WHERE p.kind='session' AND p.revoked_at IS NULL AND p.client_addr IS NOT NULL \
             AND (p.expires_at IS NULL OR p.expires_at>$2) AND ", idle_holds!(), " AND COALESCE(p.last_used_at, p.created_at)>=$3 \
             AND p.tenant<>$1 LIMIT 10000"
        ))
        .bind(bytes(than))
        .bind(now.as_micros())
        .bind(since.as_micros())
        .fetch_all(reading.conn())
        .await?;
        rows.iter().map(|row| Ok(row.try_get("client_addr")?)).collect()
    }

    /// The open sessions of a person, in whatever tenant they were opened.
    pub async fn sessions_of(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>> {
        let mut reading = self.db().read(Whose::Installation).await?;
        let rows = sqlx::query(open_sessions!("p.principal=$1"))
            .bind(bytes(user))
            .bind(now.as_micros())
            .fetch_all(reading.conn())
            .await?;
        rows.iter().map(read).collect()
    }
}

fn read(row: &AnyRow) -> Result<Session> {
    Ok(Session {
        id: id_of(row, "id")?,
        user_id: id_of(row, "principal")?,
        user_name: row.try_get("name")?,
        client_addr: row.try_get("client_addr")?,
        user_agent: row.try_get("user_agent")?,
        confirmed: confirmation(row)?,
        tenant_slug: row.try_get("slug")?,
        created_at: time(row, "created_at")?,
        expires_at: optional_time(row, "expires_at")?,
        last_used_at: optional_time(row, "last_used_at")?,
    })
}

/// Absent for tokens and keys, and for a session of before there were confirmations.
pub(crate) fn confirmation(row: &AnyRow) -> Result<Option<Confirmation>> {
    let (with, at): (Option<String>, _) = (row.try_get("confirmed_with")?, optional_time(row, "verified_at")?);
    let Some((with, at)) = with.zip(at) else { return Ok(None) };
    let with = ConfirmedWith::parse(&with).ok_or_else(|| StoreError::damaged("what a session was confirmed with"))?;
    Ok(Some(Confirmation::new(with, at)))
}
