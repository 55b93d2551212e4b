//! One evaluation of the policies: an engine of its own, a time limit, and deny on any error.

mod answer;

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use regorus::{Engine, Value};
use shieldops_model::Decision;

use crate::{Input, canonical, load};
use answer::{Answer, checked, refusal};
pub use load::PolicyError;

/// An answer that takes longer is a deny.
pub const EVALUATION_LIMIT: Duration = Duration::from_millis(250);
const ENTRY_POINT: &str = "data.shieldops.decision.decision";
/// Engines that are kept for the next question: one a worker, and more than that are dropped after use.
const KEPT_ENGINES: usize = 16;

/// A loaded policy set. Cheap to share; each question is answered by an engine that nobody else uses meanwhile.
pub struct Policy {
    /// Never asked: the others are its clones.
    first: Mutex<Engine>,
    idle: Mutex<Vec<Engine>>,
    hash: String,
    files: Vec<load::File>,
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policy").field("hash", &self.hash).finish_non_exhaustive()
    }
}

/// What policy said of one plan, bound to that plan: the token from which permits are made.
#[derive(Debug)]
pub struct Evaluation {
    pub(crate) input: Input,
    pub(crate) decision: Decision,
}

impl Evaluation {
    /// What was asked.
    pub fn input(&self) -> &Input {
        &self.input
    }

    pub fn decision(&self) -> &Decision {
        &self.decision
    }

    pub fn into_decision(self) -> Decision {
        self.decision
    }
}

impl Policy {
    /// The embedded policies.
    pub fn built_in() -> Result<Self, PolicyError> {
        Self::load(load::built_in())
    }

    pub(crate) fn load(files: Vec<load::File>) -> Result<Self, PolicyError> {
        let engine = load::engine(&files)?;
        let hash = load::hash(&files);
        Ok(Self { first: Mutex::new(engine), idle: Mutex::default(), hash, files })
    }

    /// SHA-256 over the policy files, hex.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    pub(crate) fn files(&self) -> &[load::File] {
        &self.files
    }

    /// Never fails: what could not be decided is denied with the code `policy_error`.
    pub fn evaluate(&self, input: Input) -> Evaluation {
        let decision = match serde_json::to_value(&input) {
            Ok(value) => self.decide(value),
            Err(error) => self.decision(String::new(), refusal(format!("the input cannot be written: {error}"))),
        };
        Evaluation { input, decision }
    }

    /// No: the policies that should have been asked cannot be.
    pub fn refuse(&self, input: Input, why: impl Into<String>) -> Evaluation {
        let asked = serde_json::to_value(&input).map(|value| canonical::hash(&value)).unwrap_or_default();
        Evaluation { input, decision: self.decision(asked, refusal(why.into())) }
    }

    pub(crate) fn decide(&self, input: serde_json::Value) -> Decision {
        let input_hash = canonical::hash(&input);
        let answer = self.ask(input).and_then(checked).unwrap_or_else(refusal);
        self.decision(input_hash, answer)
    }

    fn decision(&self, input_hash: String, answer: Answer) -> Decision {
        Decision {
            allow: answer.allow,
            denies: answer.denies,
            approvals_needed: answer.approvals_needed,
            risk: answer.risk,
            risk_terms: answer.risk_terms,
            obligations: answer.obligations,
            controls: answer.controls,
            input_hash,
            policy_hash: self.hash.clone(),
        }
    }

    fn ask(&self, input: serde_json::Value) -> Result<Answer, String> {
        let mut engine = self.borrow();
        let begun = Instant::now();
        engine.set_input(Value::from(input));
        let answer = engine.eval_rule(ENTRY_POINT.to_owned()).map_err(|error| error.to_string())?;
        if begun.elapsed() > EVALUATION_LIMIT {
            return Err("the answer came too late".to_owned());
        }
        if answer == Value::Undefined {
            return Err("the decision is undefined".to_owned());
        }
        let text = answer.to_json_str().map_err(|error| error.to_string())?;
        let answer = serde_json::from_str(&text).map_err(|error| format!("the decision has another shape: {error}"))?;
        self.give_back(engine);
        Ok(answer)
    }

    /// Evaluates one rule by itself; why it cannot be.
    pub(crate) fn probe(&self, rule: &str, input: serde_json::Value) -> Result<(), String> {
        let mut engine = self.borrow();
        engine.set_input(Value::from(input));
        engine.eval_rule(rule.to_owned()).map_err(|error| error.to_string())?;
        self.give_back(engine);
        Ok(())
    }

    fn borrow(&self) -> Engine {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.unwrap_or_else(|| self.first.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// One that failed is never given back.
    fn give_back(&self, engine: Engine) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT_ENGINES {
            idle.push(engine);
        }
    }
}

#[cfg(test)]
mod tests;
