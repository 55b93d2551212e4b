//! Policy files, and an engine that holds them.

use std::num::{NonZeroU32, NonZeroUsize};

use regorus::{Engine, PolicyLengthConfig, Value, utils::limits::ExecutionTimerConfig};
use sha2::{Digest, Sha256};

use crate::{EVALUATION_LIMIT, tree::Index};

/// The largest policy file, in bytes.
pub(crate) const MAX_POLICY_BYTES: usize = 64 * 1024;

/// A file's name and its text.
pub(crate) type File = (String, String);

/// A policy set that does not load.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("policy {file} does not load: {why}")]
pub struct PolicyError {
    pub file: String,
    pub why: String,
}

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../policies/", $name)))),*]
    };
}

/// The policies that every installation has.
pub(crate) const BUILT_IN: &[(&str, &str)] = shipped![
    "approvals.rego",
    "automation.rego",
    "autonomy.rego",
    "controls.rego",
    "decision.rego",
    "facts.rego",
    "forbidden.rego",
    "freezes.rego",
    "limits.rego",
    "overrides.rego",
    "plan.rego",
    "protected.rego",
    "risk.rego",
    "teams.rego",
    "tenant.rego",
    "undo.rego",
];

/// Their tests: never part of a policy set that decides.
pub(crate) const BUILT_IN_TESTS: &[(&str, &str)] = shipped![
    "approvals_test.rego",
    "automation_test.rego",
    "autonomy_test.rego",
    "controls_test.rego",
    "decision_test.rego",
    "facts_test.rego",
    "forbidden_test.rego",
    "freezes_test.rego",
    "limits_test.rego",
    "overrides_test.rego",
    "plan_test.rego",
    "protected_test.rego",
    "risk_test.rego",
    "teams_test.rego",
    "tenant_test.rego",
    "testing_test.rego",
    "undo_test.rego",
];

pub(crate) fn owned(files: &[(&str, &str)]) -> Vec<File> {
    files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

pub(crate) fn built_in() -> Vec<File> {
    owned(BUILT_IN)
}

/// An engine with these files, its rules analysed.
pub(crate) fn engine(files: &[File]) -> Result<Engine, PolicyError> {
    let mut engine = new_engine();
    for (file, text) in files {
        engine
            .add_policy(file.clone(), text.clone())
            .map_err(|error| PolicyError { file: file.clone(), why: error.to_string() })?;
    }
    Ok(engine)
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

/// SHA-256 over names and texts, each with its length, hex.
pub(crate) fn hash(files: &[File]) -> String {
    let mut hash = Sha256::new();
    for part in files.iter().flat_map(|(file, text)| [file, text]) {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hex::encode(hash.finalize())
}

/// Whether a rule of that path evaluates to `true`.
pub(crate) fn is_true(value: &Value) -> bool {
    *value == Value::from(true)
}

/// The syntax trees of these files.
pub(crate) fn index(files: &[File]) -> Result<Index, PolicyError> {
    Ok(Index::new(engine(files)?.get_modules().clone()))
}
