//! `shieldops plan`, `action` and `automation`: what may be done, what was done, and the switch over all of it.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    Outcome,
    see::{ShowArgs, heading, print_list},
};
use crate::{
    client::{Client, ServerArgs, id},
    output::{self, Failure, Output, REFUSED},
};

const PLAN_COLUMNS: &[&str] = &["/id", "/state", "/risk", "/simulated", "/title", "/requester", "/expires_at"];
const ORPHAN_COLUMNS: &[&str] =
    &["/action_id", "/target/name", "/capability", "/key", "/expires_at", "/plan_id", "/detail"];
/// Targets that are looked through.
const TARGETS: usize = 10_000;
const ACTION_COLUMNS: &[&str] =
    &["/id", "/state", "/capability", "/target/name", "/simulated", "/plan_id", "/updated_at"];

#[derive(Debug, Subcommand)]
pub(super) enum PlanCommand {
    /// Plans, newest first.
    List(PlanListArgs),
    /// One plan with everything an approver sees.
    Show(ShowArgs),
    /// Approve a plan as it was seen; the last approval that is needed starts it.
    Approve(ApproveArgs),
    /// Reject a plan.
    Reject(RejectArgs),
    /// Start an approved plan; safe to repeat.
    Execute(ShowArgs),
}

#[derive(Debug, Args)]
pub(super) struct PlanListArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[arg(long)]
    state: Option<String>,
    #[arg(long, value_name = "ID")]
    incident: Option<String>,
    /// How many at most.
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

#[derive(Debug, Args)]
pub(super) struct ApproveArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[arg(value_parser = id)]
    id: String,
    /// The hash of the plan that was seen. Another one is refused.
    #[arg(long, conflicts_with = "yes")]
    hash: Option<String>,
    /// Approve the plan as it is now; it is printed first.
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct RejectArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[arg(value_parser = id)]
    id: String,
    /// Why. It stands in the ledger.
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Subcommand)]
pub(super) enum ActionCommand {
    /// Actions, newest first.
    List(ActionListArgs),
    /// One action with its journal.
    Show(ShowArgs),
    /// Restore what was there before, and prove it.
    Undo(UndoArgs),
}

#[derive(Debug, Args)]
pub(super) struct ActionListArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[arg(long)]
    state: Option<String>,
    #[arg(long, value_name = "ID")]
    plan: Option<String>,
    /// How many at most.
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

#[derive(Debug, Args)]
pub(super) struct UndoArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[arg(value_parser = id)]
    id: String,
    /// Why. It stands in the ledger.
    #[arg(long)]
    reason: Option<String>,
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

pub(super) fn plan(command: &PlanCommand) -> Outcome {
    match command {
        PlanCommand::List(args) => {
            let filters = [("state", args.state.as_deref()), ("incident_id", args.incident.as_deref())];
            let page = Client::new(&args.server)?.list("/api/v1/plans", &filters, args.limit)?;
            print_list(&page, args.server.output, PLAN_COLUMNS)
        }
        PlanCommand::Show(args) => {
            let plan = Client::new(&args.server)?.get(&format!("/api/v1/plans/{}", args.id))?;
            print_plan(&plan, args.server.output)
        }
        PlanCommand::Approve(args) => approve(args),
        PlanCommand::Reject(args) => {
            let body = json!({"reason": args.reason});
            let plan = Client::new(&args.server)?.post(&format!("/api/v1/plans/{}/reject", args.id), &body)?;
            print_plan(&plan, args.server.output)
        }
        PlanCommand::Execute(args) => {
            let plan = Client::new(&args.server)?.post(&format!("/api/v1/plans/{}/execute", args.id), &json!({}))?;
            print_run(&plan, args.server.output)
        }
    }
}

fn approve(args: &ApproveArgs) -> Outcome {
    let client = Client::new(&args.server)?;
    let plan = client.get(&format!("/api/v1/plans/{}", args.id))?;
    if args.server.output == Output::Table {
        print_plan(&plan, Output::Table)?;
    }
    let present = plan["hash"].as_str().unwrap_or_default();
    let hash = match (&args.hash, args.yes) {
        (Some(hash), _) => hash,
        (None, true) => present,
        (None, false) => {
            let fix = format!("look at the plan, then approve it with --hash {present}, or with --yes");
            return Err(Failure::unusable("an approval names what it approves").fix(fix));
        }
    };
    let plan = client.post(&format!("/api/v1/plans/{}/approve", args.id), &json!({"hash": hash}))?;
    if args.server.output == Output::Table {
        output::line("\napproved")?;
    }
    print_run(&plan, args.server.output)
}

/// A plan after a run: what did not come out as verified is a failure.
fn print_run(plan: &Value, output: Output) -> Outcome {
    print_plan(plan, output)?;
    Ok(ExitCode::from(if went_well(plan) { output::OK } else { REFUSED }))
}

