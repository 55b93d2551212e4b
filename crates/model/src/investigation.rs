//! What is known of an incident: a revision of its investigation. The same inputs give the same bytes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Entity, EventId, Severity, Timestamp, target::TargetRef};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Investigation {
    pub revision: u32,
    /// One paragraph; every sentence cites events.
    pub summary: String,
    pub timeline: Vec<TimelineEntry>,
    /// Stages in ATT&CK order.
    pub attack_path: Vec<Stage>,
    pub graph: Graph,
    /// Sessions and their processes, roots first.
    pub process_tree: Vec<TreeNode>,
    /// Highest confidence first.
    pub hypotheses: Vec<Hypothesis>,
    pub not_checked: Vec<NotChecked>,
    pub proposed_plans: Vec<ProposedPlan>,
    /// What was done, in order.
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TimelineEntry {
    pub time: Timestamp,
    pub event_id: EventId,
    pub title: String,
    /// What the event itself says (a command, a path, a request): written by others, escaped, at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The lane this entry is drawn in.
    pub entity: Option<Entity>,
    pub severity: Option<Severity>,
    pub tactic: Option<String>,
    pub technique: Option<String>,
    /// How many alike events in a row this entry stands for.
    pub count: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stage {
    /// ATT&CK tactic short name.
    pub tactic: String,
    pub title: String,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    pub techniques: Vec<String>,
    pub event_ids: Vec<EventId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Graph {
    pub nodes: Vec<GraphNode>,
    pub edges: Vec<GraphEdge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GraphNode {
    /// `kind:value` of the entity.
    pub id: String,
    pub entity: Entity,
    /// The earliest tactic it takes part in: its column.
    pub tactic: Option<String>,
    pub severity: Option<Severity>,
    /// `attacker`, `victim`, `account`, `tool`, `artefact`, or `other`.
    pub role: String,
    pub event_count: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GraphEdge {
    pub from: String,
    pub to: String,
    pub label: String,
    /// On the attack path.
    pub hot: bool,
    pub event_ids: Vec<EventId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TreeNode {
    pub depth: u32,
    pub time: Timestamp,
    pub label: String,
    pub detail: String,
    pub event_id: EventId,
    pub severity: Option<Severity>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Hypothesis {
    pub title: String,
    /// 0 to 1.
    pub confidence: f64,
    pub evidence: Vec<Evidence>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    pub event_id: EventId,
    /// For the hypothesis, or against it.
    pub supports: bool,
    pub why: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotChecked {
    pub what: String,
    pub why: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProposedPlan {
    pub title: String,
    pub why: String,
    pub confidence: f64,
    pub actions: Vec<ProposedAction>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposedAction {
    /// `linux.block_ip`.
    pub capability: String,
    pub target: TargetRef,
    #[schema(value_type = Object)]
    pub params: serde_json::Value,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Step {
    pub name: String,
    pub found: String,
}
