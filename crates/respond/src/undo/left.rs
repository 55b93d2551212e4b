//! What stays on its target though its tenant ends: its undo failed, or could not be tried, and the operator goes on
//! without it.

use serde_json::json;
use shieldops_model::{ActionId, ActionState};

use super::Person;
use crate::{
    Engine, Error,
    engine::action_entry,
    run::{kind_of, state_error},
};

impl Engine {
    /// Gives an action up: it counts as one whose undo failed, and keeps its tenant from nothing. Its undo can be asked for
    /// again.
    ///
    /// # Errors
    /// `State` for one that is planned, or that a run is at.
    pub async fn leave(&self, id: ActionId, person: &Person, why: &str) -> Result<(), Error> {
        let target = self.get_action(id).await?.target_id;
        let _held = self.hold_targets([target]).await;
        let mut action = self.get_action(id).await?;
        match action.state {
            ActionState::Undone | ActionState::Expired | ActionState::UndoFailed => return Ok(()),
            ActionState::Planned | ActionState::Running | ActionState::Undoing => return Err(state_error(&action)),
            _ => {}
        }
        action.state = ActionState::UndoFailed;
        action.detail = Some(format!("it stays on its target: {why}"));
        let payload = json!({"detail": action.detail});
        let what = action_entry(kind_of(action.state), &person.user.to_string(), &action, payload);
        self.save_action(&mut action, Vec::new(), what).await
    }
}
