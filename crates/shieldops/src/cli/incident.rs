//! `shieldops incident`: what belongs together, its investigation, and what people say of it.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    Outcome,
    alert::{AssignArgs, Changes, VerdictArgs, person},
    ledger::save,
    see::{PageArgs, ShowArgs, brief, heading, list, not_checked, print},
};
use crate::{
    client::{Client, ServerArgs, id},
    output::{self, Failure, Output},
};

const PATH: &str = "/api/v1/incidents";
const COLUMNS: &[&str] = &["/id", "/severity", "/status", "/risk_score", "/title", "/last_seen"];
const MEMBERS: &[&str] = &[
    "id",
    "title",
    "severity",
    "status",
    "verdict",
    "assignee",
    "phase",
    "risk_score",
    "first_seen",
    "last_seen",
    "merged_into",
];

#[derive(Debug, Subcommand)]
pub(super) enum IncidentCommand {
    /// Incidents, newest first.
    List(ListArgs),
    /// One incident with its investigation.
    Show(ShowArgs),
    /// Change title, severity, status or assignee.
    Update(UpdateArgs),
    /// Give it to somebody, or to nobody.
    Assign(AssignArgs),
    /// Say what it turned out to be.
    Verdict(VerdictArgs),
    /// Write a note; it stays as it is.
    Note(NoteArgs),
    /// The notes, newest first.
    Notes(OfArgs),
    /// Move its alerts into another incident.
    Merge(MergeArgs),
    /// Everything about it in one file.
    Export(ExportArgs),
    /// Its entries of the ledger.
    Ledger(OfArgs),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    page: PageArgs,
    #[arg(long)]
    status: Option<String>,
    #[arg(long)]
    severity: Option<String>,
    /// A person's id.
    #[arg(long, value_name = "ID")]
    assignee: Option<String>,
    /// Part of the title.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct UpdateArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[arg(value_parser = id)]
    id: String,
    #[arg(long)]
    title: Option<String>,
    #[command(flatten)]
    changes: Changes,
}

#[derive(Debug, Args)]
pub(super) struct NoteArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[arg(value_parser = id)]
    id: String,
    text: String,
}

#[derive(Debug, Args)]
pub(super) struct OfArgs {
    #[command(flatten)]
    page: PageArgs,
    #[arg(value_parser = id)]
    id: String,
}

#[derive(Debug, Args)]
pub(super) struct MergeArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[arg(value_parser = id)]
    id: String,
    /// The incident that stays.
    #[arg(long, value_parser = id, value_name = "ID")]
    into: String,
    /// Why. It stands in the ledger.
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[arg(value_parser = id)]
    id: String,
    /// html, a page that stands alone; json; or md.
    #[arg(long, default_value = "html", value_parser = ["html", "json", "md"])]
    format: String,
    /// Where to write it [default: standard output].
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(super) fn run(command: &IncidentCommand) -> Outcome {
    let at = |id: &str| format!("{PATH}/{id}");
    match command {
        IncidentCommand::List(args) => {
            let filters = [
                ("status", args.status.as_deref()),
                ("severity", args.severity.as_deref()),
                ("assignee", args.assignee.as_deref()),
                ("q", args.search.as_deref()),
            ];
            let code = list(&args.page, PATH, &filters, COLUMNS)?;
            not_checked(&args.page)?;
            Ok(code)
        }
        IncidentCommand::Show(args) => show(args),
        IncidentCommand::Update(args) => update(args),
        IncidentCommand::Assign(args) => {
            let client = Client::new(&args.server)?;
            let body = json!({"assignee": person(&client, &args.person)?});
            print(&client.patch(&at(&args.id), &body)?, args.server.output, MEMBERS)
        }
        IncidentCommand::Verdict(args) => {
            let body = json!({"verdict": args.verdict, "reason": args.reason});
            let incident = Client::new(&args.server)?.post(&format!("{PATH}/{}/verdict", args.id), &body)?;
            print(&incident, args.server.output, MEMBERS)
        }
        IncidentCommand::Note(args) => {
            let body = json!({"text": args.text});
            let note = Client::new(&args.server)?.post(&format!("{PATH}/{}/notes", args.id), &body)?;
            print(&note, args.server.output, &["id", "created_at", "author", "text"])
        }
        IncidentCommand::Notes(args) => {
            let path = format!("{PATH}/{}/notes", args.id);
            list(&args.page, &path, &[], &["/id", "/author", "/created_at", "/text"])
        }
        IncidentCommand::Merge(args) => {
            let body = json!({"into": args.into, "reason": args.reason});
            let incident = Client::new(&args.server)?.post(&format!("{PATH}/{}/merge", args.id), &body)?;
            print(&incident, args.server.output, MEMBERS)
        }
        IncidentCommand::Export(args) => {
            let path = format!("{PATH}/{}/export?format={}", args.id, args.format);
            save(&Client::new(&args.server)?, &path, args.file.as_deref())
        }
        IncidentCommand::Ledger(args) => {
            let path = format!("{PATH}/{}/ledger", args.id);
            list(&args.page, &path, &[], super::audit::COLUMNS)
        }
    }
}

fn update(args: &UpdateArgs) -> Outcome {
    let client = Client::new(&args.server)?;
    let body = match (&args.title, args.changes.body(&client)) {
        (None, body) => body?,
        (Some(title), Ok(mut body)) => {
            body["title"] = title.clone().into();
            body
        }
        // The title alone is a change, too; a person who is not known is an error all the same.
        (Some(_), Err(failure)) if args.changes.assignee.is_some() => return Err::<_, Failure>(failure),
        (Some(title), Err(_nothing_else)) => json!({"title": title}),
    };
    print(&client.patch(&format!("{PATH}/{}", args.id), &body)?, args.server.output, MEMBERS)
}

fn show(args: &ShowArgs) -> Outcome {
    let client = Client::new(&args.server)?;
    let incident = client.get(&format!("{PATH}/{}", args.id))?;
    if args.server.output == Output::Json {
        output::json(&incident)?;
        return Ok(ExitCode::SUCCESS);
    }
    heading(&incident, MEMBERS)?;
    let investigation = client.get(&format!("{PATH}/{}/investigation", args.id))?;
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
