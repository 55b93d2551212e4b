//! What policy is told: typed facts that the server computed or read, never the caller's word.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use shieldops_model::{ActionId, Criticality, Environment, Reason, Target, TargetId, TenantId, Timestamp};

/// What a capability may leave behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Changes nothing on the target.
    ReadOnly,
    /// Undo restores what was observed before.
    Reversible,
    /// Goes away by itself.
    Transient,
    Irreversible,
}

impl Class {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "read_only",
            Self::Reversible => "reversible",
            Self::Transient => "transient",
            Self::Irreversible => "irreversible",
        }
    }
}

/// Whether it stops an attack or changes how things run: a freeze binds only the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    Containment,
    Change,
}

/// Which door a plan comes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    Action,
    /// An undo, by a person or because the time of an action is over.
    Undo,
}

/// When policy is asked: only a run is held back by a halt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    Plan,
    Run,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RequesterKind {
    User,
    System,
}

/// Who asks: `usr_…` or `system:…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Requester {
    pub id: String,
    pub kind: RequesterKind,
}

/// What of the target hangs on the thing that an effect touches: shown before anybody approves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Dependant {
    /// `process`, `session`, `connection`, `service`, `job`, `action`.
    pub kind: String,
    pub name: String,
    pub detail: String,
}

/// What policy must know of a target, as read from it. Never compared.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// The addresses whose loss would cut off the target.
    pub own_addresses: Vec<IpAddr>,
    pub gateways: Vec<IpAddr>,
    pub dns_servers: Vec<IpAddr>,
    pub dependants: Vec<Dependant>,
    /// What the effect would take away and that may never go (the last administrator, our own process): each is a deny.
    pub untouchable: Vec<Reason>,
    /// The users, services and peers that the effect reaches, besides its target: its blast radius.
    pub resources: Vec<String>,
    /// What could not be read now, for the approver.
    pub not_checkable: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CapabilityInput {
    pub name: String,
    pub class: Class,
    pub purpose: Purpose,
    /// 1 to 3.
    pub base_risk: u8,
    pub effects: Vec<String>,
}

/// The registered row of a target, as far as policy reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetInput {
    pub id: TargetId,
    pub kind: String,
    pub name: String,
    pub environment: Environment,
    pub criticality: Criticality,
    pub labels: BTreeMap<String, String>,
    pub owner: Option<String>,
    pub simulated: bool,
    pub protected: bool,
}

impl From<&Target> for TargetInput {
    fn from(row: &Target) -> Self {
        Self {
            id: row.id,
            kind: row.kind.as_str().to_owned(),
            name: row.name.clone(),
            environment: row.environment,
            criticality: row.criticality,
            labels: row.labels.clone(),
            owner: row.owner.clone(),
            simulated: row.simulated,
            protected: row.protected,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ActionInput {
    pub id: ActionId,
    /// Hash of the state that the action starts from.
    pub from_hash: String,
    pub capability: CapabilityInput,
    pub target: TargetInput,
    /// As the capability's own type printed them again.
    pub params: serde_json::Value,
    /// The addresses that the effect reaches.
    pub reach: Vec<IpNet>,
    /// `None` when they could not be read.
    pub facts: Option<Facts>,
}

/// One question to policy: a whole plan, at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Input {
    pub tenant: TenantId,
    pub now: Timestamp,
    pub entry: Entry,
    pub stage: Stage,
    /// For an undo: the state is no longer what the action left.
    pub drifted: bool,
    pub automation_halted: bool,
    pub requester: Requester,
    /// Client addresses of the requester and of everybody who approved.
    pub operator_addresses: Vec<IpAddr>,
    /// Every person among them has a known address.
    pub operators_complete: bool,
    /// Empty while the plan is being made: such an evaluation permits nothing.
    pub plan_hash: String,
    pub plan_expires_at: Timestamp,
    pub actions: Vec<ActionInput>,
}
