//! `shieldops rule exceptions`: what rules are not to find, with who answers for it and when it ends.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::read;
use crate::{
    cli::{
        Outcome,
        see::{ShowArgs, done, list, part, print},
    },
    client::{Client, ServerArgs, id},
};

const PATH: &str = "/api/v1/exceptions";
const MEMBERS: &[&str] = &["id", "title", "rules", "owner", "reason", "expires_at", "active", "by_name", "filter"];

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ExceptionsCommand {
    /// Exceptions, newest first.
    List(ListArgs),
    /// One, with its filter.
    Show(ShowArgs),
    /// Make one of a Sigma filter.
    Add(AddArgs),
    /// Change who answers for it, or when it ends.
    Update(UpdateArgs),
    /// Take it back.
    Remove(ShowArgs),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    #[command(flatten)]
    page: crate::cli::see::PageArgs,
    /// Those that name this rule, or any.
    #[arg(long, value_name = "ID")]
    rule: Option<String>,
    /// Only those that have not ended, or those that have.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    active: Option<bool>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct AddArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// A Sigma filter.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Who answers for it.
    #[arg(long)]
    owner: String,
    /// Why.
    #[arg(long)]
    reason: String,
    /// When it ends, RFC 3339; at most a year from now.
    #[arg(long, value_name = "TIME")]
    expires: String,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct UpdateArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[arg(value_parser = id)]
    id: String,
    #[arg(long)]
    owner: Option<String>,
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// Why it is there, from now on.
    #[arg(long)]
    reason: String,
}

pub(super) fn run(command: &ExceptionsCommand) -> Outcome {
    match command {
        ExceptionsCommand::List(args) => {
            let active = args.active.map(|active| active.to_string());
            let filters = [("rule_id", args.rule.as_deref()), ("active", active.as_deref())];
            list(&args.page, PATH, &filters, &["/id", "/active", "/expires_at", "/owner", "/rules", "/title"])
        }
        ExceptionsCommand::Show(args) => {
            let found = Client::new(&args.server)?.get(&part(PATH, &args.id))?;
            print(&found, args.server.output, MEMBERS)
        }
        ExceptionsCommand::Add(args) => {
            let body = json!({"filter": read(&args.file)?, "owner": args.owner, "reason": args.reason, "expires_at": args.expires});
            let made = Client::new(&args.server)?.post(PATH, &body)?;
            print(&made, args.server.output, MEMBERS)
        }
        ExceptionsCommand::Update(args) => {
            let mut body = json!({"reason": args.reason});
            for (name, value) in [("owner", &args.owner), ("expires_at", &args.expires)] {
                if let Some(value) = value {
                    body[name] = value.as_str().into();
                }
            }
            let made = Client::new(&args.server)?.patch(&part(PATH, &args.id), &body)?;
            print(&made, args.server.output, MEMBERS)
        }
        ExceptionsCommand::Remove(args) => {
            let gone = Client::new(&args.server)?.delete(&part(PATH, &args.id))?;
            done(&gone, args.server.output, &format!("{} holds no more", args.id))
        }
    }
}
