//! The journal in the state database: each commit is one transaction with its ledger entry.

mod around;

use std::{fmt::Display, net::IpAddr, sync::Arc};

use async_trait::async_trait;
use ipnet::IpNet;
use serde_json::{Value, json};
use shieldops_model::{
    Action, ActionId, ActionState, Environment, IncidentId, Owner, Plan, PlanId, PlanState, Target, TargetId,
    TargetRef, TenantState, Timestamp, UserId,
};
use shieldops_policy::GateSettings;
use shieldops_store::{
    Actor, Duty, Job, PageRequest, Reader, StoreError, TenantScope, Tx, actions, alerts, collected, facts, gate,
    ledger, outbox, peers, people, plans, targets,
};

use crate::{Lifelines, Needed, OpenUndo, Outcomes, Right, Standing, Surroundings};

use super::{Automation, Change, Entry, InForce, Journal, JournalError, Step, Write, notices};

/// Entries of undos of many that are looked through, the newest.
const UNDOS: u32 = 200;

/// The memory of one tenant's engine, in the store.
#[derive(Debug, Clone)]
pub struct StoreJournal {
    scope: TenantScope,
    /// Syslog is taken from senders that prove nothing.
    open_syslog: bool,
    server: Arc<Lifelines>,
    /// Who may still do what they did; without it, everybody.
    people: Option<Arc<dyn Standing>>,
    /// Whose it is to reach the tenant's targets; without it, this process'.
    duty: Option<Duty>,
}

impl From<StoreError> for JournalError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict => return Self::Conflict,
            StoreError::Fenced { .. } => return Self::Elsewhere,
            _ => {}
        }
        tracing::error!(%error, cause = ?std::error::Error::source(&error).map(ToString::to_string), "the journal's store failed");
        Self::Failed(error.to_string())
    }
}

type Stored<T> = Result<T, JournalError>;

impl StoreJournal {
    pub fn new(scope: TenantScope, open_syslog: bool) -> Self {
        Self { scope, open_syslog, server: Arc::default(), people: None, duty: None }
    }

    /// Steps of runs are written by the process that has this duty alone. The intent stands before the effect: so only
    /// one process reaches the targets.
    #[must_use]
    pub fn on_duty(self, duty: Duty) -> Self {
        Self { duty: Some(duty), ..self }
    }

    /// With what the server lives by.
    #[must_use]
    pub fn living_by(self, server: Arc<Lifelines>) -> Self {
        Self { server, ..self }
    }

    /// With who knows what people may do.
    #[must_use]
    pub fn standing(self, people: Arc<dyn Standing>) -> Self {
        Self { people: Some(people), ..self }
    }

    async fn read(&self) -> Stored<Reader> {
        Ok(self.scope.read().await?)
    }

    /// A target that is a host of ours, or on it, is this node's from the first time on that its process has the duty to reach
    /// it: whoever takes the duty over runs on another machine, which has a target of the same name.
    async fn bound(&self, target: Target) -> Stored<Target> {
        let duty = self.duty.as_ref().filter(|_| target.node.is_none() && target.is_of_a_node());
        let Some(duty) = duty else { return Ok(target) };
        let Some(lease) = duty.lease().await else { return Ok(target) };
        let scope = self.scope.fenced(&lease);
        let mut tx = scope.begin().await?;
        let Some(mut row) = targets::find(&mut tx, target.id).await? else { return Ok(target) };
        if row.node.is_none() {
            let node = scope.store().node();
            row.node = Some(node.to_owned());
            targets::bind(&mut tx, &row).await?;
            tx.record("target.bound", &[&row.id], json!({"name": row.name, "node": node}))?;
            tx.commit(scope.store().clock().now()).await?;
        }
        Ok(row)
    }

    async fn each_bound(&self, found: impl IntoIterator<Item = Target>) -> Stored<Vec<Target>> {
        let mut bound = Vec::new();
        for target in found {
            bound.push(self.bound(target).await?);
        }
        Ok(bound)
    }
}

#[async_trait]
impl Journal for StoreJournal {
    async fn plan(&self, id: PlanId) -> Stored<Option<Plan>> {
        Ok(plans::find(&mut self.read().await?, id).await?)
    }

    async fn action(&self, id: ActionId) -> Stored<Option<Action>> {
        Ok(actions::find(&mut self.read().await?, id).await?)
    }

    async fn plans_in(&self, states: &[PlanState]) -> Stored<Vec<Plan>> {
        let mut reader = self.read().await?;
        let mut found = Vec::new();
        for state in states {
            found.extend(plans::in_state(&mut reader, *state).await?);
        }
        found.sort_by_key(|plan| plan.id);
        Ok(found)
    }

    async fn left_planned(&self, now: Timestamp) -> Stored<Vec<Plan>> {
        Ok(plans::left_planned(&mut self.read().await?, now).await?)
    }

