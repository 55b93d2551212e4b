//! A plan: ordered actions with live diffs, one decision, and a hash that approvals bind to.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Action, ActionState, ApprovalId, Confirmation, IncidentId, PlanId, RiskTerm, Timestamp, UserId};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlanState {
    Proposed,
    Approved,
    Executing,
    /// Ended, whatever its actions say.
    Executed,
    Rejected,
    Denied,
    Expired,
    Superseded,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    Low,
    Medium,
    High,
    Critical,
}

/// What becomes of what a plan did when one of its actions does not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// It stays, and its undo is offered.
    #[default]
    Keep,
    /// It is undone, newest first.
    Undo,
}

impl OnFailure {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
    fn keeps(&self) -> bool {
        *self == Self::Keep
    }
}

/// What policy said, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Decision {
    pub allow: bool,
    pub denies: Vec<Reason>,
    /// Distinct people, none of them the requester, who must approve before anything runs.
    pub approvals_needed: u8,
    pub risk: Risk,
    pub risk_terms: Vec<RiskTerm>,
    /// What else must happen before and beside it.
    #[serde(default, skip_serializing_if = "Obligations::is_empty")]
    pub obligations: Obligations,
    /// The controls that this decision is evidence for: `SOC 2 CC7.4`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub controls: Vec<String>,
    /// SHA-256 of the typed input and of the policy set, hex.
    pub input_hash: String,
    pub policy_hash: String,
}

/// What an allowed plan owes besides its approvals.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Obligations {
    /// Who is told: `approvers`, `administrators`, `everyone`; a tenant's own policy may name others.
    pub notify: Vec<String>,
    /// It waits this long after its last approval, and anybody who may approve may stop it, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub veto_window_s: Option<u64>,
    /// A vote counts only from a browser session that gave a passkey or a code of an authenticator app in the last 5 minutes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub strong_session: bool,
    /// Why approvals and the above are asked for, or are not.
    pub because: Vec<Reason>,
}

impl Obligations {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A reason with a stable code.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    pub code: String,
    pub detail: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Approval {
    pub id: ApprovalId,
    pub user: UserId,
    pub user_name: String,
    pub at: Timestamp,
    /// The approver's own address, which no plan may cut off.
    pub client_addr: Option<String>,
    /// The last proof that their session was given before. A token gives none, and a vote of an older release did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Confirmation>,
    /// The hash that was approved.
    pub plan_hash: String,
}

/// A person who takes it upon themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Override {
    pub by: UserId,
    pub name: String,
    pub reason: String,
    pub at: Timestamp,
    /// Their own address, which no plan may cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_addr: Option<String>,
    /// The last proof that their session was given before; a token gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Confirmation>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Plan {
    pub id: PlanId,
    /// SHA-256, hex, over everything an approver sees, the target rows included.
    pub hash: String,
    pub state: PlanState,
    pub title: String,
    pub why: String,
    pub risk: Risk,
    /// Any of its targets is simulated.
    pub simulated: bool,
    pub demo: bool,
    pub incident_id: Option<IncidentId>,
    /// `usr_…`, or `system:investigation`, `system:expiry`.
    pub requester: String,
    pub requester_addr: Option<String>,
    pub actions: Vec<Action>,
    /// How many resources its changing actions reach, each counted once. Absent on plans from before it was computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blast_radius: Option<u32>,
    /// How long its run is expected to take: its actions, one after the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_ms: Option<u64>,
    pub decision: Decision,
    pub approvals: Vec<Approval>,
    pub rejected_reason: Option<String>,
    /// What becomes of its actions that were done when one of them does not succeed.
    #[serde(default, skip_serializing_if = "OnFailure::keeps")]
    pub on_failure: OnFailure,
    /// The plan this one undoes.
    pub undo_of: Option<PlanId>,
    /// Of the finding that it answers, 0 to 1; absent where a person asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// It is approved and waits until then, so that somebody may still say no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Its run is held by a halt since then: what is not begun waits for a person who resumes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_at: Option<Timestamp>,
    /// A person set the approvals aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<Override>,
    /// A person set a freeze aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freeze_override: Option<Override>,
    /// Nobody answered the request in time. It is not a yes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unanswered: bool,
    pub not_checkable: Vec<String>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}

impl Plan {
    /// Denied by a freeze and by nothing else: while it lasts, a broken glass may still let it go.
    pub fn only_frozen(&self) -> bool {
        let denies = &self.decision.denies;
        self.state == PlanState::Denied && !denies.is_empty() && denies.iter().all(|deny| deny.code == "change_freeze")
    }

    /// Why what it has not begun will not begin, in words. `None` while it may, and for a plan that ran.
    pub fn over(&self) -> Option<String> {
        let reason = self.rejected_reason.as_deref();
        let because = |text: &str| reason.map_or_else(|| text.to_owned(), |reason| format!("{text}: {reason}"));
        match self.state {
            PlanState::Rejected if self.not_before.is_some() => {
                Some(because("somebody stopped the plan while it waited"))
            }
            PlanState::Rejected => Some(because("the plan was rejected")),
            PlanState::Expired => Some(because("the plan expired before it began")),
            PlanState::Superseded => Some(because("the plan was superseded")),
            PlanState::Denied if self.only_frozen() => None,
            PlanState::Denied => {
                let denies = self.decision.denies.iter().map(|deny| format!("{}: {}", deny.code, deny.detail));
                Some(format!("policy denied the plan: {}", denies.collect::<Vec<_>>().join("; ")))
            }
            PlanState::Proposed | PlanState::Approved | PlanState::Executing | PlanState::Executed => None,
        }
    }

    /// Ends what never began; the actions that this changed, as they are now.
    pub fn skip_planned(&mut self, why: &str, now: Timestamp) -> Vec<Action> {
        let planned = self.actions.iter_mut().filter(|action| action.state == ActionState::Planned);
        let ended = planned.map(|action| {
            action.state = ActionState::Skipped;
            action.detail = Some(why.to_owned());
            action.updated_at = now;
            action.clone()
        });
        ended.collect()
    }
}
