//! What a tenant's rules are compiled with, and how many alerts it wants of one: `shieldops rule lists`, `rule pipelines` and
//! `rule throttle`.

use std::{io::Read as _, path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::read;
use crate::{
    cli::{
        Outcome,
        see::{PageArgs, ReasonArgs, ShowArgs, done, list, part, print, print_list},
    },
    client::{Client, ServerArgs, id},
    output::{self, Failure, Output, REFUSED},
};

const LISTS: &str = "/api/v1/value-lists";
const PIPELINES: &str = "/api/v1/pipelines";
const LIST: &[&str] = &["name", "number", "bytes", "rules", "by_name", "updated_at", "note", "values"];
const PIPELINE: &[&str] = &["name", "head", "live", "active", "by_name", "updated_at", "reason", "diagnostics", "text"];

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ListsCommand {
    /// Lists of values, by name.
    List(PageArgs),
    /// One, with its values.
    Show(ShowArgs),
    /// Make one of a file with a value a line; `-` reads from standard input.
    Create(TextArgs),
    /// Write one again, all values of it.
    Set(TextArgs),
    /// Take one away. Rules that run must not name it.
    Remove(ShowArgs),
    /// Versions of one.
    Versions(PartVersionsArgs),
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum PipelinesCommand {
    /// Processing pipelines of the tenant, by name.
    List(PageArgs),
    /// One, with its text.
    Show(ShowArgs),
    /// Read one as the server would, and try it on the tenant's rules that run. Exit code 1 when it cannot be used.
    Check(TextArgs),
    /// Make one of a file in pySigma's YAML. It is in use when it is activated.
    Create(TextArgs),
    /// Write one again, as a new version.
    Revise(TextArgs),
    /// Apply one to the tenant's own rules.
    Activate(ActivateArgs),
    /// Apply one no more.
    Deactivate(ReasonArgs),
    /// Take one away that is not in use.
    Remove(ShowArgs),
    /// Versions of one.
    Versions(PartVersionsArgs),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct TextArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[arg(value_parser = id)]
    name: String,
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What this version is for.
    #[arg(long, default_value = "")]
    note: String,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ActivateArgs {
    #[command(flatten)]
    to: ReasonArgs,
    /// The version to use [default: the newest].
    #[arg(long, value_name = "NUMBER")]
    version: Option<i64>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct PartVersionsArgs {
    #[command(flatten)]
    show: ShowArgs,
    /// Only this one, with what it holds.
    #[arg(long, value_name = "NUMBER")]
    number: Option<i64>,
    /// How many at most.
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ThrottleArgs {
    #[command(flatten)]
    show: ShowArgs,
    /// At most so many alerts in the time.
    #[arg(long, value_name = "NUMBER", requires = "reason")]
    alerts: Option<u32>,
    /// The time in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    window: u32,
    /// For each entity of this kind: `ip`, `host`, `user` [default: for the rule as a whole].
    #[arg(long, value_name = "KIND")]
    per: Option<String>,
    /// Take the limit away.
    #[arg(long, conflicts_with = "alerts", requires = "reason")]
    off: bool,
    /// Why. It stands in the ledger.
    #[arg(long)]
    reason: Option<String>,
}

impl TextArgs {
    fn text(&self) -> Result<String, Failure> {
        if self.file.as_os_str() != "-" {
            return read(&self.file);
        }
        let mut text = String::new();
        let typed = std::io::stdin().take(super::MAX_FILE_BYTES).read_to_string(&mut text);
        typed.map_err(|error| Failure::unusable("standard input: cannot be read").why(error.to_string()))?;
        Ok(text)
    }

    /// One value a line; lines that begin with `#` and empty ones are left out.
    fn values(&self) -> Result<Vec<String>, Failure> {
        let text = self.text()?;
        let values = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        Ok(values.map(str::to_owned).collect())
    }
}

pub(super) fn lists(command: &ListsCommand) -> Outcome {
    match command {
        ListsCommand::List(args) => list(args, LISTS, &[], &["/name", "/number", "/bytes", "/rules", "/updated_at"]),
        ListsCommand::Show(args) => show(args, LISTS, LIST),
        ListsCommand::Create(args) => {
            let body = json!({"name": args.name, "values": args.values()?, "note": args.note});
            print(&Client::new(&args.server)?.post(LISTS, &body)?, args.server.output, LIST)
        }
        ListsCommand::Set(args) => {
            let body = json!({"values": args.values()?, "note": args.note});
            let made = Client::new(&args.server)?.edit(&part(LISTS, &args.name), |_now| Ok(body))?;
            print(&made, args.server.output, LIST)
        }
        ListsCommand::Remove(args) => remove(args, LISTS),
        ListsCommand::Versions(args) => versions(args, LISTS, "values"),
    }
}

pub(super) fn pipelines(command: &PipelinesCommand) -> Outcome {
    match command {
        PipelinesCommand::List(args) => {
            list(args, PIPELINES, &[], &["/name", "/active", "/live", "/head", "/updated_at"])
        }
        PipelinesCommand::Show(args) => show(args, PIPELINES, PIPELINE),
        PipelinesCommand::Check(args) => check(args),
        PipelinesCommand::Create(args) => {
            let body = json!({"name": args.name, "text": args.text()?, "note": args.note});
            print(&Client::new(&args.server)?.post(PIPELINES, &body)?, args.server.output, PIPELINE)
        }
        PipelinesCommand::Revise(args) => {
            let body = json!({"text": args.text()?, "note": args.note});
            let made = Client::new(&args.server)?.edit(&part(PIPELINES, &args.name), |_now| Ok(body))?;
            print(&made, args.server.output, PIPELINE)
        }
        PipelinesCommand::Activate(args) => {
            let mut body = json!({"active": true, "reason": args.to.reason});
            if let Some(version) = args.version {
                body["version"] = version.into();
            }
            set(&args.to, &body)
        }
        PipelinesCommand::Deactivate(args) => set(args, &json!({"active": false, "reason": args.reason})),
        PipelinesCommand::Remove(args) => remove(args, PIPELINES),
        PipelinesCommand::Versions(args) => versions(args, PIPELINES, "text"),
    }
}

fn set(args: &ReasonArgs, body: &Value) -> Outcome {
    let made = Client::new(&args.server)?.patch(&part(PIPELINES, &args.id), body)?;
    print(&made, args.server.output, PIPELINE)
}

fn check(args: &TextArgs) -> Outcome {
    let body = json!({"name": args.name, "text": args.text()?, "note": args.note});
    let answer = Client::new(&args.server)?.post(&format!("{PIPELINES}/check"), &body)?;
    if args.server.output == Output::Json {
        output::json(&answer)?;
    } else {
        super::own::said(&answer["diagnostics"])?;
        output::line(if answer["usable"] == true { "it can be used" } else { "it cannot be used" })?;
    }
    Ok(if answer["usable"] == true { ExitCode::SUCCESS } else { REFUSED.into() })
}

fn show(args: &ShowArgs, path: &str, members: &[&str]) -> Outcome {
    print(&Client::new(&args.server)?.get(&part(path, &args.id))?, args.server.output, members)
}

fn remove(args: &ShowArgs, path: &str) -> Outcome {
    let gone = Client::new(&args.server)?.delete(&part(path, &args.id))?;
    done(&gone, args.server.output, &format!("{} is gone", args.id))
}

fn versions(args: &PartVersionsArgs, path: &str, holds: &str) -> Outcome {
    let ShowArgs { server, id } = &args.show;
    let path = format!("{}/versions", part(path, id));
    let client = Client::new(server)?;
    if let Some(number) = args.number {
        let version = client.get(&format!("{path}/{number}"))?;
        return print(&version, server.output, &["number", "at", "by_name", "note", "live", holds]);
    }
    let page = client.list(&path, &[], args.limit)?;
    print_list(&page, server.output, &["/number", "/live", "/by_name", "/at", "/note"])
}

pub(super) fn throttle(args: &ThrottleArgs) -> Outcome {
    let ShowArgs { server, id } = &args.show;
    let path = format!("{}/throttle", part(super::PATH, id));
    let client = Client::new(server)?;
    let limit = args.alerts.map(|alerts| json!({"alerts": alerts, "window_s": args.window, "per": args.per}));
    let shown = if limit.is_some() || args.off {
        let body = json!({"limit": limit, "reason": args.reason.as_deref().unwrap_or_default()});
        client.edit(&path, |_now| Ok(body))?
    } else {
        client.get(&path)?
    };
    print(&shown, server.output, &["rule_id", "limit", "withheld", "by_name", "at", "reason"])
}
