//! The children of one apply, journaled before they are told anything: recovery must be able to find them.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use shieldops_model::ActionId;

use crate::{Change, Child, Collected, Engine, Error, Fault, Step, Watch, Write};

/// Journals the children of one apply.
pub(super) struct Children<'a> {
    engine: &'a Engine,
    action: ActionId,
    crashed: Mutex<Option<Error>>,
}

impl<'a> Children<'a> {
    pub(super) fn new(engine: &'a Engine, action: ActionId) -> Self {
        Self { engine, action, crashed: Mutex::new(None) }
    }

    /// What kept a child from being journaled.
    pub(super) fn crashed(self) -> Option<Error> {
        self.crashed.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write(&self, kind: &'static str, child: &Child, points: [&'static str; 2]) -> Result<(), Error> {
        let [before, after] = points;
        self.engine.crash(before)?;
        let detail = serde_json::to_value(child).unwrap_or_default();
        let step = Step { action: self.action, at: self.engine.now(), kind: kind.to_owned(), detail };
        self.engine.with.journal.commit(Change { at: step.at, writes: vec![Write::Step(step)], entry: None }).await?;
        self.engine.crash(after)
    }

    fn told(&self, result: Result<(), Error>) -> Result<(), Fault> {
        result.map_err(|error| {
            let fault = Fault::Failed(format!("the child could not be journaled: {error}"));
            *self.crashed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            fault
        })
    }
}

#[async_trait]
impl Watch for Children<'_> {
    async fn collected(&self, item: Collected) -> Result<(), Fault> {
        let kept = self.engine.collect(self.action, item).await;
        if let Err(error @ Error::Crashed(_)) = kept {
            return self.told(Err(error));
        }
        kept.map_err(|error| Fault::Failed(format!("what was read could not be kept: {error}")))
    }

    async fn started(&self, child: &Child) -> Result<(), Fault> {
        self.told(self.write("child", child, ["before_child", "after_child"]).await)
    }

    async fn ended(&self, child: &Child) -> Result<(), Fault> {
        self.told(self.write("child_ended", child, ["before_child_ended", "after_child_ended"]).await)
    }
}
