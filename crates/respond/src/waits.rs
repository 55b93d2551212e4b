//! Waits whose end permits something: a veto window. They run on the clock since boot, begin again with the process, and are
//! held while the wall clock does not agree.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::json;
use shieldops_model::{Plan, PlanId, PlanState, Timestamp};

use crate::{Engine, Error, engine::entry};

/// So much may the two clocks differ.
const DISAGREE: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, Copy)]
struct Since {
    wall: Timestamp,
    boot: Duration,
    /// It was said that the clocks disagree.
    told: bool,
}

/// When this process first saw each plan that waits.
#[derive(Debug, Default)]
pub(crate) struct Waits(Mutex<HashMap<PlanId, Since>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    Goes,
    Over,
    /// The clocks disagree; whether that is new.
    Held(bool),
}

impl Waits {
    fn look(&self, plan: &Plan, wall: Timestamp, boot: Duration) -> Wait {
        let Some(until) = plan.not_before else { return Wait::Over };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = all.entry(plan.id).or_insert(Since { wall, boot, told: false });
        let waited = boot.saturating_sub(since.boot);
        let by_wall = wall.as_micros().saturating_sub(since.wall.as_micros());
        let by_boot = i64::try_from(waited.as_micros()).unwrap_or(i64::MAX);
        if by_wall.abs_diff(by_boot) > u64::try_from(DISAGREE.as_micros()).unwrap_or(u64::MAX) {
            let fresh = !std::mem::replace(&mut since.told, true);
            return Wait::Held(fresh);
        }
        let window = plan.decision.obligations.veto_window_s.unwrap_or_default();
        let over = waited >= Duration::from_secs(window) && wall >= until;
        if over { Wait::Over } else { Wait::Goes }
    }

    fn forget(&self, keep: impl Fn(&PlanId) -> bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|id, _| keep(id));
    }
}

impl Engine {
    pub(crate) fn wait_is_over(&self, plan: &Plan) -> bool {
        self.waits.look(plan, self.now(), self.with.clock.boot()) == Wait::Over
    }

    /// Starts what nobody said no to in its time.
    pub(crate) async fn start_due(self: &Arc<Self>) -> Result<(), Error> {
        let waiting = self.with.journal.plans_in(&[PlanState::Approved]).await?;
        self.waits.forget(|id| waiting.iter().any(|plan| plan.id == *id));
        for plan in waiting.into_iter().filter(|plan| plan.not_before.is_some()) {
            match self.waits.look(&plan, self.now(), self.with.clock.boot()) {
                Wait::Goes | Wait::Held(false) => {}
                Wait::Over => self.start(plan.id),
                Wait::Held(true) => {
                    let detail =
                        "the clock was set: the wall clock and the clock since boot differ by more than a minute";
                    tracing::warn!(plan.id = %plan.id, "a veto window is held: {detail}");
                    let what = entry("run.held", "system:watch", &plan, json!({"hash": plan.hash, "detail": detail}));
                    self.commit(Vec::new(), what).await?;
                }
            }
        }
        Ok(())
    }

    /// Votes that are too old for a run to begin on.
    pub(crate) async fn votes_are_void(&self, plan: &Plan) -> Result<bool, Error> {
        let Some(last) = plan.approvals.iter().map(|approval| approval.at).max() else { return Ok(false) };
        if plan.decision.approvals_needed == 0 {
            return Ok(false);
        }
        let around = self.with.journal.surroundings(plan, self.now()).await?;
        let life = Duration::from_secs(u64::from(around.settings.numbers.vote_void_s));
        Ok(last.max(plan.not_before.unwrap_or(last)).plus(life) < self.now())
    }

    /// The plan stands as it was proposed, without its votes.
    pub(crate) async fn ask_again(&self, mut plan: Plan) -> Result<Plan, Error> {
        let votes = std::mem::take(&mut plan.approvals);
        plan.state = PlanState::Proposed;
        plan.not_before = None;
        let detail = "no run began in time after the last vote: the votes are void";
        let payload = json!({"hash": plan.hash, "votes": votes.len(), "detail": detail});
        let what = entry("plan.votes_void", "system:executor", &plan, payload);
        self.save_plan(&mut plan, Vec::new(), what).await?;
        Ok(plan)
    }
}
