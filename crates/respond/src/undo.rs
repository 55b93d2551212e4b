//! Undo: planned and permitted like any action, back to the state before the first owner, and read back.

mod foresee;
mod lasting;
mod left;
mod lift;
mod many;

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use shieldops_model::{
    Action, ActionId, ActionState, Confirmation, OnFailure, Owner, Plan, PlanId, PlanState, Timestamp, UserId,
};
use shieldops_policy::{Requester, RequesterKind};

use crate::{
    Engine, Error, PlanRequest, Write,
    diff::diff,
    engine::{Ready, action_entry, entry, removes_orphan, span},
    run::{kind_of, state_error},
};

pub use lasting::OpenUndo;
pub(crate) use lift::PROTECTION;
pub use many::{By, MAX_UNDONE, Prospect, UndoItem, UndoReport, UndoScope};

/// Who expires things.
pub(crate) const EXPIRY: &str = "system:expiry";

/// How long the end of an effect's time does not ask again for an undo that a person rejected.
const NO_LASTS: Duration = Duration::from_hours(24);

/// A person at the door: who, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub user: UserId,
    pub name: String,
    /// Its loss would cut this person off: a plan that reaches it is refused.
    pub client_addr: Option<String>,
    /// The last proof that their browser session was given; a token gives none.
    pub confirmed: Option<Confirmation>,
}

impl Person {
    /// Whether they may answer for what is critical: by a passkey or a code of an authenticator app, at most five minutes
    /// old.
    pub fn is_strong(&self, now: Timestamp) -> bool {
        self.confirmed.is_some_and(|confirmed| confirmed.is_strong(now))
    }
}

/// Undo for whom, and why.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) requester: Requester,
    pub(crate) addr: Option<String>,
    pub(crate) why: String,
}

fn wished(person: &Person, reason: &str) -> Wish {
    let requester = Requester { id: person.user.to_string(), kind: RequesterKind::User };
    Wish { requester, addr: person.client_addr.clone(), why: reason.to_owned() }
}

fn undoes(plan: &Plan, original: &Action) -> bool {
    plan.actions.iter().any(|action| action.undo_of == Some(original.id))
}

impl Engine {
    /// Undoes an action, whatever became of it after its apply. Where nobody touched the state since, the first
    /// approval covers it and it is done on return; else a plan that says so waits for approval.
    pub async fn undo(self: &Arc<Self>, id: ActionId, person: &Person, reason: &str) -> Result<Action, Error> {
        let wish = wished(person, reason);
        let engine = Arc::clone(self);
        // In a task of its own: a client that hangs up does not cut an undo in half.
        let task = self.with.tracker.spawn(async move { engine.undo_as(id, wish).await });
        task.await.map_err(|error| Error::Internal(error.to_string()))?
    }

    pub(crate) async fn undo_as(&self, id: ActionId, wish: Wish) -> Result<Action, Error> {
        let target = self.get_action(id).await?.target_id;
        let _held = self.hold_targets([target]).await;
        self.undo_held(id, wish).await
    }

    /// The same, where its target is held.
    pub(crate) async fn undo_held(&self, id: ActionId, wish: Wish) -> Result<Action, Error> {
        let original = self.get_action(id).await?;
        match original.state {
            ActionState::Undone | ActionState::Expired => return Ok(original),
            // Nobody holds the target but we: a run that should be at it has ended early, and goes on.
            ActionState::Undoing => {
                let begun = self.open_undo(&original).await?.filter(|plan| plan.state != PlanState::Proposed);
                if let Some(plan) = begun {
                    self.run_held(plan.id).await?;
                    self.ended.notify_waiters();
                    return self.get_action(id).await;
                }
                // No undo runs: it is asked for as after one that failed.
            }
            ActionState::Planned | ActionState::Running | ActionState::Skipped | ActionState::Aborted => {
                return Err(state_error(&original));
            }
            _ if original.undo_of.is_some() => {
                return Err(Error::Invalid("an undo is not undone: plan the action again".to_owned()));
            }
            _ if original.class == "read_only" || original.class == "irreversible" => {
                return Err(Error::Invalid(format!("the action is {}", original.class)));
            }
            _ if original.applied_at.is_none() => return Err(state_error(&original)),
            _ => {}
        }
        if let Some((run, seen)) = self.plan_undo(original, wish).await? {
            self.run_seen(run, Some(vec![seen])).await?;
        }
        self.ended.notify_waiters();
        self.get_action(id).await
    }

