//! `shieldops standing-grant`: a person's leave, for a time, that automation does one thing without asking again.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::{
    Outcome,
    key::in_days,
    see::{PageArgs, ShowArgs, done, list, named, part, print},
};
use crate::{
    client::{Client, ServerArgs},
    output::Failure,
};

const PATH: &str = "/api/v1/standing-grants";
const MEMBERS: &[&str] =
    &["id", "capability", "environment", "targets", "labels", "granted_by_name", "reason", "expires_at", "revoked_at"];

#[derive(Debug, Subcommand)]
pub(super) enum StandingGrantCommand {
    /// Standing grants, newest first.
    List(ListArgs),
    /// Let automation do one thing without asking, for some days.
    Create(CreateArgs),
    /// End one at once.
    Revoke(ShowArgs),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    page: PageArgs,
    /// Only those that hold now.
    #[arg(long)]
    active: bool,
}

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// What automation may do, as `shieldops capability list` names it.
    #[arg(long)]
    capability: String,
    #[arg(long)]
    environment: String,
    /// A target, by its name or id; once for each.
    #[arg(long = "target", value_name = "TARGET", required_unless_present = "labels")]
    targets: Vec<String>,
    /// Every target that carries all of these: NAME=VALUE, once for each.
    #[arg(long = "label", value_name = "NAME=VALUE")]
    labels: Vec<String>,
    /// How long it holds.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=30))]
    days: u32,
    /// Why. It stands in the ledger.
    #[arg(long)]
    reason: String,
}

pub(super) fn run(command: &StandingGrantCommand) -> Outcome {
    match command {
        StandingGrantCommand::List(args) => {
            let columns =
                ["/id", "/capability", "/environment", "/granted_by_name", "/reason", "/expires_at", "/revoked_at"];
            list(&args.page, PATH, &[("active", args.active.then_some("true"))], &columns)
        }
        StandingGrantCommand::Create(args) => create(args),
        StandingGrantCommand::Revoke(args) => {
            let answer = Client::new(&args.server)?.delete(&part(PATH, &args.id))?;
            done(&answer, args.server.output, &format!("{} is ended", args.id))
        }
    }
}

fn create(args: &CreateArgs) -> Outcome {
    let client = Client::new(&args.server)?;
    let mut targets = Vec::new();
    for target in &args.targets {
        targets.push(named(&client, "/api/v1/targets", "tgt", target)?);
    }
    let mut labels = Map::new();
    for label in &args.labels {
        let Some((name, value)) = label.split_once('=') else {
            return Err(Failure::unusable(format!("--label {label}: no `=`")).fix("write it as --label role=web"));
        };
        labels.insert(name.to_owned(), Value::from(value));
    }
    let body = json!({
        "capability": args.capability, "environment": args.environment, "targets": targets, "labels": labels,
        "until": in_days(args.days), "reason": args.reason,
    });
    print(&client.post(PATH, &body)?, args.server.output, MEMBERS)
}
