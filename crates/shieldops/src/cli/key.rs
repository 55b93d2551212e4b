//! `shieldops key`: credentials of programs. They belong to the tenant and not to a person.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use shieldops_model::{Clock as _, SystemClock};

use super::{
    Outcome,
    see::{PageArgs, ShowArgs, done, list, part, print, secret},
};
use crate::{
    client::{Client, ServerArgs, id},
    output::Failure,
};

const PATH: &str = "/api/v1/keys";
const MEMBERS: &[&str] = &[
    "id",
    "name",
    "permissions",
    "routes",
    "addresses",
    "rate_per_s",
    "secrets",
    "created_by",
    "created_at",
    "expires_at",
    "revoked_at",
    "last_used_at",
];

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// The keys of the tenant.
    List(PageArgs),
    /// One key.
    Show(ShowArgs),
    /// Make a key and print its secret, alone, on standard output; it is shown this once.
    Create(CreateArgs),
    /// Change what a key may do.
    Update(UpdateArgs),
    /// Make a new secret; the old ones stay valid for a while, so that nothing has to stop.
    Rotate(RotateArgs),
    /// End a key: it is refused on its next request.
    Revoke(ShowArgs),
}

/// What a key may do, and from where.
#[derive(Debug, Args)]
pub(super) struct Scope {
    /// Such as alert.read; several, or separated by commas.
    #[arg(long = "permission", value_delimiter = ',', value_name = "PERMISSION")]
    permissions: Vec<String>,
    /// Such as "GET /api/v1/alerts/**"; all when there is none.
    #[arg(long = "route", value_name = "ROUTE")]
    routes: Vec<String>,
    /// An address or a network; any when there is none.
    #[arg(long = "address", value_delimiter = ',', value_name = "CIDR")]
    addresses: Vec<String>,
    /// Requests a second [default: those of the tenant].
    #[arg(long, value_name = "N")]
    rate: Option<u32>,
    /// When it ends, RFC 3339.
    #[arg(long, value_name = "TIME", conflicts_with = "days")]
    expires_at: Option<String>,
    /// In how many days it ends.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3_650))]
    days: Option<u32>,
}

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    #[command(flatten)]
    server: ServerArgs,
    name: String,
    #[command(flatten)]
    scope: Scope,
}

#[derive(Debug, Args)]
pub(super) struct UpdateArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[arg(value_parser = id)]
    id: String,
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    scope: Scope,
}

#[derive(Debug, Args)]
pub(super) struct RotateArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[arg(value_parser = id)]
    id: String,
    /// Hours for which the old secrets stay valid.
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u32).range(0..=720))]
    overlap: u32,
}

pub(super) fn run(command: &KeyCommand) -> Outcome {
    match command {
        KeyCommand::List(page) => {
            list(page, PATH, &[], &["/id", "/name", "/permissions", "/expires_at", "/revoked_at", "/last_used_at"])
        }
        KeyCommand::Show(args) => {
            print(&Client::new(&args.server)?.get(&part(PATH, &args.id))?, args.server.output, MEMBERS)
        }
        KeyCommand::Create(args) => create(args),
        KeyCommand::Update(args) => {
            let mut given = args.scope.given();
            if let Some(name) = &args.name {
                given.insert("name".to_owned(), name.clone().into());
            }
            if given.is_empty() {
                return Err(
                    Failure::unusable("nothing to change").fix("give --name, --permission, --route or --address")
                );
            }
            // What is not given stays as it is.
            let key = Client::new(&args.server)?.edit(&part(PATH, &args.id), |now| {
                let member = |name: &str| (name.to_owned(), given.get(name).unwrap_or(&now[name]).clone());
                let names = ["name", "permissions", "routes", "addresses", "rate_per_s", "expires_at"];
                Ok(names.into_iter().map(member).collect::<Map<_, _>>().into())
            })?;
            print(&key, args.server.output, MEMBERS)
        }
        KeyCommand::Rotate(args) => {
            let body = json!({"overlap_s": u64::from(args.overlap) * 3_600});
            let made = Client::new(&args.server)?.post(&format!("{}/rotate", part(PATH, &args.id)), &body)?;
            secret(&made, args.server.output, "key", &format!("a new secret of {}", args.id))
        }
        KeyCommand::Revoke(args) => {
            let answer = Client::new(&args.server)?.delete(&part(PATH, &args.id))?;
            done(&answer, args.server.output, &format!("{} is revoked", args.id))
        }
    }
}

fn create(args: &CreateArgs) -> Outcome {
    if args.scope.permissions.is_empty() {
        let fix = "give --permission, for example --permission alert.read,incident.read";
        return Err(Failure::unusable("a key without a permission does nothing").fix(fix));
    }
    make(&Client::new(&args.server)?, &args.name, args.scope.given(), args.server.output)
}

/// Makes a key and prints its secret.
pub(super) fn make(
    client: &Client,
    name: &str,
    mut body: Map<String, Value>,
    output: crate::output::Output,
) -> Outcome {
    body.insert("name".to_owned(), name.into());
    let made = client.post(PATH, &body.into())?;
    secret(&made, output, "key", &format!("the key {name}"))
}

impl Scope {
    /// Only what was given.
    fn given(&self) -> Map<String, Value> {
        let mut body = Map::new();
        let lists = [("permissions", &self.permissions), ("routes", &self.routes), ("addresses", &self.addresses)];
        for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            body.insert(name.to_owned(), json!(list));
        }
        if let Some(rate) = self.rate {
            body.insert("rate_per_s".to_owned(), rate.into());
        }
        let expires = self.days.map(in_days).or_else(|| self.expires_at.clone());
        if let Some(expires) = expires {
            body.insert("expires_at".to_owned(), expires.into());
        }
        body
    }
}

/// The time so many days from now.
pub(super) fn in_days(days: u32) -> String {
    SystemClock.now().plus(Duration::from_hours(24) * days).to_string()
}
