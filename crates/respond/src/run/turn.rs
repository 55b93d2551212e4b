//! One action's turn in a run: looked at again, permitted, and then applied or joined.

use std::time::Duration;

use serde_json::{Value, json};
use shieldops_model::{Action, ActionState, Owner, Plan};
use shieldops_policy::{Class, Evaluation, Grant, Permit};

use super::{End, Seen, children::Children, conclude, cut_off};
use crate::{
    Change, Engine, Error, Fault, Site, Write,
    diff::told,
    engine::{EXECUTOR, Ready, action_entry, span},
};

/// Between two looks while an effect settles.
const SETTLE_STEP: Duration = Duration::from_millis(50);

/// What an action's turn is about.
pub(super) struct Turn<'a> {
    pub(super) plan: &'a Plan,
    pub(super) ready: &'a Ready,
    pub(super) evaluation: &'a Evaluation,
    /// The target was read just now.
    pub(super) fresh: bool,
}

impl Engine {
    /// One action, from its plan to its end.
    pub(super) async fn take_turn(&self, turn: &Turn<'_>, mut action: Action) -> Result<ActionState, Error> {
        if action.state != ActionState::Planned {
            return Ok(action.state);
        }
        let ready = turn.ready;
        let seen = if turn.fresh {
            Ok(ready.observed.clone())
        } else {
            ready.capability.observe(&ready.target, &action.params).await
        };
        let there = match seen {
            Ok(observed) => observed,
            Err(fault) => return self.abort(turn, action, unread(&fault)).await,
        };
        if let Some(why) = self.unsafe_now(turn.plan, ready, &action, &there).await? {
            return self.abort(turn, action, why).await;
        }
        let before = match self.before_owners(&action, ready, &there.state).await? {
            Ok(before) => before,
            Err(fault) => return self.abort(turn, action, unread(&fault)).await,
        };
        let gone = self.orphan_gone(turn.plan, &mut action, ready).await?;
        let wanted = self.wanted(&action, ready).await?;
        let in_force = ready.capability.holds(&there.state, &wanted)?;
        // An effect that is to be removed and is not there any more needs no mark; any other has to be as it was seen.
        if let Some(why) = gone.filter(|_| !in_force || action.adopts.is_some()) {
            return self.abort(turn, action, why).await;
        }
        let as_planned = cut_off(ready, &action, &there.state)?
            || (action.adopts.is_none() && ready.capability.same(&there.state, &action.from)?);
        if !in_force && !as_planned {
            let now = told(&action.from, &there.state);
            let detail = format!("the state changed since the plan, nothing was done: {now}");
            return self.abort(turn, action, detail).await;
        }
        if action.undo_of.is_none() && !action.proofs.iter().any(|proof| proof.moment == "before") {
            self.prove(&mut action, ready, "before").await;
        }
        // To join an effect is to want it, which needs leave as much as making it does.
        let grant = Grant { approvals: &turn.plan.approvals, nonce: rand::random() };
        match turn.evaluation.permit(action.id, grant) {
            Err(refused) => self.abort(turn, action, format!("not permitted: {refused}")).await,
            // What only reads has nothing to join: it reads.
            Ok(permit) if in_force && !reads(ready) => self.join(turn, action, &before, permit).await,
            Ok(permit) => self.act(turn, action, (&before, &wanted), permit).await,
        }
    }

    async fn act(
        &self,
        turn: &Turn<'_>,
        mut action: Action,
        (before, wanted): (&Value, &Value),
        permit: Permit,
    ) -> Result<ActionState, Error> {
        let ready = turn.ready;
        if action.undo_of.is_none()
            && let Err(fault) = self.keep_inverse(&turn.plan.hash, &action, ready, (before, wanted)).await
        {
            return self.abort(turn, action, format!("nothing was done: {fault}")).await;
        }
        self.intend(turn, &mut action, (before, wanted), &permit.nonce()).await?;
        let children = Children::new(self, action.id);
        let site = Site { target: &ready.target, now: self.now(), watch: &children };
        let applied = ready.capability.apply(site, &action.from, wanted, permit).await;
        if let Some(error) = children.crashed() {
            return Err(error);
        }
        self.crash("after_apply")?;
        let seen = self.settle(&mut action, ready, wanted).await?;
        let unread = applied.as_ref().err().filter(|_| reads(ready)).map(ToString::to_string);
        let mut end = conclude(ready, &action, seen, applied.err())?;
        if let Some(why) = unread {
            end = End { state: ActionState::Failed, detail: Some(why), side: "from" };
        }
        if end.state == ActionState::Verified {
            end = self.secure(turn, &action, wanted, end).await?;
        }
        match ready.capability.takes_effect_after().filter(|_| end.state == ActionState::Verified) {
            Some(takes) => self.begin_settling(&mut action, takes).await,
            None => self.outcome(turn.plan, &mut action, ready, end).await,
        }
    }

