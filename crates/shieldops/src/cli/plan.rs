//! `shieldops plan`: what may be done, and who said yes.

mod explain;
mod show;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::{
    Outcome,
    see::{ShowArgs, print_list},
};
use crate::{
    client::{Client, ServerArgs, id},
    output::{self, Failure, Output, REFUSED},
};

pub(super) use show::print_action;
use show::print_plan;

const PLAN_COLUMNS: &[&str] = &["/id", "/state", "/risk", "/simulated", "/title", "/requester", "/expires_at"];

const APPROVAL_COLUMNS: &[&str] = &[
    "/plan_id",
    "/risk",
    "/needed",
    "/unanswered",
    "/simulated",
    "/title",
    "/requester",
    "/expires_at",
    "/may_not_because",
];

#[derive(Debug, Subcommand)]
pub(super) enum ApprovalCommand {
    /// Plans that wait for approval, newest first.
    List(ApprovalListArgs),
}

#[derive(Debug, Args)]
pub(super) struct ApprovalListArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// How many at most.
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

pub(super) fn approval(command: &ApprovalCommand) -> Outcome {
    let ApprovalCommand::List(args) = command;
    let page = Client::new(&args.server)?.list("/api/v1/approvals", &[], args.limit)?;
    print_list(&page, args.server.output, APPROVAL_COLUMNS)
}

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
    /// Plan an action, or several from a file, against the live state of their targets. Nothing is changed.
    Create(CreateArgs),
    /// Run a plan without the approvals it needs and in spite of a freeze. Every administrator is told.
    BreakGlass(RejectArgs),
    /// Which rules fire on a plan, what they read, and what would turn the decision.
    Explain(ShowArgs),
    /// Plan the same actions again, against the state as it is now.
    Replan(ReplanArgs),
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
pub(super) struct CreateArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// What to do, as `shieldops capability list` names it.
    #[arg(long, requires = "target", required_unless_present = "file")]
    capability: Option<String>,
    /// The name of a registered target.
    #[arg(long)]
    target: Option<String>,
    /// The kind of the target.
    #[arg(long, default_value = "linux_host")]
    kind: String,
    /// NAME=VALUE, where VALUE is JSON or text; once for each.
    #[arg(long = "param", value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// A JSON file with up to 16 actions that run one after the other, in place of --capability: {"actions": [{"capability": "...", "target": {"kind": "...", "name": "..."}, "params": {}}]}.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["capability", "target", "params"])]
    file: Option<PathBuf>,
    /// What becomes of the actions that were done when one of them does not succeed: `keep` or `undo`.
    #[arg(long, value_parser = ["keep", "undo"])]
    on_failure: Option<String>,
    /// The incident it is for.
    #[arg(long, value_name = "ID", value_parser = id)]
    incident: Option<String>,
    #[arg(long)]
    title: Option<String>,
    /// Why; approvers read it.
    #[arg(long)]
    why: Option<String>,
    /// Why a freeze is set aside, should one deny the plan. Everybody is told; approvals are still needed.
    #[arg(long, value_name = "REASON")]
    freeze_override: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ReplanArgs {
    #[command(flatten)]
    show: ShowArgs,
    /// Why a freeze is set aside, should one deny the plan. Everybody is told; approvals are still needed.
    #[arg(long, value_name = "REASON")]
    freeze_override: Option<String>,
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

pub(super) fn run(command: &PlanCommand) -> Outcome {
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
        PlanCommand::BreakGlass(args) => {
            let client = Client::new(&args.server)?;
            let seen = client.get(&format!("/api/v1/plans/{}", args.id))?;
            let body = json!({"hash": seen["hash"], "reason": args.reason});
            print_run(&client.post(&format!("/api/v1/plans/{}/break-glass", args.id), &body)?, args.server.output)
        }
        PlanCommand::Explain(args) => explain(args),
        PlanCommand::Create(args) => create(args),
        PlanCommand::Replan(args) => {
            let ShowArgs { server, id, .. } = &args.show;
            let body = args.freeze_override.as_ref().map_or_else(|| json!({}), |why| json!({"freeze_override": why}));
            let plan = Client::new(server)?.post(&format!("/api/v1/plans/{id}/replan"), &body)?;
            print_plan(&plan, server.output)
        }
    }
}

/// Also how `policy explain` explains.
pub(super) fn explain(args: &ShowArgs) -> Outcome {
    let explanation = Client::new(&args.server)?.get(&format!("/api/v1/plans/{}/explanation", args.id))?;
    explain::print(&explanation, args.server.output)
}

/// The body of a plan: what the file says, or the one action of the flags.
fn asked(args: &CreateArgs) -> Result<Value, Failure> {
    if let Some(file) = &args.file {
        let body = super::settings::read(file)?;
        return if body.is_object() {
            Ok(body)
        } else {
            Err(Failure::unusable(format!("--file {}: no JSON object", file.display()))
                .fix(r#"write {"actions": [...]}"#))
        };
    }
    let mut params = Map::new();
    for pair in &args.params {
        let Some((name, text)) = pair.split_once('=') else {
            return Err(
                Failure::unusable(format!("--param {pair}: no `=`")).fix("write it as --param address=203.0.113.66")
            );
        };
        let value = serde_json::from_str(text).unwrap_or_else(|_text| Value::String(text.to_owned()));
        params.insert(name.to_owned(), value);
    }
    let target = json!({"kind": args.kind, "name": args.target});
    Ok(json!({"actions": [{"capability": args.capability, "target": target, "params": params}]}))
}

fn create(args: &CreateArgs) -> Outcome {
    let mut body = asked(args)?;
    let texts = [
        ("incident_id", &args.incident),
        ("title", &args.title),
        ("why", &args.why),
        ("on_failure", &args.on_failure),
        ("freeze_override", &args.freeze_override),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            body[name] = value.clone().into();
        }
    }
    print_plan(&Client::new(&args.server)?.post("/api/v1/plans", &body)?, args.server.output)
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
pub(super) fn print_run(plan: &Value, output: Output) -> Outcome {
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
