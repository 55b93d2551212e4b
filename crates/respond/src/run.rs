//! The executor: intent journaled, drift checked, permitted, applied, and verified by observing again.

mod back;
mod children;
mod resume;
mod turn;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use shieldops_model::{Action, ActionId, ActionState, Plan, PlanId, PlanState, Proof, Reason, Target};
use shieldops_policy::{Entry as Door, Evaluation, Stage};

use crate::{
    Engine, Error, Fault, ProbeResult, Write,
    diff::wanting,
    engine::{EXECUTOR, Ready, action_entry, door, entry, removes_orphan},
    plan::{plan_hash, rows, word},
};
pub(crate) use resume::last_sign;
use turn::Turn;
pub(crate) use turn::reads;

/// What reading back said.
pub(crate) enum Seen {
    InForce,
    /// The state that is there instead.
    Not(Value),
    Unreadable(String),
}

/// How an action ended, and why.
pub(crate) struct End {
    pub(crate) state: ActionState,
    pub(crate) detail: Option<String>,
    /// Which side of the intent the target is on: `to`, `from`, `other`, or `unknown`.
    pub(crate) side: &'static str,
}

impl Engine {
    pub(crate) async fn run(&self, id: PlanId) -> Result<Plan, Error> {
        let targets = self.get_plan(id).await?.actions.into_iter().map(|action| action.target_id);
        let _held = self.hold_targets(targets).await;
        self.run_held(id).await
    }

    /// Runs an approved plan, or goes on with one that a lost process left. The targets are held.
    pub(crate) async fn run_held(&self, id: PlanId) -> Result<Plan, Error> {
        self.run_seen(id, None).await
    }

    /// The same, with what was read a moment ago while the targets were held: that is not read again.
    pub(crate) async fn run_seen(&self, id: PlanId, seen: Option<Vec<Ready>>) -> Result<Plan, Error> {
        let mut plan = self.get_plan(id).await?;
        let resumed = plan.state == PlanState::Executing;
        if !matches!(plan.state, PlanState::Approved | PlanState::Executing) {
            return Ok(plan);
        }
        if !resumed && (self.held(&plan).await? || !self.wait_is_over(&plan)) {
            return Ok(plan);
        }
        if !resumed && door(&plan) == Door::Action && plan.expires_at <= self.now() {
            self.expire_plan(&mut plan).await?;
            return Ok(plan);
        }
        if !resumed && self.votes_are_void(&plan).await? {
            return self.ask_again(plan).await;
        }
        if resumed && self.still_settles(&plan) {
            return Ok(plan);
        }
        let ready = match self.looked(&plan, seen.filter(|_| !resumed)).await {
            Ok(ready) => ready,
            // It says nothing of the target: the run is taken up again when the database answers.
            Err(error @ (Error::Journal(_) | Error::Crashed(_))) => return Err(error),
            // The node whose host it is goes on with it.
            Err(Error::Elsewhere(why)) => {
                tracing::debug!(plan.id = %plan.id, "a run waits: {why}");
                return Ok(plan);
            }
            Err(error) => return self.give_up(plan, &error).await,
        };
        // On the heap: a run is a long way down.
        if resumed { Box::pin(self.go_on_with(plan, &ready)).await } else { Box::pin(self.begin(plan, &ready)).await }
    }

