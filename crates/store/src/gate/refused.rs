//! States that a person said no to: automation asks again before it does the same for another incident. Nothing is kept for it:
//! rejected plans are their own record.

use std::{collections::BTreeMap, time::Duration};

use shieldops_model::{Id, PlanId, PlanState, Timestamp};
use sqlx::Row as _;

use crate::{Access, Result, StoreError, access::word, rows::bytes};

/// When a person last rejected or vetoed a plan of each of these states, if that was after `from`. `life` is the longest that a
/// plan waits for an answer: older ones are not looked at.
pub async fn since(
    access: &mut impl Access,
    keys: &[String],
    from: Timestamp,
    life: Duration,
) -> Result<BTreeMap<String, Timestamp>> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT a.state_key, max(p.updated_at) AS at FROM plans p JOIN actions a ON a.tenant_id=p.tenant_id AND a.plan_id=p.id \
         WHERE p.tenant_id=$1 AND p.state=$2 AND p.id>$3 AND p.updated_at>$4 AND p.undo_of IS NULL \
         AND a.state_key IN (SELECT value FROM json_each($5)) GROUP BY a.state_key LIMIT 10000",
    )
    .bind(tenant)
    .bind(word(&PlanState::Rejected))
    .bind(bytes(first(from.minus(life))))
    .bind(from.as_micros())
    .bind(serde_json::to_string(keys).map_err(StoreError::damaged)?)
    .fetch_all(access.conn())
    .await?;
    rows.iter().map(|row| Ok((row.try_get("state_key")?, Timestamp::from_micros(row.try_get("at")?)))).collect()
}

/// An id that no plan made from then on is below: ids begin with the millisecond.
fn first(at: Timestamp) -> PlanId {
    let ms = u128::try_from(at.as_micros() / 1_000).unwrap_or(0);
    Id::from_bits(ms << 80)
}
