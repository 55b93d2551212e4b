//! An action: one capability on one target, from an observed state to a desired one.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{ActionId, PlanId, TargetId, Timestamp, target::TargetRef};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActionState {
    Planned,
    Running,
    /// Accepted by the target, not yet in force.
    Settling,
    Verified,
    /// Could not be read back: neither in force nor not.
    Unverified,
    Failed,
    /// Its turn never came: an action before it did not succeed, or its plan ended without a run. Nothing was done.
    Skipped,
    /// Its turn came and it was not begun: the state drifted, or it was not permitted. Nothing was done.
    Aborted,
    Drifted,
    /// Its time is over and its undo was verified.
    Expired,
    Undoing,
    Undone,
    UndoFailed,
}

/// A line of a diff: a path into the state and what stands there before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiffLine {
    pub path: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// A live action that wants an effect, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Owner {
    pub action_id: ActionId,
    pub expires_at: Option<Timestamp>,
}

/// What a probe of the target saw, at one moment of an action's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Proof {
    /// `before`, `after`, `after_undo`.
    pub moment: String,
    pub at: Timestamp,
    /// `reachable`, `refused`, or `unknown`.
    pub result: String,
    pub detail: String,
}

/// How the server reaches the target, and whether the action could cut that way. Computed, never taken from a caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ControlPath {
    /// `local process` or `simulator`.
    pub via: String,
    /// The effect could cut the way that its own verify and undo need.
    pub at_risk: bool,
    pub why: String,
}

/// What of the target hangs on the thing that an effect touches: shown before anybody approves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct Dependant {
    /// `process`, `session`, `connection`, `service`, `job`, `action`.
    pub kind: String,
    pub name: String,
    pub detail: String,
}

/// How long an action is expected to take, from its intent to its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Estimate {
    pub ms: u64,
    /// It is the median of so many earlier actions of this capability; 0: it is what the capability says of itself.
    pub measured: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Action {
    pub id: ActionId,
    pub plan_id: PlanId,
    pub capability: String,
    pub target_id: TargetId,
    pub target: TargetRef,
    pub simulated: bool,
    pub demo: bool,
    #[schema(value_type = Object)]
    pub params: serde_json::Value,
    pub state: ActionState,
    /// What of the target it is about (`target id/capability/address`): actions with one key share an effect and own it together.
    pub state_key: String,
    /// The observed state that the plan was made against.
    #[schema(value_type = Object)]
    pub from: serde_json::Value,
    /// The state it should become.
    #[schema(value_type = Object)]
    pub to: serde_json::Value,
    pub diff: Vec<DiffLine>,
    /// The action that this one undoes. For the removal of an orphan, the action that its mark names.
    pub undo_of: Option<ActionId>,
    /// The action that the mark of an orphan names: this one takes the effect over as it stands and changes nothing.
    pub adopts: Option<ActionId>,
    /// The way to the target; absent on actions that were planned before it was computed.
    pub control_path: Option<ControlPath>,
    /// Nothing had to change.
    pub changed: bool,
    /// What undo will do, in a sentence.
    pub undo: String,
    /// `read_only`, `reversible`, `transient` or `irreversible`.
    pub class: String,
    /// What the effect reaches, each by one name, the target first: `target:tgt_…`, `peer:203.0.113.7`, `user:alice`. Computed
    /// from what the target reports and from what was seen in the events of 7 days, never taken from a caller.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// What of the target hangs on what it touches, as it was read when it was planned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependants: Vec<Dependant>,
    /// Absent on actions that were planned before it was computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Estimate>,
    /// Why it stands in its state.
    pub detail: Option<String>,
    /// The live actions that want the same effect, this one included.
    pub owners: Vec<Owner>,
    pub proofs: Vec<Proof>,
    pub expires_at: Option<Timestamp>,
    pub applied_at: Option<Timestamp>,
    pub verified_at: Option<Timestamp>,
    pub updated_at: Timestamp,
    pub version: i64,
}

/// An effect on a target that carries our mark and that no live action wants: a lost database, or a restored ruleset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Orphan {
    pub target_id: TargetId,
    pub target: TargetRef,
    pub simulated: bool,
    pub demo: bool,
    pub capability: String,
    /// What of the target it is about: with the capability it names the effect.
    pub key: String,
    /// The action that its mark names; it may be unknown here.
    pub action_id: ActionId,
    /// What an action would ask for to want exactly this effect.
    #[schema(value_type = Object)]
    pub params: serde_json::Value,
    pub detail: String,
    /// Until when the effect lasts by itself; absent: until somebody takes it away.
    pub expires_at: Option<Timestamp>,
    /// The open plan that adopts or undoes it.
    pub plan_id: Option<PlanId>,
}