    /// Makes the undo's plan; its id when it may run at once, with what was read for it.
    async fn plan_undo(&self, original: Action, wish: Wish) -> Result<Option<(PlanId, Ready)>, Error> {
        let target = self.get_target(original.target_id).await?;
        let ready = self.look(&original.capability, target, &original.params).await?;
        let (to, drifted) = self.way_back(&original, &ready).await?;
        let open = self.open_undo(&original).await?;
        if open.as_ref().is_some_and(|plan| drifted || plan.state != PlanState::Proposed) {
            return Ok(None);
        }
        let why = if drifted { format!("{} (the state changed since the action)", wish.why) } else { wish.why.clone() };
        let plan = self.draw_up_undo(&original, &ready, to, drifted, &Wish { why, ..wish.clone() }).await?;
        if plan.state == PlanState::Denied {
            return Err(Error::Denied(plan.decision.denies));
        }
        // It waits for somebody, and so would this one; or somebody said no to it.
        let asks = plan.decision.approvals_needed > 0;
        if asks && (open.is_some() || self.was_rejected(&original, &wish).await?) {
            return Ok(None);
        }
        let superseded = open.map(|open| self.superseded(open, &plan)).unwrap_or_default();
        Ok(self.insert_undo(plan, original, drifted, &wish, superseded).await?.map(|run| (run, ready)))
    }

    /// What ends a plan as another one takes its place.
    fn superseded(&self, mut old: Plan, by: &Plan) -> Vec<Write> {
        old.state = PlanState::Superseded;
        old.updated_at = self.now();
        let mut writes = Vec::new();
        if let Some(why) = old.over() {
            self.end_actions(&mut old, &why, &mut writes);
        }
        let payload = json!({"hash": old.hash, "by": by.id});
        writes.push(Write::Recorded(entry("plan.superseded", &by.requester, &old, payload)));
        writes.push(Write::UpdatePlan(Box::new(old)));
        writes
    }

    /// The undo of this action that waits or runs.
    async fn open_undo(&self, original: &Action) -> Result<Option<Plan>, Error> {
        let asked = self.with.journal.undos_asked(original.plan_id).await?;
        Ok(asked.into_iter().find(|plan| plan.state != PlanState::Rejected && undoes(plan, original)))
    }

    /// Whether a person said no to this undo of late: the end of its time does not ask again at once.
    async fn was_rejected(&self, original: &Action, wish: &Wish) -> Result<bool, Error> {
        if wish.requester.id != EXPIRY {
            return Ok(false);
        }
        let since = self.now().minus(NO_LASTS);
        let asked = self.with.journal.undos_asked(original.plan_id).await?;
        let late = |plan: &Plan| plan.state == PlanState::Rejected && plan.updated_at > since;
        Ok(asked.iter().any(|plan| late(plan) && undoes(plan, original)))
    }

