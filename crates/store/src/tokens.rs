//! Ingest and personal tokens. The row is the tenant's; its hash, label and source stand in the index as well, where they
//! are read before there is a scope. Callers record their entries.

use serde::Serialize;
use shieldops_model::{Timestamp, TokenId, UserId};
use sqlx::{Row as _, any::AnyRow};

use crate::{
    Access, Result, StoreError, Tx,
    alerts::id_of,
    rows::{bytes, optional_id, optional_time, time},
    sessions::{Indexed, NewCredential, index},
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Token {
    pub id: TokenId,
    pub kind: String,
    pub name: String,
    pub user_id: Option<UserId>,
    pub source: Option<String>,
    pub created_at: Timestamp,
    /// When a personal token ends by itself.
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

/// Makes an ingest or personal token.
pub async fn create_token(tx: &mut Tx, token: &Token, credential: &NewCredential) -> Result<()> {
    let kind = if token.kind == "personal" { "personal" } else { "ingest" };
    let row =
        Indexed { label: &token.name, source: token.source.as_deref(), ..Indexed::new(kind, token.id.to_bytes()) };
    index(tx, row, credential, token.created_at).await?;
    sqlx::query(
        "INSERT INTO tokens (tenant_id, id, kind, name, user_id, source, created_at) VALUES ($1,$2,$3,$4,$5,$6,$7)",
    )
    .bind(tx.t())
    .bind(bytes(token.id))
    .bind(kind)
    .bind(&token.name)
    .bind(token.user_id.map(bytes))
    .bind(&token.source)
    .bind(token.created_at.as_micros())
    .execute(tx.conn())
    .await?;
    tx.touched("token", token.id, 0);
    Ok(())
}

/// # Errors
/// `NotFound` when the tenant has no such token, or it was revoked already.
pub async fn revoke_token(tx: &mut Tx, id: TokenId, now: Timestamp) -> Result<()> {
    let done = sqlx::query("UPDATE tokens SET revoked_at=$3 WHERE tenant_id=$1 AND id=$2 AND revoked_at IS NULL")
        .bind(tx.t())
        .bind(bytes(id))
        .bind(now.as_micros())
        .execute(tx.conn())
        .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::NotFound);
    }
    sqlx::query("UPDATE principal_index SET revoked_at=$3 WHERE id=$1 AND tenant=$2 AND revoked_at IS NULL")
        .bind(bytes(id))
        .bind(tx.t())
        .bind(now.as_micros())
        .execute(tx.conn())
        .await?;
    tx.touched("token", id, 0);
    Ok(())
}

/// Ends what a person made in this tenant: personal tokens, and sessions that were opened here. Ingest tokens are the
/// tenant's and stay.
pub(crate) async fn end_of_person(tx: &mut Tx, user: UserId, now: Timestamp) -> Result<()> {
    sqlx::query(
        "UPDATE tokens SET revoked_at=$3 WHERE tenant_id=$1 AND user_id=$2 AND kind='personal' AND revoked_at IS NULL",
    )
    .bind(tx.t())
    .bind(bytes(user))
    .bind(now.as_micros())
    .execute(tx.conn())
    .await?;
    sqlx::query(
        "UPDATE principal_index SET revoked_at=$3 WHERE tenant=$1 AND principal=$2 AND kind IN ('session','personal') AND revoked_at IS NULL",
    )
    .bind(tx.t())
    .bind(bytes(user))
    .bind(now.as_micros())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Ends every personal token of a person, in all tenants. The index is what counts; a tenant's own row of a token cannot be
/// written from another tenant, so lists read the end from the index.
pub(crate) async fn end_personal(tx: &mut Tx, user: UserId, now: Timestamp) -> Result<u64> {
    let end = "UPDATE principal_index SET revoked_at=$2 WHERE principal=$1 AND kind='personal' AND revoked_at IS NULL";
    let done = sqlx::query(end).bind(bytes(user)).bind(now.as_micros()).execute(tx.conn()).await?;
    Ok(done.rows_affected())
}

/// The tokens of the tenant, newest first, at most 1,000.
pub async fn tokens(access: &mut impl Access) -> Result<Vec<Token>> {
    list(access, None).await
}

/// The tokens that a person made in this tenant, newest first, at most 1,000.
pub async fn of_user(access: &mut impl Access, user: UserId) -> Result<Vec<Token>> {
    list(access, Some(user)).await
}

async fn list(access: &mut impl Access, user: Option<UserId>) -> Result<Vec<Token>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT t.id, t.kind, t.name, t.user_id, t.source, t.created_at, COALESCE(t.revoked_at, p.revoked_at) AS revoked_at, \
         p.expires_at, p.last_used_at FROM tokens t \
         JOIN principal_index p ON p.id=t.id AND p.tenant=t.tenant_id WHERE t.tenant_id=$1 AND ($2=0 OR t.user_id=$3) \
         ORDER BY t.id DESC LIMIT 1000",
    )
    .bind(tenant)
    .bind(i64::from(user.is_some()))
    .bind(user.map(bytes).unwrap_or_default())
    .fetch_all(access.conn())
    .await?;
    rows.iter().map(read).collect()
}

fn read(row: &AnyRow) -> Result<Token> {
    Ok(Token {
        id: id_of(row, "id")?,
        kind: row.try_get("kind")?,
        name: row.try_get("name")?,
        user_id: optional_id(row, "user_id")?,
        source: row.try_get("source")?,
        created_at: time(row, "created_at")?,
        expires_at: optional_time(row, "expires_at")?,
        last_used_at: optional_time(row, "last_used_at")?,
        revoked_at: optional_time(row, "revoked_at")?,
    })
}
