//! The system lowers its own autonomy: after a failed or unverified action, after repeated drift, and when people take back
//! too much of what it did. Only people raise it again.

use shieldops_model::{Action, ActionState, Plan};
use shieldops_policy::RequesterKind;

use crate::{
    Engine, Error, Lowered, Outcomes, Write,
    engine::{door, requester},
};

/// What it is lowered to: act after approval.
const LOWERED: u8 = 2;
/// Drifts in a day that are too many.
const DRIFTS: u32 = 3;
/// Undone of the last actions, in percent, that is too much; and how many there must be to tell.
const UNDONE_PERCENT: u32 = 20;
const ENOUGH: u32 = 5;

impl Engine {
    /// What an action's new state says about the autonomy of its capability on its target. The state is not stored yet.
    pub(crate) async fn lower_after(&self, plan: &Plan, action: &Action) -> Result<Option<Write>, Error> {
        if requester(plan).kind != RequesterKind::System || door(plan) == shieldops_policy::Entry::Undo {
            return Ok(None);
        }
        let bad = matches!(action.state, ActionState::Failed | ActionState::Unverified | ActionState::Drifted);
        if !bad {
            return Ok(None);
        }
        let of_late = self.with.journal.outcomes(&action.capability, action.target_id, self.now()).await?;
        Ok(too_much(action.state, of_late).map(|why| self.lower(action, why)))
    }

    /// What the undo of an automation's action by a person says.
    pub(crate) async fn lower_after_undo(&self, original: &Action) -> Result<Option<Write>, Error> {
        if requester(&self.get_plan(original.plan_id).await?).kind != RequesterKind::System {
            return Ok(None);
        }
        let of_late = self.with.journal.outcomes(&original.capability, original.target_id, self.now()).await?;
        let stored = self.get_action(original.id).await?.state;
        Ok(too_often(stored, of_late).map(|why| self.lower(original, why)))
    }

    fn lower(&self, action: &Action, why: String) -> Write {
        Write::Lower(Box::new(Lowered {
            capability: action.capability.clone(),
            target: Some(action.target_id),
            to: LOWERED,
            why,
            at: self.now(),
            until: None,
        }))
    }
}

fn too_much(state: ActionState, of_late: Outcomes) -> Option<String> {
    match state {
        ActionState::Failed => Some("an action failed".to_owned()),
        ActionState::Unverified => Some("an action could not be verified".to_owned()),
        // This one is not counted yet.
        ActionState::Drifted if of_late.drifted + 1 >= DRIFTS => {
            Some(format!("{} actions drifted within a day", of_late.drifted + 1))
        }
        _ => None,
    }
}

/// With the undo that is asked for now, which is not counted yet unless it was tried before.
fn too_often(stored: ActionState, of_late: Outcomes) -> Option<String> {
    let counted = matches!(stored, ActionState::Undoing | ActionState::UndoFailed);
    let undone = (of_late.undone_of_last + u32::from(!counted)).min(of_late.last);
    let often = of_late.last >= ENOUGH && undone * 100 > of_late.last * UNDONE_PERCENT;
    often.then(|| format!("{undone} of the last {} actions were undone", of_late.last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_undone_of_five_are_too_many_and_the_one_that_is_undone_now_counts() {
        let of = |last, undone_of_last| Outcomes { last, undone_of_last, ..Outcomes::default() };
        assert_eq!(too_often(ActionState::Verified, of(5, 0)), None, "one of five is a fifth, and not more");
        assert_eq!(too_often(ActionState::Verified, of(5, 1)).as_deref(), Some("2 of the last 5 actions were undone"));
        assert_eq!(too_often(ActionState::UndoFailed, of(5, 1)), None, "tried again, it is the same undo");
        assert!(too_often(ActionState::Undoing, of(5, 2)).is_some());
        assert_eq!(too_often(ActionState::Verified, of(4, 3)), None, "too few to tell");
        assert!(
            too_often(ActionState::Verified, of(20, 4)).is_some()
                && too_often(ActionState::Verified, of(20, 3)).is_none()
        );
    }

    #[test]
    fn one_failure_or_three_drifts_are_too_much() {
        let drifted = |drifted| Outcomes { drifted, ..Outcomes::default() };
        assert!(too_much(ActionState::Failed, drifted(0)).is_some());
        assert!(too_much(ActionState::Unverified, drifted(0)).is_some());
        assert_eq!(too_much(ActionState::Drifted, drifted(1)), None);
        assert!(too_much(ActionState::Drifted, drifted(2)).is_some());
        assert_eq!(too_much(ActionState::Verified, drifted(9)), None);
    }
}
