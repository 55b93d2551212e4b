//! Open plans end when a target's row is lowered: they were asked for, permitted and approved for another target. An undo
//! goes on: it only takes back.

use serde_json::json;
use shieldops_model::{Plan, PlanId, PlanState, TargetId, Timestamp};

use crate::{Result, Tx, actions, plans};

/// Ends the open plans with an action on this target: a proposed one is superseded, an approved one expires.
pub async fn plans_on(tx: &mut Tx, target: TargetId, why: &str, now: Timestamp) -> Result<Vec<PlanId>> {
    let mut ended = Vec::new();
    for (from, to) in [(PlanState::Proposed, PlanState::Superseded), (PlanState::Approved, PlanState::Expired)] {
        for mut plan in plans::in_state(tx, from).await? {
            let concerned = plan.undo_of.is_none() && plan.actions.iter().any(|action| action.target_id == target);
            if concerned {
                end(tx, &mut plan, to, why, now).await?;
                ended.push(plan.id);
            }
        }
    }
    Ok(ended)
}

async fn end(tx: &mut Tx, plan: &mut Plan, to: PlanState, why: &str, now: Timestamp) -> Result<()> {
    let kind = if to == PlanState::Superseded { "plan.superseded" } else { "plan.expired" };
    plan.state = to;
    plan.rejected_reason = Some(why.to_owned());
    plan.updated_at = now;
    plans::update(tx, plan).await?;
    if let Some(why) = plan.over() {
        for mut action in plan.skip_planned(&why, now) {
            let detail = json!({"state": action.state, "detail": action.detail});
            actions::journal(tx, action.id, "outcome", &detail, now).await?;
            actions::update(tx, &mut action).await?;
        }
    }
    tx.record(kind, &[&plan.id], json!({"reason": why}))
}
