//! A request for approval that nobody answered. Who is told meanwhile is not the engine's business; that silence is no yes is.

use serde_json::json;
use shieldops_model::{PlanId, PlanState};

use crate::{Engine, Error, engine::entry};

impl Engine {
    /// Marks a plan as unanswered, once, and says whether it still waits for an answer. It stays as it is: it does not run, and
    /// can be approved until it expires.
    pub async fn mark_unanswered(&self, id: PlanId) -> Result<bool, Error> {
        let _one_at_a_time = self.votes.lock().await;
        let mut plan = self.get_plan(id).await?;
        let have = plan.approvals.len();
        if plan.state != PlanState::Proposed || have >= usize::from(plan.decision.approvals_needed) {
            return Ok(false);
        }
        if !plan.unanswered {
            plan.unanswered = true;
            let payload = json!({"hash": plan.hash, "approvals": have, "needed": plan.decision.approvals_needed});
            let what = entry("plan.unanswered", "system:escalation", &plan, payload);
            self.save_plan(&mut plan, Vec::new(), what).await?;
        }
        Ok(true)
    }
}
