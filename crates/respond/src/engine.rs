//! The engine of one tenant: what it holds, and the small steps that its operations share.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
    time::Duration,
};

use ipnet::IpNet;
use serde_json::Value;
use shieldops_model::{
    Action, ActionId, Clock, Id, Owner, Plan, PlanId, PlanState, Target, TargetId, TenantId, Timestamp, id,
};
use shieldops_policy::{
    ActionInput, CapabilityInput, Entry as Door, Evaluation, Explanation, Input, Policy, Requester, RequesterKind,
    Stage, canonical, explain,
};
use tokio::sync::{Notify, OwnedMutexGuard, mpsc};
use tokio_util::task::TaskTracker;

use crate::{
    AnyCapability, Automation, Change, CrashPoints, Entry, Error, Finding, Journal, Observed, Registry, RescueFolder,
    Step, Write,
    clocks::Clocks,
    lanes::{Lanes, Tries},
    policies::Policies,
    settle::Settling,
    waits::Waits,
};

/// What an engine is made of.
pub struct EngineOptions {
    pub tenant: TenantId,
    pub journal: Arc<dyn Journal>,
    pub registry: Arc<Registry>,
    pub policy: Arc<Policy>,
    pub clock: Arc<dyn Clock>,
    /// Runs are spawned here, so that a drain waits for them.
    pub tracker: TaskTracker,
    pub crash: CrashPoints,
    /// Told of drift and orphans. A full queue drops the notice, never the ledger entry.
    pub findings: Option<mpsc::Sender<Finding>>,
    /// Where the inverses lie that a rescue needs. Without it there is no rescue.
    pub rescue: Option<RescueFolder>,
}

impl std::fmt::Debug for EngineOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineOptions")
            .field("tenant", &self.tenant)
            .field("registry", &self.registry)
            .finish_non_exhaustive()
    }
}

/// Plans, runs, verifies, watches and undoes: the one gate to the outside world.
#[derive(Debug)]
pub struct Engine {
    pub(crate) with: EngineOptions,
    /// One run per target.
    targets: Mutex<HashMap<TargetId, Arc<tokio::sync::Mutex<()>>>>,
    /// Votes and state changes of plans, one at a time.
    pub(crate) votes: tokio::sync::Mutex<()>,
    /// Runs begin one at a time, from the count of what was begun to their own start.
    pub(crate) starts: tokio::sync::Mutex<()>,
    pub(crate) ended: Notify,
    /// Orphans of each target that were already reported.
    pub(crate) told: Mutex<HashMap<TargetId, HashSet<String>>>,
    pub(crate) waits: Waits,
    pub(crate) clocks: Clocks,
    pub(crate) policies: Policies,
    pub(crate) settling: Settling,
    pub(crate) lanes: Lanes,
    /// Plans whose runs were cut off, and when they were last taken up.
    pub(crate) taken_up: Tries<PlanId>,
    explaining: Arc<tokio::sync::Mutex<()>>,
    /// The tenant was not active when last looked at.
    pub(crate) closed: AtomicBool,
}

/// One action, resolved against the world: its capability, its target's row, and what was just read.
#[derive(Clone)]
pub(crate) struct Ready {
    pub(crate) capability: Arc<dyn AnyCapability>,
    pub(crate) target: Target,
    pub(crate) reach: Vec<IpNet>,
    pub(crate) observed: Observed<Value>,
    /// What the effect reaches, each by one name.
    pub(crate) resources: Vec<String>,
}

impl Engine {
    pub fn new(with: EngineOptions) -> Arc<Self> {
        let clocks = Clocks::new(with.clock.now(), with.clock.boot());
        Arc::new(Self {
            with,
            targets: Mutex::default(),
            votes: tokio::sync::Mutex::default(),
            starts: tokio::sync::Mutex::default(),
            ended: Notify::new(),
            told: Mutex::default(),
            waits: Waits::default(),
            clocks,
            policies: Policies::default(),
            settling: Settling::default(),
            lanes: Lanes::default(),
            taken_up: Tries::default(),
            explaining: Arc::default(),
            closed: AtomicBool::default(),
        })
    }

