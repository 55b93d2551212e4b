//! Orphans: effects that carry our mark and that no live action wants. Each is a finding; a person adopts it, so that it
//! has an owner again, or has it undone. Both are plans, decided and approved as any other. What carries no mark of
//! ours is never listed and never touched.

use std::{
    collections::HashSet,
    sync::{Arc, PoisonError},
};

use serde::Deserialize;
use serde_json::{Value, json};
use shieldops_model::{Action, ActionId, OnFailure, Orphan, Plan, PlanState, Target, TargetId};
use shieldops_policy::{Requester, RequesterKind};

use crate::{
    Engine, Entry, Error, Fault, Finding, FindingKind, Mark, Person, PlanRequest,
    diff::diff,
    engine::{Ready, removes_orphan},
};

/// One orphan as somebody saw it: what is there now must still be that.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OrphanRef {
    pub capability: String,
    pub key: String,
    /// The action that its mark names.
    pub action_id: ActionId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Adopt,
    Undo,
}

impl Verb {
    /// Whether a plan does this to the orphan.
    fn is_of(self, plan: &Plan, state_key: &str, marked: ActionId) -> bool {
        plan.actions.iter().any(|action| {
            let does = match self {
                Self::Adopt => action.adopts == Some(marked),
                Self::Undo => removes_orphan(plan) && action.undo_of == Some(marked),
            };
            does && action.state_key == state_key
        })
    }
}

fn state_key(target: TargetId, capability: &str, key: &str) -> String {
    format!("{target}/{capability}/{key}")
}

impl Engine {
    /// The orphans on a target, read from it now.
    pub async fn orphans(&self, target: TargetId) -> Result<Vec<Orphan>, Error> {
        let _held = self.hold_targets([target]).await;
        let target = self.with.journal.target(target).await?.ok_or(Error::NotFound)?;
        let mut found = self.unowned(&target).await?;
        let open = self.open_plans().await?;
        for orphan in &mut found {
            let key = state_key(target.id, &orphan.capability, &orphan.key);
            let about = |verb: Verb| open.iter().find(|plan| verb.is_of(plan, &key, orphan.action_id));
            orphan.plan_id = about(Verb::Undo).or_else(|| about(Verb::Adopt)).map(|plan| plan.id);
        }
        Ok(found)
    }

    /// Plans to take an orphan over as it stands, for as long as it lasts: its owner is then the plan's action.
    pub async fn adopt(
        self: &Arc<Self>,
        target: TargetId,
        seen: OrphanRef,
        person: &Person,
        reason: &str,
    ) -> Result<Plan, Error> {
        self.deal_with(Verb::Adopt, target, seen, person, reason).await
    }

    /// Plans to take an orphan away: exactly the effect that carries this mark, read back afterwards.
    pub async fn undo_orphan(
        self: &Arc<Self>,
        target: TargetId,
        seen: OrphanRef,
        person: &Person,
        reason: &str,
    ) -> Result<Plan, Error> {
        self.deal_with(Verb::Undo, target, seen, person, reason).await
    }

    async fn deal_with(
        self: &Arc<Self>,
        verb: Verb,
        target: TargetId,
        seen: OrphanRef,
        person: &Person,
        reason: &str,
    ) -> Result<Plan, Error> {
        let plan = {
            let _held = self.hold_targets([target]).await;
            self.plan_for_orphan(verb, target, &seen, person, reason).await?
        };
        let free = plan.state == PlanState::Proposed && plan.decision.approvals_needed == 0;
        if verb == Verb::Undo && free { self.execute(plan.id, person).await } else { Ok(plan) }
    }

