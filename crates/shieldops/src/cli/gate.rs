//! `shieldops gate`: settings of the gate in versions, and changes that wait for a second person.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    Outcome,
    see::{PageArgs, ReasonArgs, ShowArgs, heading, list, print, print_list},
    settings::{change, flatten, read},
};
use crate::{
    client::{Client, ServerArgs, query},
    output::{self, Failure, Output},
};

const PATH: &str = "/api/v1/gate-settings";
const CHANGES: &str = "/api/v1/gate-changes";
const VERSION: &[&str] = &["number", "state", "tightens", "at", "by_name", "reason", "base", "restores"];
const CHANGE: &[&str] = &[
    "id",
    "kind",
    "subject",
    "state",
    "at",
    "expires_at",
    "by_name",
    "reason",
    "before",
    "after",
    "ended_by_name",
    "replaces",
    "replaced_by",
];

#[derive(Debug, Subcommand)]
pub(super) enum GateCommand {
    /// What is in force, and the draft that waits.
    Show(ServerArgs),
    /// Write new settings as a draft: `numbers.limits.production.per_hour=10`; `name=null` takes the built-in value again.
    Set(SetArgs),
    /// Every version, newest first; or one with its settings.
    Versions(VersionsArgs),
    /// What differs between two versions; 0 is what is built in.
    Diff(DiffArgs),
    /// Effects that exist on what is protected now; undo them with `shieldops action undo`.
    Effects(PageArgs),
    /// Put a version in force. Another person than its author does, unless it only tightens.
    Activate(ActivateArgs),
    /// Bring the settings of an earlier version back, as a draft.
    Rollback(ActivateArgs),
    /// Changes that take two people, newest first.
    Changes(ChangesArgs),
    /// One of them.
    Change(ShowArgs),
    /// Confirm what another person asked for.
    Confirm(ShowArgs),
    /// Take a change back.
    Withdraw(ReasonArgs),
}

