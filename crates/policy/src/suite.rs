//! Runs the `test_` rules of policy files and says which lines of the policies they evaluated.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use regorus::{
    Engine,
    unstable::{Rule, RuleHead},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::load::{self, File, PolicyError};

/// All tests of a set of files together; what was not run by then did not pass.
const LONGEST: Duration = Duration::from_secs(20);

/// What the tests of a set of files showed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = PolicyTests)]
pub struct SuiteReport {
    pub tests: Vec<TestResult>,
    pub coverage: Vec<FileCoverage>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PolicyTest)]
pub struct TestResult {
    pub file: String,
    /// As Rego names it: `data.tenant.nights_test.test_a_night_is_denied`.
    pub name: String,
    pub passed: bool,
    /// Why it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// The lines of one policy file, without its tests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PolicyCoverage)]
pub struct FileCoverage {
    pub file: String,
    pub covered: usize,
    pub not_covered: BTreeSet<u32>,
}

impl SuiteReport {
    pub fn passed(&self) -> bool {
        !self.tests.is_empty() && self.tests.iter().all(|test| test.passed)
    }

    /// In percent of the lines that can be evaluated; nothing where there are none.
    pub fn percent(&self) -> Option<f64> {
        let covered: usize = self.coverage.iter().map(|file| file.covered).sum();
        let missed: usize = self.coverage.iter().map(|file| file.not_covered.len()).sum();
        if covered + missed == 0 {
            return None;
        }
        let parts = |number: usize| u32::try_from(number).map_or(f64::MAX, f64::from);
        Some(parts(covered) * 100.0 / parts(covered + missed))
    }
}

/// The shipped policies with their tests.
pub fn built_in() -> Vec<File> {
    let mut files = load::built_in();
    files.extend(load::owned(load::BUILT_IN_TESTS));
    files
}

/// Whether these are the shipped policies, changed or not: a folder of a tenant has at most some of their names.
pub fn are_shipped(files: &[File]) -> bool {
    load::BUILT_IN.iter().all(|(built_in, _)| files.iter().any(|(name, _)| name == built_in))
}

/// Runs every test of these files. Fails when a file does not load.
pub fn run(files: &[File]) -> Result<SuiteReport, PolicyError> {
    let mut engine = load::engine(files)?;
    engine.set_enable_coverage(true);
    let names = tests(&mut engine);
    let mut results = Vec::with_capacity(names.len());
    let begun = Instant::now();
    for (name, file) in names {
        let why = if begun.elapsed() > LONGEST {
            Some(format!("not run: the tests before it took {} s", LONGEST.as_secs()))
        } else {
            failure(&mut engine, &name)
        };
        results.push(TestResult { file, name, passed: why.is_none(), why });
    }
    let report = engine.get_coverage_report().map_err(|error| PolicyError::of_file("", error.to_string()))?;
    let shown = report.files.into_iter().filter(|file| !is_test(&file.path));
    let coverage = shown
        .map(|file| FileCoverage {
            covered: file.covered.len(),
            not_covered: file.not_covered.difference(&file.covered).copied().collect(),
            file: file.path,
        })
        .collect();
    Ok(SuiteReport { tests: results, coverage })
}

/// Why a test does not pass.
fn failure(engine: &mut Engine, name: &str) -> Option<String> {
    match engine.eval_rule(name.to_owned()) {
        Ok(value) if load::is_true(&value) => None,
        Ok(value) => Some(format!("it is {value}, not true")),
        Err(error) => Some(error.to_string()),
    }
}

/// The first test that does not pass, without coverage: what a mutant is judged by. Tests of package `first` come first.
pub fn first_failure(files: &[File], first: &str) -> Result<Option<String>, PolicyError> {
    let mut engine = load::engine(files)?;
    let mut names: Vec<String> = tests(&mut engine).into_keys().collect();
    let near = format!(".{first}_test.");
    names.sort_by_key(|name| !name.contains(&near));
    Ok(names.into_iter().find(|name| !engine.eval_rule(name.clone()).is_ok_and(|value| load::is_true(&value))))
}

/// A file of tests ends in `_test.rego`.
pub fn is_test(file: &str) -> bool {
    file.ends_with("_test.rego")
}

/// The paths of all `test_` rules, with their files.
fn tests(engine: &mut Engine) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for module in engine.get_modules() {
        let package = module.package.refr.span();
        for rule in &module.policy {
            let Rule::Spec { head: RuleHead::Compr { refr, .. }, .. } = rule.as_ref() else { continue };
            let name = refr.span().text();
            if name.starts_with("test_") {
                found.insert(format!("data.{}.{name}", package.text()), package.source.file().clone());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
