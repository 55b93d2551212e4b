//! A plan that was approved with `on_failure: undo` takes back what it did when one of its actions does not succeed. No halt
//! holds that, and what was approved covers it, unless somebody changed the state meanwhile.

use futures_util::future::BoxFuture;
use serde_json::json;
use shieldops_model::{Action, ActionState, OnFailure, Plan, PlanId};
use shieldops_policy::{Entry as Door, Requester, RequesterKind};

use crate::{
    Engine, Error,
    engine::{action_entry, door, entry},
    undo::Wish,
};

/// Who takes back.
const FAILURE: &str = "system:failure";
/// The step that says that it has begun: a process that is lost meanwhile goes on with it.
const BEGUN: &str = "taking_back";

impl Engine {
    /// Newest first; whether there was anything to take back. An undo that fails says so on its action and keeps no other. The targets are held. Boxed, for an undo is a
    /// run that ends, too.
    pub(super) fn take_back(&self, id: PlanId, failed: bool) -> BoxFuture<'_, Result<bool, Error>> {
        Box::pin(async move {
            let plan = self.get_plan(id).await?;
            if plan.on_failure == OnFailure::Keep || door(&plan) == Door::Undo {
                return Ok(false);
            }
            let failed = failed || plan.actions.iter().any(did_not_succeed);
            if !self.begin_to_take_back(&plan, failed).await? {
                return Ok(false);
            }
            for action in plan.actions.iter().rev().filter(|action| stands(action)) {
                let requester = Requester { id: FAILURE.to_owned(), kind: RequesterKind::System };
                let why = "another action of its plan did not succeed".to_owned();
                match self.undo_held(action.id, Wish { requester, addr: None, why }).await {
                    Ok(_) => {}
                    Err(error @ (Error::Crashed(_) | Error::Journal(_))) => return Err(error),
                    Err(error) => self.not_taken_back(action, &error).await?,
                }
            }
            Ok(true)
        })
    }

    /// Whether it is to be done, or was begun.
    async fn begin_to_take_back(&self, plan: &Plan, failed: bool) -> Result<bool, Error> {
        let Some(first) = plan.actions.first() else { return Ok(false) };
        if self.with.journal.steps(first.id).await?.iter().any(|step| step.kind == BEGUN) {
            return Ok(true);
        }
        let ids: Vec<_> = plan.actions.iter().filter(|action| stands(action)).map(|action| action.id).collect();
        if !failed || ids.is_empty() {
            return Ok(false);
        }
        let mut writes = vec![self.step(first.id, BEGUN, json!({"actions": ids}))];
        // What a process that was lost as it joined an effect left as its owner did nothing.
        for action in plan.actions.iter().filter(|action| action.state == ActionState::Planned) {
            writes.extend(self.disown(action).await?);
        }
        // What was not begun never begins: a process that goes on must not take it for the rest of the run.
        self.end_actions(&mut plan.clone(), "an action before it did not succeed", &mut writes);
        let what = entry("run.taking_back", FAILURE, plan, json!({"hash": plan.hash, "actions": ids}));
        self.crash("before_taking_back")?;
        self.commit(writes, what).await?;
        self.crash("after_taking_back")?;
        Ok(true)
    }

    async fn not_taken_back(&self, action: &Action, error: &Error) -> Result<(), Error> {
        let mut action = self.get_action(action.id).await?;
        action.state = ActionState::UndoFailed;
        action.detail = Some(format!("its plan failed and it could not be undone: {error}"));
        let what = action_entry("action.undo_failed", FAILURE, &action, json!({"detail": action.detail}));
        self.crash("before_not_taken_back")?;
        self.save_action(&mut action, Vec::new(), what).await?;
        self.crash("after_not_taken_back")
    }
}

fn did_not_succeed(action: &Action) -> bool {
    matches!(action.state, ActionState::Failed | ActionState::Unverified | ActionState::Aborted | ActionState::Skipped)
}

/// Whether its effect is on its target, or may be, and can be taken back.
fn stands(action: &Action) -> bool {
    let there = match action.state {
        ActionState::Settling
        | ActionState::Verified
        | ActionState::Unverified
        | ActionState::Drifted
        | ActionState::Undoing => true,
        ActionState::Failed => action.owners.iter().any(|owner| owner.action_id == action.id),
        _ => false,
    };
    there && action.undo_of.is_none() && action.applied_at.is_some() && action.class == "reversible"
}
