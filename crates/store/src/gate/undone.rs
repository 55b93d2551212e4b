//! States that a person took back: automation must not do the same again for a time. Bookkeeping: the undo has its entries.

use std::collections::BTreeMap;

use shieldops_model::Timestamp;
use sqlx::Row as _;

use crate::{Access, Result, StoreError, Tx};

/// Notes that a person undid what an action had done to this state.
pub async fn note(tx: &mut Tx, state_key: &str, by: &str, at: Timestamp) -> Result<()> {
    sqlx::query(
        "INSERT INTO gate_undone (tenant_id, state_key, at, actor) VALUES ($1,$2,$3,$4) \
         ON CONFLICT (tenant_id, state_key) DO UPDATE SET at=excluded.at, actor=excluded.actor",
    )
    .bind(tx.t())
    .bind(state_key)
    .bind(at.as_micros())
    .bind(by)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// When a person last undid each of these states, if that was after `from`.
pub async fn since(access: &mut impl Access, keys: &[String], from: Timestamp) -> Result<BTreeMap<String, Timestamp>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT state_key, at FROM gate_undone WHERE tenant_id=$1 AND at>$2 AND state_key IN (SELECT value FROM json_each($3)) LIMIT 10000",
    )
    .bind(tenant)
    .bind(from.as_micros())
    .bind(serde_json::to_string(keys).map_err(StoreError::damaged)?)
    .fetch_all(access.conn())
    .await?;
    rows.iter().map(|row| Ok((row.try_get("state_key")?, Timestamp::from_micros(row.try_get("at")?)))).collect()
}
