//! Undo of many: a whole plan, or everything that a rule, a person or automation did in a time. Newest first, what could not
//! be read last, and what cannot be undone is named before anything is touched.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use serde::Serialize;
use serde_json::json;
use shieldops_model::{Action, ActionId, ActionState, Plan, PlanId, TargetId, TargetRef, Timestamp, UserId};
use tokio::{sync::watch, time::Instant};
use utoipa::ToSchema;

use super::{Person, Wish, lasting, wished};
use crate::{Engine, Entry, Error, plan::INVESTIGATION, watch::PATIENCE};

/// The most actions that one call undoes.
pub const MAX_UNDONE: usize = 500;
/// An undo that takes longer is told as far as it came, and goes on: whoever asked does not wait for ever.
const ANSWERED_WITHIN: Duration = Duration::from_secs(45);

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
    /// All that want the effect of this action, whoever asked for it: undone, nothing of ours holds that effect any more.
    Effect(ActionId),
    /// These, each where it was begun.
    Actions(Vec<ActionId>),
}

/// What an undo of one action comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Prospect {
    /// It is undone at once.
    Undo,
    /// Somebody changed the state since, or it lets go what contains an open incident: the undo waits for approval.
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
    /// The undo did what the prospect said. Absent in a preview, while the effect of the undo settles, and before its turn.
    pub done: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct UndoReport {
    pub preview: bool,
    /// How many are undone at once, wait for approval, and cannot be undone: as foreseen, and where it is no preview as it came.
    pub undoable: usize,
    pub need_approval: usize,
    pub cannot: usize,
    /// Of how many the target cannot be read: their undo is tried.
    pub not_read: usize,
    /// How many were undone and read back. 0 in a preview.
    pub undone: usize,
    /// It was not through when this was answered, and goes on by itself.
    pub goes_on: bool,
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
    /// The targets that an undo of all these would touch, each once. Looks at none of them.
    pub async fn targets_of(&self, scope: &UndoScope) -> Result<Vec<TargetRef>, Error> {
        let actions = self.in_scope(scope).await?;
        let named: BTreeMap<TargetId, TargetRef> =
            actions.into_iter().map(|action| (action.target_id, action.target)).collect();
        Ok(named.into_values().collect())
    }

    /// What an undo of all these would do if this person asked for it and said why, from what the targets and policy say now.
    /// Touches nothing.
    pub async fn preview_undo(&self, scope: &UndoScope, person: &Person) -> Result<UndoReport, Error> {
        let wish = wished(person, "a preview");
        Ok(report(true, self.foresee_all(self.in_scope(scope).await?, &wish).await?))
    }

    /// Undoes all these, newest first. One that fails does not keep the others: each says how it ended. What takes too long
    /// to wait for goes on after the answer.
    pub async fn undo_many(
        self: &Arc<Self>,
        scope: UndoScope,
        person: &Person,
        reason: &str,
    ) -> Result<UndoReport, Error> {
        let wish = wished(person, reason);
        let (tell, so_far) = watch::channel(Vec::new());
        let engine = Arc::clone(self);
        // In a task of its own: a client that hangs up does not cut it in half.
        let task = self.with.tracker.spawn(async move { engine.undo_each(scope, wish, &tell).await });
        match tokio::time::timeout(ANSWERED_WITHIN, task).await {
            Ok(ended) => ended.map_err(|error| Error::Internal(error.to_string()))?,
            Err(_late) => Ok(UndoReport { goes_on: true, ..report(false, so_far.borrow().clone()) }),
        }
    }

    async fn undo_each(
        &self,
        scope: UndoScope,
        wish: Wish,
        tell: &watch::Sender<Vec<UndoItem>>,
    ) -> Result<UndoReport, Error> {
        let items = self.foresee_all(self.in_scope(&scope).await?, &wish).await?;
        let counts = report(false, items.clone());
        let ids: Vec<ActionId> = items.iter().map(|item| item.action_id).collect();
        let undo = hex::encode(rand::random::<[u8; 8]>());
        let payload = json!({"undo": undo, "scope": described(&scope), "actions": ids, "undoable": counts.undoable,
            "need_approval": counts.need_approval, "cannot": counts.cannot, "reason": wish.why});
        let subjects = if let UndoScope::Plan(id) = &scope { vec![id.to_string()] } else { Vec::new() };
        let begun = Entry { kind: lasting::BEGUN, subjects, actor: wish.requester.id.clone(), payload };
        self.commit(Vec::new(), begun).await?;
        self.undo_items(&undo, items, &wish, tell).await
    }

    /// A target that let us wait in vain is `away`: nothing else is asked of it. Returns whether it is another node's.
    pub(super) async fn undo_item(
        &self,
        item: &mut UndoItem,
        wish: &Wish,
        away: &mut Vec<TargetRef>,
    ) -> Result<bool, Error> {
        if away.contains(&item.target) {
            let why = "its target let us wait in vain: undo it again when it answers".to_owned();
            (item.prospect, item.done, item.why) = (Prospect::Unknown, Some(false), Some(why));
            return Ok(false);
        }
        let began = Instant::now();
        match self.undo_as(item.action_id, wish.clone()).await {
            Ok(action) => {
                item.prospect = came_to(action.state);
                item.state = action.state;
                // One that settles is neither yet.
                item.done = match action.state {
                    ActionState::Undoing => None,
                    state => Some(matches!(state, ActionState::Undone | ActionState::Expired)),
                };
                item.why = action.detail.or(item.why.take());
            }
            Err(Error::Crashed(name)) => return Err(Error::Crashed(name)),
            Err(error) => {
                if matches!(error, Error::Unavailable(_)) && began.elapsed() >= PATIENCE {
                    away.push(item.target.clone());
                }
                item.prospect = stopped_by(&error, item.prospect);
                (item.done, item.why) = (Some(false), Some(error.to_string()));
                return Ok(matches!(error, Error::Elsewhere(_)));
            }
        }
        Ok(false)
    }

    /// The actions in scope that were begun, newest first: what came later may rest on what came before.
    pub(super) async fn in_scope(&self, scope: &UndoScope) -> Result<Vec<Action>, Error> {
        let mut found = match scope {
            UndoScope::Plan(id) => self.get_plan(*id).await?.actions,
            UndoScope::Time { by, from, to } => self.of_time(by, *from, *to).await?,
            UndoScope::Effect(id) => {
                let owners = self.with.journal.owners(&self.get_action(*id).await?.state_key).await?;
                if owners.is_empty() {
                    let why = "nobody wants the effect of this action any more: there is nothing of ours to lift";
                    return Err(Error::Refused(why.to_owned()));
                }
                self.actions_of(owners.iter().map(|owner| owner.action_id)).await?
            }
            UndoScope::Actions(ids) => self.actions_of(ids.iter().copied()).await?,
        };
        found.retain(begun);
        found.reverse();
        found.sort_by_key(|action| std::cmp::Reverse(action.applied_at));
        Ok(found)
    }

    async fn actions_of(&self, ids: impl Iterator<Item = ActionId> + Send) -> Result<Vec<Action>, Error> {
        let mut found = Vec::new();
        for id in ids {
            found.push(self.get_action(id).await?);
        }
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
}

/// The places of what is undone, in their turn: newest first on each target. Targets that could not be read come last, for
/// nobody waits for a host that is away.
pub(super) fn in_turn(items: &[UndoItem]) -> Vec<usize> {
    let unread: BTreeSet<&TargetRef> =
        items.iter().filter(|item| item.prospect == Prospect::Unknown).map(|item| &item.target).collect();
    let undone = |item: &UndoItem| !matches!(item.prospect, Prospect::Nothing | Prospect::Cannot);
    let mut places: Vec<usize> =
        items.iter().enumerate().filter(|(_, item)| undone(item)).map(|(place, _)| place).collect();
    places.sort_by_key(|place| items.get(*place).is_some_and(|item| unread.contains(&item.target)));
    places
}

/// What an undo came to that did not fail on its way: one that was not begun waits for a person.
const fn came_to(state: ActionState) -> Prospect {
    match state {
        ActionState::Undone | ActionState::Expired | ActionState::Undoing | ActionState::UndoFailed => Prospect::Undo,
        _ => Prospect::NeedsApproval,
    }
}

const fn stopped_by(error: &Error, foreseen: Prospect) -> Prospect {
    match error {
        Error::Unavailable(_) | Error::Elsewhere(_) => Prospect::Unknown,
        Error::Refused(_) | Error::Denied(_) => Prospect::Cannot,
        _ => foreseen,
    }
}

fn begun(action: &Action) -> bool {
    action.applied_at.is_some() && action.undo_of.is_none()
}

pub(super) fn report(preview: bool, items: Vec<UndoItem>) -> UndoReport {
    let count = |wanted: Prospect| items.iter().filter(|item| item.prospect == wanted).count();
    UndoReport {
        preview,
        undoable: count(Prospect::Undo),
        need_approval: count(Prospect::NeedsApproval),
        cannot: count(Prospect::Cannot),
        not_read: count(Prospect::Unknown),
        undone: items.iter().filter(|item| item.done == Some(true)).count(),
        goes_on: false,
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
        UndoScope::Effect(id) => json!({"effect_of": id}),
        UndoScope::Actions(_) => json!("actions"),
    }
}