    /// An effect that could cut our own way stays only when it is verified over that way and then disarmed.
    pub(super) async fn secure(
        &self,
        turn: &Turn<'_>,
        action: &Action,
        wanted: &Value,
        end: End,
    ) -> Result<End, Error> {
        let ready = turn.ready;
        if action.undo_of.is_some() || ready.capability.reverts_after(&ready.target, &action.params)?.is_none() {
            return Ok(end);
        }
        let grant = Grant { approvals: &turn.plan.approvals, nonce: rand::random() };
        let permit = match turn.evaluation.permit(action.id, grant) {
            Ok(permit) => permit,
            Err(refused) => return Ok(reverting(&format!("not permitted: {refused}"))),
        };
        self.crash("before_disarmed")?;
        let children = Children::new(self, action.id);
        let site = Site { target: &ready.target, now: self.now(), watch: &children };
        let disarmed = ready.capability.disarm(site, &action.from, wanted, permit).await;
        if let Some(error) = children.crashed() {
            return Err(error);
        }
        if let Err(fault) = disarmed {
            return Ok(reverting(&fault.to_string()));
        }
        let step = self.step(action.id, "disarmed", json!({}));
        self.with.journal.commit(Change { at: self.now(), writes: vec![step], entry: None }).await?;
        self.crash("after_disarmed")?;
        let seen = self.read_back(ready, &action.params, wanted).await?;
        conclude(ready, action, seen, None)
    }

    /// What the target should hold, now: an effect lasts until its latest live owner's expiry.
    pub(crate) async fn wanted(&self, action: &Action, ready: &Ready) -> Result<Value, Error> {
        let mut owners = self.with.journal.owners(&action.state_key).await?;
        let me = action.undo_of.unwrap_or(action.id);
        owners.retain(|owner| owner.action_id != me);
        let now = self.now();
        if action.undo_of.is_none() {
            let expires_at = match action.expires_at {
                Some(time) => Some(time),
                None if action.applied_at.is_some() => None,
                None => ready.capability.lasts(&action.params)?.map(|span| now.plus(span)),
            };
            owners.push(Owner { action_id: action.id, expires_at });
        }
        if owners.is_empty() {
            return Ok(action.to.clone());
        }
        Ok(ready.capability.hold(&action.to, span(&owners, now))?)
    }

    /// What the undo of a first owner restores: what is there, or under an orphan what would be there without it.
    async fn before_owners(
        &self,
        action: &Action,
        ready: &Ready,
        there: &Value,
    ) -> Result<Result<Value, Fault>, Error> {
        let cleared = ready.capability.cleared(there)?;
        if action.undo_of.is_some() || ready.capability.same(there, &cleared)? {
            return Ok(Ok(there.clone()));
        }
        if !self.with.journal.owners(&action.state_key).await?.is_empty() {
            return Ok(Ok(there.clone()));
        }
        let marked = self.mark_on(ready, &action.params).await;
        Ok(marked.map(|mark| if mark.is_some() { cleared } else { there.clone() }))
    }

    /// Journals what is about to happen, before it happens.
    async fn intend(
        &self,
        turn: &Turn<'_>,
        action: &mut Action,
        (before, wanted): (&Value, &Value),
        nonce: &str,
    ) -> Result<(), Error> {
        self.crash("before_intent")?;
        let detail = json!({"from": action.from, "to": wanted, "nonce": nonce});
        let mut writes = vec![self.step(action.id, "intent", detail)];
        if let Some(span) = turn
            .ready
            .capability
            .reverts_after(&turn.ready.target, &action.params)?
            .filter(|_| action.undo_of.is_none())
        {
            writes.push(self.step(action.id, "revert_armed", json!({"after_ms": span.as_millis()})));
        }
        action.state = ActionState::Running;
        if action.undo_of.is_none() && !reads(turn.ready) {
            writes.extend(self.own(action, turn.ready, before)?);
        } else {
            action.applied_at = Some(self.now());
        }
        let payload = json!({"plan_hash": turn.plan.hash, "from": action.from, "to": wanted});
        let what = action_entry("action.intent", EXECUTOR, action, payload);
        self.save_action(action, writes, what).await?;
        self.crash("after_intent")
    }

