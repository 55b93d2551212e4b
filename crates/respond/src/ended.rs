//! Plans that end without a run, by a no, a deny or their time: their actions end with them, in the same transaction.

use serde_json::json;
use shieldops_model::{ActionId, ActionState, Plan, PlanState};

use crate::{Engine, Error, Write, engine::entry};

impl Engine {
    /// Ends the plan's actions that never began; which they are. Their rows are written by `writes`.
    pub(crate) fn end_actions(&self, plan: &mut Plan, why: &str, writes: &mut Vec<Write>) -> Vec<ActionId> {
        let ended = plan.skip_planned(why, self.now());
        let ids = ended.iter().map(|action| action.id).collect();
        for action in ended {
            writes.push(self.step(action.id, "outcome", json!({"state": action.state, "detail": action.detail})));
            writes.push(Write::UpdateAction(Box::new(action)));
        }
        ids
    }

    /// Ends what plans left behind that are over: those that a freeze held until their time was over, and those that an
    /// earlier version of the product ended without their actions.
    pub(crate) async fn end_left_behind(&self) -> Result<(), Error> {
        for plan in self.with.journal.left_planned(self.now()).await? {
            let _one_at_a_time = self.votes.lock().await;
            let mut plan = self.get_plan(plan.id).await?;
            let held = (plan.only_frozen() && plan.expires_at <= self.now())
                .then(|| "a freeze held the plan until its time was over".to_owned());
            let Some(why) = plan.over().or(held) else { continue };
            let mut writes = Vec::new();
            let ended = self.end_actions(&mut plan, &why, &mut writes);
            if !ended.is_empty() {
                let payload = json!({"hash": plan.hash, "state": plan.state, "detail": why, "actions": ended});
                self.commit(writes, entry("action.skipped", "system:expiry", &plan, payload)).await?;
            }
        }
        Ok(())
    }

    /// What an undo that was asked for and did not run leaves on the action that it was of.
    pub(crate) async fn undo_not_done(&self, plan: &Plan) -> Result<Vec<Write>, Error> {
        let (Some(_), Some(why)) = (plan.undo_of, plan.over()) else { return Ok(Vec::new()) };
        let mut writes = Vec::new();
        for id in plan.actions.iter().filter_map(|action| action.undo_of) {
            let mut original = self.get_action(id).await?;
            let waits = original.detail.as_ref().is_some_and(|detail| detail.contains(&plan.id.to_string()));
            if waits && plan.state != PlanState::Superseded {
                let since =
                    if original.state == ActionState::Drifted { "somebody changed the state since; " } else { "" };
                original.detail = Some(format!("{since}its undo was not done: {why}"));
                // An earlier version called it undoing while it waited: how it is, the next look says.
                if original.state == ActionState::Undoing {
                    original.state = ActionState::Unverified;
                }
                original.updated_at = self.now();
                writes.push(Write::UpdateAction(Box::new(original)));
            }
        }
        Ok(writes)
    }
}
