//! Planning: what would change, seen against the live state, decided by policy, and bound by one hash.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::{Value, json};
use shieldops_model::{
    Action, ActionState, IncidentId, OnFailure, Override, Owner, Plan, PlanId, PlanState, ProposedAction, ProposedPlan,
    Target, TargetId,
};
use shieldops_policy::{Entry as Door, Requester, RequesterKind, Stage, canonical};

use crate::{
    Engine, Error, Person, Write,
    diff::diff,
    engine::{Ready, door, entry, span},
    proposal_key,
};

/// A plan that nobody approved is void after this time.
pub const PLAN_LIFE: Duration = Duration::from_hours(24);
/// The most actions of one plan.
pub const MAX_ACTIONS: usize = 16;
/// Who requests what an investigation proposes.
pub(crate) const INVESTIGATION: &str = "system:investigation";

/// What somebody wants done.
#[derive(Debug, Clone)]
pub struct PlanRequest {
    pub title: String,
    pub why: String,
    pub actions: Vec<ProposedAction>,
    pub requester: Requester,
    pub requester_addr: Option<String>,
    pub incident_id: Option<IncidentId>,
    pub not_checkable: Vec<String>,
    pub demo: bool,
    /// Of the finding that is answered, 0 to 1.
    pub confidence: Option<f64>,
    pub on_failure: OnFailure,
    /// A person who sets a freeze aside, should one deny the plan. It still needs its approvals.
    pub freeze_override: Option<Override>,
}

impl PlanRequest {
    /// What a person asks for, of no incident and with nothing set aside.
    pub fn of_person(person: &Person, title: &str, why: &str, actions: Vec<ProposedAction>) -> Self {
        Self {
            title: title.to_owned(),
            why: why.to_owned(),
            actions,
            requester: Requester { id: person.user.to_string(), kind: RequesterKind::User },
            requester_addr: person.client_addr.clone(),
            incident_id: None,
            not_checkable: Vec::new(),
            demo: false,
            confidence: None,
            on_failure: OnFailure::Keep,
            freeze_override: None,
        }
    }
}

/// SHA-256, hex, over everything an approver sees: the plan, its actions, its decision, and the rows of its targets.
pub fn plan_hash(plan: &Plan, targets: &BTreeMap<TargetId, Target>) -> Result<String, Error> {
    let actions: Vec<Value> =
        plan.actions.iter().map(|action| hashed(action, targets.get(&action.target_id))).collect();
    let mut seen = json!({
        "v": 1, "id": plan.id, "title": plan.title, "why": plan.why, "simulated": plan.simulated, "demo": plan.demo,
        "incident_id": plan.incident_id, "requester": plan.requester, "undo_of": plan.undo_of, "decision": plan.decision,
        "not_checkable": plan.not_checkable, "created_at": plan.created_at, "expires_at": plan.expires_at, "actions": actions,
    });
    if let Value::Object(fields) = &mut seen {
        fields.extend(plan.blast_radius.map(|reached| ("blast_radius".to_owned(), json!(reached))));
        fields.extend(plan.estimated_ms.map(|takes| ("estimated_ms".to_owned(), json!(takes))));
        fields.extend(plan.confidence.map(|confidence| ("confidence".to_owned(), json!(confidence))));
        fields.extend(plan.break_glass.as_ref().map(|told| ("break_glass".to_owned(), json!(told))));
        let undoes = (plan.on_failure != OnFailure::Keep).then(|| ("on_failure".to_owned(), json!(plan.on_failure)));
        fields.extend(undoes);
        fields.extend(plan.freeze_override.as_ref().map(|told| ("freeze_override".to_owned(), json!(told))));
    }
    Ok(canonical::hash(&seen))
}

/// What an action's part of the hash covers. What an older plan could not have is left out, so that its hash stands.
/// Whose host a target is never changes while it has its id.
fn hashed(action: &Action, target: Option<&Target>) -> Value {
    let target = target.map(|target| Target { node: None, ..target.clone() });
    let mut seen = json!({
        "id": action.id, "capability": action.capability, "params": action.params, "from": action.from, "to": action.to,
        "diff": action.diff, "undo": action.undo, "class": action.class, "state_key": action.state_key,
        "undo_of": action.undo_of, "target": target,
    });
    if let Value::Object(fields) = &mut seen {
        let lists = [("resources", json!(action.resources)), ("dependants", json!(action.dependants))];
        let known = lists.into_iter().filter(|(_, list)| list.as_array().is_some_and(|list| !list.is_empty()));
        fields.extend(known.map(|(name, list)| (name.to_owned(), list)));
        fields.extend(action.estimate.map(|takes| ("estimate".to_owned(), json!(takes))));
        fields.extend(action.adopts.map(|id| ("adopts".to_owned(), json!(id))));
        fields.extend(action.control_path.as_ref().map(|path| ("control_path".to_owned(), json!(path))));
    }
    seen
}

