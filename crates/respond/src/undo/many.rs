//! Undo of many: a whole plan, or everything that a rule, a person or automation did in a time. Newest first, and what
//! cannot be undone is named before anything is touched.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use serde_json::json;
use shieldops_model::{Action, ActionId, ActionState, Plan, PlanId, TargetRef, Timestamp, UserId};
use shieldops_policy::{Requester, RequesterKind};
use utoipa::ToSchema;

use super::{Person, Wish};
use crate::{
    Engine, Entry, Error,
    plan::{INVESTIGATION, word},
};

/// The most actions that one call undoes.
pub const MAX_UNDONE: usize = 500;

/// Who did what is to be undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// What investigations did for incidents that this rule's alerts are in, by its Sigma id.
    Rule(String),
    /// What this person asked for.
    User(UserId),
    /// What no person asked for.
    Automation,
}

/// Which actions are to be undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UndoScope {
    Plan(PlanId),
    /// What was begun from `from` on and before `to`.
    Time {
        by: By,
        from: Timestamp,
        to: Timestamp,
    },
}

/// What an undo of one action comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Prospect {
    /// It is undone at once.
    Undo,
    /// Somebody changed the state since: the undo waits for approval.
    NeedsApproval,
    /// It was undone already, or nothing was done.
    Nothing,
    /// It cannot be undone: `why` says the reason.
    Cannot,
    /// Its target could not be read now.
    Unknown,
}

/// One action of an undo of many, in the order of undoing.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct UndoItem {
    pub action_id: ActionId,
    pub plan_id: PlanId,
    pub capability: String,
    pub target: TargetRef,
    pub simulated: bool,
    pub applied_at: Option<Timestamp>,
    pub prospect: Prospect,
    pub why: Option<String>,
    /// What the undo does, in a sentence.
    pub undo: String,
    /// How the action stands: after the undo, where it is no preview.
    pub state: ActionState,
    /// The undo did what the prospect said. Absent in a preview, and while the effect of the undo settles.
    pub done: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct UndoReport {
    pub preview: bool,
    /// How many can be undone at once, wait for approval, and cannot be undone.
    pub undoable: usize,
    pub need_approval: usize,
    pub cannot: usize,
    /// How many were undone and read back. 0 in a preview.
    pub undone: usize,
    pub items: Vec<UndoItem>,
}

/// States in which something may be left to undo.
const BEGUN: &[ActionState] = &[
    ActionState::Running,
    ActionState::Settling,
    ActionState::Verified,
    ActionState::Unverified,
    ActionState::Failed,
    ActionState::Drifted,
    ActionState::Undoing,
    ActionState::UndoFailed,
];

impl Engine {
    /// What an undo of all these would do, from what the targets say now. Touches nothing.
    pub async fn preview_undo(&self, scope: &UndoScope) -> Result<UndoReport, Error> {
        Ok(report(true, self.foresee_all(scope).await?))
    }

    /// Undoes all these, newest first. One that fails does not keep the others: each says how it ended.
    pub async fn undo_many(
        self: &Arc<Self>,
        scope: UndoScope,
        person: &Person,
        reason: &str,
    ) -> Result<UndoReport, Error> {
        let wish = Wish {
            requester: Requester { id: person.user.to_string(), kind: RequesterKind::User },
            addr: person.client_addr.clone(),
            why: reason.to_owned(),
        };
        let engine = Arc::clone(self);
        // In a task of its own: a client that hangs up does not cut it in half.
        let task = self.with.tracker.spawn(async move { engine.undo_each(scope, wish).await });
        task.await.map_err(|error| Error::Internal(error.to_string()))?
    }

    async fn undo_each(&self, scope: UndoScope, wish: Wish) -> Result<UndoReport, Error> {
        let mut items = self.foresee_all(&scope).await?;
        let counts = report(false, items.clone());
        let ids: Vec<ActionId> = items.iter().map(|item| item.action_id).collect();
        let payload = json!({"scope": described(&scope), "actions": ids, "undoable": counts.undoable,
            "need_approval": counts.need_approval, "cannot": counts.cannot, "reason": wish.why});
        let subjects = if let UndoScope::Plan(id) = &scope { vec![id.to_string()] } else { Vec::new() };
        let begun = Entry { kind: "undo.begun", subjects, actor: wish.requester.id.clone(), payload };
        self.commit(Vec::new(), begun).await?;
        for item in &mut items {
            if !matches!(item.prospect, Prospect::Nothing | Prospect::Cannot) {
                self.undo_item(item, &wish).await?;
            }
        }
        Ok(report(false, items))
    }

    async fn undo_item(&self, item: &mut UndoItem, wish: &Wish) -> Result<(), Error> {
        match self.undo_as(item.action_id, wish.clone()).await {
            Ok(action) => {
                item.state = action.state;
                // One that settles is neither yet.
                item.done = match action.state {
                    ActionState::Undoing => None,
                    state => Some(matches!(state, ActionState::Undone | ActionState::Expired)),
                };
                item.why = action.detail.or(item.why.take());
            }
            Err(Error::Crashed(name)) => return Err(Error::Crashed(name)),
            Err(error) => (item.done, item.why) = (Some(false), Some(error.to_string())),
        }
        Ok(())
    }

    async fn foresee_all(&self, scope: &UndoScope) -> Result<Vec<UndoItem>, Error> {
        let mut items = Vec::new();
        for action in self.in_scope(scope).await? {
            let (prospect, why) = self.foresee(&action).await?;
            items.push(UndoItem {
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
            });
        }
        Ok(items)
    }

