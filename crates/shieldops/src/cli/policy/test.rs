//! `shieldops policy test [DIR]`: needs no server. Without a folder, the policies that are built in.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use serde::Serialize;
use serde_json::Value;
use shieldops_policy::{
    PolicyError,
    suite::{self, FileCoverage, SuiteReport, TestResult},
    tenant,
};

use crate::{
    cli::Outcome,
    output::{self, Failure, OK, Output, REFUSED},
};

/// The most files that are read of a folder.
const MAX_FILES: usize = 200;
/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

#[derive(Debug, Args)]
pub(in crate::cli) struct TestArgs {
    /// A folder of a tenant's policies: files in Rego, tests in files that end in `_test.rego` [default: what is built in].
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Serialize)]
struct Report<'a> {
    passed: usize,
    failed: usize,
    /// Of the lines that can be evaluated, in percent; null where no line was.
    coverage_percent: Option<f64>,
    tests: &'a [TestResult],
    coverage: &'a [FileCoverage],
    errors: &'a [PolicyError],
}

pub(super) fn run(args: &TestArgs) -> Outcome {
    let files = match &args.dir {
        Some(dir) => read(dir)?,
        None => suite::built_in(),
    };
    let (report, errors) = match tested(&files) {
        Ok(report) => (report, Vec::new()),
        Err(errors) => (SuiteReport { tests: Vec::new(), coverage: Vec::new() }, errors),
    };
    print(&report, &errors, args.output)?;
    Ok(ExitCode::from(if errors.is_empty() && report.passed() { OK } else { REFUSED }))
}

/// Ours are tested as they are; a tenant's are first held to what a tenant may write.
fn tested(files: &[(String, String)]) -> Result<SuiteReport, Vec<PolicyError>> {
    if suite::are_shipped(files) { suite::run(files).map_err(|error| vec![error]) } else { tenant::test(files) }
}

/// The policies of a folder, by their names.
pub(super) fn read(dir: &Path) -> Result<Vec<(String, String)>, Failure> {
    let unreadable =
        |error: std::io::Error| Failure::unusable(format!("cannot read {}", dir.display())).why(error.to_string());
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let Some(name) =
            path.file_name().and_then(|name| name.to_str()).filter(|name| name.strip_suffix(".rego").is_some())
        else {
            continue;
        };
        let long = fs::metadata(&path).map_err(unreadable)?.len() > MAX_BYTES;
        if long || files.len() >= MAX_FILES {
            let why = format!("at most {MAX_FILES} files of at most {MAX_BYTES} bytes are read");
            return Err(Failure::unusable(format!("{} is too much", path.display())).why(why));
        }
        let text = fs::read_to_string(&path)
            .map_err(|error| Failure::unusable(format!("cannot read {}", path.display())).why(error.to_string()))?;
        files.push((name.to_owned(), text));
    }
    if files.is_empty() {
        return Err(Failure::unusable(format!("{} holds no file that ends in .rego", dir.display())));
    }
    files.sort();
    Ok(files)
}

/// Tests that did not pass, and how many did, as a server tells it.
pub(super) fn print_tests(tests: &Value) -> Result<(), Failure> {
    let Ok(report) = serde_json::from_value::<SuiteReport>(tests.clone()) else { return Ok(()) };
    print(&report, &[], Output::Table)
}

fn print(report: &SuiteReport, errors: &[PolicyError], form: Output) -> Result<(), Failure> {
    let passed = report.tests.iter().filter(|test| test.passed).count();
    let failed = report.tests.len() - passed;
    if form == Output::Json {
        let coverage_percent = report.percent();
        let SuiteReport { tests, coverage } = report;
        return output::json(&Report { passed, failed, coverage_percent, tests, coverage, errors });
    }
    for error in errors {
        output::foreign_line(&error.to_string())?;
    }
    for test in report.tests.iter().filter(|test| !test.passed) {
        let why = test.why.as_deref().unwrap_or_default();
        output::foreign_line(&format!("{}: {}: {why}", test.file, test.name))?;
    }
    let row = |file: &FileCoverage| {
        let missed: Vec<String> = file.not_covered.iter().map(ToString::to_string).collect();
        vec![file.file.clone(), file.covered.to_string(), missed.join(", ")]
    };
    if !errors.is_empty() {
        return output::line("refused: nothing was tested");
    }
    let rows: Vec<Vec<String>> = report.coverage.iter().map(row).collect();
    if !rows.is_empty() {
        output::table(&["file", "lines evaluated", "not evaluated"], &rows)?;
    }
    output::line(&summary(report))
}

fn summary(report: &SuiteReport) -> String {
    let passed = report.tests.iter().filter(|test| test.passed).count();
    let failed = report.tests.len() - passed;
    let lines = report.percent().map(|percent| format!("; {percent:.1} % of lines evaluated")).unwrap_or_default();
    if report.tests.is_empty() {
        return "no tests: nothing proves these policies".to_owned();
    }
    format!("{passed} tests pass, {failed} do not{lines}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends_with(files: &[(&str, &str)]) -> ExitCode {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        run(&TestArgs { dir: Some(folder.path().to_owned()), output: Output::Json }).unwrap()
    }

    const POLICY: (&str, &str) =
        ("nights.rego", "package tenant.nights\n\ndeny contains \"drifted\" if input.drifted\n");

    #[test]
    fn the_built_in_policies_pass() {
        let code = run(&TestArgs { dir: None, output: Output::Table }).unwrap();
        assert_eq!(code, ExitCode::SUCCESS);
    }

    #[test]
    fn a_tenants_policies_pass_fail_or_are_refused() {
        let test = "package tenant.nights_test\n\nimport data.tenant.nights\n\ntest_it if nights.deny == {\"drifted\"} with input as {\"drifted\": true}\n";
        assert_eq!(ends_with(&[POLICY, ("nights_test.rego", test)]), ExitCode::SUCCESS);
        assert_eq!(ends_with(&[POLICY, ("nights_test.rego", &test.replace("true", "false"))]), ExitCode::from(REFUSED));
        assert_eq!(ends_with(&[POLICY]), ExitCode::from(REFUSED));
        assert_eq!(ends_with(&[("a.rego", "package shiny\n\ndeny contains 1\n")]), ExitCode::from(REFUSED));
    }

    /// A file of ours that stands alone is a tenant's with a wrong package, not a set of policies that has no tests.
    #[test]
    fn a_package_of_ours_in_a_folder_of_ones_own_is_refused_with_file_and_line() {
        let texts = ["package shieldops.decision\n\nallow := true\n", "package shiny\n\nallow := true\n"];
        for text in texts {
            let errors = tested(&[("a.rego".to_owned(), text.to_owned())]).unwrap_err();
            assert!(errors[0].to_string().starts_with("policy a.rego:1: the package must be"), "{errors:?}");
        }
        assert!(tested(&suite::built_in()).unwrap().passed());
    }

    #[test]
    fn no_tests_are_not_told_as_a_share_of_lines() {
        assert_eq!(summary(&SuiteReport::default()), "no tests: nothing proves these policies");
    }

    #[test]
    fn a_folder_without_policies_could_not_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let args = TestArgs { dir: Some(folder.path().to_owned()), output: Output::Json };
        assert_eq!(run(&args).unwrap_err().code, output::UNUSABLE);
    }
}