pub(crate) fn rows(ready: &[Ready]) -> BTreeMap<TargetId, Target> {
    ready.iter().map(|ready| (ready.target.id, ready.target.clone())).collect()
}

impl Engine {
    /// Makes a plan: observes, computes what would change, asks policy. A denied plan is kept, with its reasons.
    pub async fn propose(&self, request: PlanRequest) -> Result<Plan, Error> {
        self.insert(request, None).await
    }

    pub(crate) async fn insert(&self, request: PlanRequest, proposal: Option<String>) -> Result<Plan, Error> {
        let plan = self.draw_up(request).await?;
        self.keep(&plan, proposal).await?;
        Ok(plan)
    }

    /// Stores a plan that was made just now.
    pub(crate) async fn keep(&self, plan: &Plan, proposal: Option<String>) -> Result<(), Error> {
        let kind = match (plan.state, &plan.freeze_override) {
            (PlanState::Denied, _) => "plan.denied",
            (_, Some(_)) => "plan.freeze_overridden",
            _ => "plan.proposed",
        };
        let payload = json!({"hash": plan.hash, "title": plan.title, "risk": plan.risk, "simulated": plan.simulated,
            "blast_radius": plan.blast_radius, "estimated_ms": plan.estimated_ms, "freeze_override": plan.freeze_override,
            "decision": plan.decision, "actions": plan.actions.iter().map(described).collect::<Vec<_>>()});
        let what = entry(kind, &plan.requester, plan, payload);
        self.commit(vec![Write::InsertPlan { plan: Box::new(plan.clone()), proposal }], what).await
    }

    async fn draw_up(&self, request: PlanRequest) -> Result<Plan, Error> {
        if request.actions.is_empty() || request.actions.len() > MAX_ACTIONS {
            return Err(Error::Invalid(format!("actions: want 1 to {MAX_ACTIONS}, got {}", request.actions.len())));
        }
        let mut plan = self.blank(&request);
        let mut ready = Vec::with_capacity(request.actions.len());
        let alone = request.actions.len() == 1;
        for (place, proposed) in request.actions.iter().enumerate() {
            let drawn = self.draw_up_action(&plan, proposed).await;
            let (action, seen) = drawn.map_err(|error| if alone { error } else { error.of_action(place) })?;
            plan.not_checkable.extend(seen.capability.not_checkable(&action.params)?);
            plan.not_checkable.extend(seen.observed.facts.not_checkable.iter().cloned());
            plan.simulated |= action.simulated;
            plan.actions.push(action);
            ready.push(seen);
        }
        let plan = self.decide(plan, &ready, false).await?;
        // Kept only where it is needed: it alerts everybody.
        let frozen = plan.decision.denies.iter().any(|deny| deny.code == "change_freeze");
        match request.freeze_override.clone() {
            Some(told) if frozen => self.decide(Plan { freeze_override: Some(told), ..plan }, &ready, false).await,
            _ => Ok(plan),
        }
    }

    /// Puts the decision and the hash on a plan whose actions are complete.
    pub(crate) async fn decide(&self, mut plan: Plan, ready: &[Ready], drifted: bool) -> Result<Plan, Error> {
        self.compute(&mut plan, ready).await?;
        plan.decision = self.evaluate(&plan, ready, Stage::Plan, drifted).await?.into_decision();
        plan.risk = plan.decision.risk;
        plan.state = if plan.decision.allow { PlanState::Proposed } else { PlanState::Denied };
        plan.hash = plan_hash(&plan, &rows(ready))?;
        let (over, now) = (plan.over(), self.now());
        for action in &mut plan.actions {
            action.state = if over.is_some() { ActionState::Skipped } else { ActionState::Planned };
            action.detail.clone_from(&over);
            action.updated_at = now;
        }
        Ok(plan)
    }

