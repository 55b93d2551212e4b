//! After a lost process: the journal tells what was begun, and observing tells on which side of it the target is.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::json;
use shieldops_model::{Action, ActionState, Plan, PlanState};

use crate::{
    Child, Engine, Error,
    engine::{Ready, action_entry},
    run::{Seen, conclude, reads},
};

impl Engine {
    /// Once at start, before anything else runs: ends what children an earlier process left, goes on with every run
    /// that was begun, and starts what was approved. While halted it only observes (undo goes on).
    pub async fn recover(self: &Arc<Self>) -> Result<(), Error> {
        self.account_rescue().await?;
        self.sweep_inverses().await?;
        for plan in self.with.journal.plans_in(&[PlanState::Executing]).await? {
            if let Err(error) = self.recover_run(plan).await {
                tracing::error!(%error, "a run could not be recovered");
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

    async fn recover_run(&self, plan: Plan) -> Result<(), Error> {
        // Whoever holds the targets is a run of this process: it needs no recovery, and its children are its own.
        let _held = self.hold_targets(plan.actions.iter().map(|action| action.target_id)).await;
        let plan = self.get_plan(plan.id).await?;
        if plan.state == PlanState::Executing {
            for action in plan
                .actions
                .iter()
                .filter(|action| matches!(action.state, ActionState::Running | ActionState::Settling))
            {
                self.end_children(action).await?;
            }
            self.run_held(plan.id).await?;
        }
        self.ended.notify_waiters();
        Ok(())
    }

    /// A child that was journaled and not seen to end may still be at work.
    async fn end_children(&self, action: &Action) -> Result<(), Error> {
        let steps = self.with.journal.steps(action.id).await?;
        let ended: BTreeSet<String> =
            steps.iter().filter(|step| step.kind == "child_ended").map(|step| step.detail.to_string()).collect();
        for step in steps.iter().filter(|step| step.kind == "child" && !ended.contains(&step.detail.to_string())) {
            let child: Child =
                serde_json::from_value(step.detail.clone()).map_err(|error| Error::Internal(error.to_string()))?;
            self.capability(&action.capability)?.end_child(&child).await?;
        }
        Ok(())
    }

    /// What became of the actions that were begun: done, neither done nor not, or not done and so planned as before.
    pub(crate) async fn reckon(&self, plan: &Plan, ready: &[Ready]) -> Result<Plan, Error> {
        for (action, ready) in plan.actions.iter().zip(ready) {
            // The process was lost between the outcome and the proof of it.
            let proved = action.undo_of.is_some() || action.proofs.iter().any(|proof| proof.moment == "after");
            if action.state == ActionState::Verified && !proved {
                self.prove_after(&mut action.clone(), ready).await?;
            }
            if !matches!(action.state, ActionState::Running | ActionState::Settling) {
                continue;
            }
            let mut action = action.clone();
            let wanted = self.wanted(&action, ready).await?;
            let seen = self.read_back(ready, &action.params, &wanted).await?;
            // What was read back and only had to begin was done: whoever took it away since, it is not done again.
            let waited = action.state == ActionState::Settling && ready.capability.takes_effect_after().is_some();
            let untouched = !waited && matches!(&seen, Seen::Not(there) if ready.capability.same(there, &action.from)?);
            // An armed effect that is in force is joined by the run that goes on, which disarms it.
            let armed = matches!(&seen, Seen::InForce)
                && action.undo_of.is_none()
                && ready.capability.reverts_after(&ready.target, &action.params)?.is_some();
            // What only reads leaves no trace that says how far it came: it reads again.
            if untouched || armed || reads(ready) {
                self.back_to_planned(&mut action).await?;
            } else {
                let end = conclude(ready, &action, seen, None)?;
                self.outcome(plan, &mut action, ready, end).await?;
            }
        }
        self.get_plan(plan.id).await
    }

    async fn back_to_planned(&self, action: &mut Action) -> Result<(), Error> {
        let mut writes = self.disown(action).await?;
        writes.push(self.step(action.id, "observed", json!({"side": "from", "recovered": true})));
        action.state = ActionState::Planned;
        (action.applied_at, action.expires_at) = (None, None);
        let detail = "the process ended before anything was done";
        let what = action_entry("action.planned", "system:executor", action, json!({"side": "from", "detail": detail}));
        self.save_action(action, writes, what).await
    }
}