    async fn overdue(&self, now: Timestamp) -> Stored<Vec<Plan>> {
        Ok(plans::overdue(&mut self.read().await?, now).await?)
    }

    async fn undos_asked(&self, of: PlanId) -> Stored<Vec<Plan>> {
        Ok(plans::undos_asked(&mut self.read().await?, of).await?)
    }

    async fn owning(&self, states: &[ActionState]) -> Stored<Vec<Action>> {
        Ok(actions::owning(&mut self.read().await?, states).await?)
    }

    async fn due(&self, now: Timestamp) -> Stored<Vec<Action>> {
        Ok(actions::due(&mut self.read().await?, now).await?)
    }

    async fn changed_since(
        &self,
        states: &[ActionState],
        from: Timestamp,
        behind: Option<(Timestamp, ActionId)>,
    ) -> Stored<Vec<Action>> {
        Ok(actions::changed_since(&mut self.read().await?, states, from, behind).await?)
    }

    async fn plan_for(&self, incident: IncidentId, proposal: &str) -> Stored<Option<Plan>> {
        Ok(plans::find_by_proposal(&mut self.read().await?, incident, proposal).await?)
    }

    async fn plans_of(&self, incident: IncidentId) -> Stored<Vec<Plan>> {
        let filter = plans::Filter { incident: Some(incident), ..plans::Filter::default() };
        let mut reader = self.read().await?;
        let (mut found, mut page) = (Vec::new(), PageRequest::default());
        loop {
            let got = plans::list(&mut reader, &filter, &page).await?;
            found.extend(got.items);
            match got.next_cursor {
                Some(cursor) => page.cursor = Some(cursor),
                None => return Ok(found),
            }
        }
    }

    async fn target(&self, id: TargetId) -> Stored<Option<Target>> {
        let found = targets::find(&mut self.read().await?, id).await?;
        Ok(self.each_bound(found).await?.pop())
    }

    async fn find_target(&self, name: &TargetRef) -> Stored<Option<Target>> {
        let found = targets::find_named(&mut self.read().await?, name).await?;
        Ok(self.each_bound(found).await?.pop())
    }

    async fn targets(&self) -> Stored<Vec<Target>> {
        let all = targets::all(&mut self.read().await?).await?;
        self.each_bound(all).await
    }

    async fn owners(&self, state_key: &str) -> Stored<Vec<Owner>> {
        Ok(actions::owners(&mut self.read().await?, state_key).await?)
    }

    async fn baseline(&self, state_key: &str) -> Stored<Option<Value>> {
        Ok(actions::baseline(&mut self.read().await?, state_key).await?)
    }

    async fn steps(&self, action: ActionId) -> Stored<Vec<Step>> {
        let steps = actions::journal_of(&mut self.read().await?, action).await?;
        Ok(steps.into_iter().map(|step| Step { action, at: step.at, kind: step.kind, detail: step.detail }).collect())
    }

    async fn automation(&self) -> Stored<Automation> {
        Ok(facts::automation(&mut self.read().await?).await?)
    }

    async fn is_open(&self) -> Stored<bool> {
        let tenant = self.scope.store().get_tenant(self.scope.tenant()).await?;
        Ok(tenant.state == TenantState::Active)
    }

    async fn rules_of(&self, incident: IncidentId) -> Stored<Vec<String>> {
        Ok(alerts::rules_in(&mut self.read().await?, incident).await?)
    }

