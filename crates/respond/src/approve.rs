//! What people say to a plan: approve, reject, execute; and the one switch that halts all runs.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use shieldops_model::{Approval, Override, Plan, PlanId, PlanState, Reason};
use shieldops_policy::{Entry as Door, RequesterKind, Stage};

use crate::{
    Automation, Engine, Entry, Error, Person, Write,
    engine::{address, door, entry, requester},
    plan::{plan_hash, rows, word},
};

impl Engine {
    /// One person's yes to exactly this hash. The last approval that is needed starts the run.
    pub async fn approve(self: &Arc<Self>, id: PlanId, hash: &str, person: &Person) -> Result<Plan, Error> {
        let plan = self.vote(id, hash, person).await?;
        if plan.state == PlanState::Approved && plan.not_before.is_none() {
            self.start(id);
        }
        Ok(plan)
    }

    async fn vote(&self, id: PlanId, hash: &str, person: &Person) -> Result<Plan, Error> {
        // It looks at targets: nobody else's vote waits for that.
        let loss = self.loss_of_voter(id, person).await?;
        let _one_at_a_time = self.votes.lock().await;
        let mut plan = self.get_plan(id).await?;
        if plan.hash != hash {
            return Err(Error::HashMismatch { actual: plan.hash });
        }
        let dropped = if plan.state == PlanState::Proposed { self.drop_void_votes(&mut plan).await? } else { 0 };
        let voted = plan.approvals.iter().any(|approval| approval.user == person.user);
        if voted
            && !matches!(
                plan.state,
                PlanState::Rejected | PlanState::Denied | PlanState::Expired | PlanState::Superseded
            )
        {
            return Ok(plan);
        }
        if plan.state != PlanState::Proposed {
            return Err(Error::State { what: "the plan", state: word(&plan.state) });
        }
        if plan.expires_at <= self.now() {
            self.expire_plan(&mut plan).await?;
            return Err(Error::Expired);
        }
        if plan.requester == person.user.to_string() {
            return Err(Error::OwnPlan);
        }
        if plan.decision.obligations.strong_session && !person.is_strong(self.now()) {
            return Err(Error::StrongSession);
        }
        self.spare_voter(&plan, person)?;
        if let Some(reason) = loss {
            return Err(Error::Denied(vec![reason]));
        }
        plan.approvals.push(Approval {
            id: self.mint(),
            user: person.user,
            user_name: person.name.clone(),
            at: self.now(),
            client_addr: person.client_addr.clone(),
            confirmed: person.confirmed,
            plan_hash: hash.to_owned(),
        });
        if plan.approvals.len() >= usize::from(plan.decision.approvals_needed) {
            self.accept(&mut plan);
        }
        let payload = json!({"hash": hash, "by": person.name, "client_addr": person.client_addr, "confirmed": person.confirmed,
            "approvals": plan.approvals.len(), "needed": plan.decision.approvals_needed, "not_before": plan.not_before,
            "votes_void": dropped});
        let what = entry("plan.approved", &person.user.to_string(), &plan, payload);
        self.save_plan(&mut plan, Vec::new(), what).await?;
        Ok(plan)
    }

    /// Nobody approves the loss of their own way in.
    fn spare_voter(&self, plan: &Plan, person: &Person) -> Result<(), Error> {
        let Some(own) = person.client_addr.as_deref().and_then(address) else { return Ok(()) };
        if door(plan) == Door::Undo {
            return Ok(());
        }
        for action in &plan.actions {
            let reach = self.capability(&action.capability)?.reach(&action.params)?;
            if let Some(net) = reach.iter().find(|net| net.contains(&own)) {
                let detail = format!("{net} holds {own}, your own client address");
                return Err(Error::Denied(vec![Reason { code: "operator_address".to_owned(), detail }]));
            }
        }
        Ok(())
    }

    /// The same where a whole target is cut off, and they with it: then their yes would end in a denied plan at its run.
    async fn loss_of_voter(&self, id: PlanId, person: &Person) -> Result<Option<Reason>, Error> {
        let Some(own) = person.client_addr.as_deref().and_then(address) else { return Ok(None) };
        let plan = self.get_plan(id).await?;
        if plan.state != PlanState::Proposed || door(&plan) == Door::Undo {
            return Ok(None);
        }
        for action in &plan.actions {
            if let Some(reason) = self.cut_from(action, own).await? {
                return Ok(Some(reason));
            }
        }
        Ok(None)
    }