    /// Begins a run, if policy still says so.
    async fn begin(&self, mut plan: Plan, ready: &[Ready]) -> Result<Plan, Error> {
        let drifted = self.undo_drifted(&plan, ready).await?;
        // What was begun is counted and one more begun in one step: of many that come together none goes past a cap.
        let counting = self.starts.lock().await;
        let evaluation = self.evaluate(&plan, ready, Stage::Run, drifted).await?;
        if Self::wants_more(&plan, ready, evaluation.decision())? {
            return self.ask_for_more(plan, ready).await;
        }
        if let Some(reasons) = Self::refusal(&plan, ready, &evaluation)? {
            // Halted between the two looks: it waits, as any run that had not begun.
            return if self.held(&plan).await? { Ok(plan) } else { self.deny(plan, reasons).await };
        }
        self.crash("before_run_started")?;
        plan.state = PlanState::Executing;
        let mut steps: Vec<Write> =
            plan.actions.iter().map(|action| self.step(action.id, "run_started", json!({"plan": plan.id}))).collect();
        for (place, ready) in ready.iter().enumerate() {
            steps.extend(self.use_of(&plan, place, ready).await?);
        }
        steps.extend(self.now_undoing(&plan).await?);
        let payload = json!({"hash": plan.hash, "decision": evaluation.decision()});
        let what = entry("run.started", EXECUTOR, &plan, payload);
        self.save_plan(&mut plan, steps, what).await?;
        drop(counting);
        self.crash("after_run_started")?;
        self.act_in_turn(&plan, ready, &evaluation, true).await
    }

    /// The actions that were not begun, one after the other, until one does not succeed.
    async fn act_in_turn(
        &self,
        plan: &Plan,
        ready: &[Ready],
        evaluation: &Evaluation,
        fresh: bool,
    ) -> Result<Plan, Error> {
        let mut stopped = false;
        for (place, (action, ready)) in plan.actions.iter().cloned().zip(ready).enumerate() {
            if action.state == ActionState::Planned && !stopped && self.held(plan).await? {
                return self.pause(self.get_plan(plan.id).await?).await;
            }
            // What was read before the run is fresh for its first action; later ones look again.
            let turn = Turn { plan, ready, evaluation, fresh: place == 0 && fresh };
            let state = if stopped {
                self.skip(plan, action, ready).await?
            } else {
                Box::pin(self.take_turn(&turn, action)).await?
            };
            if state == ActionState::Settling {
                return self.get_plan(plan.id).await;
            }
            stopped |= state != ActionState::Verified;
        }
        self.end_run(plan.id).await
    }

    /// Whether the halt holds this run: no new intent but those of undo and expiry.
    pub(crate) async fn held(&self, plan: &Plan) -> Result<bool, Error> {
        Ok(door(plan) == Door::Action && self.halted().await?)
    }

    /// A halt in the middle of a run: what is not begun waits for a person who resumes. A run with nothing left ends.
    async fn pause(&self, mut plan: Plan) -> Result<Plan, Error> {
        let waiting = waiting(&plan);
        if waiting.is_empty() {
            return self.end_run(plan.id).await;
        }
        if plan.paused_at.is_some() {
            return Ok(plan);
        }
        self.crash("before_paused")?;
        plan.paused_at = Some(self.now());
        let steps = waiting.iter().map(|id| self.step(*id, "paused", json!({"plan": plan.id}))).collect();
        let what = entry("run.paused", EXECUTOR, &plan, json!({"hash": plan.hash, "waiting": waiting}));
        self.save_plan(&mut plan, steps, what).await?;
        self.crash("after_paused")?;
        Ok(plan)
    }

    /// Somebody resumed: what a halt held goes on.
    async fn unpause(&self, plan: &mut Plan) -> Result<(), Error> {
        if plan.paused_at.is_none() {
            return Ok(());
        }
        self.crash("before_resumed")?;
        plan.paused_at = None;
        let waiting = waiting(plan);
        let steps = waiting.iter().map(|id| self.step(*id, "resumed", json!({"plan": plan.id}))).collect();
        let what = entry("run.resumed", EXECUTOR, plan, json!({"hash": plan.hash, "waiting": waiting}));
        self.save_plan(plan, steps, what).await?;
        self.crash("after_resumed")
    }

    /// What stands against the run: the rows changed since the approval, or policy says no now.
    fn refusal(plan: &Plan, ready: &[Ready], evaluation: &Evaluation) -> Result<Option<Vec<Reason>>, Error> {
        let decision = evaluation.decision();
        if !decision.allow {
            return Ok(Some(decision.denies.clone()));
        }
        let one = |code: &str, detail: String| Ok(Some(vec![Reason { code: code.to_owned(), detail }]));
        if plan_hash(plan, &rows(ready))? != plan.hash {
            return one("plan_changed", "a target's row changed since the plan was made; plan again".to_owned());
        }
        let (have, need) = (plan.approvals.len(), usize::from(decision.approvals_needed));
        if have < need {
            return one(
                "approvals_missing",
                format!("policy now asks for {need} approvals and has {have}; plan again"),
            );
        }
        Ok(None)
    }

