//! Waits whose end permits something: a veto window. They run on the clock since boot, begin again with the process, and when
//! somebody set the wall clock meanwhile.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use serde_json::json;
use shieldops_model::{Decision, Plan, PlanId, PlanState, Timestamp};
use shieldops_policy::Entry as Door;

use crate::{
    Engine, Error, Write,
    clocks::disagree,
    engine::{EXECUTOR, Ready, door, entry},
    plan::{plan_hash, rows},
};

/// So much later than was told may a window end: plans are first seen within a second.
const LATE: Duration = Duration::from_secs(10);
const CLOCK_SET: &str = "the clock was set: the wall clock and the clock since boot differ by more than a minute";
const BEGAN_AGAIN: &str = "nobody watched the window for a time, or nobody could say no";

#[derive(Debug, Clone, Copy)]
struct Since {
    wall: Timestamp,
    boot: Duration,
}

/// When this process first saw each plan that waits.
#[derive(Debug, Default)]
pub(crate) struct Waits(Mutex<HashMap<PlanId, Since>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    Goes,
    Over,
    /// The clocks disagree.
    Held,
    /// It began again, and what people were told of its end is not so any more.
    Late,
}

impl Waits {
    fn look(&self, plan: &Plan, wall: Timestamp, boot: Duration) -> Wait {
        let Some(until) = plan.not_before else { return Wait::Over };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = *all.entry(plan.id).or_insert(Since { wall, boot });
        if disagree((since.wall, since.boot), (wall, boot)) {
            return Wait::Held;
        }
        let waited = boot.saturating_sub(since.boot);
        let window = Duration::from_secs(plan.decision.obligations.veto_window_s.unwrap_or_default());
        if since.wall.plus(window) > until.plus(LATE) {
            return Wait::Late;
        }
        let over = waited >= window && wall >= until;
        if over { Wait::Over } else { Wait::Goes }
    }

    fn begin(&self, plan: PlanId, wall: Timestamp, boot: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(plan, Since { wall, boot });
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
        if self.is_closed().await? {
            return Ok(());
        }
        let waiting = self.with.journal.plans_in(&[PlanState::Approved]).await?;
        self.waits.forget(|id| waiting.iter().any(|plan| plan.id == *id));
        for plan in waiting.into_iter().filter(|plan| plan.not_before.is_some()) {
            match self.waits.look(&plan, self.now(), self.with.clock.boot()) {
                Wait::Goes => {}
                Wait::Over => self.start(plan.id),
                Wait::Held => self.wait_anew(plan.id, "run.held", CLOCK_SET).await?,
                Wait::Late => self.wait_anew(plan.id, "run.waits", BEGAN_AGAIN).await?,
            }
        }
        Ok(())
    }

    /// Nobody knows how much of its time a plan has waited: it waits all of it again, and people are told until when.
    async fn wait_anew(&self, id: PlanId, kind: &'static str, detail: &str) -> Result<(), Error> {
        let _one_at_a_time = self.votes.lock().await;
        let mut plan = self.get_plan(id).await?;
        if plan.state != PlanState::Approved {
            return Ok(());
        }
        let (now, boot) = (self.now(), self.with.clock.boot());
        let window = Duration::from_secs(plan.decision.obligations.veto_window_s.unwrap_or_default());
        plan.not_before = Some(now.plus(window));
        tracing::warn!(plan.id = %id, "a veto window begins anew: {detail}");
        let payload = json!({"hash": plan.hash, "detail": detail, "not_before": plan.not_before});
        let what = entry(kind, "system:watch", &plan, payload);
        self.save_plan(&mut plan, Vec::new(), what).await?;
        self.waits.begin(id, now, boot);
        Ok(())
    }

    /// Whether the tenant is not active. While it is not, few can say no: windows begin again when it is, and runs that were
    /// held or paused are taken up then.
    async fn is_closed(self: &Arc<Self>) -> Result<bool, Error> {
        let closed = !self.with.journal.is_open().await?;
        let was = self.closed.swap(closed, Ordering::SeqCst);
        if closed {
            self.waits.forget(|_| false);
        } else if was {
            let plans = self.with.journal.plans_in(&[PlanState::Approved, PlanState::Executing]).await?;
            plans.iter().filter(|plan| plan.not_before.is_none()).for_each(|plan| self.start(plan.id));
        }
        Ok(closed)
    }

    /// Votes that a run may not begin on: one is too old, or of somebody who may not vote any more.
    pub(crate) async fn votes_are_void(&self, plan: &Plan) -> Result<bool, Error> {
        let broken = plan.break_glass.as_ref().map(|told| told.at);
        let Some(first) = plan.approvals.iter().map(|approval| approval.at).chain(broken).min() else {
            return Ok(false);
        };
        if plan.decision.approvals_needed == 0 && broken.is_none() {
            return Ok(false);
        }
        let begins = first.max(plan.not_before.unwrap_or(first));
        Ok(begins.plus(self.vote_life(plan).await?) < self.now() || self.lost_a_voter(plan).await?)
    }

    /// Whether policy asks for more than when the plan was agreed to, though nothing of the plan changed.
    pub(crate) fn wants_more(plan: &Plan, ready: &[Ready], decision: &Decision) -> Result<bool, Error> {
        let more = decision.risk > plan.risk || decision.approvals_needed > plan.decision.approvals_needed;
        let agreed = door(plan) == Door::Action && plan.break_glass.is_none();
        Ok(decision.allow && agreed && more && plan_hash(plan, &rows(ready))? == plan.hash)
    }

    /// The plan is decided anew, with what it reaches now and another hash; who agreed to the old one has to look again.
    pub(crate) async fn ask_for_more(&self, plan: Plan, ready: &[Ready]) -> Result<Plan, Error> {
        let (before, votes) = (plan.hash.clone(), plan.approvals.len());
        let fresh = Plan { approvals: Vec::new(), not_before: None, unanswered: false, ..plan };
        let mut plan = self.decide(fresh, ready, false).await?;
        let mut writes = Vec::with_capacity(plan.actions.len());
        for action in &mut plan.actions {
            action.updated_at = self.now();
            writes.push(Write::UpdateAction(Box::new(action.clone())));
        }
        let detail = "policy asks for more than when the plan was agreed to";
        let payload =
            json!({"hash": plan.hash, "replaces": before, "votes": votes, "detail": detail, "decision": plan.decision});
        let what = entry("plan.returned", EXECUTOR, &plan, payload);
        self.save_plan(&mut plan, writes, what).await?;
        self.get_plan(plan.id).await
    }

    /// The plan stands as it was proposed, without its votes. A glass is broken for a moment: such a plan ends.
    pub(crate) async fn ask_again(&self, mut plan: Plan) -> Result<Plan, Error> {
        if plan.break_glass.is_some() {
            let why = "no run began in time after the glass was broken";
            plan.rejected_reason = Some(why.to_owned());
            self.expire_plan(&mut plan).await?;
            return Ok(plan);
        }
        let votes = std::mem::take(&mut plan.approvals);
        plan.state = PlanState::Proposed;
        plan.not_before = None;
        let detail = "no run began in time, or somebody who voted may not any more: the votes are void";
        let payload = json!({"hash": plan.hash, "votes": votes.len(), "detail": detail});
        let what = entry("plan.votes_void", EXECUTOR, &plan, payload);
        self.save_plan(&mut plan, Vec::new(), what).await?;
        Ok(plan)
    }
}
