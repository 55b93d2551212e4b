//! What a tenant still has in force on targets.

use shieldops_model::{ActionId, TenantId};
use sqlx::AnyConnection;

use crate::{
    Result, Store,
    alerts::id_of,
    db::{Whose, turn_to},
    rows::bytes,
};

/// Actions that hold a state on a target or are at it now, at most 1,000. One whose undo failed does not count: it is
/// [told apart](not_undone_of), and the operator says whether it stays behind.
pub(crate) async fn live_actions(conn: &mut AnyConnection, tenant: TenantId) -> Result<Vec<ActionId>> {
    let rows = sqlx::query(
        "SELECT live.id FROM (SELECT o.action_id AS id FROM owners o JOIN actions a ON a.tenant_id=o.tenant_id AND a.id=o.action_id \
         WHERE o.tenant_id=$1 AND a.state<>'undo_failed' \
         UNION SELECT id FROM actions WHERE tenant_id=$1 AND state IN ('running','settling','undoing')) AS live ORDER BY live.id LIMIT 1000",
    )
    .bind(bytes(tenant))
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| id_of(row, "id")).collect()
}

/// Actions that hold a state on a target for their undo failed, at most 1,000.
pub async fn not_undone_of(store: &Store, tenant: TenantId) -> Result<Vec<ActionId>> {
    let mut reading = store.db().read(Whose::Tenant(tenant)).await?;
    let rows = sqlx::query(
        "SELECT a.id FROM owners o JOIN actions a ON a.tenant_id=o.tenant_id AND a.id=o.action_id \
         WHERE o.tenant_id=$1 AND a.state='undo_failed' ORDER BY a.id LIMIT 1000",
    )
    .bind(bytes(tenant))
    .fetch_all(reading.conn())
    .await?;
    rows.iter().map(|row| id_of(row, "id")).collect()
}

/// What is in force in a tenant, whoever asks.
pub async fn live_actions_of(store: &Store, tenant: TenantId) -> Result<Vec<ActionId>> {
    let mut reading = store.db().read(Whose::Tenant(tenant)).await?;
    live_actions(reading.conn(), tenant).await
}

/// The same from a transaction of the installation.
pub(super) async fn live_from_outside(conn: &mut AnyConnection, tenant: TenantId) -> Result<Vec<ActionId>> {
    turn_to(conn, tenant).await?;
    let live = live_actions(conn, tenant).await?;
    turn_to(conn, TenantId::INSTALLATION).await?;
    Ok(live)
}
