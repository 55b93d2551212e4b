//! `shieldops alert`: what matched, and what people say of it.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    Outcome,
    see::{PageArgs, ShowArgs, done, heading, list, named, not_checked, print},
};
use crate::{
    client::{Client, ServerArgs, id},
    output::{self, Failure, Output},
};

/// Alerts that the server changes in one request.
const AT_ONCE: usize = 1_000;
const PATH: &str = "/api/v1/alerts";
const COLUMNS: &[&str] = &["/id", "/severity", "/status", "/count", "/rule_title", "/last_seen"];
const MEMBERS: &[&str] = &[
    "id",
    "rule_title",
    "severity",
    "status",
    "verdict",
    "assignee",
    "rule_id",
    "count",
    "first_seen",
    "last_seen",
    "incident_id",
    "risk_score",
];

#[derive(Debug, Subcommand)]
pub(super) enum AlertCommand {
    /// Alerts, newest first.
    List(ListArgs),
    /// One alert with what matched.
    Show(ShowArgs),
    /// Change severity, status or assignee.
    Update(UpdateArgs),
    /// Give it to somebody, or to nobody.
    Assign(AssignArgs),
    /// Say what it turned out to be.
    Verdict(VerdictArgs),
    /// Change many at once; each has its own result.
    Bulk(BulkArgs),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    page: PageArgs,
    #[arg(long)]
    status: Option<String>,
    #[arg(long)]
    severity: Option<String>,
    #[arg(long)]
    verdict: Option<String>,
    #[arg(long, value_name = "ID")]
    rule: Option<String>,
    #[arg(long, value_name = "ID")]
    incident: Option<String>,
    /// A person's id.
    #[arg(long, value_name = "ID")]
    assignee: Option<String>,
    /// An address, host, account, ... as kind:value.
    #[arg(long, value_name = "KIND:VALUE")]
    entity: Option<String>,
    /// Part of the title.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
}

/// What is changed of an alert or an incident.
#[derive(Debug, Args)]
pub(super) struct Changes {
    #[arg(long)]
    pub(super) status: Option<String>,
    #[arg(long)]
    pub(super) severity: Option<String>,
    /// A person's name or id; `nobody` takes it from whoever has it.
    #[arg(long, value_name = "PERSON")]
    pub(super) assignee: Option<String>,
    /// Why. It stands in the ledger.
    #[arg(long)]
    pub(super) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct UpdateArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[arg(value_parser = id)]
    id: String,
    #[command(flatten)]
    changes: Changes,
}

#[derive(Debug, Args)]
pub(super) struct AssignArgs {
    #[command(flatten)]
    pub(super) server: ServerArgs,
    #[arg(value_parser = id)]
    pub(super) id: String,
    /// A person's name or id; `nobody` takes it from whoever has it.
    pub(super) person: String,
}

#[derive(Debug, Args)]
pub(super) struct VerdictArgs {
    #[command(flatten)]
    pub(super) server: ServerArgs,
    #[arg(value_parser = id)]
    pub(super) id: String,
    /// true_positive, false_positive or benign.
    pub(super) verdict: String,
    /// Why. It stands in the ledger.
    #[arg(long)]
    pub(super) reason: String,
}

#[derive(Debug, Args)]
pub(super) struct BulkArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// The alerts; more than 1,000 become a job.
    #[arg(required = true, value_parser = id)]
    ids: Vec<String>,
    #[arg(long)]
    status: Option<String>,
    #[arg(long)]
    verdict: Option<String>,
    /// A person's name or id.
    #[arg(long, value_name = "PERSON")]
    assignee: Option<String>,
    #[arg(long)]
    reason: Option<String>,
}

