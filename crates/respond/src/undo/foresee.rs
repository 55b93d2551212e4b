//! What an undo of many comes to, from what the targets say now: many targets at once, and one that lets us wait in vain is
//! asked once. The answer is waited for, so what was not read in time is unknown.

use std::{
    collections::{BTreeMap, HashMap},
    pin::Pin,
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use serde_json::Value;
use shieldops_model::{Action, ActionId, ActionState, TargetId};
use shieldops_policy::Stage;
use tokio::time::Instant;

use super::{Prospect, UndoItem, Wish};
use crate::{Engine, Error, engine::Ready, plan::word, watch::PATIENCE};

/// Targets that are looked at together.
const TARGETS_AT_ONCE: usize = 16;
/// Longer than this nothing is looked at.
const AT_MOST: Duration = Duration::from_secs(20);

/// What is foreseen of an action, and why.
type Foreseen = (Prospect, Option<String>);
type Look<'a> = Pin<Box<dyn Future<Output = Result<Vec<(ActionId, Foreseen)>, Error>> + Send + 'a>>;

impl Engine {
    /// In the order in which they come.
    pub(super) async fn foresee_all(&self, actions: Vec<Action>, wish: &Wish) -> Result<Vec<UndoItem>, Error> {
        let by = Instant::now() + AT_MOST;
        let mut on: BTreeMap<TargetId, Vec<Action>> = BTreeMap::new();
        let all: Vec<ActionId> = actions.iter().map(|action| action.id).collect();
        for action in &actions {
            on.entry(action.target_id).or_default().push(action.clone());
        }
        let looks = on.into_values().map(|of| -> Look<'_> { Box::pin(self.foresee_on(of, by, (wish, &all))) });
        let mut looks = stream::iter(looks).buffer_unordered(TARGETS_AT_ONCE);
        let mut found: HashMap<ActionId, Foreseen> = HashMap::new();
        while let Some(look) = looks.next().await {
            found.extend(look?);
        }
        drop(looks);
        Ok(actions
            .into_iter()
            .map(|action| {
                let foreseen = found.remove(&action.id);
                item(action, foreseen.unwrap_or((Prospect::Unknown, None)))
            })
            .collect())
    }

    /// The actions of one target, one after the other.
    async fn foresee_on(
        &self,
        actions: Vec<Action>,
        by: Instant,
        undo: (&Wish, &[ActionId]),
    ) -> Result<Vec<(ActionId, Foreseen)>, Error> {
        let (mut found, mut away) = (Vec::with_capacity(actions.len()), None);
        for action in actions {
            let foreseen = match (by_its_state(&action), &away) {
                (Some(foreseen), _) => foreseen,
                (None, Some(why)) => (Prospect::Unknown, Some(String::clone(why))),
                (None, None) => {
                    let began = Instant::now();
                    let late = || (Prospect::Unknown, Some("its target did not answer in time".to_owned()));
                    let seen = tokio::time::timeout_at(by, self.foresee_state(&action, undo)).await;
                    let seen = seen.unwrap_or_else(|_late| Ok(late()))?;
                    if seen.0 == Prospect::Unknown && began.elapsed() >= PATIENCE {
                        away.clone_from(&seen.1);
                    }
                    seen
                }
            };
            found.push((action.id, foreseen));
        }
        Ok(found)
    }

    /// As the target is now. `undo`: for whom, and all that is undone with it.
    async fn foresee_state(&self, action: &Action, undo: (&Wish, &[ActionId])) -> Result<Foreseen, Error> {
        let (wish, all) = undo;
        let looked = match self.get_target(action.target_id).await {
            Ok(target) => self.look(&action.capability, target, &action.params).await,
            Err(error) => Err(error),
        };
        let ready = match looked {
            Ok(ready) => ready,
            Err(Error::Journal(error)) => return Err(error.into()),
            Err(Error::Refused(why)) => return Ok((Prospect::Cannot, Some(why))),
            // A target is let go when nothing of ours is on it.
            Err(Error::UnknownTarget(_)) => {
                let why = "its target was removed, and nothing of it was left there".to_owned();
                return Ok((Prospect::Nothing, Some(why)));
            }
            Err(error) => return Ok((Prospect::Unknown, Some(error.to_string()))),
        };
        let (to, drifted) = self.way_back(action, &ready).await?;
        if drifted {
            let why = "somebody changed the state since the action".to_owned();
            return Ok((Prospect::NeedsApproval, Some(why)));
        }
        if let Some(bound) = self.bound(action, &ready, to, wish).await? {
            return Ok(bound);
        }
        let others = self.others(action).await?.into_iter().filter(|owner| !all.contains(&owner.action_id)).count();
        let why = (others > 0).then(|| format!("{others} other live actions want the effect: it stays in force"));
        Ok((Prospect::Undo, why))
    }

    /// What policy says to the undo where it is not done at once.
    async fn bound(&self, action: &Action, ready: &Ready, to: Value, wish: &Wish) -> Result<Option<Foreseen>, Error> {
        let plan = self.undo_plan(action, ready, to, wish).await?;
        let decision = self.ask(&plan, std::slice::from_ref(ready), Stage::Plan, false).await?.into_decision();
        if !decision.allow {
            let why: Vec<String> = decision.denies.into_iter().map(|reason| reason.detail).collect();
            return Ok(Some((Prospect::Cannot, Some(why.join("; ")))));
        }
        let why = "it lets go what contains an open incident, by a plan that was critical: another person agrees to it";
        Ok((decision.approvals_needed > 0).then(|| (Prospect::NeedsApproval, Some(why.to_owned()))))
    }
}

/// What needs no look at the target.
fn by_its_state(action: &Action) -> Option<Foreseen> {
    let foreseen = |prospect, why: String| Some((prospect, Some(why)));
    match action.state {
        ActionState::Undone | ActionState::Expired => {
            return foreseen(Prospect::Nothing, format!("it is {} already", word(&action.state)));
        }
        ActionState::Running => {
            let why =
                "it is being done now: its undo waits for its plan to end; halt automation so that nothing follows";
            return foreseen(Prospect::Unknown, why.to_owned());
        }
        ActionState::Planned | ActionState::Skipped | ActionState::Aborted => {
            return foreseen(Prospect::Nothing, format!("it is {}: nothing was done", word(&action.state)));
        }
        _ => {}
    }
    match action.class.as_str() {
        "irreversible" => foreseen(Prospect::Cannot, "it is irreversible, as its plan said".to_owned()),
        "read_only" => foreseen(Prospect::Nothing, "it only read: there is nothing to undo".to_owned()),
        _ => None,
    }
}

fn item(action: Action, (prospect, why): Foreseen) -> UndoItem {
    UndoItem {
        action_id: action.id,
        plan_id: action.plan_id,
        capability: action.capability,
        target: action.target,
        simulated: action.simulated,
        applied_at: action.applied_at,
        prospect,
        why,
        undo: action.undo,
        state: action.state,
        done: None,
    }
}
