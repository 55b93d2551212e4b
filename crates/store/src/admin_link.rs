//! The one-time link of the first administrator.

use shieldops_model::{SessionId, TenantId, Timestamp};

use crate::{
    Access, Result, Store, Tx,
    db::Whose,
    people::administrators,
    rows::bytes,
    sessions::{Indexed, NewCredential, index},
};

impl Store {
    /// Whether an admin link can be spent now, and its tenant still has no administrator with a password.
    pub async fn admin_link_is_open(&self, tenant: TenantId, hash: &[u8; 32], now: Timestamp) -> Result<bool> {
        let mut reading = self.db().read(Whose::Installation).await?;
        let open: Option<i64> = sqlx::query_scalar(
            "SELECT 1 FROM principal_index WHERE hash=$1 AND tenant=$2 AND kind='admin_link' AND revoked_at IS NULL AND expires_at>$3",
        )
        .bind(hash.to_vec())
        .bind(bytes(tenant))
        .bind(now.as_micros())
        .fetch_optional(reading.conn())
        .await?;
        Ok(open.is_some() && administrators(reading.conn(), tenant, None).await? == 0)
    }
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
    index(tx, Indexed::new("admin_link", id.to_bytes()), credential, now).await?;
    tx.touched("admin_link", id, 0);
    Ok(())
}

/// Spends an admin link: true once, within its time, and only while no administrator has a password.
pub async fn spend_admin_link(tx: &mut Tx, hash: &[u8; 32], now: Timestamp) -> Result<bool> {
    let tenant = tx.tenant();
    if administrators(tx.conn(), tenant, None).await? > 0 {
        return Ok(false);
    }
    let done = sqlx::query(
        "UPDATE principal_index SET revoked_at=$3 WHERE hash=$1 AND tenant=$2 AND kind='admin_link' AND revoked_at IS NULL AND expires_at>$3",
    )
    .bind(hash.to_vec())
    .bind(tx.t())
    .bind(now.as_micros())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}