pub(super) fn run(command: &AlertCommand) -> Outcome {
    match command {
        AlertCommand::List(args) => {
            let filters = [
                ("status", args.status.as_deref()),
                ("severity", args.severity.as_deref()),
                ("verdict", args.verdict.as_deref()),
                ("rule_id", args.rule.as_deref()),
                ("incident_id", args.incident.as_deref()),
                ("assignee", args.assignee.as_deref()),
                ("entity", args.entity.as_deref()),
                ("q", args.search.as_deref()),
            ];
            let code = list(&args.page, PATH, &filters, COLUMNS)?;
            not_checked(&args.page)?;
            Ok(code)
        }
        AlertCommand::Show(args) => show(args),
        AlertCommand::Update(args) => {
            let client = Client::new(&args.server)?;
            let alert = client.patch(&format!("{PATH}/{}", args.id), &args.changes.body(&client)?)?;
            print(&alert, args.server.output, MEMBERS)
        }
        AlertCommand::Assign(args) => {
            let client = Client::new(&args.server)?;
            let body = json!({"assignee": person(&client, &args.person)?});
            print(&client.patch(&format!("{PATH}/{}", args.id), &body)?, args.server.output, MEMBERS)
        }
        AlertCommand::Verdict(args) => {
            let body = json!({"verdict": args.verdict, "reason": args.reason});
            let alert = Client::new(&args.server)?.post(&format!("{PATH}/{}/verdict", args.id), &body)?;
            print(&alert, args.server.output, MEMBERS)
        }
        AlertCommand::Bulk(args) => bulk(args),
    }
}

impl Changes {
    /// Only what was given.
    pub(super) fn body(&self, client: &Client) -> Result<serde_json::Value, Failure> {
        let mut body = serde_json::Map::new();
        for (name, value) in [("status", &self.status), ("severity", &self.severity), ("reason", &self.reason)] {
            if let Some(value) = value {
                body.insert(name.to_owned(), value.clone().into());
            }
        }
        if let Some(text) = &self.assignee {
            body.insert("assignee".to_owned(), person(client, text)?);
        }
        if body.is_empty() {
            return Err(Failure::unusable("nothing to change").fix("give --status, --severity or --assignee"));
        }
        Ok(body.into())
    }
}

/// A person's id, or null for nobody.
pub(super) fn person(client: &Client, text: &str) -> Result<serde_json::Value, Failure> {
    if text == "nobody" {
        return Ok(serde_json::Value::Null);
    }
    named(client, "/api/v1/users", "usr", text).map(Into::into)
}

fn bulk(args: &BulkArgs) -> Outcome {
    let client = Client::new(&args.server)?;
    let mut body = json!({"ids": args.ids});
    for (name, value) in [("status", &args.status), ("verdict", &args.verdict), ("reason", &args.reason)] {
        if let Some(value) = value {
            body[name] = value.clone().into();
        }
    }
    if let Some(text) = &args.assignee {
        body["assignee"] = person(&client, text)?;
    }
    let path = format!("{PATH}/bulk");
    if args.ids.len() > AT_ONCE {
        let job = client.post_later(&path, &body)?;
        let id = job["id"].as_str().unwrap_or_default().to_owned();
        return done(&job, args.server.output, &format!("goes on as a job: shieldops job show {id}"));
    }
    let answer = client.post(&path, &body)?;
    let results: Vec<_> = answer["results"].as_array().cloned().unwrap_or_default();
    let columns = ["/id", "/status", "/code", "/detail"];
    let rows: Vec<_> = results.iter().map(|result| output::row(result, &columns)).collect();
    match args.server.output {
        Output::Json => output::json(&answer)?,
        Output::Table => output::table(&["id", "status", "code", "detail"], &rows)?,
    }
    let failed = results.iter().any(|result| !result["code"].is_null());
    Ok(if failed { output::REFUSED.into() } else { ExitCode::SUCCESS })
}

fn show(args: &ShowArgs) -> Outcome {
    let alert = Client::new(&args.server)?.get(&format!("{PATH}/{}", args.id))?;
    if args.server.output == Output::Json {
        output::json(&alert)?;
        return Ok(ExitCode::SUCCESS);
    }
    heading(&alert, MEMBERS)?;
    for (part, head) in [("description", "what it means"), ("triage", "what to look at first")] {
        for (line, number) in alert["rule"][part].as_str().unwrap_or_default().lines().zip(0_u32..) {
            if number == 0 {
                output::line(&format!("\n{head}"))?;
            }
            output::foreign_line(&format!("  {line}"))?;
        }
    }
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
