//! `shieldops action`, `orphan` and `automation`: what was done, what is left, and the switch over all of it.

mod evidence;
mod rescue;
mod undo;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    Outcome,
    plan::{print_action, print_run},
    see::{ShowArgs, heading, print_list},
};
use crate::{
    client::{Client, ServerArgs, id},
    output::{self, Failure, Output},
    prove::{self, ProveArgs},
};

const ORPHAN_COLUMNS: &[&str] =
    &["/action_id", "/target/name", "/capability", "/key", "/expires_at", "/plan_id", "/detail"];
/// Targets that are looked through.
const TARGETS: usize = 10_000;
const ACTION_COLUMNS: &[&str] =
    &["/id", "/state", "/capability", "/target/name", "/simulated", "/plan_id", "/updated_at", "/detail"];

#[derive(Debug, Subcommand)]
pub(super) enum ActionCommand {
    /// Actions, newest first.
    List(ActionListArgs),
    /// One action with its journal.
    Show(ShowArgs),
    /// Restore what was there before, and prove it.
    Undo(undo::UndoArgs),
    /// Prove every capability on stand-ins: apply and undo leave nothing behind, whatever happens in between.
    Prove(ProveArgs),
    /// What an action collected, listed or taken; each piece that is taken stands in the ledger.
    Evidence(evidence::EvidenceArgs),
}

#[derive(Debug, Args)]
pub(super) struct ActionListArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[arg(long)]
    state: Option<String>,
    #[arg(long, value_name = "ID")]
    plan: Option<String>,
    /// By its whole name: `linux.block_ip`.
    #[arg(long)]
    capability: Option<String>,
    /// On this target, by its name or id.
    #[arg(long)]
    target: Option<String>,
    #[arg(long, value_name = "ID")]
    incident: Option<String>,
    /// How many at most.
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

#[derive(Debug, Subcommand)]
pub(super) enum OrphanCommand {
    /// Effects with our mark that no live action wants, read from their targets now.
    List(OrphanListArgs),
    /// Plan to take one over as it stands, so that it has an owner again.
    Adopt(OrphanArgs),
    /// Plan to take one away; it is read back afterwards.
    Undo(OrphanArgs),
}

#[derive(Debug, Args)]
pub(super) struct OrphanListArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// One target, by its name or id; otherwise all of them are read.
    #[arg(long)]
    target: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct OrphanArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// The action that its mark names, as the list has it.
    #[arg(value_parser = id, value_name = "ACTION_ID")]
    action: String,
    /// The target it is on, by its name or id.
    #[arg(long)]
    target: String,
    /// Why. It stands in the ledger.
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Subcommand)]
pub(super) enum AutomationCommand {
    /// Start nothing more, and pause what runs.
    Halt(SwitchArgs),
    /// Let automation run again.
    Resume(SwitchArgs),
    /// Whether it is halted, by whom and why.
    Status(ServerArgs),
}

#[derive(Debug, Args)]
pub(super) struct SwitchArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Why. It stands in the ledger.
    #[arg(long, default_value = "asked on the command line")]
    reason: String,
}

pub(super) fn action(command: &ActionCommand) -> Outcome {
    match command {
        ActionCommand::List(args) => {
            let client = Client::new(&args.server)?;
            let target = args.target.as_deref().map(|target| target_id(&client, target)).transpose()?;
            let filters = [
                ("state", args.state.as_deref()),
                ("plan_id", args.plan.as_deref()),
                ("capability", args.capability.as_deref()),
                ("target_id", target.as_deref()),
                ("incident_id", args.incident.as_deref()),
            ];
            let page = client.list("/api/v1/actions", &filters, args.limit)?;
            print_list(&page, args.server.output, ACTION_COLUMNS)
        }
        ActionCommand::Show(args) => {
            let action = Client::new(&args.server)?.get(&format!("/api/v1/actions/{}", args.id))?;
            if args.server.output == Output::Json {
                output::json(&action)?;
                return Ok(ExitCode::SUCCESS);
            }
            print_action(&action)?;
            action["journal"].as_array().into_iter().flatten().try_for_each(|at| output::foreign_line(&step(at)))?;
            Ok(ExitCode::SUCCESS)
        }
        ActionCommand::Prove(args) => prove::run(args),
        ActionCommand::Undo(args) => undo::undo(args),
        ActionCommand::Evidence(args) => evidence::evidence(args),
    }
}

