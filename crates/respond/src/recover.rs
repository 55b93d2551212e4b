//! After a lost process: the journal tells what was begun, and observing tells on which side of it the target is.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::json;
use shieldops_model::{Action, ActionState, Plan, PlanState};
use shieldops_policy::{Entry as Door, Evaluation};

use crate::{
    Child, Engine, Error,
    engine::{Ready, door},
    run::{End, Seen, conclude},
};

impl Engine {
    /// Once at start, before anything else runs: ends what children an earlier process left, goes on with every run
    /// that was begun, and starts what was approved. While halted it only observes (undo goes on).
    pub async fn recover(self: &Arc<Self>) -> Result<(), Error> {
        for plan in self.with.journal.plans_in(&[PlanState::Executing]).await? {
            for action in plan.actions.iter().filter(|action| matches!(action.state, ActionState::Running | ActionState::Settling)) {
                self.end_children(action).await?;
            }
            if let Err(error) = self.run(plan.id).await {
                tracing::error!(plan.id = %plan.id, %error, "a run could not be recovered");
                if let Error::Crashed(_) = error {
                    return Err(error);
                }
            }
        }
        for plan in self.with.journal.plans_in(&[PlanState::Approved]).await? {
            self.start(plan.id);
        }
        Ok(())
    }

    /// A child that was journaled and not seen to end may still be at work.
    async fn end_children(&self, action: &Action) -> Result<(), Error> {
        let steps = self.with.journal.steps(action.id).await?;
        let ended: BTreeSet<String> =
            steps.iter().filter(|step| step.kind == "child_ended").map(|step| step.detail.to_string()).collect();
        for step in steps.iter().filter(|step| step.kind == "child" && !ended.contains(&step.detail.to_string())) {
            let child: Child = serde_json::from_value(step.detail.clone()).map_err(|error| Error::Internal(error.to_string()))?;
            self.capability(&action.capability)?.end_child(&child).await?;
        }
        Ok(())
    }

    /// An action that was begun: done, not done, or neither.
    pub(crate) async fn pick_up(&self, plan: &Plan, mut action: Action, ready: &Ready, evaluation: &Evaluation, stopped: bool) -> Result<ActionState, Error> {
        let wanted = self.wanted(&action, ready).await?;
        let seen = self.read_back(ready, &action.params, &wanted).await?;
        let untouched = match &seen {
            Seen::Not(there) => ready.capability.same(there, &action.from)?,
            _ => false,
        };
        if !untouched {
            let end = conclude(ready, &action, seen, None)?;
            return self.outcome(plan, &mut action, ready, end, Some(&wanted)).await;
        }
        let held_back = door(plan) == Door::Action && self.halted().await?;
        if stopped || held_back {
            let detail = Some("the process ended before anything was done".to_owned());
            return self.outcome(plan, &mut action, ready, End { state: ActionState::Aborted, detail, side: "from" }, None).await;
        }
        tracing::info!(action.id = %action.id, "an intent was not carried out before the process ended: it is now");
        let step = self.step(action.id, "observed", json!({"side": "from", "recovered": true}));
        self.with.journal.commit(crate::Change { writes: vec![step], entry: None }).await?;
        self.act(plan, action, ready, evaluation).await
    }
}