fn went_well(plan: &Value) -> bool {
    let ended_badly = |action: &Value| {
        matches!(
            action["state"].as_str(),
            Some("failed" | "aborted" | "skipped" | "unverified" | "drifted" | "undo_failed")
        )
    };
    !matches!(plan["state"].as_str(), Some("denied" | "expired"))
        && !plan["actions"].as_array().into_iter().flatten().any(ended_badly)
}

fn print_plan(plan: &Value, output: Output) -> Outcome {
    if output == Output::Json {
        output::json(plan)?;
        return Ok(ExitCode::SUCCESS);
    }
    heading(
        plan,
        &[
            "id",
            "title",
            "why",
            "state",
            "risk",
            "simulated",
            "requester",
            "hash",
            "expires_at",
            "rejected_reason",
            "cannot_approve_why",
        ],
    )?;
    for deny in plan["decision"]["denies"].as_array().into_iter().flatten() {
        output::foreign_line(&format!(
            "denied       {}: {}",
            output::text(&deny["code"]),
            output::text(&deny["detail"])
        ))?;
    }
    for action in plan["actions"].as_array().into_iter().flatten() {
        output::line("")?;
        print_action(action)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print_action(action: &Value) -> Result<(), Failure> {
    let about = output::row(action, &["/capability", "/target/name", "/state", "/id"]);
    output::foreign_line(&about.join("  "))?;
    for line in action["diff"].as_array().into_iter().flatten() {
        let path = output::text(&line["path"]);
        for (sign, side) in [("-", "before"), ("+", "after")] {
            if let Some(text) = line[side].as_str() {
                output::foreign_line(&format!("  {sign} {path}: {text}"))?;
            }
        }
    }
    if let Some(detail) = action["detail"].as_str() {
        output::foreign_line(&format!("  {detail}"))?;
    }
    for proof in action["proofs"].as_array().into_iter().flatten() {
        output::foreign_line(&format!(
            "  {}: {} ({})",
            output::text(&proof["moment"]),
            output::text(&proof["result"]),
            output::text(&proof["detail"])
        ))?;
    }
    if let Some(path) = action["control_path"].as_object() {
        let risk = if path.get("at_risk") == Some(&Value::Bool(true)) { "AT RISK" } else { "not at risk" };
        let text = |name: &str| path.get(name).map(output::text).unwrap_or_default();
        output::foreign_line(&format!("  way to the target: {}, {risk} ({})", text("via"), text("why")))?;
    }
    output::foreign_line(&format!("  undo: {}", output::text(&action["undo"])))
}

pub(super) fn action(command: &ActionCommand) -> Outcome {
    match command {
        ActionCommand::List(args) => {
            let filters = [("state", args.state.as_deref()), ("plan_id", args.plan.as_deref())];
            let page = Client::new(&args.server)?.list("/api/v1/actions", &filters, args.limit)?;
            print_list(&page, args.server.output, ACTION_COLUMNS)
        }
        ActionCommand::Show(args) => {
            let action = Client::new(&args.server)?.get(&format!("/api/v1/actions/{}", args.id))?;
            if args.server.output == Output::Json {
                output::json(&action)?;
                return Ok(ExitCode::SUCCESS);
            }
            print_action(&action)?;
            for step in action["journal"].as_array().into_iter().flatten() {
                output::foreign_line(&format!("  {}", output::row(step, &["/at", "/step", "/detail"]).join("  ")))?;
            }
            Ok(ExitCode::SUCCESS)
        }
        ActionCommand::Undo(args) => undo(args),
    }
}

fn undo(args: &UndoArgs) -> Outcome {
    let body = json!({"reason": args.reason});
    let action = Client::new(&args.server)?.post(&format!("/api/v1/actions/{}/undo", args.id), &body)?;
    match args.server.output {
        Output::Json => output::json(&action)?,
        Output::Table => print_action(&action)?,
    }
    let restored = action["state"] == "undone";
    Ok(ExitCode::from(if restored { output::OK } else { REFUSED }))
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

fn targets(client: &Client, wanted: Option<&str>) -> Result<Vec<Value>, Failure> {
    let mut page = client.list("/api/v1/targets", &[], TARGETS)?;
    let Value::Array(mut all) = page["items"].take() else { return Ok(Vec::new()) };
    if let Some(wanted) = wanted {
        all.retain(|target| target["name"] == wanted || target["id"] == wanted);
        if all.is_empty() {
            let fix = "targets are registered in the dashboard, under Settings";
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
    fn a_run_that_verified_went_well_and_anything_less_did_not() {
        let plan =
            |plan: &str, action: &str| json!({"state": plan, "actions": [{"state": "verified"}, {"state": action}]});
        for state in ["verified", "settling", "running", "planned"] {
            assert!(went_well(&plan("executed", state)), "{state}");
        }
        for state in ["failed", "aborted", "skipped", "unverified", "undo_failed"] {
            assert!(!went_well(&plan("executed", state)), "{state}");
        }
        assert!(!went_well(&plan("denied", "planned")));
    }
}
