//! Policy files, and an engine that holds them.

use std::{
    fmt,
    num::{NonZeroU32, NonZeroUsize},
};

use regorus::{Engine, PolicyLengthConfig, Value, utils::limits::ExecutionTimerConfig};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::{EVALUATION_LIMIT, tree::Index};

/// Steps of an evaluation between two looks at the clock: at every step it would cost a sixth of the time.
const CHECK_EVERY: NonZeroU32 = match NonZeroU32::new(32) {
    Some(steps) => steps,
    None => NonZeroU32::MIN,
};
/// The largest policy file, in bytes.
pub(crate) const MAX_POLICY_BYTES: usize = 64 * 1024;

/// A file's name and its text.
pub(crate) type File = (String, String);

/// A policy that does not load, or may not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PolicyDiagnostic)]
pub struct PolicyError {
    /// Empty: it is about all of them together.
    pub file: String,
    pub line: Option<u32>,
    pub why: String,
}

impl std::error::Error for PolicyError {}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file.as_str(), self.line) {
            ("", _) => write!(f, "policies: {}", self.why),
            (file, None) => write!(f, "policy {file}: {}", self.why),
            (file, Some(line)) => write!(f, "policy {file}:{line}: {}", self.why),
        }
    }
}

impl PolicyError {
    pub(crate) fn of_file(file: &str, why: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: None, why: why.into() }
    }

    pub(crate) fn at(file: &str, line: u32, why: impl Into<String>) -> Self {
        Self { line: Some(line), ..Self::of_file(file, why) }
    }

    /// What the library says of a file, with the line that stands in its message.
    fn said(file: &str, message: &str) -> Self {
        let place = message.split_once(&format!("--> {file}:")).map(|(_, rest)| rest);
        let line = place.and_then(|rest| rest.split(':').next()?.parse().ok());
        // The message ends with what is wrong; before it stand the place and the line of text.
        let why = message.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or(message);
        Self { line, ..Self::of_file(file, why.trim_start_matches("error: ")) }
    }
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
    "secrets.rego",
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
    "secrets_test.rego",
    "teams_test.rego",
    "tenant_test.rego",
    "testing_test.rego",
    "undo_test.rego",
];

/// A file that every installation has, to be read by people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PolicyFile)]
pub struct Shipped {
    pub path: String,
    /// `shieldops.limits`.
    pub package: String,
    /// SHA-256 of the text, hex.
    pub hash: String,
    /// It holds tests, and decides nothing.
    pub test: bool,
    pub text: String,
}

/// The built-in policies and their tests, by path.
pub fn shipped() -> Vec<Shipped> {
    let mut files: Vec<Shipped> =
        BUILT_IN.iter().chain(BUILT_IN_TESTS).map(|(path, text)| Shipped::of(path, text)).collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

impl Shipped {
    fn of(path: &str, text: &str) -> Self {
        let package = text.lines().find_map(|line| line.strip_prefix("package "));
        Self {
            path: path.to_owned(),
            package: package.unwrap_or_default().trim().to_owned(),
            hash: hex::encode(Sha256::digest(text)),
            test: path.ends_with("_test.rego"),
            text: text.to_owned(),
        }
    }
}

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
        engine.add_policy(file.clone(), text.clone()).map_err(|error| PolicyError::said(file, &error.to_string()))?;
    }
    Ok(engine)
}

fn new_engine() -> Engine {
    let mut engine = Engine::new();
    engine.set_strict_builtin_errors(true);
    engine.set_execution_timer_config(ExecutionTimerConfig { limit: EVALUATION_LIMIT, check_interval: CHECK_EVERY });
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
