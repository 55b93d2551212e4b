//! An undo of many outlives the process that began it: the ledger says what was wanted, and when all of it was done. What a
//! lost process left goes on at the next start, where whoever asked may still undo.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use shieldops_model::{ActionId, Timestamp, UserId};
use shieldops_policy::{Requester, RequesterKind};
use tokio::sync::watch;

use super::{
    Wish,
    many::{UndoItem, UndoReport, UndoScope, report},
};
use crate::{Engine, Entry, Error, standing::Right};

/// What was left longer ago is begun anew by a person.
const GOES_ON_FOR: Duration = Duration::from_hours(24);
pub(crate) const BEGUN: &str = "undo.begun";
pub(crate) const ENDED: &str = "undo.ended";

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
            return self
                .ended(open, json!({"undo": open.undo, "why": "whoever asked for it may not undo any more"}))
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

    async fn ended(&self, open: &OpenUndo, payload: serde_json::Value) -> Result<(), Error> {
        let entry = Entry { kind: ENDED, subjects: Vec::new(), actor: open.actor.clone(), payload };
        self.commit(Vec::new(), entry).await
    }

    /// Undoes these in their turn, and writes that it is done. One that fails does not keep the others.
    pub(super) async fn undo_items(
        &self,
        undo: &str,
        mut items: Vec<UndoItem>,
        wish: &Wish,
        tell: &watch::Sender<Vec<UndoItem>>,
    ) -> Result<UndoReport, Error> {
        tell.send_replace(items.clone());
        let mut away = Vec::new();
        for place in super::many::in_turn(&items) {
            let Some(item) = items.get_mut(place) else { continue };
            self.undo_item(item, wish, &mut away).await?;
            tell.send_modify(|told| told.get_mut(place).into_iter().for_each(|told| told.clone_from(item)));
        }
        let done = report(false, items);
        let payload = json!({"undo": undo, "undone": done.undone, "of": done.items.len()});
        let entry = Entry { kind: ENDED, subjects: Vec::new(), actor: wish.requester.id.clone(), payload };
        self.commit(Vec::new(), entry).await?;
        Ok(done)
    }
}
