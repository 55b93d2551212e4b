//! Effects whose time is over are undone in lanes, one a target: a target that does not answer holds up its own lane and
//! nothing else.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::json;
use shieldops_model::{Action, ActionId, ActionState, TargetId};
use shieldops_policy::{Requester, RequesterKind};
use tokio::{sync::Semaphore, task::JoinHandle, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Engine, Error,
    engine::action_entry,
    undo::{EXPIRY, Wish},
    watch::PATIENCE,
};

/// Between two tries of the same, and of anything on a target that let us wait in vain.
const AGAIN: Duration = Duration::from_mins(1);
/// How long a try is remembered.
const KEPT: Duration = Duration::from_hours(1);
/// Lanes that are driven at once.
const AT_ONCE: usize = 16;

/// When things were last tried, on the clock since boot.
#[derive(Debug)]
pub(crate) struct Tries<K>(Mutex<HashMap<K, Duration>>);

impl<K> Default for Tries<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Tries<K> {
    fn all(&self) -> MutexGuard<'_, HashMap<K, Duration>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last(&self, of: &K) -> Option<Duration> {
        self.all().get(of).copied()
    }

    /// Whether it may be tried: never yet, or long enough ago.
    pub(crate) fn may(&self, of: &K, boot: Duration) -> bool {
        self.last(of).is_none_or(|at| boot.saturating_sub(at) >= AGAIN)
    }

    pub(crate) fn tried(&self, of: K, boot: Duration) {
        let mut all = self.all();
        all.retain(|_, at| boot.saturating_sub(*at) < KEPT);
        all.insert(of, boot);
    }
}

#[derive(Debug)]
pub(crate) struct Lanes {
    /// Targets whose lane is driven.
    busy: Mutex<HashSet<TargetId>>,
    tries: Tries<ActionId>,
    /// Targets that let us wait in vain.
    away: Tries<TargetId>,
    room: Arc<Semaphore>,
    tasks: TaskTracker,
}

impl Default for Lanes {
    fn default() -> Self {
        Self {
            busy: Mutex::default(),
            tries: Tries::default(),
            away: Tries::default(),
            room: Arc::new(Semaphore::new(AT_ONCE)),
            tasks: TaskTracker::new(),
        }
    }
}

impl Lanes {
    fn busy(&self) -> MutexGuard<'_, HashSet<TargetId>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when every lane came to its end.
    pub(crate) async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
        self.tasks.reopen();
    }
}

/// A target's lane is free again, however it was left.
struct Busy<'a>(&'a Lanes, TargetId);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy().remove(&self.1);
    }
}

impl Engine {
    /// Begins to undo what is over its time, each target in its own lane.
    pub(crate) async fn open_lanes(
        self: &Arc<Self>,
        stop: &CancellationToken,
    ) -> Result<Vec<JoinHandle<Result<(), Error>>>, Error> {
        let boot = self.with.clock.boot();
        let mut due: BTreeMap<TargetId, Vec<ActionId>> = BTreeMap::new();
        for action in self.with.journal.due(self.now()).await? {
            if is_over(&action)
                && self.lanes.tries.may(&action.id, boot)
                && self.lanes.away.may(&action.target_id, boot)
            {
                due.entry(action.target_id).or_default().push(action.id);
            }
        }
        let mut opened = Vec::new();
        for (target, mut actions) in due {
            if !self.lanes.busy().insert(target) {
                continue;
            }
            // What was never tried comes first: one that fails each time holds up no other.
            actions.sort_by_key(|id| self.lanes.tries.last(id));
            // On the heap: an undo is a long way down.
            let lane = Box::pin(Arc::clone(self).drive(target, actions, stop.clone()));
            opened.push(self.lanes.tasks.spawn(lane));
        }
        Ok(opened)
    }

    async fn drive(
        self: Arc<Self>,
        target: TargetId,
        actions: Vec<ActionId>,
        stop: CancellationToken,
    ) -> Result<(), Error> {
        let _busy = Busy(&self.lanes, target);
        let Ok(_room) = self.lanes.room.acquire().await else { return Ok(()) };
        for id in actions {
            if stop.is_cancelled() {
                break;
            }
            let began = Instant::now();
            self.lanes.tries.tried(id, self.with.clock.boot());
            let requester = Requester { id: EXPIRY.to_owned(), kind: RequesterKind::System };
            let wish = Wish { requester, addr: None, why: "its time is over".to_owned() };
            let Err(error) = self.undo_as(id, wish).await else { continue };
            if let Err(error) = self.expiry_failed(id, &error).await {
                tracing::error!(%error, action.id = %id, "an effect whose time is over");
                return Err(error);
            }
            if matches!(error, Error::Unavailable(_)) && began.elapsed() >= PATIENCE {
                self.lanes.away.tried(target, self.with.clock.boot());
                break;
            }
        }
        Ok(())
    }

    async fn expiry_failed(&self, id: ActionId, error: &Error) -> Result<(), Error> {
        if let Error::Crashed(name) = error {
            return Err(Error::Crashed(name));
        }
        let mut action = self.get_action(id).await?;
        if !is_over(&action) {
            return Ok(());
        }
        action.state = ActionState::UndoFailed;
        action.detail = Some(format!("its time is over and it could not be undone: {error}"));
        let what = action_entry("action.undo_failed", EXPIRY, &action, json!({"detail": action.detail}));
        self.save_action(&mut action, Vec::new(), what).await
    }
}

/// Whether an owner whose time is over can be undone now: nobody is at it, and it was not done for good.
fn is_over(action: &Action) -> bool {
    let there = matches!(
        action.state,
        ActionState::Settling
            | ActionState::Verified
            | ActionState::Unverified
            | ActionState::Failed
            | ActionState::Drifted
            | ActionState::Undoing
            | ActionState::UndoFailed
    );
    there && action.undo_of.is_none() && action.class == "reversible"
}
