//! `shieldops job`, `overview` and `capability`: work that goes on, and what there is.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{
    Outcome,
    see::{PageArgs, list, part, print},
};
use crate::{
    client::{Client, ServerArgs, id},
    output::{Failure, REFUSED},
};

const PATH: &str = "/api/v1/jobs";
const MEMBERS: &[&str] =
    &["id", "kind", "subject", "state", "total", "done", "failed", "by", "created_at", "updated_at"];
const STEP: Duration = Duration::from_secs(1);

#[derive(Debug, Subcommand)]
pub(super) enum JobCommand {
    /// Jobs, newest first.
    List(PageArgs),
    /// One job with the result of each item.
    Show(JobArgs),
}

#[derive(Debug, Args)]
pub(super) struct JobArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[arg(value_parser = id)]
    id: String,
    /// Wait until it has ended, so many seconds at most. Exit code 1 when items failed.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "600")]
    wait: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct OverviewArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// The last so many hours.
    #[arg(long, default_value_t = 24)]
    hours: u32,
}

#[derive(Debug, Subcommand)]
pub(super) enum CapabilityCommand {
    /// What can be done to a target.
    List(PageArgs),
}

pub(super) fn run(command: &JobCommand) -> Outcome {
    match command {
        JobCommand::List(page) => list(
            page,
            PATH,
            &[],
            &["/id", "/kind", "/subject", "/state", "/done", "/failed", "/total", "/by", "/created_at"],
        ),
        JobCommand::Show(args) => {
            let client = Client::new(&args.server)?;
            let job = watch(&client, args)?;
            print(&job, args.server.output, MEMBERS)?;
            let failed = args.wait.is_some() && (job["state"] == "failed" || job["failed"].as_u64() > Some(0));
            Ok(if failed { REFUSED.into() } else { ExitCode::SUCCESS })
        }
    }
}

fn watch(client: &Client, args: &JobArgs) -> Result<Value, Failure> {
    let deadline = args.wait.map(|seconds| Instant::now() + Duration::from_secs(seconds.min(86_400)));
    loop {
        let job = client.get(&part(PATH, &args.id))?;
        let Some(deadline) = deadline.filter(|_waits| job["state"] == "running") else { return Ok(job) };
        if Instant::now() >= deadline {
            return Err(Failure::refused(format!("{} still goes on", args.id)).fix("wait longer with --wait SECONDS"));
        }
        std::thread::park_timeout(STEP);
    }
}

pub(super) fn overview(args: &OverviewArgs) -> Outcome {
    let seen = Client::new(&args.server)?.get(&format!("/api/v1/overview?hours={}", args.hours))?;
    let members: Vec<_> = seen.as_object().into_iter().flat_map(|object| object.keys().map(String::as_str)).collect();
    print(&seen, args.server.output, &members)
}

pub(super) fn capability(command: &CapabilityCommand) -> Outcome {
    let CapabilityCommand::List(page) = command;
    list(page, "/api/v1/capabilities", &[], &["/name", "/target_kind", "/class", "/base_risk", "/docs"])
}
