//! What the engine remembers, behind a narrow door: each commit is one transaction with its ledger entry.

mod notices;
mod store;

use std::net::IpAddr;

use async_trait::async_trait;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shieldops_model::{
    Action, ActionId, ActionState, Environment, IncidentId, Owner, Plan, PlanId, PlanState, Target, TargetId,
    TargetRef, Timestamp, UserId,
};
use shieldops_policy::GateSettings;
pub use shieldops_store::{
    facts::Automation,
    gate::{autonomy::Lowered, inputs::Asked, outcomes::Outcomes, policies::InForce, uses::Use},
};
pub use store::StoreJournal;

use crate::{Collected, Needed, OpenUndo, Right, Surroundings};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The row changed since it was read.
    #[error("the object changed meanwhile")]
    Conflict,
    /// A step of a run, in a process that may not reach the tenant's targets.
    #[error("another process responds for this tenant now")]
    Elsewhere,
    #[error("{0}")]
    Failed(String),
}

/// A step of an action, written before or after what it tells of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub action: ActionId,
    pub at: Timestamp,
    /// `run_started`, `intent`, `revert_armed`, `child`, `child_ended`, `collected`, `observed`, `disarmed`, `outcome`, `paused`, `resumed`, `taking_back`.
    pub kind: String,
    pub detail: Value,
}

/// One write of a commit. A row is written over the version it was read at; stored, its version is one more.
#[derive(Debug, Clone)]
pub enum Write {
    /// The plan and its actions, at the versions they have.
    InsertPlan {
        plan: Box<Plan>,
        proposal: Option<String>,
    },
    /// The plan's own row.
    UpdatePlan(Box<Plan>),
    UpdateAction(Box<Action>),
    Step(Step),
    AddOwner {
        state_key: String,
        owner: Owner,
    },
    RemoveOwner {
        state_key: String,
        action: ActionId,
    },
    /// The state before the first owner; one that stands is left alone.
    KeepBaseline {
        state_key: String,
        state: Value,
    },
    DropBaseline {
        state_key: String,
    },
    /// What the action read, kept; its hash goes into the entry.
    Collected {
        action: ActionId,
        item: Collected,
    },
    Automation(Automation),
    /// What policy was asked about the plan that is written, and what it said.
    Asked(Box<Asked>),
    /// An action begins: it counts for the rates.
    /// What began before `kept_since` counts no more, and goes.
    Use {
        begun: Box<Use>,
        kept_since: Timestamp,
    },
    /// A person undid what was done to this state.
    Undone {
        state_key: String,
        by: String,
    },
    /// Automation may do less: this capability, on this target.
    Lower(Box<Lowered>),
    /// What the ledger is told of another plan that the commit ends, before the commit's own entry.
    Recorded(Entry),
}

/// What the ledger is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub kind: &'static str,
    pub subjects: Vec<String>,
    /// `usr_…` or `system:…`.
    pub actor: String,
    pub payload: Value,
}

/// One transaction. Only bookkeeping (steps alone) has no entry.
#[derive(Debug, Clone)]
pub struct Change {
    pub at: Timestamp,
    pub writes: Vec<Write>,
    pub entry: Option<Entry>,
}

impl Change {
    /// Whether it tells of something that was begun, seen or changed at a target.
    fn is_of_a_run(&self) -> bool {
        self.writes.iter().any(|write| matches!(write, Write::Step(step) if step.kind != "outcome"))
    }
}

