//! What an action acts on: a row that a person registered. Policy reads only these rows, never the caller's word.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Ssh, TargetId, TenantId, Timestamp};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    LinuxHost,
}

impl TargetKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LinuxHost => "linux_host",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    Development,
    Staging,
    #[default]
    Production,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Criticality {
    Low,
    #[default]
    Medium,
    High,
}

/// How a caller names a target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub struct TargetRef {
    /// `linux_host`.
    pub kind: String,
    /// `local`, `ssh/<name>`, `netns/<name>`, `twin/<name>` or `sim/<name>`.
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Target {
    pub id: TargetId,
    pub kind: TargetKind,
    pub name: String,
    /// The host name that telemetry gives this target, by which an investigation finds it.
    pub host: Option<String>,
    pub environment: Environment,
    pub criticality: Criticality,
    pub labels: BTreeMap<String, String>,
    pub owner: Option<String>,
    /// Nothing real happens on it; every surface says so.
    pub simulated: bool,
    /// The tenant, where it is not the installation's first: the simulators of tenants are kept apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realm: Option<TenantId>,
    /// Whose host it is or is on, where it is not reached over SSH: the node whose process first reached it. On another
    /// node the same name is another machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// How it is reached, where that is over SSH (`ssh/<name>`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh: Option<Box<Ssh>>,
    /// Never touched by any action.
    pub protected: bool,
    pub demo: bool,
    pub created_at: Timestamp,
    pub version: i64,
}

impl Target {
    pub fn reference(&self) -> TargetRef {
        TargetRef { kind: self.kind.as_str().to_owned(), name: self.name.clone() }
    }

    /// Whether it is the host of a process of ours, or on it.
    pub fn is_of_a_node(&self) -> bool {
        !self.name.starts_with("ssh/")
    }

    pub fn standing(&self) -> Standing {
        Standing {
            name: self.name.clone(),
            environment: self.environment,
            criticality: self.criticality,
            labels: self.labels.clone(),
            protected: self.protected,
        }
    }
}

/// What of a target's row holds back what is done to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    pub name: String,
    pub environment: Environment,
    pub criticality: Criticality,
    pub labels: BTreeMap<String, String>,
    pub protected: bool,
}

impl Standing {
    /// Whether less would hold back what is done to this row. Labels say whose it is and which grants cover it: any other
    /// label may let somebody in.
    pub fn is_above(&self, row: &Target) -> bool {
        self.environment > row.environment
            || self.criticality > row.criticality
            || (self.protected && !row.protected)
            || self.labels != row.labels
    }
}