    /// The plan, or the one that is open for the same.
    async fn plan_for_orphan(
        &self,
        verb: Verb,
        target: TargetId,
        seen: &OrphanRef,
        person: &Person,
        reason: &str,
    ) -> Result<Plan, Error> {
        let row = self.with.journal.target(target).await?.ok_or(Error::NotFound)?;
        let key = state_key(target, &seen.capability, &seen.key);
        if let Some(open) = self.open_plans().await?.into_iter().find(|plan| verb.is_of(plan, &key, seen.action_id)) {
            return Ok(open);
        }
        let orphan = self.unowned(&row).await?.into_iter().find(|orphan| is(orphan, seen)).ok_or_else(|| {
            let state = "not there: it is gone, has an owner, or carries another mark".to_owned();
            Error::State { what: "the orphan", state }
        })?;
        let ready = self.look(&orphan.capability, row, &orphan.params).await?;
        if ready.capability.same(&ready.observed.state, &ready.capability.cleared(&ready.observed.state)?)? {
            let state = "marked and not in force: what should enforce it was changed by hand".to_owned();
            return Err(Error::State { what: "the orphan", state });
        }
        let request = self.request_for(verb, &orphan, &ready, person, reason).await?;
        let mut plan = self.blank(&request);
        let action = self.action_for(verb, &plan, &ready, orphan)?;
        plan.simulated = action.simulated;
        plan.actions.push(action);
        let plan = self.decide(plan, &[ready], verb == Verb::Undo).await?;
        self.keep(&plan, None).await?;
        Ok(plan)
    }

    async fn request_for(
        &self,
        verb: Verb,
        orphan: &Orphan,
        ready: &Ready,
        person: &Person,
        reason: &str,
    ) -> Result<PlanRequest, Error> {
        // Where the action in the mark is known, the plan belongs to the incident that the action was for.
        let incident_id = match self.with.journal.action(orphan.action_id).await? {
            Some(action) => self.with.journal.plan(action.plan_id).await?.and_then(|plan| plan.incident_id),
            None => None,
        };
        let (title, not_checkable) = match verb {
            Verb::Adopt => ("Adopt an orphan", ready.capability.not_checkable(&orphan.params)?),
            Verb::Undo => ("Undo an orphan", Vec::new()),
        };
        Ok(PlanRequest {
            title: format!("{title}: {}", orphan.detail),
            why: reason.to_owned(),
            actions: Vec::new(),
            requester: Requester { id: person.user.to_string(), kind: RequesterKind::User },
            requester_addr: person.client_addr.clone(),
            incident_id,
            not_checkable,
            demo: orphan.demo,
            confidence: None,
            on_failure: OnFailure::Keep,
            freeze_override: None,
        })
    }

    fn action_for(&self, verb: Verb, plan: &Plan, ready: &Ready, orphan: Orphan) -> Result<Action, Error> {
        let mut action = self.action(plan, ready, orphan.params)?;
        if verb == Verb::Adopt {
            action.adopts = Some(orphan.action_id);
            return Ok(action);
        }
        action.undo_of = Some(orphan.action_id);
        "an undo is not undone: plan the action again".clone_into(&mut action.undo);
        action.to = ready.capability.cleared(&action.from)?;
        action.changed = !ready.capability.holds(&action.from, &action.to)?;
        action.diff = if action.changed { diff(&action.from, &action.to) } else { Vec::new() };
        Ok(action)
    }

    async fn open_plans(&self) -> Result<Vec<Plan>, Error> {
        Ok(self.with.journal.plans_in(&[PlanState::Proposed, PlanState::Approved, PlanState::Executing]).await?)
    }

    /// Marked effects without an owner. The target is held.
    async fn unowned(&self, target: &Target) -> Result<Vec<Orphan>, Error> {
        let mut found = Vec::new();
        for capability in self.with.registry.all() {
            let described = capability.describe();
            if described.target_kind != target.kind.as_str() {
                continue;
            }
            for mark in capability.marks(target).await? {
                let key = capability.key(&mark.params)?;
                if !self.with.journal.owners(&state_key(target.id, described.name, &key)).await?.is_empty()
                    || self.with.journal.is_anothers(mark.action).await?
                {
                    continue;
                }
                let lasts = capability.lasts(&mark.params)?;
                found.push(Orphan {
                    target_id: target.id,
                    target: target.reference(),
                    simulated: target.simulated,
                    demo: target.demo,
                    capability: described.name.to_owned(),
                    key,
                    action_id: mark.action,
                    params: mark.params,
                    detail: mark.detail,
                    expires_at: lasts.map(|span| self.now().plus(span)),
                    plan_id: None,
                });
            }
        }
        Ok(found)
    }

