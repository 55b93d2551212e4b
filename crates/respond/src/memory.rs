//! A journal in memory: for the proof of capabilities and for tests, where a lost process is a dropped engine.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use ipnet::IpNet;
use serde_json::Value;
use shieldops_model::{
    Action, ActionId, ActionState, Environment, IncidentId, Owner, Plan, PlanId, PlanState, Target, TargetId,
    TargetRef, Timestamp, UserId,
};
use shieldops_policy::GateSettings;

use crate::{
    Asked, Automation, Change, Collected, Entry, InForce, Journal, JournalError, Lowered, Needed, OpenUndo, Outcomes,
    Right, Step, Surroundings, Use, Write,
};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
/// Actions of one page: few, so that tests see more than one.
const PAGE: usize = 3;

type Stored<T> = Result<T, JournalError>;

#[derive(Debug, Default)]
struct Tables {
    plans: BTreeMap<PlanId, (Plan, Option<String>)>,
    actions: BTreeMap<ActionId, Action>,
    steps: Vec<Step>,
    owners: BTreeMap<(String, ActionId), Owner>,
    baselines: BTreeMap<String, Value>,
    targets: BTreeMap<TargetId, Target>,
    automation: Automation,
    rules: BTreeMap<IncidentId, Vec<String>>,
    around: Surroundings,
    lifelines: Needed,
    /// People who may do nothing any more.
    gone: BTreeSet<UserId>,
    /// The tenant is suspended, say.
    closed: bool,
    anothers: BTreeSet<ActionId>,
    asked: Vec<Asked>,
    /// The tenant's own policies: version, hash and files.
    policies: Option<(InForce, Vec<(String, String)>)>,
    uses: Vec<Use>,
    undone: BTreeMap<String, Timestamp>,
    lowered: Vec<Lowered>,
    collected: Vec<(ActionId, Collected)>,
    entries: Vec<Entry>,
    /// Addresses that events spoke of, and when last.
    peers: BTreeMap<IpAddr, Timestamp>,
    /// Automation is halted together with the first entry of this kind.
    halt_with: Option<&'static str>,
    /// The first commit with an entry of this kind fails.
    fail_with: Option<&'static str>,
    /// The next target that is read by its id is not to be had.
    fail_target: bool,
}

#[derive(Debug, Default)]
pub struct MemoryJournal(Mutex<Tables>);

impl MemoryJournal {
    pub fn with_targets(targets: impl IntoIterator<Item = Target>) -> Self {
        let targets = targets.into_iter().map(|target| (target.id, target)).collect();
        Self(Mutex::new(Tables { targets, ..Tables::default() }))
    }

    pub fn put_target(&self, target: Target) {
        self.lock().targets.insert(target.id, target);
    }

    /// Somebody takes a target away.
    pub fn remove_target(&self, target: TargetId) {
        self.lock().targets.remove(&target);
    }

    /// Somebody halts automation just when an entry of this kind is written.
    pub fn halt_with(&self, kind: &'static str) {
        self.lock().halt_with = Some(kind);
    }

    /// The database fails just when an entry of this kind is written, once.
    pub fn fail_with(&self, kind: &'static str) {
        self.lock().fail_with = Some(kind);
    }

    /// The database fails when the next target is read, once.
    pub fn fail_target(&self) {
        self.lock().fail_target = true;
    }