    /// The state to restore, and whether somebody changed the target since the action.
    pub(crate) async fn way_back(&self, original: &Action, ready: &Ready) -> Result<(Value, bool), Error> {
        let others = self.others(original).await?;
        let there = &ready.observed.state;
        let now = self.now();
        let owners = self.with.journal.owners(&original.state_key).await?;
        let expected = if owners.is_empty() {
            original.to.clone()
        } else {
            ready.capability.hold(&original.to, span(&owners, now))?
        };
        let as_left = ready.capability.same(there, &expected)?;
        if !others.is_empty() {
            // One owner less. What somebody else made of the state is the other owners' drift, and theirs to settle.
            let to = if as_left { ready.capability.hold(&original.to, span(&others, now))? } else { there.clone() };
            return Ok((to, false));
        }
        let baseline = self.with.journal.baseline(&original.state_key).await?;
        let to = baseline.unwrap_or_else(|| original.from.clone());
        // A failed or unverified action may have left either side: neither is anybody else's change.
        let told = matches!(original.state, ActionState::Verified | ActionState::Drifted);
        let half_way = !told && ready.capability.half_way(there, &original.from)?;
        let ours = as_left
            || half_way
            || ready.capability.holds(there, &to)?
            || ready.capability.same(there, &original.from)?;
        Ok((to, !ours))
    }

    /// The other live actions that want the same effect.
    pub(crate) async fn others(&self, action: &Action) -> Result<Vec<Owner>, Error> {
        let mut owners = self.with.journal.owners(&action.state_key).await?;
        owners.retain(|owner| owner.action_id != action.id);
        Ok(owners)
    }

    async fn draw_up_undo(
        &self,
        original: &Action,
        ready: &Ready,
        to: Value,
        drifted: bool,
        wish: &Wish,
    ) -> Result<Plan, Error> {
        let plan = self.undo_plan(original, ready, to, wish).await?;
        self.decide(plan, std::slice::from_ref(ready), drifted).await
    }

    /// The undo's plan, before policy decides about it.
    async fn undo_plan(&self, original: &Action, ready: &Ready, to: Value, wish: &Wish) -> Result<Plan, Error> {
        let of = self.get_plan(original.plan_id).await?;
        let request = PlanRequest {
            title: format!("Undo: {}", of.title),
            why: wish.why.clone(),
            actions: Vec::new(),
            requester: wish.requester.clone(),
            requester_addr: wish.addr.clone(),
            incident_id: of.incident_id,
            not_checkable: Vec::new(),
            demo: original.demo,
            confidence: None,
            on_failure: OnFailure::Keep,
            freeze_override: None,
        };
        let mut plan = self.blank(&request);
        plan.undo_of = Some(of.id);
        let mut action = self.action(&plan, ready, original.params.clone())?;
        action.undo_of = Some(original.id);
        "an undo is not undone: plan the action again".clone_into(&mut action.undo);
        action.changed = !ready.capability.holds(&action.from, &to)?;
        action.diff = if action.changed { diff(&action.from, &to) } else { Vec::new() };
        action.to = to;
        plan.simulated = action.simulated;
        plan.actions.push(action);
        Ok(plan)
    }

    async fn insert_undo(
        &self,
        mut plan: Plan,
        mut original: Action,
        drifted: bool,
        wish: &Wish,
        superseded: Vec<Write>,
    ) -> Result<Option<PlanId>, Error> {
        let covered = plan.decision.approvals_needed == 0;
        if covered {
            plan.state = PlanState::Approved;
        }
        // While it waits for somebody the effect is there, watched, and as it was; it is undoing when the undo runs.
        if covered {
            original.state = ActionState::Undoing;
        } else if drifted {
            original.state = ActionState::Drifted;
        }
        if !covered {
            let since = if drifted { "somebody changed the state since: " } else { "" };
            original.detail = Some(format!("{since}the undo waits for approval of {}", plan.id));
        }
        let payload = json!({"undo_plan": plan.id, "hash": plan.hash, "why": wish.why, "covered": covered, "decision": plan.decision});
        let kind = if covered || drifted { kind_of(original.state) } else { "action.undo_asked" };
        let what = action_entry(kind, &wish.requester.id, &original, payload);
        let id = plan.id;
        let mut writes = vec![Write::InsertPlan { plan: Box::new(plan), proposal: None }];
        writes.extend(superseded);
        if wish.requester.kind == RequesterKind::User {
            let (state_key, by) = (original.state_key.clone(), wish.requester.id.clone());
            writes.extend(self.lower_after_undo(&original).await?);
            writes.push(Write::Undone { state_key, by });
        }
        self.crash("before_undo_planned")?;
        self.save_action(&mut original, writes, what).await?;
        self.crash("after_undo_planned")?;
        Ok(covered.then_some(id))
    }

