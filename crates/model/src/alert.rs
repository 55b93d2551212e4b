//! An alert: one rule, one set of entities, one window of time. Rendered as an OCSF Detection Finding (2004).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{AlertId, Entity, EventId, IncidentId, RiskTerm, Severity, TenantId, Timestamp, UserId};

/// What makes two matches the same alert; unique in the store, so that a replay is a no-op.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AlertKey {
    pub tenant: TenantId,
    pub rule_id: String,
    pub rule_version: String,
    /// SHA-256 over tenant, rule id and the grouping entities.
    pub fingerprint: [u8; 32],
    pub window_start: Timestamp,
}

/// OCSF `status_id` of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertStatus {
    New,
    InProgress,
    Suppressed,
    Resolved,
}

/// OCSF `verdict_id`, with the name used on every surface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    FalsePositive,
    TruePositive,
    BenignPositive,
    Duplicate,
}

/// An ATT&CK tactic or technique that a rule names in its tags.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, ToSchema)]
pub struct Attack {
    /// Short names: `initial-access`, `credential-access`.
    pub tactics: Vec<String>,
    /// Ids: `T1110`, `T1110.003`.
    pub techniques: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Alert {
    pub id: AlertId,
    /// The Sigma id.
    pub rule_id: String,
    pub rule_title: String,
    /// First 12 hex characters of the SHA-256 of the rule's text.
    pub rule_version: String,
    pub severity: Severity,
    pub status: AlertStatus,
    pub verdict: Option<Verdict>,
    pub verdict_reason: Option<String>,
    /// Hex of the 32 bytes.
    pub fingerprint: String,
    pub window_start: Timestamp,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    /// Matches in the window.
    pub count: u64,
    pub entities: Vec<Entity>,
    pub attack: Attack,
    /// The first events that matched, at most 50.
    pub event_ids: Vec<EventId>,
    pub incident_id: Option<IncidentId>,
    pub assignee: Option<UserId>,
    /// 0 to 100; the sum of the terms, bounded.
    pub risk_score: u8,
    pub risk_terms: Vec<RiskTerm>,
    pub demo: bool,
    /// Late events took the ground from this match of a correlation: another alert has taken it in, or it stands no more.
    #[serde(default)]
    pub superseded: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Grows with every change.
    pub version: i64,
}
