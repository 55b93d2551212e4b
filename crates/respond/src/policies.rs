//! The policies that decide for this tenant: the built-in ones with the version of its own that is in force at this moment, and
//! what they were asked, which is kept with the plan that it decided.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use shieldops_model::{PlanId, Reason};
use shieldops_policy::{Entry as Door, Evaluation, Input, Policy, PolicyError};

use crate::{Asked, Engine, Error, Write};

/// Questions whose plan is not written yet, or never will be: a preview, or a plan that could not be kept.
const WAITING: usize = 256;

#[derive(Debug, Default)]
pub(crate) struct Policies {
    /// The last that were made, with the hash of the tenant's files.
    made: Mutex<Option<(String, Arc<Policy>)>>,
    asked: Mutex<VecDeque<Asked>>,
}

/// Who decides.
pub(crate) enum Judge {
    BuiltIn(Arc<Policy>),
    Own(Arc<Policy>),
    /// The tenant's own are in force and cannot be used: nobody may be taken for them.
    Nobody(String),
}

impl Engine {
    /// Asks whoever decides now; the question waits to be kept with the plan.
    pub(crate) async fn judge(&self, input: Input) -> Result<Evaluation, Error> {
        Ok(match self.judges(input.entry).await? {
            Judge::BuiltIn(policy) => policy.evaluate(input),
            // A tenant's own may take their time: up to the limit.
            Judge::Own(policy) => {
                let asked = tokio::task::spawn_blocking(move || policy.evaluate(input));
                asked.await.map_err(|error| Error::Internal(error.to_string()))?
            }
            Judge::Nobody(why) => self.with.policy.refuse(input, why),
        })
    }

    /// What is in force at this moment, on whichever node it was activated. An undo answers to the built-in policies alone: a
    /// tenant's own never keep an effect from being taken away, not even when they are broken.
    pub(crate) async fn judges(&self, door: Door) -> Result<Judge, Error> {
        let built_in = Arc::clone(&self.with.policy);
        if door == Door::Undo {
            return Ok(Judge::BuiltIn(built_in));
        }
        let Some(own) = self.with.journal.policies().await? else { return Ok(Judge::BuiltIn(built_in)) };
        if let Some(policy) = self.policies.made(&own.hash) {
            return Ok(Judge::Own(policy));
        }
        let files = self.with.journal.policy_files(own.number).await?;
        let made = tokio::task::spawn_blocking(move || Policy::with_tenant(&files));
        match made.await.map_err(|error| Error::Internal(error.to_string()))? {
            Ok(policy) => Ok(Judge::Own(self.policies.keep(own.hash, Arc::new(policy)))),
            Err(errors) => Ok(Judge::Nobody(unusable(own.number, &errors))),
        }
    }

    /// The same for an explanation, which needs somebody to explain.
    pub(crate) async fn explainer(&self, door: Door) -> Result<Arc<Policy>, Error> {
        match self.judges(door).await? {
            Judge::BuiltIn(policy) | Judge::Own(policy) => Ok(policy),
            Judge::Nobody(detail) => Err(Error::Denied(vec![Reason { code: "policy_error".to_owned(), detail }])),
        }
    }
}

fn unusable(number: i64, errors: &[PolicyError]) -> String {
    let first = errors.first().map(ToString::to_string).unwrap_or_default();
    format!("version {number} of this tenant's own policies is in force and cannot be used: {first}")
}

impl Policies {
    fn made(&self, hash: &str) -> Option<Arc<Policy>> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.as_ref().filter(|(known, _)| known == hash).map(|(_, policy)| Arc::clone(policy))
    }

    fn keep(&self, hash: String, policy: Arc<Policy>) -> Arc<Policy> {
        *self.made.lock().unwrap_or_else(PoisonError::into_inner) = Some((hash, Arc::clone(&policy)));
        policy
    }

    pub(crate) fn remember(&self, plan: PlanId, evaluation: &Evaluation) {
        let (asked, decided) = (evaluation.input(), evaluation.decision().clone());
        let input = match serde_json::to_value(asked) {
            Ok(input) => input,
            Err(error) => {
                tracing::error!(plan.id = %plan, %error, "what policy was asked cannot be kept for a replay");
                return;
            }
        };
        let mut all = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= WAITING {
            all.pop_front();
        }
        all.push_back(Asked { plan, at: asked.now, input, decided });
    }

    /// Adds what was asked about the plans that are written, so that it is kept in the same transaction.
    pub(crate) fn hand_over(&self, writes: &mut Vec<Write>) {
        let plans: Vec<PlanId> = writes.iter().filter_map(written).collect();
        if plans.is_empty() {
            return;
        }
        let mut all = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let (ours, others): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut *all).into_iter().partition(|asked| plans.contains(&asked.plan));
        *all = others;
        writes.extend(ours.into_iter().map(|asked| Write::Asked(Box::new(asked))));
    }
}

/// The plan that a write is of.
fn written(write: &Write) -> Option<PlanId> {
    match write {
        Write::InsertPlan { plan, .. } | Write::UpdatePlan(plan) => Some(plan.id),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use shieldops_model::Id;

    use super::*;

    #[test]
    fn questions_whose_plan_is_never_written_are_forgotten_in_the_end() {
        let (policies, policy) = (Policies::default(), Policy::built_in().unwrap());
        let ask = |n: u128| {
            policies.remember(Id::from_bits(n), &policy.refuse(shieldops_policy::example::block(), "no"));
        };
        (0..=u128::try_from(WAITING).unwrap()).for_each(ask);
        assert_eq!(policies.asked.lock().unwrap().len(), WAITING);
        assert_eq!(policies.asked.lock().unwrap()[0].plan, Id::from_bits(1));
    }
}