/// The memory of one tenant's engine. Reads see every commit that returned.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// With its actions and their owners.
    async fn plan(&self, id: PlanId) -> Result<Option<Plan>, JournalError>;
    async fn action(&self, id: ActionId) -> Result<Option<Action>, JournalError>;
    /// Oldest first.
    async fn plans_in(&self, states: &[PlanState]) -> Result<Vec<Plan>, JournalError>;
    /// Plans that ended without a run and have actions that were never begun, oldest first, some hundred at most. One that
    /// policy denied is among them when its time is over: until then a broken glass may let it go.
    async fn left_planned(&self, now: Timestamp) -> Result<Vec<Plan>, JournalError>;
    /// Proposed plans whose time is over, oldest first, a thousand at most.
    async fn overdue(&self, now: Timestamp) -> Result<Vec<Plan>, JournalError>;
    /// The plans that undo something of this one and wait, run, or were rejected, oldest first.
    async fn undos_asked(&self, of: PlanId) -> Result<Vec<Plan>, JournalError>;
    /// Undos of many that were begun since and have not ended.
    async fn open_undos_of_many(&self, from: Timestamp) -> Result<Vec<OpenUndo>, JournalError>;
    /// Actions that own a state and stand in one of these states, oldest first: all of them.
    async fn owning(&self, states: &[ActionState]) -> Result<Vec<Action>, JournalError>;
    /// Actions that own a state whose time is over, whatever became of them, oldest first: all of them.
    async fn due(&self, now: Timestamp) -> Result<Vec<Action>, JournalError>;
    /// Actions in these states that changed at `from` or later, in the order of their last change, a thousand at most; the
    /// next page begins behind the last of this one.
    async fn changed_since(
        &self,
        states: &[ActionState],
        from: Timestamp,
        behind: Option<(Timestamp, ActionId)>,
    ) -> Result<Vec<Action>, JournalError>;
    /// The newest plan that was made for this proposal.
    async fn plan_for(&self, incident: IncidentId, proposal: &str) -> Result<Option<Plan>, JournalError>;
    async fn plans_of(&self, incident: IncidentId) -> Result<Vec<Plan>, JournalError>;
    async fn target(&self, id: TargetId) -> Result<Option<Target>, JournalError>;
    async fn find_target(&self, name: &TargetRef) -> Result<Option<Target>, JournalError>;
    async fn targets(&self) -> Result<Vec<Target>, JournalError>;
    async fn owners(&self, state_key: &str) -> Result<Vec<Owner>, JournalError>;
    async fn baseline(&self, state_key: &str) -> Result<Option<Value>, JournalError>;
    /// Oldest first.
    async fn steps(&self, action: ActionId) -> Result<Vec<Step>, JournalError>;
    async fn automation(&self) -> Result<Automation, JournalError>;
    /// Whether the tenant is active. In every other state its people cannot say no, so nothing new is done.
    async fn is_open(&self) -> Result<bool, JournalError>;
    /// The Sigma ids of the rules whose alerts are in this incident.
    async fn rules_of(&self, incident: IncidentId) -> Result<Vec<String>, JournalError>;
    /// Whether an action is of another tenant of this installation: what carries its mark is somebody else's.
    async fn is_anothers(&self, action: ActionId) -> Result<bool, JournalError>;
    /// Whether somebody may still do what they did.
    async fn may_still(&self, user: UserId, right: Right, environments: &[Environment]) -> Result<bool, JournalError>;
    /// What no action may cut off: what the server lives by, and where people work who are signed in; those of other tenants
    /// where it is done to the server's own host.
    async fn lifelines(&self, now: Timestamp, own_host: bool) -> Result<Needed, JournalError>;
    /// What an evaluation of this plan needs besides the plan. `since`: `now`, or before it where the clock is in doubt; what
    /// is counted or paused is read from its window before that.
    async fn surroundings(&self, plan: &Plan, now: Timestamp, since: Timestamp) -> Result<Surroundings, JournalError>;
    /// The gate's settings in force.
    async fn settings(&self) -> Result<GateSettings, JournalError>;
    /// The tenant's own policies that are in force at this moment.
    async fn policies(&self) -> Result<Option<InForce>, JournalError>;
    /// The files of a version of them, tests among them.
    async fn policy_files(&self, number: i64) -> Result<Vec<(String, String)>, JournalError>;
    /// How a capability did on a target of late.
    async fn outcomes(&self, capability: &str, target: TargetId, now: Timestamp) -> Result<Outcomes, JournalError>;
    /// The addresses within these ranges that events spoke of from a time on; at most so many of each range.
    async fn peers(&self, ranges: &[IpNet], from: Timestamp, limit: usize) -> Result<Vec<IpAddr>, JournalError>;
    /// How long the last actions of a capability took that did what they should, in milliseconds.
    async fn durations(&self, capability: &str, simulated: bool) -> Result<Vec<u64>, JournalError>;
    /// All of it or nothing.
    async fn commit(&self, change: Change) -> Result<(), JournalError>;
}
