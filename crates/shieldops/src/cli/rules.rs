//! `shieldops rule`: the rules of a server, and rules against their samples without one.

mod coverage;
mod exceptions;
mod explain;
mod lint;
mod own;
mod parts;
mod stories;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;
use shieldops_detect::{
    Diagnostic, DiagnosticSeverity, Documents, Rule, parse,
    testing::{Sample, check_samples},
};
use shieldops_ingest::{normalise_parts, recognise};
use shieldops_model::Normalised;
use shieldops_pipeline::content::{file_problem, read_limited};

use super::{
    Outcome,
    see::{ReasonArgs, ShowArgs, print, print_list},
};
use crate::{
    client::{Client, ServerArgs},
    content::BUILT_IN,
    output::{self, Failure, Output, REFUSED},
};

const PATH: &str = "/api/v1/rules";
const MEMBERS: &[&str] = &[
    "id",
    "title",
    "level",
    "status",
    "state",
    "correlation",
    "head",
    "live",
    "switched",
    "origin",
    "file",
    "alert_count",
    "needed_by",
    "throttle",
    "source",
];
/// Folders below a folder of rules.
const MAX_DEPTH: usize = 32;
/// Bytes of one file.
const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum RulesCommand {
    /// The rules that a server uses.
    List(ListArgs),
    /// One rule of a server, with its text.
    Show(ShowArgs),
    /// Let a rule raise alerts again in this tenant.
    Enable(ReasonArgs),
    /// Let a rule raise no more alerts in this tenant; other tenants keep it.
    Disable(ReasonArgs),
    /// Read the folders of rules again, now.
    Reload(ServerArgs),
    /// One rule of a server against events of a file, or against its own samples.
    Try(TryArgs),
    /// Read a rule as the server would, and try it on samples. Nothing is kept.
    Check(own::WrittenArgs),
    /// Make a rule of the tenant, as a draft.
    Create(own::WrittenArgs),
    /// Write a rule of the tenant again, as a new version.
    Revise(own::ReviseArgs),
    /// Set a rule: draft, shadow, enabled or retired.
    State(own::StateArgs),
    /// Versions of a rule of the tenant.
    Versions(own::VersionsArgs),
    /// What differs between two versions.
    Diff(own::DiffArgs),
    /// Try a rule on the events that are still there, as a job.
    Backtest(own::BacktestArgs),
    /// Backtests of a rule, and their reports.
    Backtests(own::BacktestsArgs),
    /// What a rule found while it was in shadow.
    Matches(own::MatchesArgs),
    /// A rule with its samples and exceptions, to carry elsewhere.
    Export(ShowArgs),
    /// Make a rule of the tenant of an exported one.
    Import(own::ImportArgs),
    /// Why a rule fires on an event, and why it does not. Exit codes: 0 it matches, 1 it does not.
    Explain(explain::ExplainArgs),
    /// Techniques that are covered, what was checked, and fields.
    Coverage(coverage::CoverageArgs),
    /// What rules are not to find.
    #[command(subcommand, visible_alias = "exception")]
    Exceptions(exceptions::ExceptionsCommand),
    /// How many alerts the tenant wants of a rule: shown, or set with `--alerts` or `--off`.
    Throttle(parts::ThrottleArgs),
    /// Lists of values that rules name as `%name%`.
    #[command(subcommand)]
    Lists(parts::ListsCommand),
    /// Processing pipelines for the tenant's own rules.
    #[command(subcommand)]
    Pipelines(parts::PipelinesCommand),
    /// What is wrong, and likely wrong, with files of rules. Exit codes: 0 no errors, 1 errors, 2 could not be read.
    Lint(lint::LintArgs),
    /// Rules against the samples beside them. Exit codes: 0 all are right, 1 some are not, 2 could not be tested.
    Test(TestArgs),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Part of title or id.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only those that are enabled in this tenant, or those that are not.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    enabled: Option<bool>,
    /// How many at most.
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

#[derive(Debug, Args)]
pub(super) struct TryArgs {
    #[command(flatten)]
    show: ShowArgs,
    /// Events as lines of JSON, at most 100.
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct TestArgs {
    /// A folder of rules, each a folder with rule.yml, match.ndjson and miss.ndjson [default: the built-in rules].
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(command: &RulesCommand) -> Outcome {
    match command {
        RulesCommand::List(args) => {
            let enabled = args.enabled.map(|enabled| enabled.to_string());
            let filters = [("q", args.search.as_deref()), ("enabled", enabled.as_deref())];
            let page = Client::new(&args.server)?.list(PATH, &filters, args.limit)?;
            print_list(
                &page,
                args.server.output,
                &["/id", "/level", "/state", "/origin", "/tests/verdict", "/title", "/alert_count"],
            )
        }
        RulesCommand::Show(args) => {
            let rule = Client::new(&args.server)?.get(&format!("{PATH}/{}", args.id))?;
            print(&rule, args.server.output, MEMBERS)
        }
        RulesCommand::Enable(args) => switch(args, true),
        RulesCommand::Disable(args) => switch(args, false),
        RulesCommand::Reload(server) => {
            let answer = Client::new(server)?.post(&format!("{PATH}/reload"), &json!({}))?;
            print(&answer, server.output, &["loaded", "failed", "took_ms", "diagnostics"])
        }
        RulesCommand::Try(args) => try_on_server(args),
        RulesCommand::Lint(args) => lint::run(args),
        RulesCommand::Test(args) => test(args),
        RulesCommand::Check(args) => own::check(args),
        RulesCommand::Create(args) => own::create(args),
        RulesCommand::Revise(args) => own::revise(args),
        RulesCommand::State(args) => own::state(args),
        RulesCommand::Versions(args) => own::versions(args),
        RulesCommand::Diff(args) => own::diff(args),
        RulesCommand::Backtest(args) => own::backtest(args),
        RulesCommand::Backtests(args) => own::backtests(args),
        RulesCommand::Matches(args) => own::matches(args),
        RulesCommand::Export(args) => own::export(args),
        RulesCommand::Import(args) => own::import(args),
        RulesCommand::Explain(args) => explain::explain(args),
        RulesCommand::Coverage(args) => coverage::coverage(args),
        RulesCommand::Exceptions(command) => exceptions::run(command),
        RulesCommand::Throttle(args) => parts::throttle(args),
        RulesCommand::Lists(command) => parts::lists(command),
        RulesCommand::Pipelines(command) => parts::pipelines(command),
    }
}

fn switch(args: &ReasonArgs, enabled: bool) -> Outcome {
    let body = json!({"enabled": enabled, "reason": args.reason});
    let rule = Client::new(&args.server)?.patch(&format!("{PATH}/{}", args.id), &body)?;
    print(&rule, args.server.output, MEMBERS)
}

fn try_on_server(args: &TryArgs) -> Outcome {
    let mut body = json!({});
    if let Some(file) = &args.events {
        let wrong = |line: usize, error: serde_json::Error| {
            Failure::unusable(format!("{}:{line}: not JSON", file.display())).why(error.to_string())
        };
        let parse = |(line, text): (usize, &str)| {
            serde_json::from_str::<serde_json::Value>(text).map_err(|error| wrong(line + 1, error))
        };
        let text = read(file)?;
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        body["events"] = lines.map(parse).collect::<Result<Vec<_>, _>>()?.into();
    }
    let ShowArgs { server, id } = &args.show;
    let answer = Client::new(server)?.post(&format!("{PATH}/{id}/test"), &body)?;
    print(&answer, server.output, &["passed", "failed", "results"])
}

/// A rule file and its samples.
struct Subject {
    file: String,
    /// Or why it is none.
    text: Result<String, String>,
    matches: String,
    misses: String,
}

#[derive(Debug, Default, Serialize)]
struct Report {
    rules: usize,
    /// Samples that came out as they should, and those that did not.
    passed: usize,
    failed: usize,
    failures: Vec<SampleFailure>,
}

#[derive(Debug, Serialize)]
struct SampleFailure {
    rule_id: Option<String>,
    file: String,
    /// `match.ndjson:3`; absent when the rule itself is wrong.
    sample: Option<String>,
    why: String,
}

fn test(args: &TestArgs) -> Outcome {
    let subjects = match &args.rules {
        Some(dir) => subjects(dir)?,
        None => BUILT_IN
            .iter()
            .map(|rule| Subject {
                file: rule.file.to_owned(),
                text: Ok(rule.text.to_owned()),
                matches: rule.matches.to_owned(),
                misses: rule.misses.to_owned(),
            })
            .collect(),
    };
    let report = examine(&subjects);
    match args.output {
        Output::Json => output::json(&report)?,
        Output::Table => print_report(&report)?,
    }
    Ok(ExitCode::from(if report.failures.is_empty() { output::OK } else { REFUSED }))
}

fn print_report(report: &Report) -> Result<(), Failure> {
    for failure in &report.failures {
        let sample = failure.sample.as_deref().map(|sample| format!(" {sample}")).unwrap_or_default();
        output::foreign_line(&format!("{}{sample}: {}", failure.file, failure.why))?;
    }
    let Report { rules, passed, failed, failures } = report;
    output::line(&format!("{rules} rules, {passed} samples right, {failed} wrong, {} failures", failures.len()))
}

fn examine(subjects: &[Subject]) -> Report {
    let mut report = Report::default();
    let one = |subject: &Subject| match &subject.text {
        Ok(text) => parse(text, &subject.file),
        Err(problem) => (Documents::default(), vec![file_problem(&subject.file, problem)]),
    };
    let read: Vec<_> = subjects.iter().map(|subject| (subject, one(subject))).collect();
    let all = stories::all(read.iter().map(|(_, (documents, _))| documents));
    for (subject, (documents, diagnostics)) in &read {
        report.rules += documents.rules.len() + documents.correlations.len();
        report
            .failures
            .extend(diagnostics.iter().filter(|said| said.severity == DiagnosticSeverity::Error).map(wrong_rule));
        for correlation in &documents.correlations {
            report.correlation(correlation, subject, &all);
        }
        // Samples beside a correlation are its own.
        for rule in documents.rules.iter().filter(|_| documents.correlations.is_empty()) {
            report.rule(rule, subject);
        }
    }
    report
}

fn wrong_rule(said: &Diagnostic) -> SampleFailure {
    SampleFailure { rule_id: None, file: said.file.clone(), sample: None, why: said.to_string() }
}

impl Report {
    fn rule(&mut self, rule: &Rule, subject: &Subject) {
        let fail = |sample: Option<String>, why: String| SampleFailure {
            rule_id: Some(rule.id.clone()),
            file: subject.file.clone(),
            sample,
            why,
        };
        for (name, samples) in [("match.ndjson", &subject.matches), ("miss.ndjson", &subject.misses)] {
            if samples.trim().is_empty() {
                self.failures.push(fail(None, format!("has no samples in {name} beside it: nothing proves it")));
            }
        }
        let (matches, misses) = (normalised(&subject.matches), normalised(&subject.misses));
        let checked = check_samples(rule, &samples(&matches), &samples(&misses));
        self.passed += checked.passed;
        self.failed += checked.failed;
        let lines = matches
            .iter()
            .map(|(line, _)| ("match.ndjson", line))
            .chain(misses.iter().map(|(line, _)| ("miss.ndjson", line)));
        for (result, (name, line)) in checked.results.iter().zip(lines).filter(|(result, _)| !result.ok) {
            let why = match (result.bad_json, result.expected) {
                (true, _) => "is no JSON object".to_owned(),
                (false, true) => format!("does not match `{}`, and should", rule.title),
                (false, false) => format!("matches `{}`, and should not", rule.title),
            };
            self.failures.push(fail(Some(format!("{name}:{line}")), why));
        }
    }
}

/// Every line that holds something, with its number from 1, as ingest would read it.
fn normalised(samples: &str) -> Vec<(usize, Normalised)> {
    let one = |(index, line): (usize, &str)| {
        let seen = recognise(line.as_bytes(), None);
        (index + 1, normalise_parts(&seen.source, seen.format, line.as_bytes()).0)
    };
    samples.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(one).collect()
}

fn samples(seen: &[(usize, Normalised)]) -> Vec<Sample<'_>> {
    seen.iter().map(|(_, seen)| Sample { source: Some(&seen.log_source), line: &seen.flat }).collect()
}

/// The rules under a folder: every `.yml` or `.yaml`, with the samples that lie beside it.
fn subjects(dir: &Path) -> Result<Vec<Subject>, Failure> {
    let mut files = Vec::new();
    let walked = walk(dir, 0, &mut files);
    walked.map_err(|error| {
        Failure::unusable(format!("--rules {}: cannot be read", dir.display())).why(error.to_string())
    })?;
    if files.is_empty() {
        return Err(Failure::unusable(format!("--rules {}: holds no rule", dir.display()))
            .fix("name a folder with *.yml files in it"));
    }
    files.iter().map(|file| subject(file)).collect()
}

fn subject(file: &Path) -> Result<Subject, Failure> {
    let beside = |name: &str| {
        let path = file.with_file_name(name);
        if path.exists() { read(&path) } else { Ok(String::new()) }
    };
    let (matches, misses) = (beside("match.ndjson")?, beside("miss.ndjson")?);
    Ok(Subject { file: file.display().to_string(), text: read_limited(file), matches, misses })
}

fn read(path: &Path) -> Result<String, Failure> {
    let size = std::fs::metadata(path).map(|metadata| metadata.len()).unwrap_or_default();
    if size > MAX_FILE_BYTES {
        return Err(Failure::unusable(format!(
            "{}: {size} bytes are over the limit of {MAX_FILE_BYTES}",
            path.display()
        )));
    }
    std::fs::read_to_string(path)
        .map_err(|error| Failure::unusable(format!("{}: cannot be read", path.display())).why(error.to_string()))
}

fn walk(dir: &Path, depth: usize, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut entries = std::fs::read_dir(dir)?.collect::<std::io::Result<Vec<_>>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() && depth < MAX_DEPTH {
            walk(&path, depth + 1, files)?;
        } else if kind.is_file() && path.extension().is_some_and(|found| found == "yml" || found == "yaml") {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built_in() -> Vec<Subject> {
        subjects(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules")).ok().unwrap()
    }

    /// A rule that is no correlation.
    fn plain() -> Subject {
        built_in().into_iter().find(|subject| !subject.text.as_ref().unwrap().contains("\ncorrelation:")).unwrap()
    }

    #[test]
    fn every_built_in_rule_is_proved_by_its_samples() {
        let report = examine(&built_in());
        let failures: Vec<_> = report
            .failures
            .iter()
            .map(|failure| format!("{} {:?}: {}", failure.file, failure.sample, failure.why))
            .collect();
        assert!(failures.is_empty(), "{}", failures.join("\n"));
        assert!(report.rules >= 60, "only {} rules", report.rules);
    }

    #[test]
    fn the_binary_holds_every_rule_of_the_folder() {
        assert_eq!(BUILT_IN.len(), built_in().len());
        assert!(BUILT_IN.iter().all(|rule| !rule.matches.is_empty() && !rule.misses.is_empty()));
    }

    #[test]
    fn a_rule_without_samples_and_a_sample_that_is_wrong_are_failures() {
        let rule = plain();
        let swapped = Subject { matches: rule.misses.clone(), misses: rule.matches.clone(), ..rule };
        let report = examine(&[swapped]);
        assert!(
            report.failed > 0
                && report.failures.iter().any(|failure| failure.sample.as_deref() == Some("miss.ndjson:1"))
        );
        let bare = Subject { matches: String::new(), misses: String::new(), ..plain() };
        assert_eq!(examine(&[bare]).failures.len(), 2);
    }

    #[test]
    fn a_story_that_is_found_and_should_not_be_is_a_failure() {
        let correlation =
            built_in().into_iter().find(|subject| subject.text.as_ref().unwrap().contains("\ncorrelation:")).unwrap();
        let swapped =
            Subject { matches: correlation.misses.clone(), misses: correlation.matches.clone(), ..correlation };
        let failures = examine(&[swapped]).failures;
        let samples: Vec<_> = failures.iter().filter_map(|failure| failure.sample.as_deref()).collect();
        assert!(samples.contains(&"match.ndjson: story 1") && samples.contains(&"miss.ndjson: story 1"), "{samples:?}");
    }

    #[test]
    fn a_rule_that_does_not_parse_is_a_failure() {
        let bad = Subject {
            file: "x.yml".to_owned(),
            text: Ok("title: [".to_owned()),
            matches: String::new(),
            misses: String::new(),
        };
        assert!(!examine(&[bad]).failures.is_empty());
    }
}