    /// The ledger entries so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().entries.clone()
    }

    /// The plans that undo actions of this one.
    pub fn plans_of_undo(&self, plan: PlanId) -> Vec<PlanId> {
        self.lock().plans.values().filter(|(undo, _)| undo.undo_of == Some(plan)).map(|(undo, _)| undo.id).collect()
    }

    /// This action is another tenant's.
    pub fn put_anothers(&self, action: ActionId) {
        self.lock().anothers.insert(action);
    }

    /// Somebody's account is disabled.
    pub fn put_gone(&self, user: UserId) {
        self.lock().gone.insert(user);
    }

    /// The tenant is suspended, or is active again.
    pub fn set_closed(&self, closed: bool) {
        self.lock().closed = closed;
    }

    /// What no action may cut off from now on.
    pub fn put_lifelines(&self, needed: Needed) {
        self.lock().lifelines = needed;
    }

    /// What every evaluation sees around its plan.
    pub fn put_surroundings(&self, around: Surroundings) {
        self.lock().around = around;
    }

    /// The tenant's own policies from now on.
    pub fn put_policies(&self, number: i64, files: &[(&str, &str)]) {
        let files: Vec<_> = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        let in_force = InForce { sequence: number, number, hash: format!("{files:?}") };
        self.lock().policies = Some((in_force, files));
    }

    /// What policy was asked about plans that were written.
    pub fn asked(&self) -> Vec<Asked> {
        self.lock().asked.clone()
    }

    /// What the engine lowered by itself.
    pub fn lowered(&self) -> Vec<Lowered> {
        self.lock().lowered.clone()
    }

    /// Addresses that events speak of at a time.
    pub fn put_peers(&self, at: Timestamp, peers: Vec<IpAddr>) {
        self.lock().peers.extend(peers.into_iter().map(|peer| (peer, at)));
    }

    /// The rules whose alerts are in an incident.
    pub fn put_rules(&self, incident: IncidentId, rules: Vec<String>) {
        self.lock().rules.insert(incident, rules);
    }

    /// What was kept so far.
    pub fn collected(&self) -> Vec<(ActionId, Collected)> {
        self.lock().collected.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn write(&mut self, write: Write, at: Timestamp) -> Stored<()> {
        match write {
            Write::InsertPlan { plan, proposal } => {
                self.actions.extend(plan.actions.iter().map(|action| (action.id, action.clone())));
                self.plans.insert(plan.id, (*plan, proposal));
            }
            Write::UpdatePlan(plan) => {
                let (stored, _) = self.plans.get_mut(&plan.id).ok_or(JournalError::Conflict)?;
                check(stored.version, plan.version)?;
                *stored = Plan { version: plan.version + 1, ..*plan };
            }
            Write::UpdateAction(action) => {
                let stored = self.actions.get_mut(&action.id).ok_or(JournalError::Conflict)?;
                check(stored.version, action.version)?;
                *stored = Action { version: action.version + 1, ..*action };
            }
            Write::Step(step) => self.steps.push(step),
            Write::AddOwner { state_key, owner } => {
                self.owners.insert((state_key, owner.action_id), owner);
            }
            Write::RemoveOwner { state_key, action } => {
                self.owners.remove(&(state_key, action));
            }
            Write::KeepBaseline { state_key, state } => {
                self.baselines.entry(state_key).or_insert(state);
            }
            Write::DropBaseline { state_key } => {
                self.baselines.remove(&state_key);
            }
            Write::Collected { action, item } => self.collected.push((action, item)),
            Write::Asked(asked) => self.asked.push(*asked),
            Write::Use { begun, .. } => self.uses.push(*begun),
            Write::Undone { state_key, .. } => {
                self.undone.insert(state_key, at);
            }
            Write::Lower(lowered) => self.lowered.push(*lowered),
            Write::Automation(automation) => self.automation = automation,
            Write::Recorded(entry) => self.entries.push(entry),
        }
        Ok(())
    }

    fn owners_of(&self, state_key: &str) -> Vec<Owner> {
        self.owners.iter().filter(|((key, _), _)| key == state_key).map(|(_, owner)| owner.clone()).collect()
    }

    fn plans_where(&self, wanted: impl Fn(&Plan) -> bool) -> Vec<Plan> {
        self.plans.values().filter(|(plan, _)| wanted(plan)).map(|(plan, _)| self.full_plan(plan)).collect()
    }

    fn owning(&self, wanted: impl Fn(&Owner, &Action) -> bool) -> Vec<Action> {
        let mut found: Vec<Action> = self
            .owners
            .values()
            .filter_map(|owner| Some((owner, self.actions.get(&owner.action_id)?)))
            .filter(|(owner, action)| wanted(owner, action))
            .map(|(_, action)| self.full_action(action))
            .collect();
        found.sort_by_key(|action| action.id);
        found
    }

    fn full_action(&self, action: &Action) -> Action {
        Action { owners: self.owners_of(&action.state_key), ..action.clone() }
    }

    fn full_plan(&self, plan: &Plan) -> Plan {
        let actions = plan
            .actions
            .iter()
            .filter_map(|action| self.actions.get(&action.id))
            .map(|action| self.full_action(action));
        Plan { actions: actions.collect(), ..plan.clone() }
    }
}

