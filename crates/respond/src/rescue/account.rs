//! What a rescue did while no server ran, written into the ledger by the next start.

use std::io;

use serde_json::json;
use shieldops_model::{Action, ActionId, ActionState};

use super::{RescueLine, Rescued};
use crate::{Engine, Entry, Error, engine::action_entry, run::kind_of};

impl Engine {
    /// Writes into the ledger what a rescue did while no server ran. What was written twice is there once.
    pub(crate) async fn account_rescue(&self) -> Result<(), Error> {
        let Some(folder) = &self.with.rescue else { return Ok(()) };
        let failed = |error: io::Error| Error::Internal(format!("the journal of a rescue: {error}"));
        let lines = folder.journal().map_err(failed)?;
        let mut mine = Vec::new();
        for line in &lines {
            if self.is_ours(line).await? {
                mine.push(line);
            }
        }
        self.account_each(&mine).await?;
        if mine.is_empty() { Ok(()) } else { folder.forget(&mine).map_err(failed) }
    }

    /// A record that could not be read does not say whose it is: it is of the tenant that knows its action.
    async fn is_ours(&self, line: &RescueLine) -> Result<bool, Error> {
        match (line.tenant, line.action.parse::<ActionId>()) {
            (Some(tenant), _) => Ok(tenant == self.with.tenant),
            (None, Ok(id)) => Ok(self.with.journal.action(id).await?.is_some()),
            (None, Err(_)) => Ok(false),
        }
    }

    async fn account_each(&self, lines: &[&RescueLine]) -> Result<(), Error> {
        for line in lines {
            let Ok(id) = line.action.parse::<ActionId>() else { continue };
            if let Some(action) = self.with.journal.action(id).await? {
                self.account_for(action, line).await?;
            } else {
                let payload = json!({"outcome": line.outcome, "detail": line.detail, "by": line.by, "reason": line.reason, "at": line.at,
                    "target": line.target, "capability": line.capability});
                let (subjects, actor) = (vec![line.action.clone()], "system:rescue".to_owned());
                self.commit(Vec::new(), Entry { kind: "action.rescued", subjects, actor, payload }).await?;
            }
        }
        Ok(())
    }

    async fn account_for(&self, mut action: Action, line: &RescueLine) -> Result<(), Error> {
        let _held = self.hold_targets([action.target_id]).await;
        if matches!(action.state, ActionState::Undone | ActionState::Expired) {
            return Ok(());
        }
        let payload = json!({"outcome": line.outcome, "detail": line.detail, "by": line.by, "reason": line.reason, "at": line.at});
        // Its record was written and the process lost before it began: there was nothing of it to take back.
        if action.applied_at.is_none() {
            return self.commit(Vec::new(), action_entry("action.rescued", "system:rescue", &action, payload)).await;
        }
        let detail = format!("taken back by {} at {} with the server stopped", line.by, line.at);
        let mut writes = Vec::new();
        match line.outcome {
            Rescued::Undone | Rescued::Already => {
                action.state = ActionState::Undone;
                action.detail = Some(detail);
                writes.extend(self.disown(&action).await?);
            }
            Rescued::Drifted => {
                action.state = ActionState::Drifted;
                action.detail.clone_from(&line.detail);
            }
            Rescued::Failed => {
                action.state = ActionState::UndoFailed;
                action.detail.clone_from(&line.detail);
            }
            // Nothing was tried: it is in force as before, and watched.
            Rescued::Unknown => {
                let step = self.step(action.id, "action.rescued", json!({"rescue": line}));
                let what = action_entry("action.rescued", "system:rescue", &action, payload);
                return self.commit(vec![step], what).await;
            }
        }
        writes.push(self.step(action.id, kind_of(action.state), json!({"rescue": line})));
        let what = action_entry("action.rescued", "system:rescue", &action, payload);
        self.save_action(&mut action, writes, what).await?;
        if action.state == ActionState::Undone {
            self.drop_inverse(action.id);
        }
        Ok(())
    }
}
