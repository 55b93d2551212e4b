//! Watching what was done: what is due, every second, and whether live effects are still there, every minute.

use std::{collections::BTreeMap, pin::Pin, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use serde_json::json;
use shieldops_model::{Action, ActionId, ActionState, PlanState, Target, TargetId};
use shieldops_policy::Entry as Door;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::{
    Engine, Error,
    diff::told,
    engine::{action_entry, door, span},
    run::kind_of,
};

const TIME_STEP: Duration = Duration::from_secs(1);
const OBSERVE_STEP: Duration = Duration::from_mins(1);
/// Targets that are looked at together.
const TARGETS_AT_ONCE: usize = 16;
/// A target that could not be read after so long is asked nothing else in the same look.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);
/// How long a look waits for whoever is at the target.
const HOLD: Duration = Duration::from_secs(5);
/// Stands before what a look says of an action that failed.
const READ_AGAIN: &str = "; read again, its effect is ";
/// How long a look searches one target for what nobody owns, whoever is at it included.
const ORPHANS: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A live effect is no longer as its owners want it.
    Drifted,
    /// A live effect could not be read.
    Unverified,
    /// An effect carries our mark and no live action wants it.
    Orphaned,
    /// Somebody set the server's clock.
    ClockSet,
}

/// Something that a person should see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub kind: FindingKind,
    /// What it is about; nothing of ours where it is the server itself.
    pub on: Option<(TargetId, ActionId)>,
    pub detail: String,
}

/// Whether an effect is still there.
enum Still {
    InForce,
    /// In words: what is there instead.
    Not(String),
    Unreadable(String),
}

/// What is known of one target in one look at all of them.
enum Reached {
    /// It may answer.
    Maybe,
    /// It was waited for in vain: nothing else is asked of it this time.
    Away(String),
}

type Look<'a> = Pin<Box<dyn Future<Output = Result<Vec<Finding>, Error>> + Send + 'a>>;

impl Engine {
    /// Keeps the time every second and observes every minute, until told to stop. Neither waits for the other, and no target
    /// for another.
    pub async fn watch(self: Arc<Self>, stop: CancellationToken) {
        let (time, looks) = (Box::pin(self.keep_time(&stop)), Box::pin(self.keep_looking(&stop)));
        tokio::join!(time, looks);
        self.lanes.ended().await;
    }