    /// One person's no ends the plan, as long as no run of it has begun.
    pub async fn reject(&self, id: PlanId, reason: &str, person: &Person) -> Result<Plan, Error> {
        let _one_at_a_time = self.votes.lock().await;
        let mut plan = self.get_plan(id).await?;
        if plan.state == PlanState::Rejected {
            return Ok(plan);
        }
        // A veto: it is approved, and nothing of it has begun. An undo that is approved runs at once.
        let waits = plan.state == PlanState::Approved && door(&plan) == Door::Action;
        if plan.state != PlanState::Proposed && !waits {
            return Err(Error::State { what: "the plan", state: word(&plan.state) });
        }
        plan.state = PlanState::Rejected;
        plan.rejected_reason = Some(reason.to_owned());
        let writes = self.undo_not_done(&plan).await?;
        let what = entry(
            "plan.rejected",
            &person.user.to_string(),
            &plan,
            json!({"hash": plan.hash, "reason": reason, "veto": waits, "by": person.name, "confirmed": person.confirmed}),
        );
        self.save_plan(&mut plan, writes, what).await?;
        Ok(plan)
    }

    /// Starts the run of a plan that has what it needs. Once it runs or ran, this changes nothing.
    pub async fn execute(self: &Arc<Self>, id: PlanId, person: &Person) -> Result<Plan, Error> {
        let plan = self.release(id, person).await?;
        if plan.state == PlanState::Approved && plan.not_before.is_none() {
            self.start(id);
        }
        Ok(plan)
    }

    async fn release(&self, id: PlanId, person: &Person) -> Result<Plan, Error> {
        let _one_at_a_time = self.votes.lock().await;
        let mut plan = self.get_plan(id).await?;
        match plan.state {
            PlanState::Executing | PlanState::Executed => return Ok(plan),
            PlanState::Proposed | PlanState::Approved => {}
            other => return Err(Error::State { what: "the plan", state: word(&other) }),
        }
        if plan.expires_at <= self.now() {
            self.expire_plan(&mut plan).await?;
            return Err(Error::Expired);
        }
        if door(&plan) == Door::Action && self.halted().await? {
            return Err(Error::Halted);
        }
        if plan.state == PlanState::Proposed {
            self.drop_void_votes(&mut plan).await?;
            let (have, need) = (plan.approvals.len(), plan.decision.approvals_needed);
            if have < usize::from(need) {
                return Err(Error::State {
                    what: "the plan",
                    state: format!("proposed, with {have} of {need} approvals"),
                });
            }
            self.accept(&mut plan);
            let what = entry(
                "plan.approved",
                &person.user.to_string(),
                &plan,
                json!({"hash": plan.hash, "approvals": have, "needed": need}),
            );
            self.save_plan(&mut plan, Vec::new(), what).await?;
        }
        Ok(plan)
    }

    /// It has what it needs: it runs now, or when nobody said no until then.
    pub(crate) fn accept(&self, plan: &mut Plan) {
        plan.state = PlanState::Approved;
        plan.unanswered = false;
        let window = plan.decision.obligations.veto_window_s.filter(|seconds| *seconds > 0);
        plan.not_before = window.map(|seconds| self.now().plus(Duration::from_secs(seconds)));
    }

    /// A plan of automation that policy lets go without a person.
    pub(crate) async fn let_go(self: &Arc<Self>, id: PlanId) -> Result<(), Error> {
        let mut plan = self.get_plan(id).await?;
        let free = plan.state == PlanState::Proposed && plan.decision.approvals_needed == 0;
        if !free || requester(&plan).kind != RequesterKind::System {
            return Ok(());
        }
        self.accept(&mut plan);
        let payload = json!({"hash": plan.hash, "approvals": 0, "needed": 0, "not_before": plan.not_before, "decision": plan.decision});
        let what = entry("plan.approved", "system:policy", &plan, payload);
        self.save_plan(&mut plan, Vec::new(), what).await?;
        if plan.not_before.is_none() {
            self.start(id);
        }
        Ok(())
    }

    /// What came back from its run, for policy asks for more than when it was let go, and needs nobody all the same: nobody
    /// else starts it.
    pub(crate) async fn let_go_again(self: &Arc<Self>, plan: &Plan) -> Result<(), Error> {
        let back = plan.state == PlanState::Proposed && door(plan) == Door::Action;
        if back { self.let_go(plan.id).await } else { Ok(()) }
    }

    /// A person runs a plan without the approvals that it needs and in spite of a freeze; denies, caps and protected things
    /// hold. Everybody who administers the tenant is told.
    pub async fn break_glass(
        self: &Arc<Self>,
        id: PlanId,
        hash: &str,
        person: &Person,
        reason: &str,
    ) -> Result<Plan, Error> {
        let plan = {
            let _one_at_a_time = self.votes.lock().await;
            self.set_aside(id, hash, person, reason).await?
        };
        if plan.state == PlanState::Approved {
            self.start(id);
        }
        Ok(plan)
    }

