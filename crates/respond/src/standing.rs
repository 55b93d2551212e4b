//! Whether people may still do what they did: a vote and a standing grant hold no longer than the right to give them.

use std::{collections::BTreeSet, time::Duration};

use async_trait::async_trait;
use shieldops_model::{Environment, Plan, UserId};
use shieldops_policy::StandingGrant;

use crate::{Engine, Error, JournalError};

/// What was done by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// To vote on plans.
    Approve,
    /// To let automation act without a vote.
    Grant,
    /// To undo.
    Undo,
}

/// Told by whoever knows what roles mean.
#[async_trait]
pub trait Standing: std::fmt::Debug + Send + Sync {
    /// `environments` are those of the targets that it is about.
    async fn may_still(&self, user: UserId, right: Right, environments: &[Environment]) -> Result<bool, JournalError>;
}

impl Engine {
    /// How long a vote lives without a run.
    pub(crate) async fn vote_life(&self, plan: &Plan) -> Result<Duration, Error> {
        let around = self.with.journal.surroundings(plan, self.now(), self.now()).await?;
        Ok(Duration::from_secs(u64::from(around.settings.numbers.vote_void_s)))
    }

    /// Takes the votes away that count no more: too old, or of somebody who may not vote any more. Says how many.
    pub(crate) async fn drop_void_votes(&self, plan: &mut Plan) -> Result<usize, Error> {
        if plan.approvals.is_empty() {
            return Ok(0);
        }
        let (before, life, now) = (plan.approvals.len(), self.vote_life(plan).await?, self.now());
        plan.approvals.retain(|vote| vote.at.plus(life) >= now);
        let voters: Vec<UserId> = plan.approvals.iter().map(|vote| vote.user).collect();
        let still = self.who_may_still(&voters, Right::Approve, &self.environments_of(plan).await?).await?;
        plan.approvals.retain(|vote| still.contains(&vote.user));
        Ok(before - plan.approvals.len())
    }

    /// Whether somebody on whose word the plan runs may not give it any more.
    pub(crate) async fn lost_a_voter(&self, plan: &Plan) -> Result<bool, Error> {
        let mut voters: Vec<UserId> = plan.approvals.iter().map(|vote| vote.user).collect();
        voters.extend(plan.break_glass.iter().map(|person| person.by));
        let still = self.who_may_still(&voters, Right::Approve, &self.environments_of(plan).await?).await?;
        Ok(voters.iter().any(|voter| !still.contains(voter)))
    }

    /// The grants of those who may still give them.
    pub(crate) async fn grants_that_hold(&self, grants: &[StandingGrant]) -> Result<Vec<StandingGrant>, Error> {
        let givers: Vec<UserId> = grants.iter().map(|grant| grant.granted_by).collect();
        let still = self.who_may_still(&givers, Right::Grant, &[]).await?;
        Ok(grants.iter().filter(|grant| still.contains(&grant.granted_by)).cloned().collect())
    }

    async fn who_may_still(
        &self,
        users: &[UserId],
        right: Right,
        environments: &[Environment],
    ) -> Result<BTreeSet<UserId>, Error> {
        let mut still = BTreeSet::new();
        for user in users.iter().collect::<BTreeSet<_>>() {
            if self.with.journal.may_still(*user, right, environments).await? {
                still.insert(*user);
            }
        }
        Ok(still)
    }

    /// Of targets that are registered no more nothing is known.
    async fn environments_of(&self, plan: &Plan) -> Result<Vec<Environment>, Error> {
        let mut found = Vec::with_capacity(plan.actions.len());
        for action in &plan.actions {
            found.extend(self.with.journal.target(action.target_id).await?.map(|target| target.environment));
        }
        Ok(found)
    }
}
