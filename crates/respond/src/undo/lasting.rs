//! An undo of many outlives the process that began it: the ledger says what was wanted, and when all of it was done. What a
//! lost process left goes on at the next start, where whoever asked may still undo.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use shieldops_model::{ActionId, ActionState, Timestamp, UserId};
use shieldops_policy::{Requester, RequesterKind};
use tokio::sync::watch;

use super::{
    Wish,
    many::{Prospect, UndoItem, UndoReport, UndoScope, report},
};
use crate::{Engine, Entry, Error, standing::Right};

/// What was left longer ago is begun anew by a person.
const GOES_ON_FOR: Duration = Duration::from_hours(24);
pub(crate) const BEGUN: &str = "undo.begun";
pub(crate) const ENDED: &str = "undo.ended";
/// All was tried, and some of it is another node's.
const WAITS: &str = "undo.waits";

/// An undo of many that was begun and has not ended, as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenUndo {
    /// Its name in the entries of its beginning and end.
    pub undo: String,
    /// Who asked: `usr_…`.
    pub actor: String,
    pub actions: Vec<ActionId>,
    pub reason: String,
}

impl OpenUndo {
    /// Those of the entries, in any order, that have no end.
    pub fn among<'a>(entries: impl Iterator<Item = (&'a str, &'a str, &'a serde_json::Value)> + Clone) -> Vec<Self> {
        let ended = |undo: &str| entries.clone().any(|(kind, _, payload)| kind == ENDED && payload["undo"] == undo);
        let begun = |(kind, actor, payload): (&str, &str, &serde_json::Value)| {
            let undo = payload["undo"].as_str().filter(|undo| kind == BEGUN && !ended(undo))?.to_owned();
            let actions = serde_json::from_value(payload["actions"].clone()).ok()?;
            let reason = payload["reason"].as_str().unwrap_or_default().to_owned();
            Some(Self { undo, actor: actor.to_owned(), actions, reason })
        };
        entries.clone().filter_map(begun).collect()
    }
}

impl Engine {
    /// Goes on with what an earlier process left in the middle.
    pub(crate) async fn finish_undos(self: &Arc<Self>) -> Result<(), Error> {
        let from: Timestamp = self.now().minus(GOES_ON_FOR);
        for open in self.with.journal.open_undos_of_many(from).await? {
            tracing::warn!(undo = open.undo, actions = open.actions.len(), "an undo of many was cut off and goes on");
            let engine = Arc::clone(self);
            self.with.tracker.spawn(async move {
                if let Err(error) = Box::pin(engine.finish(&open)).await {
                    tracing::error!(undo = open.undo, %error, "an undo of many that was cut off could not go on");
                }
            });
        }
        Ok(())
    }

    async fn finish(&self, open: &OpenUndo) -> Result<(), Error> {
        if !self.may_go_on(open).await? {
            let why = "whoever asked for it may not undo any more";
            let left = open.actions.iter().map(|action| json!({"action": action, "why": why})).collect();
            return self
                .say(ENDED, &open.actor, json!({"undo": open.undo, "why": why, "left": Value::Array(left)}))
                .await;
        }
        let wish = Wish {
            requester: Requester { id: open.actor.clone(), kind: RequesterKind::User },
            addr: None,
            why: open.reason.clone(),
        };
        let scope = UndoScope::Actions(open.actions.clone());
        let items = self.foresee_all(self.in_scope(&scope).await?, &wish).await?;
        self.undo_items(&open.undo, items, &wish, &watch::channel(Vec::new()).0).await?;
        Ok(())
    }

    async fn may_go_on(&self, open: &OpenUndo) -> Result<bool, Error> {
        let Ok(user) = open.actor.parse::<UserId>() else { return Ok(false) };
        let mut environments = Vec::new();
        for action in &open.actions {
            let target = self.get_action(*action).await?.target_id;
            environments.extend(self.with.journal.target(target).await?.map(|target| target.environment));
        }
        Ok(self.with.journal.may_still(user, Right::Undo, &environments).await?)
    }

    async fn say(&self, kind: &'static str, actor: &str, payload: Value) -> Result<(), Error> {
        self.commit(Vec::new(), Entry { kind, subjects: Vec::new(), actor: actor.to_owned(), payload }).await
    }

    /// Undoes these in their turn, and writes that it is done and what is left. One that fails does not keep the others. What
    /// is another node's waits for that node.
    pub(super) async fn undo_items(
        &self,
        undo: &str,
        mut items: Vec<UndoItem>,
        wish: &Wish,
        tell: &watch::Sender<Vec<UndoItem>>,
    ) -> Result<UndoReport, Error> {
        tell.send_replace(items.clone());
        let (mut away, mut elsewhere) = (Vec::new(), false);
        for place in super::many::in_turn(&items) {
            let Some(item) = items.get_mut(place) else { continue };
            elsewhere |= self.undo_item(item, wish, &mut away).await?;
            tell.send_modify(|told| told.get_mut(place).into_iter().for_each(|told| told.clone_from(item)));
        }
        let done = report(false, items);
        let left: Vec<Value> = done.items.iter().filter(|item| is_left(item)).map(named).collect();
        let payload = json!({"undo": undo, "undone": done.undone, "of": done.items.len(), "left": left});
        self.say(if elsewhere { WAITS } else { ENDED }, &wish.requester.id, payload).await?;
        Ok(done)
    }
}

/// It was tried, stands as it stood, and nobody was asked about it.
fn is_left(item: &UndoItem) -> bool {
    item.done == Some(false) && item.prospect != Prospect::NeedsApproval && item.state != ActionState::UndoFailed
}

fn named(item: &UndoItem) -> Value {
    json!({"action": item.action_id, "capability": item.capability, "target": item.target.name, "why": item.why})
}