    async fn set_aside(&self, id: PlanId, hash: &str, person: &Person, reason: &str) -> Result<Plan, Error> {
        let mut plan = self.get_plan(id).await?;
        if plan.hash != hash {
            return Err(Error::HashMismatch { actual: plan.hash });
        }
        if plan.state == PlanState::Denied && !plan.only_frozen() {
            return Err(Error::Denied(plan.decision.denies));
        }
        if door(&plan) == Door::Undo || !matches!(plan.state, PlanState::Proposed | PlanState::Denied) {
            return Err(Error::State { what: "the plan", state: word(&plan.state) });
        }
        if plan.expires_at <= self.now() {
            if plan.state == PlanState::Proposed {
                self.expire_plan(&mut plan).await?;
            }
            return Err(Error::Expired);
        }
        if !person.is_strong(self.now()) {
            return Err(Error::StrongSession);
        }
        self.spare_voter(&plan, person)?;
        // They were for another hash, and nothing runs on them: neither their age nor who gave them holds this back.
        let votes = std::mem::take(&mut plan.approvals).len();
        let (by, name) = (person.user, person.name.clone());
        plan.break_glass = Some(Override {
            by,
            name,
            reason: reason.to_owned(),
            at: self.now(),
            client_addr: person.client_addr.clone(),
            confirmed: person.confirmed,
        });
        let ready = self.look_at_all(&plan).await?;
        let decision = self.evaluate(&plan, &ready, Stage::Plan, false).await?.into_decision();
        if !decision.allow {
            return Err(Error::Denied(decision.denies));
        }
        let before = plan.hash.clone();
        (plan.risk, plan.decision) = (decision.risk, decision);
        plan.hash = plan_hash(&plan, &rows(&ready))?;
        plan.state = PlanState::Approved;
        let payload = json!({"hash": plan.hash, "replaces": before, "votes": votes, "reason": reason, "by": person.name,
            "client_addr": person.client_addr, "confirmed": person.confirmed, "decision": plan.decision});
        let what = entry("plan.break_glass", &person.user.to_string(), &plan, payload);
        self.save_plan(&mut plan, Vec::new(), what).await?;
        Ok(plan)
    }

    pub(crate) async fn expire_plan(&self, plan: &mut Plan) -> Result<(), Error> {
        let was = std::mem::replace(&mut plan.state, PlanState::Expired);
        let writes = self.undo_not_done(plan).await?;
        let what = entry("plan.expired", "system:expiry", plan, json!({"hash": plan.hash, "was": was}));
        self.save_plan(plan, writes, what).await
    }

    pub(crate) fn start(self: &Arc<Self>, id: PlanId) {
        let engine = Arc::clone(self);
        self.with.tracker.spawn(async move {
            let ran = match engine.run(id).await {
                Ok(plan) => engine.let_go_again(&plan).await,
                Err(error) => Err(error),
            };
            match ran {
                Ok(()) => {}
                // Somebody planted it.
                Err(error @ Error::Crashed(_)) => tracing::debug!(plan.id = %id, %error, "a run ended early"),
                Err(error) => tracing::error!(plan.id = %id, %error, "a run ended early"),
            }
            engine.ended.notify_waiters();
        });
    }

    /// Stops all automation: no run begins, and one that has begun pauses before its next action. Undo and expiry go on.
    pub async fn halt(&self, (by, name): (&str, &str), reason: &str) -> Result<Automation, Error> {
        self.switch(true, (by, name), reason).await
    }

    /// Only a person resumes; what was approved meanwhile then runs, and runs that were paused go on.
    pub async fn resume(self: &Arc<Self>, person: &Person, reason: &str) -> Result<Automation, Error> {
        let automation = self.switch(false, (&person.user.to_string(), &person.name), reason).await?;
        for plan in self.with.journal.plans_in(&[PlanState::Approved, PlanState::Executing]).await? {
            self.start(plan.id);
        }
        Ok(automation)
    }

    async fn switch(&self, halted: bool, (by, name): (&str, &str), reason: &str) -> Result<Automation, Error> {
        let actor = by.to_owned();
        let automation =
            Automation { halted, by: Some(actor.clone()), at: Some(self.now()), reason: Some(reason.to_owned()) };
        let kind = if halted { "automation.halted" } else { "automation.resumed" };
        let what = Entry { kind, subjects: Vec::new(), actor, payload: json!({"reason": reason, "by": name}) };
        self.commit(vec![Write::Automation(automation.clone())], what).await?;
        Ok(automation)
    }
}