fn check(stored: i64, read_at: i64) -> Stored<()> {
    if stored == read_at { Ok(()) } else { Err(JournalError::Conflict) }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn plan(&self, id: PlanId) -> Stored<Option<Plan>> {
        let tables = self.lock();
        Ok(tables.plans.get(&id).map(|(plan, _)| tables.full_plan(plan)))
    }

    async fn action(&self, id: ActionId) -> Stored<Option<Action>> {
        let tables = self.lock();
        Ok(tables.actions.get(&id).map(|action| tables.full_action(action)))
    }

    async fn plans_in(&self, states: &[PlanState]) -> Stored<Vec<Plan>> {
        let tables = self.lock();
        Ok(tables
            .plans
            .values()
            .filter(|(plan, _)| states.contains(&plan.state))
            .map(|(plan, _)| tables.full_plan(plan))
            .collect())
    }

    async fn left_planned(&self, now: Timestamp) -> Stored<Vec<Plan>> {
        let tables = self.lock();
        let over = |plan: &Plan| match plan.state {
            PlanState::Rejected | PlanState::Expired | PlanState::Superseded => true,
            PlanState::Denied => plan.expires_at <= now,
            _ => false,
        };
        let plans = tables.plans.values().filter(|(plan, _)| over(plan)).map(|(plan, _)| tables.full_plan(plan));
        Ok(plans.filter(|plan| plan.actions.iter().any(|action| action.state == ActionState::Planned)).collect())
    }

    async fn overdue(&self, now: Timestamp) -> Stored<Vec<Plan>> {
        Ok(self.lock().plans_where(|plan| plan.state == PlanState::Proposed && plan.expires_at <= now))
    }

    async fn undos_asked(&self, of: PlanId) -> Stored<Vec<Plan>> {
        let asked = [PlanState::Proposed, PlanState::Approved, PlanState::Executing, PlanState::Rejected];
        Ok(self.lock().plans_where(|plan| plan.undo_of == Some(of) && asked.contains(&plan.state)))
    }

    async fn owning(&self, states: &[ActionState]) -> Stored<Vec<Action>> {
        Ok(self.lock().owning(|_owner, action| states.contains(&action.state)))
    }

    async fn due(&self, now: Timestamp) -> Stored<Vec<Action>> {
        Ok(self.lock().owning(|owner, _action| owner.expires_at.is_some_and(|time| time <= now)))
    }

    async fn changed_since(
        &self,
        states: &[ActionState],
        from: Timestamp,
        behind: Option<(Timestamp, ActionId)>,
    ) -> Stored<Vec<Action>> {
        let tables = self.lock();
        let wanted = |action: &&Action| {
            let place = Some((action.updated_at, action.id));
            states.contains(&action.state) && action.updated_at >= from && place > behind
        };
        let mut found: Vec<Action> =
            tables.actions.values().filter(wanted).map(|action| tables.full_action(action)).collect();
        found.sort_by_key(|action| (action.updated_at, action.id));
        found.truncate(PAGE);
        Ok(found)
    }

    async fn plan_for(&self, incident: IncidentId, proposal: &str) -> Stored<Option<Plan>> {
        let tables = self.lock();
        let mut found = tables.plans.values().rev();
        Ok(found
            .find(|(plan, key)| plan.incident_id == Some(incident) && key.as_deref() == Some(proposal))
            .map(|(plan, _)| tables.full_plan(plan)))
    }

    async fn plans_of(&self, incident: IncidentId) -> Stored<Vec<Plan>> {
        let tables = self.lock();
        Ok(tables
            .plans
            .values()
            .filter(|(plan, _)| plan.incident_id == Some(incident))
            .map(|(plan, _)| tables.full_plan(plan))
            .collect())
    }

    async fn target(&self, id: TargetId) -> Stored<Option<Target>> {
        let mut tables = self.lock();
        if std::mem::take(&mut tables.fail_target) {
            return Err(JournalError::Failed("the database is away".to_owned()));
        }
        Ok(tables.targets.get(&id).cloned())
    }

    async fn find_target(&self, name: &TargetRef) -> Stored<Option<Target>> {
        Ok(self.lock().targets.values().find(|target| target.reference() == *name).cloned())
    }

    async fn targets(&self) -> Stored<Vec<Target>> {
        Ok(self.lock().targets.values().cloned().collect())
    }

    async fn owners(&self, state_key: &str) -> Stored<Vec<Owner>> {
        Ok(self.lock().owners_of(state_key))
    }

    async fn baseline(&self, state_key: &str) -> Stored<Option<Value>> {
        Ok(self.lock().baselines.get(state_key).cloned())
    }

    async fn steps(&self, action: ActionId) -> Stored<Vec<Step>> {
        Ok(self.lock().steps.iter().filter(|step| step.action == action).cloned().collect())
    }

    async fn automation(&self) -> Stored<Automation> {
        Ok(self.lock().automation.clone())
    }

    async fn is_open(&self) -> Stored<bool> {
        Ok(!self.lock().closed)
    }

    async fn rules_of(&self, incident: IncidentId) -> Stored<Vec<String>> {
        Ok(self.lock().rules.get(&incident).cloned().unwrap_or_default())
    }

    async fn is_anothers(&self, action: ActionId) -> Stored<bool> {
        Ok(self.lock().anothers.contains(&action))
    }

    async fn open_undos_of_many(&self, _from: Timestamp) -> Stored<Vec<OpenUndo>> {
        let tables = self.lock();
        Ok(OpenUndo::among(tables.entries.iter().map(|one| (one.kind, one.actor.as_str(), &one.payload))))
    }

    async fn may_still(&self, user: UserId, _right: Right, _environments: &[Environment]) -> Stored<bool> {
        Ok(!self.lock().gone.contains(&user))
    }

    async fn lifelines(&self, _now: Timestamp, own_host: bool) -> Stored<Needed> {
        let known = self.lock().lifelines.clone();
        Ok(if own_host { known } else { Needed { others: Vec::new(), ..known } })
    }

    async fn surroundings(&self, plan: &Plan, _now: Timestamp, since: Timestamp) -> Stored<Surroundings> {
        let tables = self.lock();
        let mut around = tables.around.clone();
        around.uses.extend(tables.uses.iter().filter(|one| one.at > since.minus(HOUR)).cloned());
        let keys = plan.actions.iter().filter_map(|action| tables.undone.get_key_value(&action.state_key));
        around.undone.extend(keys.map(|(key, at)| (key.clone(), *at)));
        let refused =
            tables.plans.values().filter(|(plan, _)| plan.state == PlanState::Rejected && plan.undo_of.is_none());
        for (refused, _) in refused {
            let same = |key: &String| refused.actions.iter().any(|action| action.state_key == *key);
            for key in plan.actions.iter().map(|action| &action.state_key).filter(|key| same(key)) {
                let at = around.refused.entry(key.clone()).or_insert(refused.updated_at);
                *at = refused.updated_at.max(*at);
            }
        }
        Ok(around)
    }

    async fn settings(&self) -> Stored<GateSettings> {
        Ok(self.lock().around.settings.clone())
    }

    async fn policies(&self) -> Stored<Option<InForce>> {
        Ok(self.lock().policies.as_ref().map(|(in_force, _)| in_force.clone()))
    }

    async fn policy_files(&self, _number: i64) -> Stored<Vec<(String, String)>> {
        Ok(self.lock().policies.as_ref().map(|(_, files)| files.clone()).unwrap_or_default())
    }

    async fn outcomes(&self, capability: &str, target: TargetId, now: Timestamp) -> Stored<Outcomes> {
        let tables = self.lock();
        let mine = |action: &&Action| {
            action.capability == capability && action.target_id == target && action.undo_of.is_none()
        };
        let mut outcomes = Outcomes::default();
        for action in tables.actions.values().filter(mine) {
            outcomes.last += 1;
            match action.state {
                ActionState::Failed => outcomes.failed += 1,
                ActionState::Unverified => outcomes.unverified += 1,
                ActionState::Undone => outcomes.undone_of_last += 1,
                _ => {}
            }
        }
        let drifted = |step: &&Step| {
            let of = tables.actions.get(&step.action).filter(mine);
            step.at > now.minus(DAY) && step.kind == "observed" && step.detail["state"] == "drifted" && of.is_some()
        };
        outcomes.drifted = u32::try_from(tables.steps.iter().filter(drifted).count()).unwrap_or(u32::MAX);
        Ok(outcomes)
    }

    async fn peers(&self, ranges: &[IpNet], from: Timestamp, limit: usize) -> Stored<Vec<IpAddr>> {
        let tables = self.lock();
        let lately = tables.peers.iter().filter(|(_, at)| **at >= from).map(|(peer, _)| *peer);
        Ok(lately.filter(|peer| ranges.iter().any(|net| net.contains(peer))).take(limit).collect())
    }

    async fn durations(&self, capability: &str, simulated: bool) -> Stored<Vec<u64>> {
        let tables = self.lock();
        let did = |action: &&Action| {
            (action.capability.as_str(), action.simulated) == (capability, simulated)
                && (action.undo_of, action.state) == (None, ActionState::Verified)
        };
        let at = |action: ActionId, kind: &str| {
            tables.steps.iter().rfind(|step| step.action == action && step.kind == kind).map(|step| step.at)
        };
        let took = |action: &Action| Some(at(action.id, "outcome")?.since(at(action.id, "intent")?));
        let spans = tables.actions.values().filter(did).filter_map(took);
        Ok(spans.map(|span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX)).collect())
    }

    async fn commit(&self, change: Change) -> Stored<()> {
        let mut tables = self.lock();
        if change.entry.as_ref().is_some_and(|entry| Some(entry.kind) == tables.fail_with) {
            tables.fail_with = None;
            return Err(JournalError::Failed("the database is away".to_owned()));
        }
        if change.entry.is_none() && change.writes.iter().any(|write| !matches!(write, Write::Step(_))) {
            return Err(JournalError::Failed("a change without its entry".to_owned()));
        }
        let before = (tables.plans.clone(), tables.actions.clone());
        let (rows, rest): (Vec<_>, Vec<_>) = change.writes.into_iter().partition(may_conflict);
        if let Err(error) = rows.into_iter().try_for_each(|write| tables.write(write, change.at)) {
            (tables.plans, tables.actions) = before;
            return Err(error);
        }
        rest.into_iter().try_for_each(|write| tables.write(write, change.at))?;
        if change.entry.as_ref().is_some_and(|entry| Some(entry.kind) == tables.halt_with) {
            (tables.automation.halted, tables.halt_with) = (true, None);
        }
        tables.entries.extend(change.entry);
        Ok(())
    }
}

/// Whether somebody else may have written the row meanwhile; no other write fails.
const fn may_conflict(write: &Write) -> bool {
    matches!(write, Write::InsertPlan { .. } | Write::UpdatePlan(_) | Write::UpdateAction(_))
}

#[cfg(test)]
pub(crate) mod tests;