    async fn looked(&self, plan: &Plan, seen: Option<Vec<Ready>>) -> Result<Vec<Ready>, Error> {
        match seen {
            Some(seen) => Ok(seen),
            None => self.look_at_all(plan).await,
        }
    }

    pub(crate) async fn look_at_all(&self, plan: &Plan) -> Result<Vec<Ready>, Error> {
        let mut rows: BTreeMap<_, Target> = BTreeMap::new();
        let mut ready = Vec::with_capacity(plan.actions.len());
        for action in &plan.actions {
            let target = match rows.get(&action.target_id) {
                Some(target) => target.clone(),
                None => self.get_target(action.target_id).await?,
            };
            rows.insert(target.id, target.clone());
            ready.push(self.look(&action.capability, target, &action.params).await?);
        }
        Ok(ready)
    }

    async fn skip(&self, plan: &Plan, mut action: Action, ready: &Ready) -> Result<ActionState, Error> {
        if action.state != ActionState::Planned {
            return Ok(action.state);
        }
        let end = End {
            state: ActionState::Skipped,
            detail: Some("an action before it did not succeed".to_owned()),
            side: "from",
        };
        self.outcome(plan, &mut action, ready, end).await
    }

    pub(crate) async fn read_back(&self, ready: &Ready, params: &Value, wanted: &Value) -> Result<Seen, Error> {
        match ready.capability.observe(&ready.target, params).await {
            Err(fault) => Ok(Seen::Unreadable(fault.to_string())),
            Ok(observed) if ready.capability.holds(&observed.state, wanted)? => Ok(Seen::InForce),
            Ok(observed) => Ok(Seen::Not(observed.state)),
        }
    }

    pub(crate) async fn prove(&self, action: &mut Action, ready: &Ready, moment: &str) {
        if let Some(probe) = ready.capability.probe(&ready.target, &action.params).await {
            let result = probe.result.as_str().to_owned();
            action.proofs.push(Proof { moment: moment.to_owned(), at: self.now(), result, detail: probe.detail });
        }
    }

    /// Writes how the action ended; an undo ends the action that it undoes as well.
    pub(crate) async fn outcome(
        &self,
        plan: &Plan,
        action: &mut Action,
        ready: &Ready,
        end: End,
    ) -> Result<ActionState, Error> {
        let verified = end.state == ActionState::Verified;
        let mut writes = vec![self.step(action.id, "observed", json!({"side": end.side}))];
        action.state = end.state;
        action.detail = end.detail;
        if verified {
            action.verified_at = Some(self.now());
        }
        if let Some(original) = action.undo_of {
            writes.extend(self.end_original(plan, original, action, ready).await?);
        } else if end.side == "from" {
            writes.extend(self.disown(action).await?);
        }
        writes.extend(self.lower_after(plan, action).await?);
        writes.push(self.step(action.id, "outcome", json!({"state": action.state, "detail": action.detail})));
        self.crash("before_outcome")?;
        let payload = json!({"plan_hash": plan.hash, "side": end.side, "detail": action.detail, "changed": action.changed, "proofs": action.proofs});
        let what = action_entry(kind_of(action.state), EXECUTOR, action, payload);
        self.save_action(action, writes, what).await?;
        self.crash("after_outcome")?;
        if let Some(original) = action.undo_of.filter(|_| verified) {
            self.drop_inverse(original);
        } else if action.undo_of.is_none() && end.side == "from" {
            self.drop_inverse(action.id);
        }
        if verified && action.undo_of.is_none() {
            self.prove_after(action, ready).await?;
        }
        Ok(action.state)
    }