    pub fn registry(&self) -> &Registry {
        &self.with.registry
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.with.clock.now()
    }

    pub(crate) fn mint<K: id::Kind>(&self) -> Id<K> {
        id::mint(self.now(), &mut rand::rng())
    }

    pub(crate) fn crash(&self, name: &'static str) -> Result<(), Error> {
        self.with.crash.reach(name)
    }

    pub(crate) fn capability(&self, name: &str) -> Result<&Arc<dyn AnyCapability>, Error> {
        self.with.registry.find(name).ok_or_else(|| Error::UnknownCapability(name.to_owned()))
    }

    pub(crate) async fn get_plan(&self, id: PlanId) -> Result<Plan, Error> {
        self.with.journal.plan(id).await?.ok_or(Error::NotFound)
    }

    pub(crate) async fn get_action(&self, id: ActionId) -> Result<Action, Error> {
        self.with.journal.action(id).await?.ok_or(Error::NotFound)
    }

    pub(crate) async fn get_target(&self, id: TargetId) -> Result<Target, Error> {
        self.with.journal.target(id).await?.ok_or_else(|| Error::UnknownTarget(id.to_string()))
    }

    /// The plan's targets, held for one run; in one order, so that two runs never wait for each other.
    pub(crate) async fn hold_targets(&self, targets: impl IntoIterator<Item = TargetId>) -> Vec<OwnedMutexGuard<()>> {
        let mut ids: Vec<TargetId> = targets.into_iter().collect();
        ids.sort_unstable();
        ids.dedup();
        let mut held = Vec::with_capacity(ids.len());
        for id in ids {
            let lock = Arc::clone(self.targets.lock().unwrap_or_else(PoisonError::into_inner).entry(id).or_default());
            held.push(lock.lock_owned().await);
        }
        held
    }

    /// The same where nobody is at any of them; `None` where somebody is.
    pub(crate) fn try_hold(&self, targets: impl IntoIterator<Item = TargetId>) -> Option<Vec<OwnedMutexGuard<()>>> {
        let ids: BTreeSet<TargetId> = targets.into_iter().collect();
        let mut locks = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        ids.into_iter().map(|id| Arc::clone(locks.entry(id).or_default()).try_lock_owned().ok()).collect()
    }

    /// Reads the target now.
    pub(crate) async fn look(&self, capability: &str, target: Target, params: &Value) -> Result<Ready, Error> {
        let capability = Arc::clone(self.capability(capability)?);
        let wants = capability.describe().target_kind;
        if wants != target.kind.as_str() {
            return Err(Error::Params(format!("this capability is for a {wants}, not for a {}", target.kind.as_str())));
        }
        let reach = capability.reach(params)?;
        let observed = capability.observe(&target, params).await?;
        let resources = self.resources(&target, &reach, &observed.facts).await?;
        Ok(Ready { capability, target, reach, observed, resources })
    }

    pub(crate) fn action_input(ready: &Ready, id: ActionId, from: &Value, params: &Value) -> ActionInput {
        let described = ready.capability.describe();
        ActionInput {
            id,
            from_hash: canonical::hash(from),
            capability: CapabilityInput {
                name: described.name.to_owned(),
                class: described.class,
                purpose: described.purpose,
                base_risk: described.base_risk,
                effects: described.effects.iter().map(|effect| (*effect).to_owned()).collect(),
            },
            target: (&ready.target).into(),
            params: params.clone(),
            reach: ready.reach.clone(),
            resources: ready.resources.clone(),
            facts: Some(ready.observed.facts.clone()),
        }
    }

    /// Asks policy about a plan as it stands, with fresh facts.
    pub(crate) async fn evaluate(
        &self,
        plan: &Plan,
        ready: &[Ready],
        stage: Stage,
        drifted: bool,
    ) -> Result<Evaluation, Error> {
        let evaluation = self.ask(plan, ready, stage, drifted).await?;
        self.policies.remember(plan.id, &evaluation);
        Ok(evaluation)
    }

