//! `shieldops bench`: the figures of the README, measured on this machine against a server that is started for it. Medians
//! and percentiles, never a verdict.

mod alerts;
mod figures;
mod ingest;
mod process;
mod respond;
mod server;

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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Events acknowledged as durable, a second.
    Ingest,
    /// From the acknowledgement of an event to its alert in an answer.
    AlertLatency,
    /// From approval to verified, and from undo to restored.
    Respond,
    /// From start to ready.
    Start,
    /// Resident memory when idle.
    Memory,
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

pub(crate) fn run(args: &BenchArgs) -> Result<std::process::ExitCode, Failure> {
    let bench = Bench { dir: args.dir.clone().unwrap_or_else(std::env::temp_dir), rounds: args.rounds };
    let figures = match args.name {
        Name::Ingest => ingest::run(&bench)?,
        Name::AlertLatency => alerts::run(&bench)?,
        Name::Respond => respond::run(&bench)?,
        Name::Start => process::start(&bench)?,
        Name::Memory => process::memory(&bench)?,
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