    /// The actions that an undo undoes, as its run begins.
    pub(crate) async fn now_undoing(&self, plan: &Plan) -> Result<Vec<Write>, Error> {
        let mut writes = Vec::new();
        for id in plan.actions.iter().filter_map(|action| action.undo_of).filter(|_| !removes_orphan(plan)) {
            let mut original = self.get_action(id).await?;
            if original.state != ActionState::Undoing {
                original.state = ActionState::Undoing;
                original.updated_at = self.now();
                writes.push(Write::UpdateAction(Box::new(original)));
            }
        }
        Ok(writes)
    }

    /// For an undo's run: whether the state is still none that the action left.
    pub(crate) async fn undo_drifted(&self, plan: &Plan, ready: &[Ready]) -> Result<bool, Error> {
        if removes_orphan(plan) {
            // No approval that is known here ever covered it.
            return Ok(true);
        }
        for (action, ready) in plan.actions.iter().zip(ready) {
            let Some(original) = action.undo_of else { continue };
            let original = self.get_action(original).await?;
            let mut fresh = ready.clone();
            fresh.observed.state = ready.observed.state.clone();
            if self.way_back(&original, &fresh).await?.1 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Ends the action that an undo undoes, as the undo ended.
    pub(crate) async fn end_original(
        &self,
        plan: &Plan,
        id: ActionId,
        undo: &mut Action,
        ready: &Ready,
    ) -> Result<Vec<Write>, Error> {
        if removes_orphan(plan) {
            if undo.state == ActionState::Verified {
                self.prove(undo, ready, "after_undo").await;
            }
            return Ok(Vec::new());
        }
        if undo.state != ActionState::Verified {
            let why = undo.detail.clone().unwrap_or_default();
            return self.fail_original(id, &why).await;
        }
        let mut original = self.get_action(id).await?;
        let others = self.others(&original).await?;
        self.prove(&mut original, ready, "after_undo").await;
        undo.proofs = original.proofs.iter().filter(|proof| proof.moment == "after_undo").cloned().collect();
        original.state = if plan.requester == EXPIRY { ActionState::Expired } else { ActionState::Undone };
        original.detail = match (others.len(), undo.changed) {
            (0, true) => None,
            (0, false) => Some("the effect was already gone".to_owned()),
            (n, _) => Some(format!(
                "{n} other live action{} want{} the effect: it stays in force",
                if n == 1 { "" } else { "s" },
                if n == 1 { "s" } else { "" }
            )),
        };
        original.updated_at = self.now();
        let mut writes = vec![
            Write::RemoveOwner { state_key: original.state_key.clone(), action: original.id },
            self.step(
                original.id,
                kind_of(original.state),
                json!({"undo": undo.id, "others": others, "detail": original.detail}),
            ),
        ];
        if others.is_empty() {
            writes.push(Write::DropBaseline { state_key: original.state_key.clone() });
        }
        writes.push(Write::UpdateAction(Box::new(original)));
        Ok(writes)
    }

    pub(crate) async fn fail_original(&self, id: ActionId, why: &str) -> Result<Vec<Write>, Error> {
        let mut original = self.get_action(id).await?;
        original.state = ActionState::UndoFailed;
        original.detail = Some(why.to_owned());
        original.updated_at = self.now();
        let step = self.step(id, "undo_failed", json!({"detail": why}));
        Ok(vec![step, Write::UpdateAction(Box::new(original))])
    }
}
