//! `shieldops autonomy`: how far automation may go.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::{
    Outcome, gate,
    see::{ShowArgs, named},
};
use crate::{
    client::{Client, ServerArgs},
    output::{self, Failure, Output},
};

const PATH: &str = "/api/v1/autonomy";

#[derive(Debug, Subcommand)]
pub(super) enum AutonomyCommand {
    /// The levels that are set, what is effective, and what the system lowered.
    Show(ServerArgs),
    /// Set a level. To lower holds at once; to raise to 3 or 4 waits for a second person.
    Set(SetArgs),
    /// Ask to take back what the system lowered by itself.
    Restore(RestoreArgs),
    /// Confirm what another person asked for.
    Confirm(ShowArgs),
}

#[derive(Debug, Args)]
pub(super) struct SetArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// 0 observe, 1 suggest, 2 act after approval, 3 act with a veto window, 4 act; `none` takes away what was set.
    level: String,
    /// For one environment; without it and --capability for the tenant as a whole.
    #[arg(long, conflicts_with = "capability")]
    environment: Option<String>,
    /// For one capability.
    #[arg(long)]
    capability: Option<String>,
    /// Why. It stands in the ledger.
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    #[command(flatten)]
    server: ServerArgs,
    capability: String,
    /// A target, by its name or id; without it what was lowered on every target.
    #[arg(long)]
    target: Option<String>,
    /// Why. It stands in the ledger.
    #[arg(long)]
    reason: String,
}

pub(super) fn run(command: &AutonomyCommand) -> Outcome {
    match command {
        AutonomyCommand::Show(server) => show(&Client::new(server)?.get(PATH)?, server.output),
        AutonomyCommand::Set(args) => set(args),
        AutonomyCommand::Restore(args) => restore(args),
        AutonomyCommand::Confirm(args) => gate::confirm(args),
    }
}

fn set(args: &SetArgs) -> Outcome {
    let level = match args.level.as_str() {
        "none" => Value::Null,
        text => text
            .parse::<u8>()
            .map(Value::from)
            .map_err(|_nan| Failure::unusable(format!("`{text}` is no level")).fix("give 0, 1, 2, 3, 4 or none"))?,
    };
    let mut body = Map::from_iter([("level".to_owned(), level), ("reason".to_owned(), args.reason.clone().into())]);
    for (name, value) in [("environment", &args.environment), ("capability", &args.capability)] {
        if let Some(value) = value {
            body.insert(name.to_owned(), value.clone().into());
        }
    }
    let answer = Client::new(&args.server)?.edit(PATH, |_now| Ok(body.into()))?;
    // A change that waits has a state; what holds at once is answered with everything that is set.
    if answer["state"] == "pending" {
        gate::waits(&answer, args.server.output)
    } else {
        show(&answer, args.server.output)
    }
}

fn restore(args: &RestoreArgs) -> Outcome {
    let client = Client::new(&args.server)?;
    let target = match &args.target {
        Some(target) => Some(named(&client, "/api/v1/targets", "tgt", target)?),
        None => None,
    };
    let body = json!({"capability": args.capability, "target": target, "reason": args.reason});
    gate::waits(&client.post(&format!("{PATH}/restore"), &body)?, args.server.output)
}

fn show(autonomy: &Value, output: Output) -> Outcome {
    if output == Output::Json {
        output::json(autonomy)?;
        return Ok(ExitCode::SUCCESS);
    }
    let tables: [(&str, &str, &[&str]); 4] = [
        ("set", "levels", &["/environment", "/capability", "/level", "/by_name", "/reason", "/at"]),
        ("effective", "effective", &["/capability", "/environment", "/level", "/because"]),
        ("lowered by the system", "lowered", &["/capability", "/target_name", "/to", "/why", "/at", "/until"]),
        ("waits for a second person", "pending", &["/id", "/subject", "/by_name", "/reason", "/expires_at"]),
    ];
    for (title, member, columns) in tables {
        let Some(items) = autonomy[member].as_array().filter(|items| !items.is_empty()) else { continue };
        output::line(&format!("\n{title}"))?;
        let head: Vec<String> = columns.iter().map(|column| column.trim_start_matches('/').replace('_', " ")).collect();
        let head: Vec<&str> = head.iter().map(String::as_str).collect();
        output::table(&head, &items.iter().map(|item| output::row(item, columns)).collect::<Vec<_>>())?;
    }
    Ok(ExitCode::SUCCESS)
}