    /// A dropped packet shows by silence, which takes its time: the action is verified before it and proved after it. Where
    /// something was tried before and nobody can try it any more, the proof says that.
    pub(crate) async fn prove_after(&self, action: &mut Action, ready: &Ready) -> Result<(), Error> {
        let known = action.proofs.len();
        self.prove(action, ready, "after").await;
        if action.proofs.len() == known && known > 0 {
            let detail = "nobody is there any more to try what was tried before".to_owned();
            let (moment, result) = ("after".to_owned(), ProbeResult::Unknown.as_str().to_owned());
            action.proofs.push(Proof { moment, at: self.now(), result, detail });
        }
        let Some(proof) = action.proofs.get(known) else { return Ok(()) };
        let what = action_entry("action.proved", EXECUTOR, action, json!({"proof": proof}));
        self.crash("before_proved")?;
        self.save_action(action, Vec::new(), what).await?;
        self.crash("after_proved")
    }

    /// An action that changed nothing wants nothing.
    pub(crate) async fn disown(&self, action: &Action) -> Result<Vec<Write>, Error> {
        let owners = self.with.journal.owners(&action.state_key).await?;
        if !owners.iter().any(|owner| owner.action_id == action.id) {
            return Ok(Vec::new());
        }
        let mut writes = vec![Write::RemoveOwner { state_key: action.state_key.clone(), action: action.id }];
        if owners.len() == 1 {
            writes.push(Write::DropBaseline { state_key: action.state_key.clone() });
        }
        Ok(writes)
    }

    /// The run cannot even look: what was begun is unverified, the rest was not done.
    async fn give_up(&self, plan: Plan, error: &Error) -> Result<Plan, Error> {
        self.leave_unverified(&plan, &error.to_string()).await?;
        let taken_back = self.take_back(plan.id, true).await?;
        let (mut plan, mut writes) = (self.get_plan(plan.id).await?, Vec::new());
        let orphan = removes_orphan(&plan);
        for action in &mut plan.actions {
            let state = match action.state {
                ActionState::Planned => {
                    // A process that was lost as it joined an effect left an owner that did nothing.
                    writes.extend(self.disown(action).await?);
                    ActionState::Aborted
                }
                ActionState::Running | ActionState::Settling => ActionState::Unverified,
                _ => continue,
            };
            action.state = state;
            action.detail = Some(error.to_string());
            action.updated_at = self.now();
            writes.push(self.step(action.id, "outcome", json!({"state": state, "detail": action.detail})));
            writes.push(Write::UpdateAction(Box::new(action.clone())));
            if let (Some(original), false) = (action.undo_of, orphan) {
                writes.extend(self.fail_original(original, &error.to_string()).await?);
            }
        }
        (plan.state, plan.paused_at) = (PlanState::Executed, None);
        let payload = json!({"error": error.to_string(), "taken_back": taken_back});
        let what = entry("run.ended", EXECUTOR, &plan, payload);
        self.crash("before_given_up")?;
        self.save_plan(&mut plan, writes, what).await?;
        self.crash("after_given_up")?;
        self.get_plan(plan.id).await
    }

    /// What was begun and cannot be read is told of like any other that could not be verified, and automation does less.
    async fn leave_unverified(&self, plan: &Plan, why: &str) -> Result<(), Error> {
        let begun = |action: &&Action| matches!(action.state, ActionState::Running | ActionState::Settling);
        for action in plan.actions.iter().filter(begun).filter(|action| action.undo_of.is_none()) {
            let mut action = action.clone();
            action.state = ActionState::Unverified;
            action.detail = Some(why.to_owned());
            let mut writes = vec![self.step(action.id, "outcome", json!({"state": action.state, "detail": why}))];
            writes.extend(self.lower_after(plan, &action).await?);
            let payload = json!({"plan_hash": plan.hash, "side": "unknown", "detail": why});
            let what = action_entry(kind_of(action.state), EXECUTOR, &action, payload);
            self.crash("before_unverified")?;
            self.save_action(&mut action, writes, what).await?;
            self.crash("after_unverified")?;
        }
        Ok(())
    }