    /// The mark on the effect that these parameters are about. Another tenant's is no mark of ours.
    pub(crate) async fn mark_on(&self, ready: &Ready, params: &Value) -> Result<Option<Mark<Value>>, Fault> {
        let key = ready.capability.key(params)?;
        for mark in ready.capability.marks(&ready.target).await? {
            if ready.capability.key(&mark.params)? != key {
                continue;
            }
            let anothers = self.with.journal.is_anothers(mark.action).await;
            let theirs = anothers.map_err(|error| Fault::Unavailable(format!("whose its mark is: {error}")))?;
            return Ok((!theirs).then_some(mark));
        }
        Ok(None)
    }

    /// For a plan about an orphan: why it is no longer what the plan saw. What is adopted lasts as long as it is seen to.
    pub(crate) async fn orphan_gone(
        &self,
        plan: &Plan,
        action: &mut Action,
        ready: &Ready,
    ) -> Result<Option<String>, Error> {
        let removed = action.undo_of.filter(|_| removes_orphan(plan));
        let Some(marked) = action.adopts.or(removed) else { return Ok(None) };
        let owners = self.with.journal.owners(&action.state_key).await?;
        if let Some(owner) = owners.iter().find(|owner| owner.action_id != action.id) {
            return Ok(Some(format!("it is no orphan any more, nothing was done: {} owns it", owner.action_id)));
        }
        match self.mark_on(ready, &action.params).await {
            Err(fault) => Ok(Some(format!("its mark could not be read, nothing was done: {fault}"))),
            Ok(Some(mark)) if mark.action == marked => {
                if action.adopts.is_some() && action.applied_at.is_none() {
                    action.expires_at = ready.capability.lasts(&mark.params)?.map(|span| self.now().plus(span));
                }
                Ok(None)
            }
            Ok(_) => Ok(Some(format!("the effect does not carry the mark of {marked} any more, nothing was done"))),
        }
    }

    /// Orphans of this target that were not told of yet; one that went and came back is told again.
    pub(crate) async fn new_orphans(&self, target: &Target) -> Result<Vec<Finding>, Error> {
        let _held = self.hold_targets([target.id]).await;
        let found = match self.unowned(target).await {
            Ok(found) => found,
            Err(Error::Journal(error)) => return Err(error.into()),
            // A target that is away has no orphans to show; its live actions say that it is away.
            Err(_) => return Ok(Vec::new()),
        };
        let name = |orphan: &Orphan| format!("{}/{}/{}", orphan.capability, orphan.key, orphan.action_id);
        let known = {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            told.insert(target.id, found.iter().map(name).collect::<HashSet<_>>()).unwrap_or_default()
        };
        let mut findings = Vec::new();
        for orphan in found.iter().filter(|orphan| !known.contains(&name(orphan))) {
            findings.push(self.tell(orphan).await?);
        }
        Ok(findings)
    }

    async fn tell(&self, orphan: &Orphan) -> Result<Finding, Error> {
        let payload = json!({"target": orphan.target.name, "simulated": orphan.simulated, "capability": orphan.capability,
            "key": orphan.key, "action": orphan.action_id, "detail": orphan.detail});
        let subjects = vec![orphan.target_id.to_string(), orphan.action_id.to_string()];
        let what = Entry { kind: "target.orphaned", subjects, actor: "system:watch".to_owned(), payload };
        self.commit(Vec::new(), what).await?;
        Ok(Finding {
            kind: FindingKind::Orphaned,
            on: Some((orphan.target_id, orphan.action_id)),
            detail: format!(
                "{} on {}, and no live action wants it: adopt or undo it",
                orphan.detail, orphan.target.name
            ),
        })
    }
}

fn is(orphan: &Orphan, seen: &OrphanRef) -> bool {
    (&orphan.capability, &orphan.key, orphan.action_id) == (&seen.capability, &seen.key, seen.action_id)
}