    /// The same of a plan that is not written.
    pub(crate) async fn ask(
        &self,
        plan: &Plan,
        ready: &[Ready],
        stage: Stage,
        drifted: bool,
    ) -> Result<Evaluation, Error> {
        let input = self.input(plan, ready, stage, drifted).await?;
        self.judge(input).await
    }

    async fn input(&self, plan: &Plan, ready: &[Ready], stage: Stage, drifted: bool) -> Result<Input, Error> {
        let pairs = plan.actions.iter().zip(ready);
        let mut actions: Vec<ActionInput> =
            pairs.map(|(action, ready)| Self::action_input(ready, action.id, &action.from, &action.params)).collect();
        let mut situation = self.situation(plan, ready, &actions).await?;
        self.hold_against(plan, ready, &mut actions, &mut situation).await?;
        let (operator_addresses, operators_complete) = operators(plan);
        Ok(Input {
            tenant: self.with.tenant,
            now: self.now(),
            entry: door(plan),
            stage,
            drifted,
            automation_halted: self.halted().await?,
            requester: requester(plan),
            operator_addresses,
            operators_complete,
            plan_hash: plan.hash.clone(),
            plan_expires_at: plan.expires_at,
            actions,
            situation,
        })
    }

    /// Why policy decides about a plan as it does: with the facts of now, as at its planning.
    pub async fn explain(&self, id: PlanId) -> Result<Explanation, Error> {
        let plan = self.get_plan(id).await?;
        let ready = self.look_at_all(&plan).await?;
        let drifted = self.undo_drifted(&plan, &ready).await?;
        let input = self.input(&plan, &ready, Stage::Plan, drifted).await?;
        let policy = self.explainer(input.entry).await?;
        // Some thousand evaluations: one explanation at a time, also when nobody waits for it any more.
        let turn = Arc::clone(&self.explaining).lock_owned().await;
        let explained = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            explain(&policy, &input)
        });
        explained.await.map_err(|error| Error::Internal(error.to_string()))
    }

    /// By a person, or because the tenant is not active.
    pub(crate) async fn halted(&self) -> Result<bool, Error> {
        Ok(!self.with.journal.is_open().await? || self.with.journal.automation().await?.halted)
    }

    /// One transaction: writes and their entry.
    pub(crate) async fn commit(&self, mut writes: Vec<Write>, entry: Entry) -> Result<(), Error> {
        self.policies.hand_over(&mut writes);
        Ok(self.with.journal.commit(Change { at: self.now(), writes, entry: Some(entry) }).await?)
    }

    pub(crate) fn step(&self, action: ActionId, kind: &str, detail: Value) -> Write {
        Write::Step(Step { action, at: self.now(), kind: kind.to_owned(), detail })
    }

    /// Writes the plan's row and advances the copy in hand. A plan that ends without a run ends its actions with it.
    pub(crate) async fn save_plan(&self, plan: &mut Plan, mut writes: Vec<Write>, entry: Entry) -> Result<(), Error> {
        plan.updated_at = self.now();
        let ended = match plan.over() {
            Some(why) => self.end_actions(plan, &why, &mut writes),
            None => Vec::new(),
        };
        writes.push(Write::UpdatePlan(Box::new(plan.clone())));
        self.commit(writes, entry).await?;
        plan.version += 1;
        plan.actions.iter_mut().filter(|action| ended.contains(&action.id)).for_each(|action| action.version += 1);
        Ok(())
    }

    /// Writes the action's row and advances the copy in hand.
    pub(crate) async fn save_action(
        &self,
        action: &mut Action,
        mut writes: Vec<Write>,
        entry: Entry,
    ) -> Result<(), Error> {
        action.updated_at = self.now();
        writes.push(Write::UpdateAction(Box::new(action.clone())));
        self.commit(writes, entry).await?;
        action.version += 1;
        Ok(())
    }

    /// Waits until the plan's run ended or the time is over, and says how it stands.
    pub async fn wait(&self, id: PlanId, at_most: Duration) -> Result<Plan, Error> {
        let deadline = tokio::time::Instant::now() + at_most;
        loop {
            let ended = self.ended.notified();
            let plan = self.get_plan(id).await?;
            let over = !matches!(plan.state, PlanState::Approved | PlanState::Executing);
            if over || tokio::time::timeout_at(deadline, ended).await.is_err() {
                return Ok(plan);
            }
        }
    }

    pub async fn automation(&self) -> Result<Automation, Error> {
        Ok(self.with.journal.automation().await?)
    }
}

