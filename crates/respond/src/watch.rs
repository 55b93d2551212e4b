//! Watching what was done: plans and effects end on time, and live effects are observed again.

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use serde_json::json;
use shieldops_model::{Action, ActionId, ActionState, PlanState, TargetId};
use shieldops_policy::{Requester, RequesterKind};
use tokio_util::sync::CancellationToken;

use crate::{
    Engine, Error,
    diff::told,
    engine::{action_entry, span},
    run::kind_of,
    undo::{EXPIRY, Wish},
};

const EXPIRY_STEP: Duration = Duration::from_secs(1);
const OBSERVE_STEP: Duration = Duration::from_mins(1);
/// Between two tries to undo what is over its time.
const EXPIRY_RETRY: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A live effect is no longer as its owners want it.
    Drifted,
    /// A live effect could not be read.
    Unverified,
    /// An effect carries our mark and no live action wants it.
    Orphaned,
}

/// Something that a person should see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub kind: FindingKind,
    pub target_id: TargetId,
    pub action_id: ActionId,
    pub detail: String,
}

/// Whether an effect is still there.
enum Still {
    InForce,
    /// In words: what is there instead.
    Not(String),
    Unreadable(String),
}

impl Engine {
    /// Expires every second and observes every minute, until told to stop.
    pub async fn watch(self: Arc<Self>, stop: CancellationToken) {
        let mut expiry = tokio::time::interval(EXPIRY_STEP);
        let mut observe = tokio::time::interval(OBSERVE_STEP);
        loop {
            let result = tokio::select! {
                () = stop.cancelled() => return,
                _ = expiry.tick() => self.expire_due().await,
                _ = observe.tick() => self.reobserve().await.map(|_| ()),
            };
            if let Err(error) = result {
                tracing::error!(%error, "watching live actions");
            }
        }
    }

    /// Ends plans that nobody approved in time, and undoes effects whose own time is over.
    pub async fn expire_due(self: &Arc<Self>) -> Result<(), Error> {
        // On the heap: an undo is a long way down.
        Box::pin(self.expire_each()).await
    }

    async fn expire_each(self: &Arc<Self>) -> Result<(), Error> {
        let now = self.now();
        for plan in self.with.journal.plans_in(&[PlanState::Proposed]).await? {
            if plan.expires_at <= now {
                let _one_at_a_time = self.votes.lock().await;
                let mut plan = self.get_plan(plan.id).await?;
                if plan.state == PlanState::Proposed {
                    self.expire_plan(&mut plan).await?;
                }
            }
        }
        self.end_left_behind().await?;
        self.start_due().await?;
        self.settle_due().await?;
        let mut states = LIVE.to_vec();
        states.extend([ActionState::Undoing, ActionState::UndoFailed]);
        for action in self.with.journal.actions_in(&states).await? {
            let due = action.expires_at.is_some_and(|time| time <= now)
                && action.undo_of.is_none()
                && action.class != "irreversible";
            let tried = matches!(
                action.state,
                ActionState::Undoing | ActionState::UndoFailed | ActionState::Drifted | ActionState::Unverified
            );
            if !due || (tried && action.updated_at.plus(EXPIRY_RETRY) > now) {
                continue;
            }
            let requester = Requester { id: EXPIRY.to_owned(), kind: RequesterKind::System };
            let wish = Wish { requester, addr: None, why: "its time is over".to_owned() };
            if let Err(error) = self.undo_as(action.id, wish).await {
                self.expiry_failed(action.id, &error).await?;
            }
        }
        Ok(())
    }

    async fn expiry_failed(&self, id: ActionId, error: &Error) -> Result<(), Error> {
        if let Error::Crashed(name) = error {
            return Err(Error::Crashed(name));
        }
        let mut action = self.get_action(id).await?;
        action.state = ActionState::UndoFailed;
        action.detail = Some(format!("its time is over and it could not be undone: {error}"));
        let what = action_entry("action.undo_failed", EXPIRY, &action, json!({"detail": action.detail}));
        self.save_action(&mut action, Vec::new(), what).await
    }

    /// Observes every live effect again, and looks for marked effects that nobody owns.
    pub async fn reobserve(&self) -> Result<Vec<Finding>, Error> {
        let mut findings = Vec::new();
        for action in self.with.journal.actions_in(LIVE).await? {
            // What is done for good, and what only read, has no state of ours to lose.
            let lives = !matches!(action.class.as_str(), "irreversible" | "read_only");
            if action.undo_of.is_none() && lives {
                findings.extend(self.observe_again(action.id, action.target_id).await?);
            }
        }
        for target in self.with.journal.targets().await? {
            findings.extend(self.new_orphans(&target).await?);
        }
        if let Some(queue) = &self.with.findings {
            for finding in &findings {
                if queue.try_send(finding.clone()).is_err() {
                    tracing::warn!(target.id = %finding.target_id, "the queue of findings is full");
                }
            }
        }
        Ok(findings)
    }

    async fn observe_again(&self, id: ActionId, target: TargetId) -> Result<Option<Finding>, Error> {
        let _held = self.hold_targets([target]).await;
        let mut action = self.get_action(id).await?;
        // What settles is read when it should be in force.
        if !LIVE.contains(&action.state) || action.state == ActionState::Settling {
            return Ok(None);
        }
        let (state, detail) = match self.see(&action).await {
            Ok(Still::InForce) => (ActionState::Verified, None),
            Ok(Still::Not(now)) => (ActionState::Drifted, Some(format!("somebody changed it: {now}"))),
            Ok(Still::Unreadable(why)) => (ActionState::Unverified, Some(format!("could not be read: {why}"))),
            Err(error) => (ActionState::Unverified, Some(format!("could not be read: {error}"))),
        };
        if state == action.state {
            return Ok(None);
        }
        action.state = state;
        action.detail.clone_from(&detail);
        let mut writes = vec![self.step(action.id, "observed", json!({"state": state, "detail": detail}))];
        let plan = self.get_plan(action.plan_id).await?;
        writes.extend(self.lower_after(&plan, &action).await?);
        let what = action_entry(kind_of(state), "system:watch", &action, json!({"detail": detail}));
        self.save_action(&mut action, writes, what).await?;
        let kind = match state {
            ActionState::Drifted => FindingKind::Drifted,
            ActionState::Unverified => FindingKind::Unverified,
            _ => return Ok(None),
        };
        Ok(Some(Finding { kind, target_id: target, action_id: id, detail: detail.unwrap_or_default() }))
    }

    async fn see(&self, action: &Action) -> Result<Still, Error> {
        let target = self.get_target(action.target_id).await?;
        let ready = match self.look(&action.capability, target, &action.params).await {
            Ok(ready) => ready,
            Err(Error::Refused(why)) => return Ok(Still::Not(why)),
            Err(error) => return Ok(Still::Unreadable(error.to_string())),
        };
        let owners = self.with.journal.owners(&action.state_key).await?;
        let wanted = ready.capability.hold(&action.to, span(&owners, self.now()))?;
        if ready.capability.holds(&ready.observed.state, &wanted)? {
            return Ok(Still::InForce);
        }
        Ok(Still::Not(told(&wanted, &ready.observed.state)))
    }
}

/// States in which the effect should be there.
const LIVE: &[ActionState] =
    &[ActionState::Settling, ActionState::Verified, ActionState::Unverified, ActionState::Drifted];