    pub(crate) fn blank(&self, request: &PlanRequest) -> Plan {
        let now = self.now();
        Plan {
            id: self.mint(),
            hash: String::new(),
            state: PlanState::Proposed,
            title: request.title.clone(),
            why: request.why.clone(),
            risk: shieldops_model::Risk::Critical,
            simulated: false,
            demo: request.demo,
            incident_id: request.incident_id,
            requester: request.requester.id.clone(),
            requester_addr: request.requester_addr.clone(),
            actions: Vec::new(),
            blast_radius: None,
            estimated_ms: None,
            decision: shieldops_model::Decision {
                allow: false,
                denies: Vec::new(),
                approvals_needed: 0,
                risk: shieldops_model::Risk::Critical,
                risk_terms: Vec::new(),
                obligations: shieldops_model::Obligations::default(),
                controls: Vec::new(),
                input_hash: String::new(),
                policy_hash: String::new(),
            },
            approvals: Vec::new(),
            rejected_reason: None,
            on_failure: request.on_failure,
            undo_of: None,
            confidence: request.confidence,
            not_before: None,
            paused_at: None,
            break_glass: None,
            freeze_override: None,
            unanswered: false,
            not_checkable: request.not_checkable.clone(),
            created_at: now,
            expires_at: now.plus(PLAN_LIFE),
            updated_at: now,
            version: 1,
        }
    }

    async fn draw_up_action(&self, plan: &Plan, proposed: &ProposedAction) -> Result<(Action, Ready), Error> {
        let capability = Arc::clone(self.capability(&proposed.capability)?);
        let params = capability.canonical(&proposed.params)?;
        let named = self.with.journal.find_target(&proposed.target).await?;
        let target =
            named.ok_or_else(|| Error::UnknownTarget(format!("{} {}", proposed.target.kind, proposed.target.name)))?;
        let ready = self.look(&proposed.capability, target, &params).await?;
        let mut action = self.action(plan, &ready, params)?;
        let now = self.now();
        action.owners = self.with.journal.owners(&action.state_key).await?;
        let mut wanting = action.owners.clone();
        let expires_at = capability.lasts(&action.params)?.map(|span| now.plus(span));
        wanting.push(Owner { action_id: action.id, expires_at });
        let desired = capability.desired(&action.from, &action.params)?;
        action.to = capability.hold(&desired, span(&wanting, now))?;
        action.changed = !capability.holds(&action.from, &action.to)?;
        action.diff = if action.changed { diff(&action.from, &action.to) } else { Vec::new() };
        Ok((action, ready))
    }

    /// An action row that starts from what was just read and goes nowhere yet.
    pub(crate) fn action(&self, plan: &Plan, ready: &Ready, params: Value) -> Result<Action, Error> {
        let described = ready.capability.describe();
        let key = ready.capability.key(&params)?;
        Ok(Action {
            id: self.mint(),
            plan_id: plan.id,
            capability: described.name.to_owned(),
            target_id: ready.target.id,
            target: ready.target.reference(),
            simulated: ready.target.simulated,
            demo: plan.demo || ready.target.demo,
            undo: ready.capability.undo_text(&params)?,
            control_path: Some(ready.capability.control_path(&ready.target, &params)?),
            params,
            state: ActionState::Planned,
            state_key: format!("{}/{}/{key}", ready.target.id, described.name),
            from: ready.observed.state.clone(),
            to: ready.observed.state.clone(),
            diff: Vec::new(),
            undo_of: None,
            adopts: None,
            changed: false,
            class: described.class.as_str().to_owned(),
            resources: Vec::new(),
            dependants: Vec::new(),
            estimate: None,
            detail: None,
            owners: Vec::new(),
            proofs: Vec::new(),
            expires_at: None,
            applied_at: None,
            verified_at: None,
            updated_at: self.now(),
            version: 1,
        })
    }

    /// Plans again what a plan wanted, against the state of now: for plans that expired, were denied or aborted.
    pub async fn replan(
        &self,
        id: PlanId,
        requester: Requester,
        requester_addr: Option<String>,
        freeze_override: Option<Override>,
    ) -> Result<Plan, Error> {
        let old = self.get_plan(id).await?;
        if door(&old) == Door::Undo {
            return Err(Error::Invalid("an undo is not planned again: undo the action again".to_owned()));
        }
        if old.actions.iter().any(|action| action.adopts.is_some()) {
            return Err(Error::Invalid("an adoption is not planned again: adopt the effect again".to_owned()));
        }
        if matches!(old.state, PlanState::Proposed | PlanState::Approved | PlanState::Executing) {
            return Err(Error::State { what: "the plan", state: word(&old.state) });
        }
        self.propose(PlanRequest { requester, requester_addr, freeze_override, ..request_of(&old) }).await
    }