    /// Policy says no at the last moment: nothing (more) is done.
    async fn deny(&self, mut plan: Plan, reasons: Vec<Reason>) -> Result<Plan, Error> {
        let why =
            reasons.iter().map(|reason| format!("{}: {}", reason.code, reason.detail)).collect::<Vec<_>>().join("; ");
        if plan.state == PlanState::Executing || door(&plan) == Door::Undo {
            return self.give_up(plan, &Error::Denied(reasons)).await;
        }
        plan.state = PlanState::Denied;
        plan.decision.allow = false;
        let payload = json!({"hash": plan.hash, "denies": reasons, "why": why});
        plan.decision.denies = reasons;
        let what = entry("plan.denied", EXECUTOR, &plan, payload);
        self.save_plan(&mut plan, Vec::new(), what).await?;
        Ok(plan)
    }

    async fn end_run(&self, id: PlanId) -> Result<Plan, Error> {
        let taken_back = self.take_back(id, false).await?;
        self.crash("before_run_ended")?;
        let mut plan = self.get_plan(id).await?;
        (plan.state, plan.paused_at) = (PlanState::Executed, None);
        let states: Vec<Value> =
            plan.actions.iter().map(|action| json!({"id": action.id, "state": action.state})).collect();
        let payload = json!({"hash": plan.hash, "actions": states, "taken_back": taken_back});
        let what = entry("run.ended", EXECUTOR, &plan, payload);
        self.save_plan(&mut plan, Vec::new(), what).await?;
        self.crash("after_run_ended")?;
        Ok(plan)
    }
}

/// The actions that were not begun.
fn waiting(plan: &Plan) -> Vec<ActionId> {
    plan.actions.iter().filter(|action| action.state == ActionState::Planned).map(|action| action.id).collect()
}

/// What reading back and the target's own answer come to. Reading back wins.
pub(crate) fn conclude(ready: &Ready, action: &Action, seen: Seen, fault: Option<Fault>) -> Result<End, Error> {
    let said = fault.map(|fault| format!(": {fault}")).unwrap_or_default();
    Ok(match seen {
        Seen::InForce => End { state: ActionState::Verified, detail: None, side: "to" },
        Seen::Unreadable(why) => End {
            state: ActionState::Unverified,
            detail: Some(format!("could not be read back: {why}{said}")),
            side: "unknown",
        },
        Seen::Not(there) if ready.capability.same(&there, &action.from)? => End {
            state: ActionState::Failed,
            detail: Some(format!("the target is as it was before{said}")),
            side: "from",
        },
        Seen::Not(there) => End {
            state: ActionState::Failed,
            detail: Some(format!("the target is in neither state ({}){said}", wanting(&action.to, &there))),
            side: "other",
        },
    })
}

/// Whether an undo was cut off in the middle and left this: it goes on from there. One that changes nothing has no middle.
pub(crate) fn cut_off(ready: &Ready, action: &Action, there: &Value) -> Result<bool, Fault> {
    let changes = action.undo_of.is_some() && !ready.capability.same(&action.from, &action.to)?;
    Ok(changes && ready.capability.half_way(there, &action.from)?)
}

pub(crate) fn kind_of(state: ActionState) -> &'static str {
    match state {
        ActionState::Planned | ActionState::Running => "action.intent",
        ActionState::Settling => "action.settling",
        ActionState::Verified => "action.verified",
        ActionState::Unverified => "action.unverified",
        ActionState::Failed => "action.failed",
        ActionState::Skipped => "action.skipped",
        ActionState::Aborted => "action.aborted",
        ActionState::Drifted => "action.drifted",
        ActionState::Expired => "action.expired",
        ActionState::Undoing => "action.undoing",
        ActionState::Undone => "action.undone",
        ActionState::UndoFailed => "action.undo_failed",
    }
}

/// For messages: a state as the surfaces spell it.
pub(crate) fn state_error(action: &Action) -> Error {
    Error::State { what: "the action", state: word(&action.state) }
}
