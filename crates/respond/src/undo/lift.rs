//! What exists on a thing that somebody protects: its undo is planned and waits for a person. Nothing is lifted by itself.

use shieldops_model::{Action, ActionId, ActionState, PlanId, PlanState};
use shieldops_policy::{Requester, RequesterKind};

use super::Wish;
use crate::{Engine, Error};

/// Who plans the lifting of what is on protected things.
pub(crate) const PROTECTION: &str = "system:protection";

/// Whether an effect is on its target, or may be, and can be taken back.
fn stands(action: &Action) -> bool {
    let there = matches!(
        action.state,
        ActionState::Settling
            | ActionState::Verified
            | ActionState::Unverified
            | ActionState::Drifted
            | ActionState::UndoFailed
    );
    // One that failed owns what it left.
    let left = action.state == ActionState::Failed && action.owners.iter().any(|owner| owner.action_id == action.id);
    (there || left) && action.undo_of.is_none() && action.applied_at.is_some() && action.class == "reversible"
}

impl Engine {
    /// Plans the undo of an effect, or names the plan that undoes it already. The plan waits: no approval covers it, and
    /// only a person starts it. `None` where nothing is there to lift.
    pub async fn plan_lifting(&self, id: ActionId, why: &str) -> Result<Option<PlanId>, Error> {
        let row = self.get_action(id).await?.target_id;
        let _held = self.hold_targets([row]).await;
        let original = self.get_action(id).await?;
        if let Some(plan) = self.open_undo(&original).await? {
            return Ok(Some(plan.id));
        }
        if !stands(&original) {
            return Ok(None);
        }
        let target = self.get_target(original.target_id).await?;
        let ready = self.look(&original.capability, target, &original.params).await?;
        let (to, _) = self.way_back(&original, &ready).await?;
        let requester = Requester { id: PROTECTION.to_owned(), kind: RequesterKind::System };
        let wish = Wish { requester, addr: None, why: why.to_owned() };
        // As if somebody had changed it since: what one person approved, another thing's protection does not end.
        let plan = self.draw_up_undo(&original, &ready, to, true, &wish).await?;
        self.keep(&plan, None).await?;
        Ok((plan.state == PlanState::Proposed).then_some(plan.id))
    }
}
