//! An incident: alerts that share entities in time. Rendered as an OCSF Incident Finding (2005).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Attack, Entity, IncidentId, NoteId, Severity, Timestamp, UserId, Verdict};

/// OCSF `status_id` of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IncidentStatus {
    New,
    InProgress,
    OnHold,
    Resolved,
    Closed,
}

/// One term of a risk score: what was found, the points it adds, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RiskTerm {
    pub name: String,
    pub points: i32,
    pub why: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Incident {
    pub id: IncidentId,
    pub title: String,
    /// A person named it: the pipeline leaves the title alone.
    #[serde(default)]
    pub title_by_person: bool,
    pub severity: Severity,
    pub status: IncidentStatus,
    pub verdict: Option<Verdict>,
    pub verdict_reason: Option<String>,
    pub risk_score: u8,
    pub risk_terms: Vec<RiskTerm>,
    pub alert_count: u64,
    /// Matches over all its alerts.
    pub event_count: u64,
    pub entities: Vec<Entity>,
    pub attack: Attack,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    pub assignee: Option<UserId>,
    /// The incident this one was merged into.
    pub merged_into: Option<IncidentId>,
    /// The latest revision of its investigation; 0 before the first (such an incident is not listed).
    pub revision: u32,
    pub demo: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Note {
    pub id: NoteId,
    pub author: UserId,
    pub created_at: Timestamp,
    pub text: String,
}
