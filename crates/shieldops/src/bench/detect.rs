//! The detection engine on a file of events, beside a full parse of the same bytes by the same threads in the same run.
//! Nothing is started and nothing is stored: rules in, matches counted.

mod peers;
pub(super) mod runs;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use clap::Args;
use serde_json::{Value, json};

use self::runs::{Input, Run};
use super::{
    Bench,
    figures::{percentile, round},
};
use crate::{
    output::Failure,
    scan::{Mapping, rules},
};

/// For `detect`.
#[derive(Debug, Args)]
pub(super) struct DetectArgs {
    /// A folder of Sigma rules; where a server is started: besides the built-in ones.
    #[arg(long, value_name = "DIR", help_heading = "For detect, ingest-detect and soak")]
    pub(super) rules: Option<PathBuf>,
    /// A file of events, one JSON object a line, with their log source in their fields: `Channel` and `EventID`, or `product`, `category` and `service`.
    #[arg(long, value_name = "FILE", help_heading = "For detect, ingest-detect and soak")]
    pub(super) events: Option<PathBuf>,
    /// Threads that share the events [default: one a core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256), help_heading = "For detect")]
    threads: Option<u16>,
    /// Nothing is learned beforehand: the first 300,000 events, each engine new. Otherwise the first tenth is not timed.
    #[arg(long, help_heading = "For detect")]
    cold: bool,
    /// Which log sources and field names are known.
    #[arg(long, value_enum, default_value_t, help_heading = "For detect")]
    pub(super) mapping: Mapping,
}

/// So many events are enough to see an engine learn.
const COLD_EVENTS: usize = 300_000;

pub(super) fn run(bench: &Bench, args: &DetectArgs) -> Result<Value, Failure> {
    let missing = |what: &str| Failure::unusable(format!("{what} is missing")).fix("See shieldops bench --help.");
    let folder = args.rules.as_ref().ok_or_else(|| missing("--rules DIR"))?;
    let file = args.events.as_ref().ok_or_else(|| missing("--events FILE"))?;
    let threads = args.threads.map_or_else(cores, usize::from);
    let began = Instant::now();
    let set =
        rules::load(&[], std::slice::from_ref(folder), &args.mapping.compile_options()).map_err(Failure::unusable)?.set;
    let load_s = began.elapsed().as_secs_f64();
    let bytes = fs::read(file).map_err(|error| Failure::unusable(format!("{}: {error}", file.display())))?;
    let input = Input::new(&bytes, if args.cold { COLD_EVENTS } else { usize::MAX });
    if input.lines.is_empty() {
        return Err(Failure::unusable(format!("{} holds no event", file.display())));
    }
    let learn = if args.cold { 0 } else { input.lines.len() / 10 };
    let fields = args.mapping.fields();
    let run = Run { set: &set, fields: &fields, input: &input, learn, threads };
    let measured = run.rounds(bench.rounds(5))?;
    let memory = resident_mb()? - mb(bytes.len());
    let (engine, parse) = (percentile(&measured.engine, 50), percentile(&measured.parse, 50));
    let timed_mb = mb(input.bytes_of(learn));
    let timed = count(input.lines.len() - learn);
    Ok(json!({
        "bench": "detect",
        "events": input.lines.len(),
        "events_per_s": round(timed / engine),
        "mb_per_s": round(timed_mb / engine),
        "parse_events_per_s": round(timed / parse),
        "parse_mb_per_s": round(timed_mb / parse),
        "ratio": (parse / engine * 1_000.0).round() / 1_000.0,
        "matches": measured.matches,
        "memory_mb": round(memory),
        "engine_memory_mb": round(mb(set.engine_stats().bytes)),
        "load_s": (load_s * 1_000.0).round() / 1_000.0,
        "rules": set.len(),
        "threads": threads,
        "cold": args.cold,
        "timed_events": input.lines.len() - learn,
        "bytes_an_event": bytes_an_event(&input),
        "engine_s": measured.engine.iter().map(|s| thousandths(*s)).collect::<Vec<_>>(),
        "parse_s": measured.parse.iter().map(|s| thousandths(*s)).collect::<Vec<_>>(),
        "peers": peers::run(folder, file, input.lines.len()),
    }))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn thousandths(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::from(u32::MAX), f64::from)
}

fn mb(bytes: usize) -> f64 {
    count(bytes / 1_000) / 1_000.0
}

fn bytes_an_event(input: &Input<'_>) -> usize {
    input.bytes_of(0) / input.lines.len().max(1)
}

/// Resident memory of this process.
fn resident_mb() -> Result<f64, Failure> {
    let bytes = super::server::resident_bytes(Path::new("/proc/self/status"))?;
    Ok(usize::try_from(bytes).map_or(0.0, mb))
}