/// A step of an action's journal: when, which, what kind of step, and what was written down.
fn step(step: &Value) -> String {
    format!("  {}", output::row(step, &["/at", "/step", "/kind", "/detail"]).join("  "))
}

pub(super) fn orphan(command: &OrphanCommand) -> Outcome {
    match command {
        OrphanCommand::List(args) => {
            let client = Client::new(&args.server)?;
            let mut items = Vec::new();
            for target in targets(&client, args.target.as_deref())? {
                items.extend(orphans(&client, &target)?);
            }
            print_list(&json!({"items": items, "next_cursor": null}), args.server.output, ORPHAN_COLUMNS)
        }
        OrphanCommand::Adopt(args) => deal_with(args, "adopt"),
        OrphanCommand::Undo(args) => deal_with(args, "undo"),
    }
}

/// An id is taken as it is; a name is looked up.
fn target_id(client: &Client, target: &str) -> Result<String, Failure> {
    if target.starts_with("tgt_") {
        return Ok(target.to_owned());
    }
    let found = targets(client, Some(target))?;
    Ok(found.first().map(|row| output::text(&row["id"])).unwrap_or_default())
}

fn targets(client: &Client, wanted: Option<&str>) -> Result<Vec<Value>, Failure> {
    let mut page = client.list("/api/v1/targets", &[], TARGETS)?;
    let Value::Array(mut all) = page["items"].take() else { return Ok(Vec::new()) };
    if let Some(wanted) = wanted {
        all.retain(|target| target["name"] == wanted || target["id"] == wanted);
        if all.is_empty() {
            let fix = "shieldops target list shows them, shieldops target register makes one";
            return Err(Failure::unusable(format!("no target `{wanted}` is registered")).fix(fix.to_owned()));
        }
    }
    Ok(all)
}

fn orphans(client: &Client, target: &Value) -> Result<Vec<Value>, Failure> {
    let path = format!("/api/v1/targets/{}/orphans", output::text(&target["id"]));
    let mut page = client.list(&path, &[], usize::MAX)?;
    Ok(if let Value::Array(items) = page["items"].take() { items } else { Vec::new() })
}

/// The orphan is looked up again: the server refuses one that is no longer as it is named.
fn deal_with(args: &OrphanArgs, verb: &str) -> Outcome {
    let client = Client::new(&args.server)?;
    let Some(target) = targets(&client, Some(&args.target))?.into_iter().next() else {
        return Err(Failure::unusable(format!("no target `{}` is registered", args.target)));
    };
    let found = orphans(&client, &target)?;
    let Some(orphan) = found.iter().find(|orphan| orphan["action_id"] == args.action.as_str()) else {
        let failure = Failure::unusable(format!("no orphan with the mark of {} is on {}", args.action, args.target));
        return Err(failure.fix("look with `shieldops orphan list`".to_owned()));
    };
    let body = json!({"capability": orphan["capability"], "key": orphan["key"], "action_id": orphan["action_id"], "reason": args.reason});
    let path = format!("/api/v1/targets/{}/orphans/{verb}", output::text(&target["id"]));
    print_run(&client.post(&path, &body)?, args.server.output)
}

pub(super) fn automation(command: &AutomationCommand) -> Outcome {
    let (server, state) = match command {
        AutomationCommand::Halt(args) => (&args.server, switch(args, "halt")?),
        AutomationCommand::Resume(args) => (&args.server, switch(args, "resume")?),
        AutomationCommand::Status(server) => (server, Client::new(server)?.get("/api/v1/automation")?),
    };
    match server.output {
        Output::Json => output::json(&state)?,
        Output::Table => heading(&state, &["halted", "by", "at", "reason"])?,
    }
    Ok(ExitCode::SUCCESS)
}

fn switch(args: &SwitchArgs, verb: &str) -> Result<Value, Failure> {
    Client::new(&args.server)?.post(&format!("/api/v1/automation/{verb}"), &json!({"reason": args.reason}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_the_journal_says_its_kind() {
        let intent = json!({"at": "2026-01-02T03:04:05Z", "step": 2, "kind": "intent", "detail": {"from": true}});
        assert_eq!(step(&intent), "  2026-01-02T03:04:05Z  2  intent  {\"from\":true}");
    }
}
