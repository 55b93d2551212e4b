//! `shieldops rule explain`: why a rule fires on an event, and why it does not; on a server, or for a rule in a file.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use serde_json::{Value, json};
use shieldops_detect::{Rule, Why};
use shieldops_pipeline::{Neighbours, samples};

use super::{PATH, read};
use crate::{
    cli::{Outcome, see::part},
    client::{Client, ServerArgs, id},
    output::{self, Failure, Output, REFUSED},
};

#[derive(Debug, Args)]
pub(in crate::cli) struct ExplainArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// The id of a rule of a server, or a file with one rule.
    #[arg(value_name = "RULE")]
    rule: String,
    /// A file with one event, or the id of one that was sent.
    #[arg(long, value_name = "FILE|ID")]
    event: String,
    /// A version of a rule of the tenant [default: what runs].
    #[arg(long, value_name = "N")]
    version: Option<i64>,
}

/// Exit code 1 when the rule does not match.
pub(super) fn explain(args: &ExplainArgs) -> Outcome {
    let rule = Path::new(&args.rule);
    let answer = if rule.is_file() { here(rule, &args.event)? } else { on_server(args)? };
    match args.server.output {
        Output::Json => output::json(&answer)?,
        Output::Table => show(&answer)?,
    }
    Ok(if answer["matched"] == true { ExitCode::SUCCESS } else { REFUSED.into() })
}

fn on_server(args: &ExplainArgs) -> Result<Value, Failure> {
    let rule = id(&args.rule).map_err(Failure::unusable)?;
    let file = PathBuf::from(&args.event);
    let mut body = if args.event.starts_with("evt_") && !file.is_file() {
        json!({"event_id": args.event})
    } else {
        json!({"event": read(&file)?.trim()})
    };
    if let Some(version) = args.version {
        body["version"] = version.into();
    }
    Client::new(&args.server)?.post(&format!("{}/explain", part(PATH, &rule)), &body)
}

/// The same without a server, for a rule that is being written.
fn here(file: &Path, event: &str) -> Result<Value, Failure> {
    let (own, said) = Neighbours::nobody().rule(&read(file)?);
    let first = said.iter().map(ToString::to_string).next().unwrap_or_default();
    let rule = own.filter(|own| own.correlation.is_none()).map(|own| own.rule);
    let rule: Rule = rule.ok_or_else(|| Failure::unusable(format!("{}: no rule", file.display())).why(first))?;
    Ok(answer(&rule, read(Path::new(event))?.trim()))
}

/// The same for texts; `None` for what is no rule, or one of several events.
pub(super) fn why(rule: &str, event: &str) -> Option<Value> {
    let (own, _) = Neighbours::nobody().rule(rule);
    own.filter(|own| own.correlation.is_none()).map(|own| answer(&own.rule, event))
}

/// As the server answers.
fn answer(rule: &Rule, event: &str) -> Value {
    let seen = samples::seen(event);
    let why = rule.why(&seen.log_source, seen.flat.as_bytes());
    let summary = match &why {
        Why { readable: false, .. } => "The event cannot be read as one object with fields.",
        Why { matched: true, .. } => "The rule finds the event.",
        Why { condition: true, .. } => "The condition holds, but the event is of another log source.",
        _ => "The condition does not hold.",
    };
    let selections: Vec<Value> = why
        .selections
        .iter()
        .map(|one| json!({"name": one.name, "matched": one.matched, "items": one.lines}))
        .collect();
    json!({"matched": why.matched, "summary": summary, "condition_holds": why.condition, "selections": selections,
        "log_source": {"matches": why.log_source, "rule": rule.log_source, "event": seen.log_source}, "event": seen.flat})
}

pub(super) fn show(answer: &Value) -> Result<(), Failure> {
    output::foreign_line(&output::text(&answer["summary"]))?;
    let source = &answer["log_source"];
    if source["matches"] == false {
        output::foreign_line(&format!(
            "the rule is for {}; the event is of {}",
            log_source(&source["rule"]),
            log_source(&source["event"])
        ))?;
    }
    let mark = |value: &Value| if *value == true { "+" } else { "-" };
    for selection in answer["selections"].as_array().into_iter().flatten() {
        output::foreign_line(&format!("{} {}", mark(&selection["matched"]), output::text(&selection["name"])))?;
        for item in selection["items"].as_array().into_iter().flatten() {
            let field = item["field"].as_str().filter(|field| !field.is_empty()).unwrap_or("any field");
            let values = match (item["present"] == true, output::text(&item["values"])) {
                (false, _) => "is not in the event".to_owned(),
                (true, values) => format!("is {values}"),
            };
            let line =
                format!("  {} {field} {values}; wanted {}", mark(&item["matched"]), output::text(&item["pattern"]));
            output::foreign_line(&line)?;
        }
    }
    Ok(())
}

/// A log source in words.
fn log_source(source: &Value) -> String {
    let parts = ["product", "category", "categories", "service"].iter().filter_map(|part| match &source[*part] {
        Value::String(name) => Some(format!("{part} {name}")),
        Value::Array(names) if !names.is_empty() => Some(format!("{part} {}", output::text(&source[*part]))),
        _ => None,
    });
    let said = parts.collect::<Vec<_>>().join(", ");
    if said.is_empty() { "none that is known: send it with a `source`".to_owned() } else { said }
}
