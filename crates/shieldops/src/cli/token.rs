//! `shieldops token`: credentials of shippers and people.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, json};

use super::{
    Outcome, key,
    local::{self, WhereArgs},
    see::{PageArgs, ShowArgs, done, list, part},
};
use crate::{
    client::Client,
    output::{self, Failure, Output},
};

const PATH: &str = "/api/v1/tokens";

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Your tokens; an administrator sees all of the tenant.
    List(PageArgs),
    /// Make a token and print it, alone, on standard output. With --data-dir it is made in the data directory itself,
    /// beside a running server or in a new directory, and needs no other credential.
    Create(TokenArgs),
    /// End a token: it is refused on its next request.
    Revoke(ShowArgs),
}

#[derive(Debug, Args)]
pub(super) struct TokenArgs {
    #[command(flatten)]
    pub(super) place: WhereArgs,
    /// What it is for.
    #[arg(long, value_enum)]
    pub(super) kind: Kind,
    /// What it is called in lists.
    #[arg(long)]
    pub(super) name: String,
    /// Whose it is [default: the built-in administrator].
    #[arg(long, value_name = "NAME")]
    pub(super) user: Option<String>,
    /// The source of events that an ingest token sends, where they do not show it: nginx, sshd, ...
    #[arg(long, value_name = "NAME")]
    pub(super) source: Option<String>,
    /// Days that a personal or operator token lasts [default: as many as the tenant allows, which is 90 unless set].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    pub(super) days: Option<u32>,
    /// What a key may do.
    #[arg(long = "permission", value_delimiter = ',', value_name = "PERMISSION")]
    pub(super) permissions: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// Sends events, reads nothing.
    Ingest,
    /// Does what its user may do.
    Personal,
    /// Makes and ends tenants; only in the data directory itself.
    Operator,
    /// Of a program: belongs to the tenant, does what its permissions say.
    Key,
}

pub(super) fn run(command: &TokenCommand) -> Outcome {
    match command {
        TokenCommand::List(page) => list(
            page,
            PATH,
            &[],
            &["/id", "/kind", "/name", "/source", "/created_at", "/expires_at", "/last_used_at", "/revoked_at"],
        ),
        TokenCommand::Create(args) => create(args),
        TokenCommand::Revoke(args) => {
            let answer = Client::new(&args.server)?.delete(&part(PATH, &args.id))?;
            done(&answer, args.server.output, &format!("{} is revoked", args.id))
        }
    }
}

fn create(args: &TokenArgs) -> Outcome {
    if args.kind != Kind::Ingest && args.source.is_some() {
        return Err(Failure::unusable("--source is for ingest tokens").fix("leave it out"));
    }
    if (args.kind == Kind::Key) == args.permissions.is_empty() {
        let fix = "a key needs --permission, for example --permission alert.read; the other kinds take none";
        return Err(Failure::unusable("--permission is for keys").fix(fix));
    }
    if args.days.is_some() && !matches!(args.kind, Kind::Personal | Kind::Operator) {
        return Err(Failure::unusable("--days is for tokens of people").fix("leave it out"));
    }
    let Some(connection) = args.place.server()? else { return local::create_token(args) };
    if args.kind == Kind::Operator || args.user.is_some() {
        let fix = "give --data-dir, on the machine that has it";
        return Err(Failure::unusable("this is made in the data directory itself").fix(fix));
    }
    let client = Client::connect(&connection)?;
    if args.kind == Kind::Key {
        let mut body = Map::new();
        body.insert("permissions".to_owned(), json!(args.permissions));
        return key::make(&client, &args.name, body, args.place.server.output);
    }
    let kind = if args.kind == Kind::Ingest { "ingest" } else { "personal" };
    let mut body = json!({"kind": kind, "name": args.name});
    if let Some(source) = &args.source {
        body["source"] = source.clone().into();
    }
    if let Some(days) = args.days {
        body["days"] = days.into();
    }
    let made = client.post(PATH, &body)?;
    match args.place.server.output {
        Output::Json => output::json(&made)?,
        Output::Table => output::line(made["token"].as_str().unwrap_or_default())?,
    }
    Ok(ExitCode::SUCCESS)
}
