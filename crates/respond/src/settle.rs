//! Effects that a target accepts at once and that begin later: the action is settling, and verified when that time is over
//! and it is still so. Its target is free meanwhile. The time runs on the clock since boot and begins again with the process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::json;
use shieldops_model::{Action, ActionId, ActionState, Plan, PlanId, PlanState};

use crate::{
    Engine, Error,
    engine::{EXECUTOR, action_entry},
};

#[derive(Debug, Clone, Copy)]
struct Wait {
    plan: PlanId,
    since: Duration,
    takes: Duration,
}

impl Wait {
    fn left(self, boot: Duration) -> Duration {
        self.takes.saturating_sub(boot.saturating_sub(self.since))
    }
}

/// Since when this process waits for each action.
#[derive(Debug, Default)]
pub(crate) struct Settling(Mutex<HashMap<ActionId, Wait>>);

impl Settling {
    fn all(&self) -> MutexGuard<'_, HashMap<ActionId, Wait>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is left of the time of an action; it begins with the first question.
    fn left(&self, action: &Action, takes: Duration, boot: Duration) -> Duration {
        self.all().entry(action.id).or_insert(Wait { plan: action.plan_id, since: boot, takes }).left(boot)
    }
}

impl Engine {
    /// How long until the effect of an action begins, where reading back cannot tell.
    fn takes(&self, action: &Action) -> Option<Duration> {
        self.capability(&action.capability).ok()?.takes_effect_after()
    }

    /// The target took it, and it is as it should be: the rest is time. The run goes on when that is over.
    pub(crate) async fn begin_settling(&self, action: &mut Action, takes: Duration) -> Result<ActionState, Error> {
        self.crash("before_settling")?;
        action.state = ActionState::Settling;
        action.detail = Some(format!("the target took it; it is in force within {} s", takes.as_secs()));
        let detail = json!({"takes_ms": takes.as_millis()});
        let step = self.step(action.id, "settling", detail.clone());
        let what = action_entry("action.settling", EXECUTOR, action, detail);
        self.save_action(action, vec![step], what).await?;
        self.settling.left(action, takes, self.with.clock.boot());
        self.crash("after_settling")?;
        Ok(ActionState::Settling)
    }

    /// Whether a run that was begun waits for an effect to begin.
    pub(crate) fn still_settles(&self, plan: &Plan) -> bool {
        let boot = self.with.clock.boot();
        let settling = plan.actions.iter().filter(|action| action.state == ActionState::Settling);
        let mut takes = settling.filter_map(|action| Some((action, self.takes(action)?)));
        takes.any(|(action, takes)| !self.settling.left(action, takes, boot).is_zero())
    }

    /// Whether another live action made this effect so lately that it has not begun.
    pub(crate) async fn settles_for_another(&self, action: &Action) -> Result<bool, Error> {
        for owner in self.others(action).await? {
            if self.get_action(owner.action_id).await?.state == ActionState::Settling {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Goes on with the runs whose effects have begun, or were taken back meanwhile.
    pub async fn settle_due(self: &Arc<Self>) -> Result<(), Error> {
        let waits: Vec<(ActionId, Wait)> = self.settling.all().iter().map(|(id, wait)| (*id, *wait)).collect();
        for (id, wait) in waits {
            let plan = self.with.journal.plan(wait.plan).await?.filter(|plan| plan.state == PlanState::Executing);
            let action = plan.as_ref().and_then(|plan| plan.actions.iter().find(|action| action.id == id));
            let settles = action.is_some_and(|action| action.state == ActionState::Settling);
            if !settles {
                self.settling.all().remove(&id);
            }
            if plan.is_some() && (!settles || wait.left(self.with.clock.boot()).is_zero()) {
                self.start(wait.plan);
            }
        }
        Ok(())
    }

    /// How long the last of the effects that settle still takes; `None` when nothing settles.
    pub fn settling(&self) -> Option<Duration> {
        let boot = self.with.clock.boot();
        self.settling.all().values().map(|wait| wait.left(boot)).max()
    }
}
