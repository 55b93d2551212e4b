//! `shieldops incident` and `shieldops alert`: what was seen.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::Outcome;
use crate::{
    client::{Client, ServerArgs, id},
    output::{self, Failure, Output},
};

#[derive(Debug, Subcommand)]
pub(super) enum IncidentCommand {
    /// Incidents, newest first.
    List(ListArgs),
    /// One incident with its investigation.
    Show(ShowArgs),
}

#[derive(Debug, Subcommand)]
pub(super) enum AlertCommand {
    /// Alerts, newest first.
    List(ListArgs),
    /// One alert with what matched.
    Show(ShowArgs),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[arg(long)]
    status: Option<String>,
    #[arg(long)]
    severity: Option<String>,
    /// How many at most.
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    pub(super) server: ServerArgs,
    #[arg(value_parser = id)]
    pub(super) id: String,
}

pub(super) fn incident(command: &IncidentCommand) -> Outcome {
    match command {
        IncidentCommand::List(args) => {
            list(args, "/api/v1/incidents", &["/id", "/severity", "/status", "/risk_score", "/title", "/last_seen"])
        }
        IncidentCommand::Show(args) => show_incident(args),
    }
}

pub(super) fn alert(command: &AlertCommand) -> Outcome {
    match command {
        AlertCommand::List(args) => {
            list(args, "/api/v1/alerts", &["/id", "/severity", "/status", "/count", "/rule_title", "/last_seen"])
        }
        AlertCommand::Show(args) => show_alert(args),
    }
}

fn list(args: &ListArgs, path: &str, columns: &[&str]) -> Outcome {
    let filters = [("status", args.status.as_deref()), ("severity", args.severity.as_deref())];
    let page = Client::new(&args.server)?.list(path, &filters, args.limit)?;
    print_list(&page, args.server.output, columns)
}

/// A list as the server gave it, or as a table whose head is the last part of each pointer.
pub(super) fn print_list(page: &Value, output: Output, columns: &[&str]) -> Outcome {
    if output == Output::Json {
        output::json(page)?;
        return Ok(ExitCode::SUCCESS);
    }
    let head: Vec<_> =
        columns.iter().map(|pointer| pointer.rsplit('/').next().unwrap_or_default().replace('_', " ")).collect();
    let head: Vec<_> = head.iter().map(String::as_str).collect();
    let rows: Vec<_> = page["items"].as_array().into_iter().flatten().map(|item| output::row(item, columns)).collect();
    output::table(&head, &rows)?;
    if page["next_cursor"].is_string() {
        output::line("there are more: raise --limit")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show_incident(args: &ShowArgs) -> Outcome {
    let client = Client::new(&args.server)?;
    let incident = client.get(&format!("/api/v1/incidents/{}", args.id))?;
    if args.server.output == Output::Json {
        output::json(&incident)?;
        return Ok(ExitCode::SUCCESS);
    }
    heading(&incident, &["id", "title", "severity", "status", "phase", "risk_score", "first_seen", "last_seen"])?;
    let investigation = client.get(&format!("/api/v1/incidents/{}/investigation", args.id))?;
    output::line("\nhypotheses")?;
    for hypothesis in investigation["hypotheses"].as_array().into_iter().flatten() {
        output::foreign_line(&format!(
            "  {} {}",
            output::text(&hypothesis["confidence"]),
            output::text(&hypothesis["title"])
        ))?;
    }
    output::line("\nnot checked")?;
    for gap in investigation["not_checked"].as_array().into_iter().flatten() {
        output::foreign_line(&format!("  {}", brief(gap)))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show_alert(args: &ShowArgs) -> Outcome {
    let alert = Client::new(&args.server)?.get(&format!("/api/v1/alerts/{}", args.id))?;
    if args.server.output == Output::Json {
        output::json(&alert)?;
        return Ok(ExitCode::SUCCESS);
    }
    heading(
        &alert,
        &[
            "id",
            "rule_title",
            "severity",
            "status",
            "rule_id",
            "count",
            "first_seen",
            "last_seen",
            "incident_id",
            "risk_score",
        ],
    )?;
    output::line("\nmatched")?;
    for found in alert["matches"].as_array().into_iter().flatten() {
        output::foreign_line(&format!("  {}", output::text(&found["event_id"])))?;
        for field in found["fields"].as_array().into_iter().flatten() {
            output::foreign_line(&format!(
                "    {} = {}",
                output::text(&field["field"]),
                output::text(&field["value"])
            ))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Members of an object, one a line.
pub(super) fn heading(object: &Value, members: &[&str]) -> Result<(), Failure> {
    for name in members.iter().filter(|name| !object[**name].is_null()) {
        output::foreign_line(&format!("{:<12} {}", name.replace('_', " "), brief(&object[*name])))?;
    }
    Ok(())
}

/// An object's most telling member, or the value itself.
fn brief(value: &Value) -> String {
    let telling = ["score", "name", "title", "what", "detail"].iter().find(|name| !value[**name].is_null());
    match (value, telling) {
        (Value::Object(_), Some(name)) => {
            let why = value["why"].as_str().map(|why| format!(": {why}")).unwrap_or_default();
            format!("{}{why}", output::text(&value[*name]))
        }
        _ => output::text(value),
    }
}
