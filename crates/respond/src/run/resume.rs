//! A run that was cut off or held goes on: what became of it is reckoned up, and the rest needs leave again.

use shieldops_model::{ActionState, Plan, Timestamp};
use shieldops_policy::{Entry as Door, Evaluation, Stage};

use super::{
    End,
    turn::{Turn, reverting},
};
use crate::{
    Engine, Error,
    engine::{Ready, door},
    recover::SILENT,
};

impl Engine {
    pub(super) async fn go_on_with(&self, plan: Plan, ready: &[Ready]) -> Result<Plan, Error> {
        let since = last_sign(&plan);
        let mut plan = self.reckon(&plan, ready).await?;
        if self.still_settles(&plan) {
            return Ok(plan);
        }
        let open =
            |plan: &Plan, states: &[ActionState]| plan.actions.iter().any(|action| states.contains(&action.state));
        if !open(&plan, &[ActionState::Planned, ActionState::Running]) {
            return self.end_run(plan.id).await;
        }
        let drifted = self.undo_drifted(&plan, ready).await?;
        let evaluation = self.evaluate(&plan, ready, Stage::Run, drifted).await?;
        let (held, refusal) = (self.held(&plan).await?, Self::refusal(&plan, ready, &evaluation)?);
        if open(&plan, &[ActionState::Running]) {
            let against = match &refusal {
                _ if held => Some("automation is halted".to_owned()),
                Some(reasons) => reasons.first().map(|reason| format!("{}: {}", reason.code, reason.detail)),
                None => None,
            };
            plan = self.secure_armed(&plan, ready, &evaluation, against.as_deref()).await?;
        }
        if held {
            return self.pause(plan).await;
        }
        if let Some(reasons) = refusal {
            return self.deny(plan, reasons).await;
        }
        if self.too_old(&plan, since).await? {
            let why = "what was agreed to is too old for the rest to run: plan it again";
            return self.give_up(plan, &Error::Invalid(why.to_owned())).await;
        }
        self.unpause(&mut plan).await?;
        self.act_in_turn(&plan, ready, &evaluation, false).await
    }

    /// What a lost process left armed is made to stay where that is still permitted. Where it is not, the target's own timer
    /// takes it back, and it keeps its owner until that was seen.
    async fn secure_armed(
        &self,
        plan: &Plan,
        ready: &[Ready],
        evaluation: &Evaluation,
        against: Option<&str>,
    ) -> Result<Plan, Error> {
        for (action, ready) in plan.actions.iter().zip(ready) {
            if action.state != ActionState::Running {
                continue;
            }
            let mut action = action.clone();
            let end = if let Some(why) = against {
                reverting(why)
            } else {
                let wanted = self.wanted(&action, ready).await?;
                let turn = Turn { plan, ready, evaluation, fresh: false };
                let end = End { state: ActionState::Verified, detail: None, side: "to" };
                self.secure(&turn, &action, &wanted, end).await?
            };
            self.outcome(plan, &mut action, ready, end).await?;
        }
        self.get_plan(plan.id).await
    }

    /// Whether nothing was heard of the run for a while, and the votes or the broken glass that it began on are void by now.
    async fn too_old(&self, plan: &Plan, since: Timestamp) -> Result<bool, Error> {
        let went_on = self.now().since(since) < SILENT;
        Ok(door(plan) == Door::Action && !went_on && self.votes_are_void(plan).await?)
    }
}

/// When something of the plan was last written.
pub(crate) fn last_sign(plan: &Plan) -> Timestamp {
    plan.actions.iter().map(|action| action.updated_at).fold(plan.updated_at, Timestamp::max)
}
