//! `shieldops policy replay`: what policies would have decided of what was asked.

use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Args;
use serde_json::{Value, json};

use super::{PATH, ReplaysArgs, versions::files};
use crate::{
    cli::{
        Outcome,
        see::{heading, list, part},
    },
    client::{Client, ServerArgs},
    output::{self, Failure, Output, REFUSED},
};

const STEP: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
pub(in crate::cli) struct ReplayArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// A folder of policies that are no version yet [default: what decides now].
    #[arg(value_name = "DIR", conflicts_with = "number")]
    dir: Option<PathBuf>,
    /// A version.
    #[arg(long = "version", value_name = "NUMBER")]
    number: Option<u64>,
    /// Decisions since then [default: 30 days before the end].
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Decisions until then [default: now].
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// How many seconds to wait for its end.
    #[arg(long, value_name = "SECONDS", default_value_t = 180)]
    wait: u64,
}

pub(super) fn begin(args: &ReplayArgs) -> Outcome {
    let mut body = json!({});
    if let Some(dir) = &args.dir {
        body["files"] = files(dir)?;
    }
    if let Some(number) = args.number {
        body["version"] = number.into();
    }
    for (name, value) in [("from", &args.from), ("to", &args.to)] {
        if let Some(value) = value {
            body[name] = value.clone().into();
        }
    }
    let client = Client::new(&args.server)?;
    let job = client.post(&format!("{PATH}/replays"), &body)?;
    let replay = ended(&client, &output::text(&job["id"]), args.wait)?;
    show(&replay, args.server.output)
}

fn ended(client: &Client, id: &str, wait: u64) -> Result<Value, Failure> {
    let path = part(&format!("{PATH}/replays"), id);
    let deadline = Instant::now() + Duration::from_secs(wait.min(86_400));
    loop {
        let replay = client.get(&path)?;
        if replay["state"] != "running" {
            return Ok(replay);
        }
        if Instant::now() >= deadline {
            let fix = format!("look again with `shieldops policy replays --job {id}`");
            return Err(Failure::refused(format!("{id} still goes on")).fix(fix));
        }
        std::thread::park_timeout(STEP);
    }
}

pub(super) fn replays(args: &ReplaysArgs) -> Outcome {
    let path = format!("{PATH}/replays");
    let Some(id) = &args.job else {
        let report = ["/report/decisions", "/report/newly_denied", "/report/newly_allowed", "/report/otherwise"];
        let columns: Vec<&str> =
            ["/id", "/number", "/state", "/from", "/to", "/at"].into_iter().chain(report).collect();
        return list(&args.page, &path, &[], &columns);
    };
    let replay = Client::new(&args.page.server)?.get(&part(&path, id))?;
    show(&replay, args.page.server.output)
}

fn show(replay: &Value, form: Output) -> Outcome {
    match form {
        Output::Json => output::json(replay)?,
        Output::Table => {
            heading(replay, &["id", "number", "state", "from", "to", "policy_hash"])?;
            counts(replay)?;
            differences(&replay["report"])?;
        }
    }
    Ok(if replay["state"] == "failed" { REFUSED.into() } else { ExitCode::SUCCESS })
}

pub(super) fn counts(replay: &Value) -> Result<(), Failure> {
    let members = [
        "decisions",
        "replayed",
        "same",
        "newly_denied",
        "newly_allowed",
        "otherwise",
        "not_replayable",
        "not_reached",
    ];
    heading(&replay["report"], &members)
}

fn differences(report: &Value) -> Result<(), Failure> {
    let rows: Vec<Vec<String>> = report["differences"].as_array().into_iter().flatten().map(difference).collect();
    if !rows.is_empty() {
        output::table(&["plan", "before", "after", "because"], &rows)?;
    }
    for lost in report["not_replayable_because"].as_array().into_iter().flatten() {
        output::foreign_line(&format!(
            "{}: not asked again: {}",
            output::text(&lost["name"]),
            output::text(&lost["why"])
        ))?;
    }
    Ok(())
}

fn difference(one: &Value) -> Vec<String> {
    let word = |side: &Value| match side["allow"].as_bool() {
        Some(true) => format!("allowed, {} approvals", output::text(&side["approvals_needed"])),
        _ => "denied".to_owned(),
    };
    let denies = one["after"]["denies"].as_array().into_iter().flatten();
    let codes: Vec<String> = denies.map(|reason| output::text(&reason["code"])).collect();
    vec![output::text(&one["name"]), word(&one["before"]), word(&one["after"]), codes.join(", ")]
}
