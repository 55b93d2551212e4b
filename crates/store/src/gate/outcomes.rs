//! How a capability did on a target of late: what the system lowers its own level by.

use std::time::Duration;

use shieldops_model::{ActionState, TargetId, Timestamp};
use sqlx::Row as _;

use crate::{Access, Result, access::word, rows::bytes};

const DAY: Duration = Duration::from_hours(24);
/// Actions that the undo rate is of.
const LAST: i64 = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcomes {
    /// Of the last 24 hours.
    pub failed: u32,
    pub unverified: u32,
    pub drifted: u32,
    /// Of the last 20 actions that began, so many there were, and so many of them were undone.
    pub last: u32,
    pub undone_of_last: u32,
}

/// By the states in which the last actions stand now; undos themselves do not count.
pub async fn of(access: &mut impl Access, capability: &str, target: TargetId, now: Timestamp) -> Result<Outcomes> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT a.state, a.updated_at FROM actions a JOIN plans p ON p.tenant_id=a.tenant_id AND p.id=a.plan_id \
         WHERE a.tenant_id=$1 AND a.capability=$2 AND a.target_id=$3 AND p.undo_of IS NULL \
         AND a.state NOT IN ($5,$6,$7,$8) ORDER BY a.id DESC LIMIT $4",
    )
    .bind(tenant)
    .bind(capability)
    .bind(bytes(target))
    .bind(200_i64)
    .bind(word(&ActionState::Planned))
    .bind(word(&ActionState::Running))
    .bind(word(&ActionState::Skipped))
    .bind(word(&ActionState::Aborted))
    .fetch_all(access.conn())
    .await?;
    let mut outcomes = Outcomes::default();
    let words = [ActionState::Failed, ActionState::Unverified, ActionState::Drifted].map(|state| word(&state));
    let undone = [ActionState::Undone, ActionState::Undoing, ActionState::UndoFailed].map(|state| word(&state));
    for (place, row) in (0_i64..).zip(&rows) {
        let (state, at): (String, i64) = (row.try_get("state")?, row.try_get("updated_at")?);
        if place < LAST {
            outcomes.last += 1;
            outcomes.undone_of_last += u32::from(undone.contains(&state));
        }
        if at > now.minus(DAY).as_micros() {
            let [failed, unverified, drifted] = &words;
            outcomes.failed += u32::from(state == *failed);
            outcomes.unverified += u32::from(state == *unverified);
            outcomes.drifted += u32::from(state == *drifted);
        }
    }
    Ok(outcomes)
}
