//! The numbers and lists of the gate, as a tenant sets them. Policies read them; nothing here decides.

pub(crate) mod check;

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use shieldops_model::{Environment, UserId};
use utoipa::ToSchema;

use crate::calendar::Freeze;
pub use check::SettingsError;

/// Everything of the gate that a tenant may set. What is left out has its built-in value.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GateSettings {
    pub numbers: Numbers,
    /// Times in which nothing of purpose `change` runs.
    pub freezes: Vec<Freeze>,
    /// Saturday and Sunday are frozen, in every environment.
    pub weekends_frozen: bool,
    /// The IANA zone whose weekends count. Empty: UTC.
    pub weekend_zone: String,
    pub teams: Vec<Team>,
    /// What no action may touch.
    pub protected: Vec<ProtectedEntry>,
    pub never_block: NeverBlock,
}

/// The numbers that policies compare with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Numbers {
    pub limits: PerEnvironment<Limits>,
    /// Restarts of one target in an hour.
    pub restarts_per_hour: u32,
    /// Of each rate, how many actions automation may spend only for an incident of high or critical severity.
    pub kept_for_high_severity: u32,
    pub confidence: Bands,
    pub escalation: Escalation,
    /// A vote whose run has not begun after this is void, in seconds.
    pub vote_void_s: u32,
    /// What automation does ends after this, in seconds.
    pub automation_expiry_s: u32,
    /// What a person undid is not done again by automation for this long, in seconds.
    pub no_redo_s: u32,
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            limits: PerEnvironment::default(),
            restarts_per_hour: 5,
            kept_for_high_severity: 1,
            confidence: Bands::default(),
            escalation: Escalation::default(),
            vote_void_s: 900,
            automation_expiry_s: 86_400,
            no_redo_s: 86_400,
        }
    }
}

/// One value for each environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PerEnvironment<T> {
    pub development: T,
    pub staging: T,
    pub production: T,
}

impl<T> PerEnvironment<T> {
    pub const fn of(&self, environment: Environment) -> &T {
        match environment {
            Environment::Development => &self.development,
            Environment::Staging => &self.staging,
            Environment::Production => &self.production,
        }
    }

    pub const fn of_mut(&mut self, environment: Environment) -> &mut T {
        match environment {
            Environment::Development => &mut self.development,
            Environment::Staging => &mut self.staging,
            Environment::Production => &mut self.production,
        }
    }
}

/// What may be done in one environment. Zero permits nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Resources that one plan may reach.
    pub blast_radius: u32,
    /// Different resources that all plans of an hour may reach together.
    pub resources_per_hour: u32,
    /// The widest range of IPv4 addresses: the length of its prefix.
    pub ipv4_prefix: u8,
    pub ipv6_prefix: u8,
    pub per_minute: u32,
    pub per_hour: u32,
    pub per_team_hour: u32,
    /// How long a plan of automation waits for a veto, in seconds.
    pub veto_window_s: u32,
}

impl Default for PerEnvironment<Limits> {
    fn default() -> Self {
        let widest = |blast: u32, per_minute: u32, per_hour: u32, per_team_hour: u32, veto_window_s: u32| Limits {
            blast_radius: blast,
            resources_per_hour: blast,
            ipv4_prefix: 24,
            ipv6_prefix: 64,
            per_minute,
            per_hour,
            per_team_hour,
            veto_window_s,
        };
        Self {
            development: widest(50, 10, 100, 50, 60),
            staging: widest(20, 5, 50, 25, 120),
            production: widest(5, 3, 20, 10, 300),
        }
    }
}

/// What an investigation may ask for: below `low` nothing, below `high` only what a person approves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Bands {
    /// 0 to 1.
    pub low: f64,
    /// 0 to 1.
    pub high: f64,
}

impl Default for Bands {
    fn default() -> Self {
        Self { low: 0.5, high: 0.85 }
    }
}

/// When others are told of an approval that nobody gave: seconds since the request, then since the step before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Escalation {
    /// Then the approvers of the team are told.
    pub approvers_after_s: u32,
    /// Then the administrators are told.
    pub administrators_after_s: u32,
}

impl Default for Escalation {
    fn default() -> Self {
        Self { approvers_after_s: 300, administrators_after_s: 600 }
    }
}

/// People, and the targets on which they may act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Team {
    pub name: String,
    pub members: Vec<UserId>,
    /// A target is the team's when it carries all of these labels.
    pub labels: BTreeMap<String, String>,
}

impl Team {
    /// Whether a target with these labels is the team's.
    pub fn owns(&self, labels: &BTreeMap<String, String>) -> bool {
        self.labels.iter().all(|(key, value)| labels.get(key) == Some(value))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProtectedKind {
    Address,
    Range,
    User,
    /// An executable, by its path, or by its name in whatever folder.
    Process,
    /// A file or folder, and everything below it.
    Path,
    /// A domain and everything below it.
    Domain,
    /// The id or the name of a registered target.
    Target,
}

/// Something that no action may touch, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProtectedEntry {
    pub kind: ProtectedKind,
    pub value: String,
    pub why: String,
}

/// Networks that automation never blocks, because many others are behind them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NeverBlock {
    #[schema(value_type = Vec<String>)]
    pub proxy: Vec<IpNet>,
    #[schema(value_type = Vec<String>)]
    pub nat: Vec<IpNet>,
    #[schema(value_type = Vec<String>)]
    pub monitoring: Vec<IpNet>,
    #[schema(value_type = Vec<String>)]
    pub partner: Vec<IpNet>,
}

#[cfg(test)]
mod tests;
