//! What the engine reads from the store for one evaluation. The default is: built-in numbers, nothing done yet,
//! nobody's grant, and nothing known that would let automation act on its own.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use shieldops_model::{ActionId, Environment, Severity, TargetId, Timestamp, UserId};
use utoipa::ToSchema;

use crate::{
    ActiveFreeze, GateSettings, NeverBlock, Numbers, PerEnvironment, ProtectedEntry, Requester, RequesterKind, Team,
    active_freezes,
};

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Situation {
    /// In force now.
    pub numbers: Numbers,
    pub protected: Vec<ProtectedEntry>,
    pub never_block: NeverBlock,
    /// Those that hold at `now`: see [`active_freezes`].
    pub freezes: Vec<ActiveFreeze>,
    /// A person's teams. For automation, the teams whose targets the plan reaches.
    pub teams: Vec<Team>,
    /// Never with the plan that is asked about.
    pub counts: Counts,
    /// Those that hold at `now`.
    pub grants: Vec<StandingGrant>,
    pub autonomy: Autonomy,
    /// Of the plan's incident.
    pub severity: Option<Severity>,
    /// Of the finding that the plan answers, 0 to 1. `None`: no investigation asked for it.
    pub confidence: Option<f64>,
    pub break_glass: Option<Override>,
    pub freeze_override: Option<Override>,
    /// For an undo that a person asks for.
    pub release: Option<Release>,
    /// What the store knows of single actions. None of it: the default.
    pub actions: BTreeMap<ActionId, ActionHistory>,
}

impl Situation {
    /// What follows from the settings alone. `labels` are those of the targets that the plan reaches.
    pub fn of<'a>(
        settings: &GateSettings,
        now: Timestamp,
        requester: &Requester,
        labels: impl IntoIterator<Item = &'a BTreeMap<String, String>>,
    ) -> Self {
        let labels: Vec<_> = labels.into_iter().collect();
        let concerned = |team: &&Team| match requester.kind {
            RequesterKind::User => team.members.iter().any(|member| member.to_string() == requester.id),
            RequesterKind::System => labels.iter().any(|labels| team.owns(labels)),
        };
        Self {
            numbers: settings.numbers.clone(),
            protected: settings.protected.clone(),
            never_block: settings.never_block.clone(),
            freezes: active_freezes(settings, now),
            teams: settings.teams.iter().filter(concerned).cloned().collect(),
            ..Self::default()
        }
    }
}

/// What was done lately, by environment. Undo and reading do not count.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Counts {
    pub last_minute: PerEnvironment<u32>,
    pub last_hour: PerEnvironment<u32>,
    /// The names of the resources that actions of the last hour reached: see `ActionInput::resources`.
    pub resources_last_hour: PerEnvironment<BTreeSet<String>>,
    /// Actions of the last hour by the team's name: those its members asked for, and those of automation on its targets.
    pub teams_last_hour: BTreeMap<String, PerEnvironment<u32>>,
}

impl Default for PerEnvironment<u32> {
    fn default() -> Self {
        Self { development: 0, staging: 0, production: 0 }
    }
}

impl Default for PerEnvironment<BTreeSet<String>> {
    fn default() -> Self {
        Self { development: BTreeSet::new(), staging: BTreeSet::new(), production: BTreeSet::new() }
    }
}

/// A person's leave, for a time, that automation does one thing on some targets without asking again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StandingGrant {
    /// As the store names it.
    pub id: String,
    pub capability: String,
    pub environment: Environment,
    /// The targets by id.
    pub targets: Vec<TargetId>,
    /// Targets that carry all of these; without labels, none but those named.
    pub labels: BTreeMap<String, String>,
    pub granted_by: UserId,
    pub expires_at: Timestamp,
}

/// How far automation may go, 0 observe to 4 act. The lowest of what is set holds; 2 where nothing is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Autonomy {
    pub tenant: Option<u8>,
    pub environments: BTreeMap<Environment, u8>,
    pub capabilities: BTreeMap<String, u8>,
    /// What the system lowered by itself.
    pub lowered: Vec<Lowered>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Lowered {
    pub capability: String,
    /// `None`: on every target.
    pub target: Option<TargetId>,
    pub to: u8,
    pub why: String,
}

/// A person who takes it upon themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// `usr_…`.
    pub by: String,
    pub reason: String,
}

/// An undo that lets go what was contained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Release {
    pub incident_open: bool,
    pub plan_was_critical: bool,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ActionHistory {
    /// Of the action's target.
    pub restarts_last_hour: u32,
    /// A person undid the same effect: automation may not do it again before this.
    pub not_again_before: Option<Timestamp>,
    /// A person rejected or vetoed the same effect: automation asks again before this.
    pub asks_again_before: Option<Timestamp>,
    pub address_source: AddressSource,
}

/// Whose word an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AddressSource {
    /// It came by UDP, or stands in a text whose sender nobody checked; or nobody knows.
    #[default]
    Untrusted,
    /// It came from a sender that had to prove who it is.
    Authenticated,
    /// A person named it.
    Person,
}

#[cfg(test)]
mod tests;