/// What the ledger says of a plan and its actions.
pub(crate) fn entry(kind: &'static str, actor: &str, plan: &Plan, payload: Value) -> Entry {
    let mut subjects = vec![plan.id.to_string()];
    subjects.extend(plan.incident_id.map(|id| id.to_string()));
    Entry { kind, subjects, actor: actor.to_owned(), payload }
}

/// What the ledger says of one action.
pub(crate) fn action_entry(kind: &'static str, actor: &str, action: &Action, payload: Value) -> Entry {
    let mut subjects = vec![action.id.to_string(), action.plan_id.to_string(), action.target_id.to_string()];
    subjects.extend(action.undo_of.or(action.adopts).map(|id| id.to_string()));
    let mut payload = payload;
    if let Value::Object(fields) = &mut payload {
        fields.insert("simulated".to_owned(), action.simulated.into());
        fields.insert("capability".to_owned(), action.capability.clone().into());
        fields.insert("target".to_owned(), action.target.name.clone().into());
    }
    Entry { kind, subjects, actor: actor.to_owned(), payload }
}

/// Who carries plans out.
pub(crate) const EXECUTOR: &str = "system:executor";

pub(crate) fn door(plan: &Plan) -> Door {
    if plan.undo_of.is_some() || removes_orphan(plan) { Door::Undo } else { Door::Action }
}

/// An undo of what no action of ours owns: the action in its mark may not even be known.
pub(crate) fn removes_orphan(plan: &Plan) -> bool {
    plan.undo_of.is_none() && plan.actions.iter().any(|action| action.undo_of.is_some())
}

pub(crate) fn requester(plan: &Plan) -> Requester {
    let kind = if plan.requester.starts_with("system:") { RequesterKind::System } else { RequesterKind::User };
    Requester { id: plan.requester.clone(), kind }
}

/// The client addresses of everybody who asked, approved or broke the glass, and whether every person's is known.
pub(crate) fn operators(plan: &Plan) -> (Vec<IpAddr>, bool) {
    let mut texts: Vec<Option<&str>> = plan.approvals.iter().map(|approval| approval.client_addr.as_deref()).collect();
    texts.extend(plan.break_glass.iter().map(|person| person.client_addr.as_deref()));
    if requester(plan).kind == RequesterKind::User {
        texts.push(plan.requester_addr.as_deref());
    }
    let parsed: Vec<Option<IpAddr>> = texts.into_iter().map(|text| text.and_then(address)).collect();
    let complete = parsed.iter().all(Option::is_some);
    let mut addresses: Vec<IpAddr> = parsed.into_iter().flatten().collect();
    addresses.sort_unstable();
    addresses.dedup();
    (addresses, complete)
}

/// An address, with or without a port; an IPv4 address in IPv6 clothes is IPv4.
pub(crate) fn address(text: &str) -> Option<IpAddr> {
    let parsed = text.parse::<IpAddr>().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    parsed.map(|ip| ip.to_canonical())
}

/// How long from `now` the last of these owners wants the effect; `None` when one wants it until undone.
pub(crate) fn span(owners: &[Owner], now: Timestamp) -> Option<Duration> {
    let mut latest = now;
    for owner in owners {
        latest = latest.max(owner.expires_at?);
    }
    Some(latest.since(now))
}
