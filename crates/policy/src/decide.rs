//! One evaluation of the embedded policies: an engine cloned per question, a time limit, and deny on any error.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    sync::Mutex,
    time::{Duration, Instant},
};

use regorus::{Engine, PolicyLengthConfig, Value, utils::limits::ExecutionTimerConfig};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use shieldops_model::{Decision, Obligations, Reason, Risk, RiskTerm};

use crate::{Input, canonical};

/// An answer that takes longer is a deny.
pub const EVALUATION_LIMIT: Duration = Duration::from_millis(250);
const ENTRY_POINT: &str = "data.shieldops.decision.decision";
/// The largest policy file, in bytes.
const MAX_POLICY_BYTES: usize = 64 * 1024;
/// The most approvals a policy may ask for.
const MAX_APPROVALS: u8 = 10;

/// The policies that every installation has, by file name.
const BUILT_IN: &[(&str, &str)] = &[
    ("approvals.rego", include_str!("../../../policies/approvals.rego")),
    ("automation.rego", include_str!("../../../policies/automation.rego")),
    ("decision.rego", include_str!("../../../policies/decision.rego")),
    ("facts.rego", include_str!("../../../policies/facts.rego")),
    ("protected.rego", include_str!("../../../policies/protected.rego")),
    ("risk.rego", include_str!("../../../policies/risk.rego")),
];

/// A policy set that does not load.
#[derive(Debug, thiserror::Error)]
#[error("policy {file} does not load: {why}")]
pub struct PolicyError {
    pub file: String,
    pub why: String,
}

/// A loaded policy set. Cheap to share; each question is answered by its own engine.
pub struct Policy {
    engine: Mutex<Engine>,
    hash: String,
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
    pub fn decision(&self) -> &Decision {
        &self.decision
    }

    pub fn into_decision(self) -> Decision {
        self.decision
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    allow: bool,
    denies: Vec<Reason>,
    approvals_needed: u8,
    risk: Risk,
    risk_terms: Vec<RiskTerm>,
}

impl Policy {
    /// The embedded policies.
    pub fn built_in() -> Result<Self, PolicyError> {
        Self::load(BUILT_IN)
    }

    fn load(files: &[(&str, &str)]) -> Result<Self, PolicyError> {
        let mut engine = new_engine();
        let mut hash = Sha256::new();
        for (file, text) in files {
            hash.update(u64::try_from(file.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(file);
            hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(text);
            engine
                .add_policy((*file).to_owned(), (*text).to_owned())
                .map_err(|error| PolicyError { file: (*file).to_owned(), why: error.to_string() })?;
        }
        Ok(Self { engine: Mutex::new(engine), hash: hex::encode(hash.finalize()) })
    }

    /// SHA-256 over the policy files, hex.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Never fails: what could not be decided is denied with the code `policy_error`.
    pub fn evaluate(&self, input: Input) -> Evaluation {
        let (input_hash, answer) = match serde_json::to_value(&input) {
            Ok(value) => (canonical::hash(&value), self.ask(value)),
            Err(error) => (String::new(), Err(format!("the input cannot be written: {error}"))),
        };
        let answer = answer.and_then(checked).unwrap_or_else(refusal);
        let decision = Decision {
            allow: answer.allow,
            denies: answer.denies,
            approvals_needed: answer.approvals_needed,
            risk: answer.risk,
            risk_terms: answer.risk_terms,
            obligations: Obligations::default(),
            controls: Vec::new(),
            input_hash,
            policy_hash: self.hash.clone(),
        };
        Evaluation { input, decision }
    }

    fn ask(&self, input: serde_json::Value) -> Result<Answer, String> {
        let mut engine = match self.engine.lock() {
            Ok(engine) => engine.clone(),
            Err(_) => return Err("an earlier evaluation ended badly".to_owned()),
        };
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
        serde_json::from_str(&text).map_err(|error| format!("the decision has another shape: {error}"))
    }
}

fn new_engine() -> Engine {
    let mut engine = Engine::new();
    engine.set_strict_builtin_errors(true);
    engine
        .set_execution_timer_config(ExecutionTimerConfig { limit: EVALUATION_LIMIT, check_interval: NonZeroU32::MIN });
    engine.set_policy_length_config(PolicyLengthConfig {
        max_file_bytes: NonZeroUsize::new(MAX_POLICY_BYTES).unwrap_or(NonZeroUsize::MIN),
        ..PolicyLengthConfig::default()
    });
    engine
}

/// An answer that contradicts itself is no answer.
fn checked(mut answer: Answer) -> Result<Answer, String> {
    if answer.allow != answer.denies.is_empty() {
        return Err("the decision contradicts its reasons".to_owned());
    }
    if answer.approvals_needed > MAX_APPROVALS {
        return Err("the decision asks for too many approvals".to_owned());
    }
    answer.denies.sort();
    Ok(answer)
}

fn refusal(why: String) -> Answer {
    Answer {
        allow: false,
        denies: vec![Reason { code: "policy_error".to_owned(), detail: why }],
        approvals_needed: 2,
        risk: Risk::Critical,
        risk_terms: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