    /// Plans what a revision proposes. An unchanged proposal keeps its plan, whatever became of it; a proposed plan
    /// of the investigation that is proposed no more is superseded.
    pub async fn propose_revision(
        self: &Arc<Self>,
        incident: IncidentId,
        proposals: &[ProposedPlan],
        demo: bool,
    ) -> Result<Vec<Result<Plan, Error>>, Error> {
        let mut plans = Vec::with_capacity(proposals.len());
        let mut kept = Vec::new();
        for proposal in proposals {
            let plan = self.propose_one(incident, proposal, demo).await;
            if let Ok(plan) = &plan {
                self.let_go(plan.id).await?;
                kept.push(plan.id);
            }
            plans.push(plan);
        }
        let _one_at_a_time = self.votes.lock().await;
        for mut old in self.with.journal.plans_of(incident).await? {
            let gone = old.state == PlanState::Proposed
                && old.requester == INVESTIGATION
                && old.undo_of.is_none()
                && !kept.contains(&old.id);
            if gone {
                old.state = PlanState::Superseded;
                let what = entry("plan.superseded", INVESTIGATION, &old, json!({"hash": old.hash}));
                self.save_plan(&mut old, Vec::new(), what).await?;
            }
        }
        Ok(plans)
    }

    /// Whatever automation does ends by itself, where the capability can: only a person makes it stay.
    async fn bounded(&self, actions: &[ProposedAction]) -> Result<Vec<ProposedAction>, Error> {
        let seconds = self.with.journal.settings().await?.numbers.automation_expiry_s;
        let mut bounded = actions.to_vec();
        for action in &mut bounded {
            let mut params = action.params.clone();
            if let Value::Object(fields) = &mut params {
                fields.entry("expires_in_s").or_insert(seconds.into());
            }
            if self.capability(&action.capability)?.canonical(&params).is_ok() {
                action.params = params;
            }
        }
        Ok(bounded)
    }

    async fn propose_one(&self, incident: IncidentId, proposal: &ProposedPlan, demo: bool) -> Result<Plan, Error> {
        let mut canonical = Vec::with_capacity(proposal.actions.len());
        for action in &proposal.actions {
            canonical.push(self.capability(&action.capability)?.canonical(&action.params)?);
        }
        let parts = proposal.actions.iter().zip(&canonical);
        let key = proposal_key(parts.map(|(action, params)| (action.capability.as_str(), &action.target, params)));
        let known = self.with.journal.plan_for(incident, &key).await?;
        if let Some(plan) = known.filter(|plan| plan.state != PlanState::Superseded) {
            return Ok(plan);
        }
        let request = PlanRequest {
            title: proposal.title.clone(),
            why: proposal.why.clone(),
            actions: self.bounded(&proposal.actions).await?,
            requester: Requester { id: INVESTIGATION.to_owned(), kind: RequesterKind::System },
            requester_addr: None,
            incident_id: Some(incident),
            not_checkable: Vec::new(),
            demo,
            confidence: Some(proposal.confidence),
            on_failure: OnFailure::Keep,
            freeze_override: None,
        };
        self.insert(request, Some(key)).await
    }
}

fn request_of(plan: &Plan) -> PlanRequest {
    let proposed = |action: &Action| ProposedAction {
        capability: action.capability.clone(),
        target: action.target.clone(),
        params: action.params.clone(),
    };
    PlanRequest {
        title: plan.title.clone(),
        why: plan.why.clone(),
        actions: plan.actions.iter().map(proposed).collect(),
        requester: crate::engine::requester(plan),
        requester_addr: None,
        incident_id: plan.incident_id,
        not_checkable: Vec::new(),
        demo: plan.demo,
        confidence: plan.confidence,
        on_failure: plan.on_failure,
        freeze_override: None,
    }
}

fn described(action: &Action) -> Value {
    json!({"id": action.id, "capability": action.capability, "target": action.target, "params": action.params, "diff": action.diff,
        "undo_of": action.undo_of, "adopts": action.adopts, "control_path": action.control_path})
}

/// A state as the surfaces spell it.
pub(crate) fn word(state: &impl serde::Serialize) -> String {
    serde_json::to_value(state).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