    async fn keep_time(self: &Arc<Self>, stop: &CancellationToken) {
        let mut step = tokio::time::interval(TIME_STEP);
        step.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! { biased; () = stop.cancelled() => return, _ = step.tick() => {} }
            if let Err(error) = self.keep_books().await {
                tracing::error!(%error, "what is due could not be looked through");
            }
            if let Err(error) = self.open_lanes(stop).await {
                tracing::error!(%error, "effects whose time is over could not be found");
            }
        }
    }

    async fn keep_looking(&self, stop: &CancellationToken) {
        let mut step = tokio::time::interval(OBSERVE_STEP);
        step.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! { biased; () = stop.cancelled() => return, _ = step.tick() => {} }
            // A look that is cut off changed nothing.
            let looked =
                tokio::select! { biased; () = stop.cancelled() => return, looked = self.reobserve() => looked };
            if let Err(error) = looked {
                tracing::error!(%error, "live actions could not all be observed");
            }
        }
    }

    /// All that is due now: whoever answers for the server is told that its clock was set, plans that nobody approved in time end, what waits begins, what settles is concluded, runs that
    /// were cut off go on, and effects whose own time is over are undone. Returns when all that is through.
    pub async fn expire_due(self: &Arc<Self>) -> Result<(), Error> {
        Box::pin(self.keep_books()).await?;
        for lane in self.open_lanes(&CancellationToken::new()).await? {
            lane.await.map_err(|error| Error::Internal(error.to_string()))??;
        }
        Ok(())
    }

    /// What takes no target to know. One part that fails keeps no other.
    async fn keep_books(self: &Arc<Self>) -> Result<(), Error> {
        let parts = [
            self.tell_clock().await,
            self.expire_plans().await,
            self.end_left_behind().await,
            self.start_due().await,
            self.settle_due().await,
            self.take_up().await,
        ];
        parts.into_iter().collect()
    }

    async fn expire_plans(&self) -> Result<(), Error> {
        let now = self.now();
        let mut over = self.with.journal.overdue(now).await?;
        // While a halt or a veto window holds an approved plan, no run comes to see that its time is over.
        let approved = self.with.journal.plans_in(&[PlanState::Approved]).await?;
        over.extend(approved.into_iter().filter(|plan| plan.expires_at <= now));
        for plan in over {
            let _one_at_a_time = self.votes.lock().await;
            // Whoever is at its targets may be about to begin it.
            let free = self.try_hold(plan.actions.iter().map(|action| action.target_id));
            let mut plan = self.get_plan(plan.id).await?;
            let ends = match plan.state {
                PlanState::Proposed => true,
                PlanState::Approved => free.is_some() && door(&plan) == Door::Action,
                _ => false,
            };
            if ends {
                self.expire_plan(&mut plan).await?;
            }
        }
        Ok(())
    }

    /// Observes every live effect again, and looks for marked effects that nobody owns: at many targets at once, and at one
    /// that lets us wait in vain once only.
    pub async fn reobserve(&self) -> Result<Vec<Finding>, Error> {
        let mut on: BTreeMap<TargetId, (Option<Target>, Vec<ActionId>)> = BTreeMap::new();
        for action in self.with.journal.owning(LIVE).await? {
            on.entry(action.target_id).or_default().1.push(action.id);
        }
        for target in self.with.journal.targets().await? {
            let of = on.entry(target.id).or_default();
            of.0 = Some(target);
        }
        let looks =
            on.into_iter().map(|(id, (row, actions))| -> Look<'_> { Box::pin(self.look_around(id, row, actions)) });
        let mut looks = stream::iter(looks).buffer_unordered(TARGETS_AT_ONCE);
        let (mut findings, mut failed) = (Vec::new(), None);
        while let Some(look) = looks.next().await {
            match look {
                Ok(found) => self.hand_on(found, &mut findings),
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(findings), Err)
    }

    pub(crate) fn hand_on(&self, found: Vec<Finding>, all: &mut Vec<Finding>) {
        for finding in found {
            if let Some(queue) = &self.with.findings
                && queue.try_send(finding.clone()).is_err()
            {
                tracing::warn!(kind = ?finding.kind, on = ?finding.on, "the queue of findings is full");
            }
            all.push(finding);
        }
    }

    /// The live effects of one target, and what nobody owns there.
    async fn look_around(
        &self,
        id: TargetId,
        row: Option<Target>,
        actions: Vec<ActionId>,
    ) -> Result<Vec<Finding>, Error> {
        let (mut found, mut reached) = (Vec::new(), Reached::Maybe);
        for action in actions {
            // Who is at it reads it by itself.
            let Ok(_held) = tokio::time::timeout(HOLD, self.hold_targets([id])).await else { return Ok(found) };
            found.extend(self.observe_again(action, &mut reached).await?);
        }
        if let (Some(target), Reached::Maybe) = (row, reached)
            && let Ok(orphans) = tokio::time::timeout(ORPHANS, self.new_orphans(&target)).await
        {
            found.extend(orphans?);
        }
        Ok(found)
    }

    /// The target is held.
    async fn observe_again(&self, id: ActionId, reached: &mut Reached) -> Result<Option<Finding>, Error> {
        let mut action = self.get_action(id).await?;
        // What settles is read when it should be in force.
        if !LIVE.contains(&action.state) || action.state == ActionState::Settling {
            return Ok(None);
        }
        let began = Instant::now();
        let still = match reached {
            Reached::Away(why) => Still::Unreadable(why.clone()),
            Reached::Maybe => self.see(&action).await?,
        };
        if let (Still::Unreadable(why), true) = (&still, began.elapsed() >= PATIENCE) {
            *reached = Reached::Away(why.clone());
        }
        if matches!(action.state, ActionState::Failed | ActionState::UndoFailed) {
            self.tell_beside(action, &still).await?;
            return Ok(None);
        }
        let (state, detail) = match still {
            Still::InForce => (ActionState::Verified, None),
            Still::Not(now) => (ActionState::Drifted, Some(format!("somebody changed it: {now}"))),
            Still::Unreadable(why) => (ActionState::Unverified, Some(format!("could not be read: {why}"))),
        };
        if state == action.state {
            return Ok(None);
        }
        let target_id = action.target_id;
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
        Ok(Some(Finding { kind, on: Some((target_id, id)), detail: detail.unwrap_or_default() }))
    }

    /// What failed keeps its state and why; whether its effect is there is told beside it, when that changes.
    async fn tell_beside(&self, mut action: Action, still: &Still) -> Result<(), Error> {
        let now = match still {
            Still::InForce => "in force",
            Still::Not(_) => "not as planned",
            Still::Unreadable(_) => "not readable",
        };
        let said = action.detail.as_deref().unwrap_or_default();
        let detail = format!("{}{READ_AGAIN}{now}", said.split(READ_AGAIN).next().unwrap_or_default());
        if said == detail {
            return Ok(());
        }
        action.detail = Some(detail);
        let step = self.step(action.id, "observed", json!({"state": action.state, "detail": action.detail}));
        let what = action_entry("action.observed", "system:watch", &action, json!({"detail": action.detail}));
        self.save_action(&mut action, vec![step], what).await
    }

    async fn see(&self, action: &Action) -> Result<Still, Error> {
        let looked = match self.get_target(action.target_id).await {
            Ok(target) => self.look(&action.capability, target, &action.params).await,
            Err(error) => Err(error),
        };
        let ready = match looked {
            Ok(ready) => ready,
            Err(Error::Refused(why)) => return Ok(Still::Not(why)),
            Err(Error::Journal(error)) => return Err(error.into()),
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

/// States of an owner in which its effect should be there, or may be.
const LIVE: &[ActionState] = &[
    ActionState::Settling,
    ActionState::Verified,
    ActionState::Unverified,
    ActionState::Drifted,
    ActionState::Failed,
    ActionState::UndoFailed,
];