#[derive(Debug, Args)]
pub(super) struct SetArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// NAME=VALUE, where VALUE is JSON or text; a dot goes inside.
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    pairs: Vec<String>,
    /// All settings, as a JSON object.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Why. It stands in the ledger.
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
pub(super) struct VersionsArgs {
    #[command(flatten)]
    page: PageArgs,
    /// One of them, with its settings.
    #[arg(long)]
    number: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    #[command(flatten)]
    pub(super) server: ServerArgs,
    /// A version [default: what is in force].
    #[arg(long)]
    pub(super) from: Option<u64>,
    /// A version [default: what is in force].
    #[arg(long)]
    pub(super) to: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct ActivateArgs {
    #[command(flatten)]
    server: ServerArgs,
    version: u64,
    /// Why. It stands in the ledger.
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
pub(super) struct ChangesArgs {
    #[command(flatten)]
    page: PageArgs,
    /// Only those that wait.
    #[arg(long)]
    pending: bool,
}

pub(super) fn run(command: &GateCommand) -> Outcome {
    match command {
        GateCommand::Show(server) => show(server),
        GateCommand::Set(args) => set(args),
        GateCommand::Versions(args) => versions(args),
        GateCommand::Diff(args) => diff(args),
        GateCommand::Effects(page) => {
            let columns = [
                "/action_id",
                "/capability",
                "/target/name",
                "/entry/kind",
                "/entry/value",
                "/entry/why",
                "/undo_plan_id",
            ];
            list(page, &format!("{PATH}/effects"), &[], &columns)
        }
        GateCommand::Activate(args) => {
            let path = format!("{PATH}/versions/{}/activate", args.version);
            let made = Client::new(&args.server)?.post(&path, &json!({"reason": args.reason}))?;
            whole(&made, args.server.output)
        }
        GateCommand::Rollback(args) => {
            let body = json!({"version": args.version, "reason": args.reason});
            let made = Client::new(&args.server)?.post_over(PATH, &format!("{PATH}/rollback"), &body)?;
            whole(&made, args.server.output)
        }
        GateCommand::Changes(args) => changes(args),
        GateCommand::Change(args) => {
            let change = Client::new(&args.server)?.get(&format!("{CHANGES}/{}", args.id))?;
            print(&change, args.server.output, CHANGE)
        }
        GateCommand::Confirm(args) => confirm(args),
        GateCommand::Withdraw(args) => {
            let path = format!("{CHANGES}/{}/withdraw", args.id);
            let change = Client::new(&args.server)?.post(&path, &json!({"reason": args.reason}))?;
            print(&change, args.server.output, CHANGE)
        }
    }
}

fn changes(args: &ChangesArgs) -> Outcome {
    let filters = [("active", args.pending.then_some("true"))];
    let mut page = Client::new(&args.page.server)?.list(CHANGES, &filters, args.page.limit)?;
    if args.page.server.output == Output::Table
        && let Some(items) = page["items"].as_array_mut()
    {
        items.iter_mut().for_each(name_subject);
    }
    let columns = ["/id", "/state", "/kind", "/subject", "/subject_name", "/by_name", "/reason", "/expires_at"];
    print_list(&page, args.page.server.output, &columns)
}

/// A change of a target's row is about an id: its name stands in what it changes.
fn name_subject(change: &mut Value) {
    if change["kind"] == "target" {
        change["subject_name"] = change["before"]["name"].clone();
    }
}

/// Also how `autonomy confirm` confirms.
pub(super) fn confirm(args: &ShowArgs) -> Outcome {
    let change = Client::new(&args.server)?.post(&format!("{CHANGES}/{}/confirm", args.id), &json!({}))?;
    print(&change, args.server.output, CHANGE)
}

/// A change that was asked for, and what to do about it.
pub(super) fn waits(change: &Value, output: Output) -> Outcome {
    print(change, output, CHANGE)?;
    if output == Output::Table {
        if let Some(earlier) = change["replaces"].as_str() {
            output::foreign_line(&format!("it takes the place of {earlier}, which is withdrawn"))?;
        }
        let id = output::text(&change["id"]);
        output::foreign_line(&format!("it waits for another person: `shieldops gate confirm {id}`"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show(server: &ServerArgs) -> Outcome {
    let gate = Client::new(server)?.get(PATH)?;
    if server.output == Output::Json {
        output::json(&gate)?;
        return Ok(ExitCode::SUCCESS);
    }
    heading(&gate, &["number"])?;
    table(&gate["settings"])?;
    if gate["draft"].is_object() {
        output::line("\nwaits to be activated")?;
        heading(&gate["draft"], VERSION)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn table(settings: &Value) -> Result<(), Failure> {
    let mut rows = Vec::new();
    flatten("", settings, &mut rows);
    output::table(&["setting", "value"], &rows)
}

fn whole(version: &Value, output: Output) -> Outcome {
    print(version, output, VERSION)
}

fn set(args: &SetArgs) -> Outcome {
    let made = Client::new(&args.server)?.edit(PATH, |now| {
        let settings = if let Some(file) = &args.file {
            read(file)?
        } else {
            let mut settings = now["settings"].clone();
            for pair in &args.pairs {
                change(&mut settings, pair)?;
            }
            without_nulls(settings)
        };
        Ok(json!({"settings": settings, "reason": args.reason}))
    })?;
    whole(&made, args.server.output)
}

/// What is null is left out: it has its built-in value again.
fn without_nulls(settings: Value) -> Value {
    match settings {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        other => other,
    }
}

fn versions(args: &VersionsArgs) -> Outcome {
    let path = format!("{PATH}/versions");
    let Some(number) = args.number else {
        let columns = ["/number", "/state", "/at", "/by_name", "/reason", "/base", "/restores"];
        return list(&args.page, &path, &[], &columns);
    };
    let version = Client::new(&args.page.server)?.get(&format!("{path}/{number}"))?;
    whole(&version, args.page.server.output)?;
    if args.page.server.output == Output::Table {
        table(&version["settings"])?;
    }
    Ok(ExitCode::SUCCESS)
}

fn diff(args: &DiffArgs) -> Outcome {
    let (from, to) = (args.from.map(|from| from.to_string()), args.to.map(|to| to.to_string()));
    let asked = query(&[("from", from.as_deref()), ("to", to.as_deref())]);
    let found = Client::new(&args.server)?.get(&format!("{PATH}/diff{asked}"))?;
    if args.server.output == Output::Json {
        output::json(&found)?;
        return Ok(ExitCode::SUCCESS);
    }
    heading(&found, &["from", "to", "tightens"])?;
    let columns = ["/path", "/before", "/after"];
    let rows: Vec<_> =
        found["changes"].as_array().into_iter().flatten().map(|change| output::row(change, &columns)).collect();
    output::table(&["path", "before", "after"], &rows)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_a_target_names_it() {
        let target =
            json!({"kind": "target", "subject": "tgt_1", "before": {"name": "web-1"}, "after": {"name": "web-1"}});
        let autonomy = json!({"kind": "autonomy", "subject": "tenant", "before": {"name": 1}, "after": {}});
        let named = |mut change: Value| {
            name_subject(&mut change);
            change["subject_name"].clone()
        };
        assert_eq!((named(target), named(autonomy)), (json!("web-1"), Value::Null));
    }

    #[test]
    fn what_is_null_has_its_built_in_value_again() {
        let settings = json!({"numbers": {"restarts_per_hour": null, "vote_void_s": 9}, "teams": [], "freezes": null});
        assert_eq!(without_nulls(settings), json!({"numbers": {"vote_void_s": 9}, "teams": []}));
    }
}
