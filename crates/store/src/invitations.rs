//! Invitation and reset links: shown once to their maker, kept as a hash, spent once. Each change queues its own entry.

use serde::Serialize;
use serde_json::json;
use shieldops_model::{InvitationId, TenantId, Timestamp, UserId, id};
use sqlx::{Row as _, any::AnyRow};
use utoipa::ToSchema;

use crate::{
    Access, Page, PageRequest, Result, RoleRef, Store, StoreError, Tx,
    alerts::id_of,
    db::Whose,
    rows::{bytes, optional_id, optional_time, time},
};

/// Links of one tenant that may be open at once.
const MOST: u32 = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InvitationKind {
    Invite,
    /// Sets another password.
    Reset,
}

impl InvitationKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invite => "invite",
            Self::Reset => "reset",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Invitation {
    pub id: InvitationId,
    pub kind: InvitationKind,
    pub tenant: TenantId,
    /// The login that it is for.
    pub name: String,
    #[schema(value_type = String)]
    pub role: RoleRef,
    /// Whose password a reset link sets.
    pub person: Option<UserId>,
    pub invited_by: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub spent_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

/// Makes a link. One of the same kind that is open for the same name ends.
///
/// # Errors
/// `TooMany`.
pub async fn create(tx: &mut Tx, new: &Invitation, hash: [u8; 32]) -> Result<()> {
    sqlx::query(
        "UPDATE invitations SET revoked_at=$4 WHERE tenant=$1 AND kind=$2 AND name=$3 AND spent_at IS NULL AND revoked_at IS NULL",
    )
    .bind(tx.t())
    .bind(new.kind.as_str())
    .bind(&new.name)
    .bind(new.created_at.as_micros())
    .execute(tx.conn())
    .await?;
    let open: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM invitations WHERE tenant=$1 AND spent_at IS NULL AND revoked_at IS NULL AND expires_at>$2",
    )
    .bind(tx.t())
    .bind(new.created_at.as_micros())
    .fetch_one(tx.conn())
    .await?;
    if open >= i64::from(MOST) {
        return Err(StoreError::TooMany { what: "open invitations", limit: MOST });
    }
    sqlx::query(
        "INSERT INTO invitations (id, hash, kind, tenant, name, role, principal, invited_by, created_at, expires_at, by_grant) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)",
    )
    .bind(bytes(new.id))
    .bind(hash.to_vec())
    .bind(new.kind.as_str())
    .bind(tx.t())
    .bind(&new.name)
    .bind(new.role.to_string())
    .bind(new.person.map(bytes))
    .bind(&new.invited_by)
    .bind(new.created_at.as_micros())
    .bind(new.expires_at.as_micros())
    .bind(tx.scope().bound.map(|bound| bytes(bound.grant)))
    .execute(tx.conn())
    .await?;
    tx.touched("invitation", new.id, 1);
    let body = json!({"kind": new.kind, "name": new.name, "role": new.role, "person": new.person, "expires_at": new.expires_at});
    tx.record("invitation.created", &[&new.id], body)
}

/// Of this tenant, newest first, the ended ones among them.
pub async fn list(access: &mut impl Access, page: &PageRequest) -> Result<Page<Invitation>> {
    let tenant = access.t();
    let rows = sqlx::query("SELECT * FROM invitations WHERE tenant=$1 AND id<$2 ORDER BY id DESC LIMIT $3")
        .bind(tenant)
        .bind(page.below::<id::InvitationKind>()?)
        .bind(page.fetch())
        .fetch_all(access.conn())
        .await?;
    let items: Result<Vec<Invitation>> = rows.iter().map(read).collect();
    Ok(page.page(items?, |invitation| invitation.id.to_string()))
}

/// Ends a link that is open.
pub async fn revoke(tx: &mut Tx, id: InvitationId, now: Timestamp) -> Result<()> {
    let done = sqlx::query(
        "UPDATE invitations SET revoked_at=$3 WHERE id=$1 AND tenant=$2 AND spent_at IS NULL AND revoked_at IS NULL",
    )
    .bind(bytes(id))
    .bind(tx.t())
    .bind(now.as_micros())
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::NotFound);
    }
    tx.touched("invitation", id, 2);
    tx.record("invitation.revoked", &[&id], json!({}))
}

/// Ends the open links of this tenant that a member made. The rows say so; whoever spends a link is asked about its maker
/// besides.
pub async fn end_of_maker(tx: &mut Tx, maker: UserId, now: Timestamp) -> Result<u64> {
    let done = sqlx::query(
        "UPDATE invitations SET revoked_at=$3 WHERE invited_by=$1 AND tenant=$2 AND spent_at IS NULL AND revoked_at IS NULL",
    )
    .bind(maker.to_string())
    .bind(tx.t())
    .bind(now.as_micros())
    .execute(tx.conn())
    .await?
    .rows_affected();
    if done > 0 {
        tx.touched("invitation", maker, 0);
        tx.record("invitation.revoked", &[&maker], json!({"made_by": maker, "links": done}))?;
    }
    Ok(done)
}

/// Spends a link of this tenant: the invitation once, and within its time.
pub async fn spend(tx: &mut Tx, hash: &[u8; 32], now: Timestamp) -> Result<Option<Invitation>> {
    let done = sqlx::query(
        "UPDATE invitations SET spent_at=$3 WHERE hash=$1 AND tenant=$2 AND spent_at IS NULL AND revoked_at IS NULL AND expires_at>$3",
    )
    .bind(hash.to_vec())
    .bind(tx.t())
    .bind(now.as_micros())
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Ok(None);
    }
    let row = sqlx::query("SELECT * FROM invitations WHERE hash=$1").bind(hash.to_vec());
    let spent = read(&row.fetch_one(tx.conn()).await?)?;
    tx.touched("invitation", spent.id, 2);
    tx.record("invitation.spent", &[&spent.id], json!({"kind": spent.kind, "name": spent.name, "role": spent.role}))?;
    Ok(Some(spent))
}

impl Store {
    /// The link of a hash while it can be spent, whatever its tenant.
    pub async fn open_invitation(&self, hash: &[u8; 32], now: Timestamp) -> Result<Option<Invitation>> {
        let mut reading = self.db().read(Whose::Installation).await?;
        let row = sqlx::query(
            "SELECT i.* FROM invitations i JOIN tenants t ON t.tenant=i.tenant WHERE i.hash=$1 AND i.spent_at IS NULL \
             AND i.revoked_at IS NULL AND i.expires_at>$2 AND t.state IN ('active','suspended')",
        )
        .bind(hash.to_vec())
        .bind(now.as_micros())
        .fetch_optional(reading.conn())
        .await?;
        row.map(|row| read(&row)).transpose()
    }
}

fn read(row: &AnyRow) -> Result<Invitation> {
    let (kind, role): (String, String) = (row.try_get("kind")?, row.try_get("role")?);
    Ok(Invitation {
        id: id_of(row, "id")?,
        kind: if kind == "reset" { InvitationKind::Reset } else { InvitationKind::Invite },
        tenant: id_of(row, "tenant")?,
        name: row.try_get("name")?,
        role: RoleRef::parse(&role),
        person: optional_id(row, "principal")?,
        invited_by: row.try_get("invited_by")?,
        created_at: time(row, "created_at")?,
        expires_at: time(row, "expires_at")?,
        spent_at: optional_time(row, "spent_at")?,
        revoked_at: optional_time(row, "revoked_at")?,
    })
}
