//! A tenant's own rules from the command line: written, proved, set, compared, and carried elsewhere.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use shieldops_pipeline::content::stories;

use super::{MEMBERS, PATH, explain, read};
use crate::{
    cli::{
        Outcome,
        see::{ShowArgs, done, list, part, print, print_list},
    },
    client::{Client, ServerArgs, id, query},
    output::{self, Failure, Output, REFUSED},
};

#[derive(Debug, Args)]
pub(in crate::cli) struct WrittenArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// A Sigma rule, or a correlation with the rules that it brings along.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Events that it must match, one a line; of a correlation stories, with an empty line between two [default: match.ndjson beside the rule, where there is one].
    #[arg(long = "match", value_name = "FILE")]
    matches: Option<PathBuf>,
    /// Events that it must not match, one a line [default: miss.ndjson beside the rule, where there is one].
    #[arg(long, value_name = "FILE")]
    miss: Option<PathBuf>,
    /// What this version is for.
    #[arg(long, default_value = "")]
    note: String,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ReviseArgs {
    #[arg(value_parser = id)]
    id: String,
    #[command(flatten)]
    written: WrittenArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum State {
    Draft,
    Shadow,
    Enabled,
    Retired,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct StateArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[arg(value_parser = id)]
    id: String,
    state: State,
    /// Why. It stands in the ledger.
    #[arg(long)]
    reason: String,
    /// The version that is to run [default: the newest].
    #[arg(long, value_name = "NUMBER")]
    version: Option<i64>,
    /// Enable it though its tests or its backtest are missing.
    #[arg(long)]
    r#override: bool,
    /// Set the rule that the tenant's own stands in for.
    #[arg(long)]
    below: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct VersionsArgs {
    #[command(flatten)]
    show: ShowArgs,
    /// Only this one, with its text and samples.
    #[arg(long, value_name = "NUMBER")]
    number: Option<i64>,
    /// How many at most.
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DiffArgs {
    #[command(flatten)]
    show: ShowArgs,
    /// A number, `live` or `base` [default: live].
    #[arg(long, value_name = "VERSION")]
    from: Option<String>,
    /// A number or `head` [default: head].
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct MatchesArgs {
    #[command(flatten)]
    show: ShowArgs,
    /// How many at most.
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ImportArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// What `rule export` gave.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl WrittenArgs {
    fn body(&self) -> Result<Value, Failure> {
        let rule = read(&self.file)?;
        let is_correlation = rule.lines().any(|line| line.starts_with("correlation:"));
        let samples = |named: Option<&PathBuf>, beside: &str| -> Result<Vec<String>, Failure> {
            let beside = self.file.parent().unwrap_or_else(|| Path::new("")).join(beside);
            let text = match named {
                Some(file) => read(file)?,
                None if beside.is_file() => read(&beside)?,
                None => String::new(),
            };
            if is_correlation {
                return Ok(stories(&text).iter().map(|story| story.join("\n")).collect());
            }
            Ok(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect())
        };
        Ok(json!({
            "text": rule,
            "match": samples(self.matches.as_ref(), "match.ndjson")?,
            "miss": samples(self.miss.as_ref(), "miss.ndjson")?,
            "note": self.note,
        }))
    }
}

/// Exit code 1 when the text is no rule, or a sample does not come out as it should.
pub(super) fn check(args: &WrittenArgs) -> Outcome {
    let answer = Client::new(&args.server)?.post(&format!("{PATH}/check"), &args.body()?)?;
    if args.server.output == Output::Json {
        output::json(&answer)?;
    } else {
        said(&answer["diagnostics"])?;
        let tests = &answer["tests"];
        let (passed, failed) = (output::text(&tests["passed"]), output::text(&tests["failed"]));
        wrong_samples(&read(&args.file)?, &tests["results"])?;
        output::foreign_line(&format!("{}: {passed} samples right, {failed} wrong", output::text(&answer["title"])))?;
    }
    let wrong = answer["rule_id"].is_null() || answer["tests"]["failed"].as_u64() > Some(0);
    Ok(if wrong { REFUSED.into() } else { ExitCode::SUCCESS })
}

/// Each sample that does not come out as it should, and why.
fn wrong_samples(rule: &str, results: &Value) -> Result<(), Failure> {
    for (name, number, result) in numbered(results) {
        if result["ok"] == true {
            continue;
        }
        let event = output::text(&result["event"]);
        let verdict = if result["matched"] == true { "matches, and should not" } else { "does not match, and should" };
        let shown: String = event.chars().take(SHOWN).collect();
        let more = if shown.len() < event.len() { " ..." } else { "" };
        output::foreign_line(&format!("{name} sample {number} {verdict}: {shown}{more}"))?;
        // What lists and pipelines of the tenant make of the rule is not known here: then nothing is said.
        if let Some(why) = explain::why(rule, &event).filter(|why| why["matched"] == result["matched"]) {
            explain::show(&why)?;
        }
    }
    Ok(())
}

/// Characters of an event that are shown.
const SHOWN: usize = 300;

/// The results of samples, each with its list and its number in that, from 1.
fn numbered(results: &Value) -> impl Iterator<Item = (&str, usize, &Value)> {
    let (mut matches, mut misses) = (0_usize, 0_usize);
    results.as_array().into_iter().flatten().map(move |result| {
        let name = result["expected"].as_str().unwrap_or_default();
        let count = if name == "match" { &mut matches } else { &mut misses };
        *count += 1;
        (name, *count, result)
    })
}

/// Diagnostics, one a line.
pub(super) fn said(diagnostics: &Value) -> Result<(), Failure> {
    for said in diagnostics.as_array().into_iter().flatten() {
        let [severity, code, line, column, message, fix] =
            ["severity", "code", "line", "column", "message", "fix"].map(|name| output::text(&said[name]));
        output::foreign_line(&format!("{line}:{column}: {severity}[{code}]: {message} ({fix})"))?;
    }
    Ok(())
}

pub(super) fn create(args: &WrittenArgs) -> Outcome {
    let rule = Client::new(&args.server)?.post(PATH, &args.body()?)?;
    print(&rule, args.server.output, MEMBERS)
}

pub(super) fn revise(args: &ReviseArgs) -> Outcome {
    let (server, body) = (&args.written.server, args.written.body()?);
    let rule = Client::new(server)?.edit(&part(PATH, &args.id), |_now| Ok(body))?;
    print(&rule, server.output, MEMBERS)
}

pub(super) fn state(args: &StateArgs) -> Outcome {
    let state = match args.state {
        State::Draft => "draft",
        State::Shadow => "shadow",
        State::Enabled => "enabled",
        State::Retired => "retired",
    };
    let mut body = json!({"state": state, "reason": args.reason});
    if let Some(version) = args.version {
        body["version"] = version.into();
    }
    for (name, told) in [("override", args.r#override), ("below", args.below)] {
        if told {
            body[name] = true.into();
        }
    }
    let rule = Client::new(&args.server)?.patch(&part(PATH, &args.id), &body)?;
    print(&rule, args.server.output, MEMBERS)
}

pub(super) fn versions(args: &VersionsArgs) -> Outcome {
    let ShowArgs { server, id } = &args.show;
    let path = format!("{}/versions", part(PATH, id));
    let client = Client::new(server)?;
    if let Some(number) = args.number {
        let version = client.get(&format!("{path}/{number}"))?;
        return print(&version, server.output, &["number", "version", "at", "by_name", "note", "live", "head", "text"]);
    }
    let page = client.list(&path, &[], args.limit)?;
    print_list(&page, server.output, &["/number", "/version", "/live", "/head", "/by_name", "/at", "/note"])
}

pub(super) fn diff(args: &DiffArgs) -> Outcome {
    let ShowArgs { server, id } = &args.show;
    let query = query(&[("from", args.from.as_deref()), ("to", args.to.as_deref())]);
    let answer = Client::new(server)?.get(&format!("{}/diff{query}", part(PATH, id)))?;
    if server.output == Output::Json {
        output::json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    match answer["text"].as_str().filter(|text| !text.is_empty()) {
        Some(text) => text.lines().try_for_each(output::foreign_line)?,
        None => output::line("they are equal")?,
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn matches(args: &MatchesArgs) -> Outcome {
    let ShowArgs { server, id } = &args.show;
    let page = Client::new(server)?.list(&format!("{}/matches", part(PATH, id)), &[], args.limit)?;
    print_list(&page, server.output, &["/event_id", "/at", "/source", "/version"])
}

/// One document, whatever the form of other answers.
pub(super) fn export(args: &ShowArgs) -> Outcome {
    let bundle = Client::new(&args.server)?.get(&format!("{}/export", part(PATH, &args.id)))?;
    output::json(&bundle)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn import(args: &ImportArgs) -> Outcome {
    let file = args.file.display();
    let bundle: Value = serde_json::from_str(&read(&args.file)?)
        .map_err(|error| Failure::unusable(format!("{file}: not JSON")).why(error.to_string()))?;
    let rule = Client::new(&args.server)?.post(&format!("{PATH}/import"), &bundle)?;
    print(&rule, args.server.output, MEMBERS)
}

#[derive(Debug, Args)]
pub(in crate::cli) struct BacktestArgs {
    #[command(flatten)]
    show: ShowArgs,
    /// RFC 3339.
    #[arg(long, value_name = "TIME")]
    from: String,
    /// RFC 3339 [default: now].
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// The version that is tried [default: the newest].
    #[arg(long, value_name = "NUMBER")]
    version: Option<i64>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct BacktestsArgs {
    #[command(flatten)]
    show: ShowArgs,
    /// Only this one, with its report.
    #[arg(long, value_name = "ID", value_parser = id)]
    job: Option<String>,
    /// How many at most.
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

pub(super) fn backtest(args: &BacktestArgs) -> Outcome {
    let ShowArgs { server, id } = &args.show;
    let mut body = json!({"from": args.from});
    if let Some(to) = &args.to {
        body["to"] = to.as_str().into();
    }
    if let Some(version) = args.version {
        body["version"] = version.into();
    }
    let job = Client::new(server)?.post(&format!("{}/backtest", part(PATH, id)), &body)?;
    let begun = job["id"].as_str().unwrap_or_default();
    let what = format!(
        "goes on as a job: shieldops job show {begun} --wait, then shieldops rule backtests {id} --job {begun}"
    );
    done(&job, server.output, &what)
}

pub(super) fn backtests(args: &BacktestsArgs) -> Outcome {
    let ShowArgs { server, id } = &args.show;
    let path = format!("{}/backtests", part(PATH, id));
    let Some(job) = &args.job else {
        let page = crate::cli::see::PageArgs { server: server.clone(), limit: args.limit };
        let columns = ["/id", "/version", "/state", "/from", "/to", "/report/matches", "/report/alerts"];
        return list(&page, &path, &[], &columns);
    };
    let test = Client::new(server)?.get(&part(&path, job))?;
    if server.output == Output::Json {
        output::json(&test)?;
        return Ok(ExitCode::SUCCESS);
    }
    print(&test, server.output, &["id", "rule_id", "version", "state", "from", "to"])?;
    if test["report"].is_object() {
        reported(&test["report"], server.output)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn reported(report: &Value, form: Output) -> Result<(), Failure> {
    print(report, form, &["events_read", "events_in_window", "matches", "alerts", "complete", "took_ms"])?;
    for day in report["per_day"].as_array().into_iter().flatten() {
        let [day, alerts, matches] = ["day", "alerts", "matches"].map(|name| output::text(&day[name]));
        output::line(&format!("{day}: {alerts} alerts of {matches} matches"))?;
    }
    for (name, what) in [("caught", "would have caught"), ("missed", "would have missed")] {
        for incident in report["incidents"][name].as_array().into_iter().flatten() {
            let [id, title] = ["id", "title"].map(|name| output::text(&incident[name]));
            output::foreign_line(&format!("{what}: {id} {title}"))?;
        }
    }
    for gap in report["not_checked"].as_array().into_iter().flatten() {
        output::foreign_line(&format!("not checked: {}", output::text(&gap["detail"])))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_numbered_within_their_list() {
        let results = json!([{"expected": "match"}, {"expected": "match"}, {"expected": "miss"}]);
        let found: Vec<(&str, usize)> = numbered(&results).map(|(name, number, _)| (name, number)).collect();
        assert_eq!(found, [("match", 1), ("match", 2), ("miss", 1)]);
    }

    #[test]
    fn a_sample_that_is_wrong_is_explained_as_the_rule_sees_it() {
        let rule = "title: T\nid: r\nlevel: low\nlogsource: {product: acme}\ndetection:\n  sel: {act: boom}\n  condition: sel\n";
        let why = explain::why(rule, r#"{"act":"boom"}"#).unwrap();
        assert_eq!((&why["matched"], &why["log_source"]["matches"]), (&json!(false), &json!(false)));
        assert!(explain::why("no rule", "{}").is_none());
    }
}
