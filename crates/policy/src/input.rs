//! What policy is told: typed facts that the server computed or read, never the caller's word.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
pub use shieldops_model::Dependant;
use shieldops_model::{ActionId, Criticality, Environment, Reason, Target, TargetId, TenantId, Timestamp};
use utoipa::ToSchema;

use crate::Situation;

/// What a capability may leave behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    Containment,
    Change,
}

/// Which door a plan comes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    Action,
    /// An undo, by a person or because the time of an action is over.
    Undo,
}

/// When policy is asked: only a run is held back by a halt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    Plan,
    Run,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RequesterKind {
    User,
    System,
}

/// Who asks: `usr_…` or `system:…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Requester {
    pub id: String,
    pub kind: RequesterKind,
}

/// What policy must know of a target, as read from it. Never compared.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Facts {
    /// The addresses whose loss would cut off the target.
    #[schema(value_type = Vec<String>)]
    pub own_addresses: Vec<IpAddr>,
    #[schema(value_type = Vec<String>)]
    pub gateways: Vec<IpAddr>,
    #[schema(value_type = Vec<String>)]
    pub dns_servers: Vec<IpAddr>,
    pub dependants: Vec<Dependant>,
    /// What the effect would take away and that may never go (the last administrator, our own process): each is a deny.
    pub untouchable: Vec<Reason>,
    /// The users, services and peers that the effect reaches, besides its target: its blast radius. `user:alice`,
    /// `service:sshd`, `peer:203.0.113.7`, `path:/etc/passwd`, `process:nginx`, `domain:example.com`.
    pub resources: Vec<String>,
    /// Things that the effect touches besides, for what is protected: files that it writes, programs that it ends. They are
    /// held against the protected entries, and are no part of the blast radius.
    pub touches: Vec<String>,
    /// What could not be read now, for the approver.
    pub not_checkable: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CapabilityInput {
    pub name: String,
    pub class: Class,
    pub purpose: Purpose,
    /// 1 to 3.
    pub base_risk: u8,
    pub effects: Vec<String>,
}

/// The registered row of a target, as far as policy reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ActionInput {
    pub id: ActionId,
    /// Hash of the state that the action starts from.
    pub from_hash: String,
    pub capability: CapabilityInput,
    pub target: TargetInput,
    /// As the capability's own type printed them again.
    pub params: serde_json::Value,
    /// The addresses that the effect reaches.
    #[schema(value_type = Vec<String>)]
    pub reach: Vec<IpNet>,
    /// What the effect reaches, each by one name, the target first: see [`resources`].
    #[serde(default)]
    pub resources: Vec<String>,
    /// `None` when they could not be read.
    pub facts: Option<Facts>,
}

/// One question to policy: a whole plan, at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
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
    #[schema(value_type = Vec<String>)]
    pub operator_addresses: Vec<IpAddr>,
    /// Every person among them has a known address.
    pub operators_complete: bool,
    /// Empty while the plan is being made: such an evaluation permits nothing.
    pub plan_hash: String,
    pub plan_expires_at: Timestamp,
    pub actions: Vec<ActionInput>,
    /// What the store knows.
    #[serde(default)]
    pub situation: Situation,
}

/// The names of everything that an effect reaches, once each: `target:ID`, what the target's facts name (`user:alice`,
/// `service:sshd`, `peer:203.0.113.7`), the peers among `seen` that are within reach, and every single address. A range
/// in which nobody was seen counts as one.
pub fn resources(target: TargetId, reach: &[IpNet], facts: &Facts, seen: &[IpAddr]) -> Vec<String> {
    let mut names = BTreeSet::new();
    names.extend(facts.resources.iter().cloned());
    for net in reach {
        let peers: Vec<String> =
            seen.iter().filter(|peer| net.contains(*peer)).map(|peer| format!("peer:{peer}")).collect();
        if net.prefix_len() == net.max_prefix_len() {
            names.insert(format!("peer:{}", net.addr()));
        } else if peers.is_empty() {
            names.insert(format!("range:{net}"));
        }
        names.extend(peers);
    }
    std::iter::once(format!("target:{target}")).chain(names).collect()
}