    /// The actions in scope that were begun, newest first: what came later may rest on what came before.
    async fn in_scope(&self, scope: &UndoScope) -> Result<Vec<Action>, Error> {
        let mut found = match scope {
            UndoScope::Plan(id) => self.get_plan(*id).await?.actions,
            UndoScope::Time { by, from, to } => self.of_time(by, *from, *to).await?,
        };
        found.retain(begun);
        found.reverse();
        found.sort_by_key(|action| std::cmp::Reverse(action.applied_at));
        Ok(found)
    }

    async fn of_time(&self, by: &By, from: Timestamp, to: Timestamp) -> Result<Vec<Action>, Error> {
        if from >= to {
            return Err(Error::Invalid("from: want a time before `to`".to_owned()));
        }
        let (mut known, mut found): (Option<Plan>, BTreeMap<ActionId, Action>) = (None, BTreeMap::new());
        let mut behind = None;
        loop {
            // Whatever was begun from then on has changed since then: the history before is not read.
            let page = self.with.journal.changed_since(BEGUN, from, behind).await?;
            let Some(last) = page.last() else { return Ok(found.into_values().collect()) };
            behind = Some((last.updated_at, last.id));
            let within = |action: &Action| action.applied_at.is_some_and(|at| at >= from && at < to);
            for action in page.into_iter().filter(|action| begun(action) && within(action)) {
                let plan = match known.take().filter(|plan| plan.id == action.plan_id) {
                    Some(plan) => plan,
                    None => self.get_plan(action.plan_id).await?,
                };
                if self.is_by(&plan, by).await? {
                    found.insert(action.id, action);
                }
                known = Some(plan);
            }
            if found.len() > MAX_UNDONE {
                let why = format!("more than {MAX_UNDONE} actions are in scope: choose a shorter time");
                return Err(Error::Invalid(why));
            }
        }
    }

    async fn is_by(&self, plan: &Plan, by: &By) -> Result<bool, Error> {
        Ok(match by {
            By::Automation => plan.requester.starts_with("system:"),
            By::User(user) => plan.requester == user.to_string(),
            By::Rule(rule) => match plan.incident_id.filter(|_| plan.requester == INVESTIGATION) {
                Some(incident) => self.with.journal.rules_of(incident).await?.iter().any(|known| known == rule),
                None => false,
            },
        })
    }

    async fn foresee(&self, action: &Action) -> Result<(Prospect, Option<String>), Error> {
        match action.state {
            ActionState::Undone | ActionState::Expired => {
                return Ok((Prospect::Nothing, Some(format!("it is {} already", word(&action.state)))));
            }
            ActionState::Running => {
                let why =
                    "it is being done now: its undo waits for its plan to end; halt automation so that nothing follows";
                return Ok((Prospect::Unknown, Some(why.to_owned())));
            }
            ActionState::Planned | ActionState::Skipped | ActionState::Aborted => {
                return Ok((Prospect::Nothing, Some(format!("it is {}: nothing was done", word(&action.state)))));
            }
            _ => {}
        }
        match action.class.as_str() {
            "irreversible" => Ok((Prospect::Cannot, Some("it is irreversible, as its plan said".to_owned()))),
            "read_only" => Ok((Prospect::Nothing, Some("it only read: there is nothing to undo".to_owned()))),
            _ => self.foresee_state(action).await,
        }
    }

    /// As the target is now.
    async fn foresee_state(&self, action: &Action) -> Result<(Prospect, Option<String>), Error> {
        let target = self.get_target(action.target_id).await?;
        let ready = match self.look(&action.capability, target, &action.params).await {
            Ok(ready) => ready,
            Err(Error::Journal(error)) => return Err(error.into()),
            Err(Error::Refused(why)) => return Ok((Prospect::Cannot, Some(why))),
            Err(error) => return Ok((Prospect::Unknown, Some(error.to_string()))),
        };
        if self.way_back(action, &ready).await?.1 {
            let why = "somebody changed the state since the action".to_owned();
            return Ok((Prospect::NeedsApproval, Some(why)));
        }
        let others = self.others(action).await?.len();
        let why = (others > 0).then(|| format!("{others} other live actions want the effect: it stays in force"));
        Ok((Prospect::Undo, why))
    }
}

fn begun(action: &Action) -> bool {
    action.applied_at.is_some() && action.undo_of.is_none()
}

fn report(preview: bool, items: Vec<UndoItem>) -> UndoReport {
    let count = |wanted: Prospect| items.iter().filter(|item| item.prospect == wanted).count();
    UndoReport {
        preview,
        undoable: count(Prospect::Undo),
        need_approval: count(Prospect::NeedsApproval),
        cannot: count(Prospect::Cannot) + count(Prospect::Unknown),
        undone: items.iter().filter(|item| item.done == Some(true)).count(),
        items,
    }
}

fn described(scope: &UndoScope) -> serde_json::Value {
    match scope {
        UndoScope::Plan(id) => json!({"plan": id}),
        UndoScope::Time { by, from, to } => {
            let by = match by {
                By::Rule(rule) => json!({"rule": rule}),
                By::User(user) => json!({"user": user}),
                By::Automation => json!("automation"),
            };
            json!({"by": by, "from": from, "to": to})
        }
    }
}
