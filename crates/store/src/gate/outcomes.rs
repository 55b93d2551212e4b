//! How a capability did on a target of late: what the system lowers its own level by.

use std::time::Duration;

use serde_json::json;
use shieldops_model::{Action, ActionState, TargetId, Timestamp};

use crate::{Access, Result, access::word, actions, alerts::id_of, rows::bytes};

const DAY: Duration = Duration::from_hours(24);
/// Actions that the undo rate is of.
const LAST: usize = 20;

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

/// By the states in which the last actions stand now, and by what was seen of them; undos and removals of orphans do not
/// count.
pub async fn of(access: &mut impl Access, capability: &str, target: TargetId, now: Timestamp) -> Result<Outcomes> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT a.id, a.body FROM actions a JOIN plans p ON p.tenant_id=a.tenant_id AND p.id=a.plan_id \
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
    let undone = [ActionState::Undone, ActionState::Undoing, ActionState::UndoFailed];
    let begun = rows.iter().map(|row| actions::opened(access, row)).collect::<Result<Vec<Action>>>()?;
    for (place, action) in begun.iter().filter(|action| action.undo_of.is_none()).enumerate() {
        if place < LAST {
            outcomes.last += 1;
            outcomes.undone_of_last += u32::from(undone.contains(&action.state));
        }
        if action.updated_at > now.minus(DAY) {
            outcomes.failed += u32::from(action.state == ActionState::Failed);
            outcomes.unverified += u32::from(action.state == ActionState::Unverified);
        }
    }
    outcomes.drifted = drifts(access, capability, target, now).await?;
    Ok(outcomes)
}

/// How often an effect was found to have drifted, whatever became of it: undone, or back in force.
async fn drifts(access: &mut impl Access, capability: &str, target: TargetId, now: Timestamp) -> Result<u32> {
    let tenant = access.t();
    let rows = sqlx::query(
        "SELECT j.action_id, j.step, j.at, j.kind, j.body FROM action_journal j JOIN actions a ON a.tenant_id=j.tenant_id AND a.id=j.action_id \
         WHERE j.tenant_id=$1 AND j.kind='observed' AND j.at>$4 AND a.capability=$2 AND a.target_id=$3 LIMIT 1000",
    )
    .bind(tenant)
    .bind(capability)
    .bind(bytes(target))
    .bind(now.minus(DAY).as_micros())
    .fetch_all(access.conn())
    .await?;
    let drifted = json!(ActionState::Drifted);
    let mut times = 0;
    for row in &rows {
        let seen = actions::opened_step(access, id_of(row, "action_id")?, row)?;
        times += u32::from(seen.detail["state"] == drifted);
    }
    Ok(times)
}
