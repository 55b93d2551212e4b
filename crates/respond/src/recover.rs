//! After a lost process: the journal tells what was begun, and observing tells on which side of it the target is.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use serde_json::json;
use shieldops_model::{Action, ActionState, Plan, PlanId, PlanState};

use crate::{
    Child, Engine, Error,
    engine::{EXECUTOR, Ready, action_entry},
    run::{Seen, conclude, cut_off, last_sign, reads},
};

/// A run of which nothing was written for so long, and whose targets nobody holds, was cut off: no step of one takes longer.
pub(crate) const SILENT: Duration = Duration::from_mins(2);

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
        self.finish_undos().await
    }

    /// Runs that ended early while the process lived, by a fault of the database: they go on where nobody gave a sign of
    /// life for a time. What is halted is only observed, where something was begun.
    pub(crate) async fn take_up(self: &Arc<Self>) -> Result<(), Error> {
        let boot = self.with.clock.boot();
        for plan in self.with.journal.plans_in(&[PlanState::Approved, PlanState::Executing]).await? {
            let silent = self.now().since(last_sign(&plan)) >= SILENT && self.taken_up.may(&plan.id, boot);
            let waits = self.still_settles(&plan) || (plan.state == PlanState::Approved && plan.not_before.is_some());
            if !silent || waits {
                continue;
            }
            let begun = plan.actions.iter().any(|action| action.state == ActionState::Running);
            if !begun && self.held(&plan).await? {
                continue;
            }
            let Some(held) = self.try_hold(plan.actions.iter().map(|action| action.target_id)) else { continue };
            self.taken_up.tried(plan.id, boot);
            let engine = Arc::clone(self);
            self.with.tracker.spawn(async move {
                if let Err(error) = Box::pin(engine.take_further(plan.id)).await {
                    tracing::error!(plan.id = %plan.id, %error, "a run that was cut off could not go on");
                }
                drop(held);
                engine.ended.notify_waiters();
            });
        }
        Ok(())
    }

    async fn recover_run(self: &Arc<Self>, plan: Plan) -> Result<(), Error> {
        // Whoever holds the targets is a run of this process: it needs no recovery, and its children are its own.
        let _held = self.hold_targets(plan.actions.iter().map(|action| action.target_id)).await;
        self.take_further(plan.id).await?;
        self.ended.notify_waiters();
        Ok(())
    }

    /// The targets are held.
    async fn take_further(self: &Arc<Self>, id: PlanId) -> Result<(), Error> {
        let plan = self.go_on(id).await?;
        self.let_go_again(&plan).await
    }

    async fn go_on(&self, id: PlanId) -> Result<Plan, Error> {
        let plan = self.get_plan(id).await?;
        if plan.state == PlanState::Executing {
            for action in plan
                .actions
                .iter()
                .filter(|action| matches!(action.state, ActionState::Running | ActionState::Settling))
            {
                self.end_children(action).await?;
            }
        }
        self.run_held(id).await
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
            let half_way =
                !waited && !untouched && matches!(&seen, Seen::Not(there) if cut_off(ready, &action, there)?);
            let in_force = matches!(&seen, Seen::InForce);
            // What is armed and in force stays begun: the run that goes on makes it stay, or leaves it to the target's timer.
            if in_force && self.is_armed(&action, ready).await? {
                continue;
            }
            let takes =
                ready.capability.takes_effect_after().filter(|_| in_force && action.state == ActionState::Running);
            if half_way {
                self.back_to_planned(&mut action, ("other", "the process ended in the middle: it goes on")).await?;
            } else if untouched || reads(ready) {
                // What only reads leaves no trace that says how far it came: it reads again.
                self.back_to_planned(&mut action, ("from", "the process ended before anything was done")).await?;
            } else if let Some(takes) = takes {
                // When the target took it nobody knows: the wait begins now.
                self.begin_settling(&mut action, takes).await?;
            } else {
                let end = conclude(ready, &action, seen, None)?;
                self.outcome(plan, &mut action, ready, end).await?;
            }
        }
        self.get_plan(plan.id).await
    }

    /// Whether the target may still take the effect back by itself: nothing says that it was disarmed.
    async fn is_armed(&self, action: &Action, ready: &Ready) -> Result<bool, Error> {
        if action.undo_of.is_some() || ready.capability.reverts_after(&ready.target, &action.params)?.is_none() {
            return Ok(false);
        }
        let steps = self.with.journal.steps(action.id).await?;
        let last = steps.iter().rev().find(|step| matches!(step.kind.as_str(), "revert_armed" | "disarmed"));
        Ok(last.is_none_or(|step| step.kind != "disarmed"))
    }

    async fn back_to_planned(&self, action: &mut Action, (side, detail): (&str, &str)) -> Result<(), Error> {
        let mut writes = self.disown(action).await?;
        writes.push(self.step(action.id, "observed", json!({"side": side, "recovered": true})));
        action.state = ActionState::Planned;
        (action.applied_at, action.expires_at) = (None, None);
        let what = action_entry("action.planned", EXECUTOR, action, json!({"side": side, "detail": detail}));
        self.crash("before_planned_again")?;
        self.save_action(action, writes, what).await?;
        self.crash("after_planned_again")
    }
}