    /// From here on the action wants the effect, until its own time is over; an adopted one, until the effect's.
    /// What is done for good leaves no state to want.
    fn own(&self, action: &mut Action, ready: &Ready, before: &Value) -> Result<Vec<Write>, Error> {
        if action.applied_at.is_none() {
            action.applied_at = Some(self.now());
            if action.adopts.is_none() {
                action.expires_at = ready.capability.lasts(&action.params)?.map(|span| self.now().plus(span));
            }
        }
        if ready.capability.describe().class != Class::Reversible {
            return Ok(Vec::new());
        }
        let owner = Owner { action_id: action.id, expires_at: action.expires_at };
        Ok(vec![
            Write::KeepBaseline { state_key: action.state_key.clone(), state: before.clone() },
            Write::AddOwner { state_key: action.state_key.clone(), owner },
        ])
    }

    /// What is wanted is there already: nothing is applied, and the effect has one owner more (or, for an undo, less).
    async fn join(
        &self,
        turn: &Turn<'_>,
        mut action: Action,
        before: &Value,
        permit: Permit,
    ) -> Result<ActionState, Error> {
        action.changed = false;
        if action.undo_of.is_none() {
            let wanted = self.wanted(&action, turn.ready).await?;
            if let Err(fault) = self.keep_inverse(&turn.plan.hash, &action, turn.ready, (before, &wanted)).await {
                return self.abort(turn, action, format!("nothing was done: {fault}")).await;
            }
            let writes = self.own(&mut action, turn.ready, before)?;
            let payload = json!({"plan_hash": turn.plan.hash, "changed": false, "nonce": permit.nonce()});
            let what = action_entry("action.intent", EXECUTOR, &action, payload);
            self.crash("before_joined")?;
            self.save_action(&mut action, writes, what).await?;
            self.crash("after_joined")?;
        }
        let detail = Some("what was wanted was already so: nothing was changed".to_owned());
        let wanted = self.wanted(&action, turn.ready).await?;
        let end = self.secure(turn, &action, &wanted, End { state: ActionState::Verified, detail, side: "to" }).await?;
        let takes = turn.ready.capability.takes_effect_after().filter(|_| action.undo_of.is_none());
        if let Some(takes) = takes
            && self.settles_for_another(&action).await?
        {
            return self.begin_settling(&mut action, takes).await;
        }
        self.outcome(turn.plan, &mut action, turn.ready, end).await
    }

    async fn abort(&self, turn: &Turn<'_>, mut action: Action, why: String) -> Result<ActionState, Error> {
        let end = End { state: ActionState::Aborted, detail: Some(why), side: "from" };
        self.outcome(turn.plan, &mut action, turn.ready, end).await
    }

    /// Reads back until the effect is in force or its settling time is over.
    async fn settle(&self, action: &mut Action, ready: &Ready, wanted: &Value) -> Result<Seen, Error> {
        // Where time alone makes it so, what is not there at once does not come.
        let settle = match ready.capability.takes_effect_after() {
            Some(_) => Duration::ZERO,
            None => Duration::from_millis(ready.capability.describe().settle_ms),
        };
        let deadline = tokio::time::Instant::now() + settle;
        loop {
            let seen = self.read_back(ready, &action.params, wanted).await?;
            if matches!(seen, Seen::InForce) || tokio::time::Instant::now() >= deadline {
                return Ok(seen);
            }
            if action.state != ActionState::Settling {
                self.crash("before_settling")?;
                action.state = ActionState::Settling;
                let what = action_entry("action.settling", EXECUTOR, action, json!({}));
                self.save_action(action, Vec::new(), what).await?;
                self.crash("after_settling")?;
            }
            tokio::time::sleep(SETTLE_STEP).await;
        }
    }
}

fn unread(fault: &Fault) -> String {
    format!("could not be observed, nothing was done: {fault}")
}

/// Changes nothing on the target.
pub(crate) fn reads(ready: &Ready) -> bool {
    ready.capability.describe().class == Class::ReadOnly
}

/// The effect is there and will not stay: the target's own timer takes it back.
pub(super) fn reverting(why: &str) -> End {
    let detail = format!("the effect could not be made to stay and the target takes it back by itself: {why}");
    End { state: ActionState::Unverified, detail: Some(detail), side: "to" }
}