    async fn is_anothers(&self, action: ActionId) -> Stored<bool> {
        if actions::find(&mut self.read().await?, action).await?.is_some() {
            return Ok(false);
        }
        let store = self.scope.store();
        for tenant in store.tenants().await?.into_iter().filter(|tenant| tenant.id != self.scope.tenant()) {
            let theirs = store.job(tenant.id, Job::Response)?;
            if actions::find(&mut theirs.read().await?, action).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn open_undos_of_many(&self, from: Timestamp) -> Stored<Vec<OpenUndo>> {
        let filter = ledger::Filter { kind: Some("undo.".to_owned()), from: Some(from), ..ledger::Filter::default() };
        let page = PageRequest { limit: Some(UNDOS), ..PageRequest::default() };
        let entries = ledger::list(&mut self.read().await?, &filter, &page).await?.items;
        Ok(OpenUndo::among(entries.iter().map(|one| (one.kind.as_str(), one.actor.as_str(), &one.payload))))
    }

    async fn may_still(&self, user: UserId, right: Right, environments: &[Environment]) -> Stored<bool> {
        match &self.people {
            Some(people) => people.may_still(user, right, environments).await,
            None => Ok(true),
        }
    }

    async fn lifelines(&self, now: Timestamp, own_host: bool) -> Stored<Needed> {
        around::lifelines(&self.scope, &self.server, now, own_host).await
    }

    async fn surroundings(&self, plan: &Plan, now: Timestamp, since: Timestamp) -> Stored<Surroundings> {
        around::read(&self.scope, self.open_syslog, plan, (now, since)).await
    }

    async fn settings(&self) -> Stored<GateSettings> {
        let in_force = gate::settings::in_force(&mut self.read().await?).await?;
        around::settings(in_force.map(|version| version.document).as_ref())
    }

    async fn policies(&self) -> Stored<Option<InForce>> {
        Ok(gate::policies::in_force(&mut self.read().await?).await?)
    }

    async fn policy_files(&self, number: i64) -> Stored<Vec<(String, String)>> {
        let content = gate::policies::content(&mut self.read().await?, number).await?;
        let gone = || JournalError::Failed(format!("version {number} of the policies is not there"));
        content.map(|content| content.files).ok_or_else(gone)
    }

    async fn outcomes(&self, capability: &str, target: TargetId, now: Timestamp) -> Stored<Outcomes> {
        Ok(gate::outcomes::of(&mut self.read().await?, capability, target, now).await?)
    }

    async fn peers(&self, ranges: &[IpNet], from: Timestamp, limit: usize) -> Stored<Vec<IpAddr>> {
        let ends: Vec<(IpAddr, IpAddr)> = ranges.iter().map(|net| (net.network(), net.broadcast())).collect();
        Ok(peers::within(&mut self.read().await?, &ends, from, limit).await?)
    }

    async fn durations(&self, capability: &str, simulated: bool) -> Stored<Vec<u64>> {
        Ok(actions::durations(&mut self.read().await?, capability, simulated, crate::reached::MEASURED).await?)
    }

    async fn commit(&self, change: Change) -> Stored<()> {
        let told = notices::of(&change);
        let mut tx = match self.duty.as_ref().filter(|_| change.is_of_a_run()) {
            Some(duty) => self.scope.fenced(&duty.lease().await.ok_or(JournalError::Elsewhere)?).begin().await?,
            None => self.scope.begin().await?,
        };
        for write in change.writes {
            carry_out(&mut tx, write, change.at).await?;
        }
        for notice in &told {
            outbox::queue(&mut tx, notice, change.at, change.at).await?;
        }
        if let Some(entry) = change.entry {
            record(&mut tx, entry).await?;
        }
        Ok(tx.commit(change.at).await?)
    }
}

async fn carry_out(tx: &mut Tx, write: Write, at: Timestamp) -> Stored<()> {
    match write {
        Write::InsertPlan { plan, proposal } => plans::insert(tx, &plan, proposal.as_deref()).await?,
        Write::UpdatePlan(mut plan) => plans::update(tx, &mut plan).await?,
        Write::UpdateAction(mut action) => actions::update(tx, &mut action).await?,
        Write::Step(step) => {
            actions::journal(tx, step.action, &step.kind, &step.detail, step.at).await?;
        }
        Write::AddOwner { state_key, owner } => actions::add_owner(tx, &state_key, &owner).await?,
        Write::RemoveOwner { state_key, action } => actions::remove_owner(tx, &state_key, action).await?,
        Write::KeepBaseline { state_key, state } => actions::keep_baseline(tx, &state_key, &state).await?,
        Write::DropBaseline { state_key } => actions::drop_baseline(tx, &state_key).await?,
        Write::Collected { action, item } => {
            let new = collected::New {
                name: item.name,
                media_type: item.media_type.to_owned(),
                note: item.note,
                bytes: item.bytes,
            };
            collected::keep(tx, action, &new, at).await?;
        }
        Write::Asked(asked) => gate::inputs::keep(tx, &asked).await?,
        Write::Use { begun, kept_since } => gate::uses::begin(tx, &begun, kept_since).await?,
        Write::Undone { state_key, by } => gate::undone::note(tx, &state_key, &by, at).await?,
        Write::Lower(lowered) => {
            if gate::autonomy::lower(tx, &lowered).await? {
                outbox::queue(tx, &notices::lowered(&lowered), at, at).await?;
            }
        }
        Write::Automation(automation) => facts::set_automation(tx, &automation).await?,
        Write::Recorded(entry) => record(tx, entry).await?,
    }
    Ok(())
}

async fn record(tx: &mut Tx, entry: Entry) -> Stored<()> {
    let known = if entry.actor.starts_with("usr_") { people::users(tx).await? } else { Vec::new() };
    let name = known
        .into_iter()
        .find(|user| user.id.to_string() == entry.actor)
        .map_or_else(|| entry.actor.clone(), |user| user.name);
    let subjects: Vec<&dyn Display> = entry.subjects.iter().map(|subject| subject as &dyn Display).collect();
    Ok(tx.record_as(&Actor { id: entry.actor, name }, entry.kind, &subjects, entry.payload)?)
}
