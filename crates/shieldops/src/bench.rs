//! `shieldops bench`: the figures of the README, measured on this machine against a server that is started for it. Medians
//! and percentiles, never a verdict.

mod alerts;
mod api;
mod detect;
mod end_to_end;
mod event_to_action;
mod figures;
mod indicators;
mod ingest;
mod process;
mod reload;
mod respond;
mod server;
mod shipping;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::output::{self, Failure, Output};

/// Measure this machine: events a second, latencies, start and memory. Starts servers of its own and removes them.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    #[arg(value_enum, value_name = "NAME")]
    name: Name,
    #[arg(long, value_enum, default_value_t)]
    output: Output,
    /// Where the temporary data directories are made: a disk, or the figures say little [default: the system's folder for temporary files].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// How often it is measured [default: as fits the benchmark].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rounds: Option<u32>,
    #[command(flatten)]
    api: ApiArgs,
    #[command(flatten)]
    detect: detect::DetectArgs,
    #[command(flatten)]
    indicators: indicators::IndicatorsArgs,
}

/// For `api`; how long and how fast also for what sends events.
#[derive(Debug, Args)]
struct ApiArgs {
    /// How long the load goes on [default: 60; ingest-detect: 20; soak: 300].
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u32).range(2..=86_400), help_heading = "For api, ingest-detect and soak")]
    seconds: Option<u32>,
    /// Requests a second, each due at its time; soak: events a second [default: 1000; soak: 20000].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000), help_heading = "For api, ingest-detect and soak")]
    rate: Option<u32>,
    /// Tenants, of 10,000 alerts each.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(2..=100), help_heading = "For api")]
    tenants: u32,
    /// In place of the load: one tenant's latency alone and beside a flood by another.
    #[arg(long, conflicts_with = "absent", help_heading = "For api")]
    flood: bool,
    /// In place of the load: whether time tells an id that exists nowhere from another tenant's.
    #[arg(long, help_heading = "For api")]
    absent: bool,
}

impl ApiArgs {
    fn wanted(&self) -> api::Wanted {
        let mode = match (self.flood, self.absent) {
            (true, _) => api::Mode::Flood,
            (false, true) => api::Mode::Absent,
            (false, false) => api::Mode::Load,
        };
        api::Wanted {
            mode,
            seconds: self.seconds.unwrap_or(60),
            per_s: self.rate.unwrap_or(1_000),
            tenants: self.tenants,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Events acknowledged as durable, a second.
    Ingest,
    /// The detection engine on a file of events, beside a full parse of the same bytes.
    Detect,
    /// Rules read again as a server does it: after a change of one rule, and after none.
    Reload,
    /// Look-ups of indicators in a table of millions, beside a hash map of the same.
    Indicators,
    /// Durable ingest and detection together: events a second, and how soon alerts are seen at half of that.
    IngestDetect,
    /// A steady load for minutes or hours, with memory sampled.
    Soak,
    /// From the acknowledgement of an event to its alert in an answer.
    AlertLatency,
    /// From approval to verified, and from undo to restored.
    Respond,
    /// From an event to a response that is verified, by automation under a standing grant.
    EventToAction,
    /// From start to ready.
    Start,
    /// Resident memory when idle.
    Memory,
    /// Latencies of the API under load by many tenants, on a PostgreSQL of its own.
    Api,
}

/// What every benchmark is given.
struct Bench {
    dir: PathBuf,
    rounds: Option<u32>,
}

impl Bench {
    fn rounds(&self, default: u32) -> u32 {
        self.rounds.unwrap_or(default)
    }
}

impl BenchArgs {
    fn load(&self) -> end_to_end::Wanted<'_> {
        end_to_end::Wanted {
            seconds: self.api.seconds,
            rate: self.api.rate,
            events: self.detect.events.as_deref(),
            rules: self.detect.rules.as_deref(),
        }
    }
}

pub(crate) fn run(args: &BenchArgs) -> Result<std::process::ExitCode, Failure> {
    let bench = Bench { dir: args.dir.clone().unwrap_or_else(std::env::temp_dir), rounds: args.rounds };
    let figures = match args.name {
        Name::Ingest => ingest::run(&bench)?,
        Name::Detect => detect::run(&bench, &args.detect)?,
        Name::Reload => reload::run(&bench, &args.detect)?,
        Name::Indicators => indicators::run(&bench, &args.indicators)?,
        Name::IngestDetect => end_to_end::ingest_detect(&bench, &args.load())?,
        Name::Soak => end_to_end::soak(&bench, &args.load())?,
        Name::AlertLatency => alerts::run(&bench)?,
        Name::Respond => respond::run(&bench)?,
        Name::EventToAction => event_to_action::run(&bench)?,
        Name::Start => process::start(&bench)?,
        Name::Memory => process::memory(&bench)?,
        Name::Api => api::run(&bench, args.api.wanted())?,
    };
    match args.output {
        Output::Json => output::json(&figures)?,
        Output::Table => print("", &figures)?,
    }
    Ok(std::process::ExitCode::SUCCESS)
}

fn print(above: &str, figures: &Value) -> Result<(), Failure> {
    for (name, value) in figures.as_object().into_iter().flatten() {
        let name = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        if value.is_object() {
            print(&name, value)?;
        } else {
            output::foreign_line(&format!("{name:<40} {}", output::text(value)))?;
        }
    }
    Ok(())
}
