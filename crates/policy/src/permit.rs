//! The permit: the only thing that lets a capability act. It is made here and nowhere else, moved and so used
//! once, and bound to one action of one plan, its target, and the state that it starts from.

use std::collections::BTreeSet;

use shieldops_model::{ActionId, Approval, TargetId};

use crate::{Entry, Evaluation, Inverse, canonical};

/// Why no permit was made, or why one does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("policy denies it: {}", codes.join(", "))]
    Denied { codes: Vec<String> },
    #[error("{have} of {need} approvals")]
    NotApproved { have: usize, need: usize },
    #[error("the plan has expired")]
    Expired,
    #[error("policy was not asked about a run of this plan")]
    NotEvaluated,
    #[error("the permit is for another {of}")]
    Mismatch { of: &'static str },
}

/// What people said of the plan.
#[derive(Debug, Clone, Copy)]
pub struct Grant<'a> {
    pub approvals: &'a [Approval],
    /// Fresh randomness: tells one permit from another in a journal.
    pub nonce: [u8; 16],
}

/// Leave to do one action once.
#[must_use = "a permit that is dropped permits nothing"]
#[derive(Debug)]
pub struct Permit {
    action: ActionId,
    plan_hash: String,
    target: TargetId,
    from_hash: String,
    nonce: [u8; 16],
}

impl Evaluation {
    /// A permit for `action`, when policy allows its plan and enough people approved exactly that plan.
    ///
    /// An undo that finds the state as the action left it is covered by the approval of that action: policy then
    /// asks for no approval of its own, and age does not matter.
    pub fn permit(&self, action: ActionId, grant: Grant<'_>) -> Result<Permit, Refused> {
        let input = &self.input;
        if input.plan_hash.is_empty() || input.stage != crate::Stage::Run {
            return Err(Refused::NotEvaluated);
        }
        if !self.decision.allow {
            let codes = self.decision.denies.iter().map(|deny| deny.code.clone()).collect();
            return Err(Refused::Denied { codes });
        }
        if input.entry == Entry::Action && input.now >= input.plan_expires_at {
            return Err(Refused::Expired);
        }
        let need = usize::from(self.decision.approvals_needed);
        let have = approvers(&input.plan_hash, &input.requester.id, grant.approvals);
        if have < need {
            return Err(Refused::NotApproved { have, need });
        }
        let permitted = input.actions.iter().find(|known| known.id == action).ok_or(Refused::NotEvaluated)?;
        Ok(Permit {
            action,
            plan_hash: input.plan_hash.clone(),
            target: permitted.target.id,
            from_hash: permitted.from_hash.clone(),
            nonce: grant.nonce,
        })
    }
}

/// Distinct people other than the requester who approved this very hash.
fn approvers(plan_hash: &str, requester: &str, approvals: &[Approval]) -> usize {
    let people: BTreeSet<String> = approvals
        .iter()
        .filter(|approval| approval.plan_hash == plan_hash)
        .map(|approval| approval.user.to_string())
        .filter(|user| user != requester)
        .collect();
    people.len()
}

impl Permit {
    /// Of a record that was sealed before the action was done.
    pub(crate) fn rescue(inverse: &Inverse, nonce: [u8; 16]) -> Self {
        Self {
            action: inverse.action,
            plan_hash: inverse.plan_hash.clone(),
            target: inverse.target.id,
            from_hash: canonical::hash(&inverse.left),
            nonce,
        }
    }

    pub fn action(&self) -> ActionId {
        self.action
    }

    pub fn plan_hash(&self) -> &str {
        &self.plan_hash
    }

    /// Hex, for journals.
    pub fn nonce(&self) -> String {
        hex::encode(self.nonce)
    }

    /// Fits only the target and the state that it was made for; gives the permit back to be handed on.
    pub fn fitting(self, target: TargetId, from: &serde_json::Value) -> Result<Self, Refused> {
        if self.target != target {
            return Err(Refused::Mismatch { of: "target" });
        }
        if self.from_hash != canonical::hash(from) {
            return Err(Refused::Mismatch { of: "state" });
        }
        Ok(self)
    }
}

#[cfg(test)]
pub(crate) mod tests;
