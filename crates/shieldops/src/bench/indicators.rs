//! Look-ups of indicators: a table of made entries of mixed kinds, in batches and one by one, beside a `HashMap` of the same
//! values asked for the same in the same run. Nothing is started and nothing is stored.

use std::{collections::HashMap, fs, hint::black_box, sync::Arc, time::Instant};

use clap::Args;
use serde_json::{Value, json};
use shieldops_detect::{Defaults, HashKey, IndicatorTable, Indicators, ListBlocks, ListFacts, ListFormat, read_list};
use shieldops_model::{Entity, EntityKind, Severity, Timestamp};

use super::{
    Bench,
    figures::{percentile, round},
};
use crate::output::Failure;

/// For `indicators`.
#[derive(Debug, Args)]
pub(super) struct IndicatorsArgs {
    /// Indicators in the table [default: 10000000].
    #[arg(long, value_name = "N", default_value_t = 10_000_000, value_parser = clap::value_parser!(u32).range(100..=50_000_000), help_heading = "For indicators")]
    entries: u32,
}

/// Values that are looked up in a round; one of 101 is listed.
const ASKED: u64 = 1 << 20;
const HIT_EVERY: u64 = 101;
/// Entities of a batch: about as many as a batch of events holds.
const BATCH: usize = 4_096;
const ROUNDS: u32 = 7;
/// All values are asked for so many times in a round: the system counts processor time in steps of milliseconds.
const PASSES: u8 = 4;
/// Threads that read and build.
const THREADS: usize = 2;
/// What is known expires in 2065.
const EXPIRES: u32 = 3_000_000_000;
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

pub(super) fn run(bench: &Bench, args: &IndicatorsArgs) -> Result<Value, Failure> {
    let entries = u64::from(args.entries);
    let text = list(entries);
    let made = Instant::now();
    let defaults = Defaults { expires: Some(EXPIRES), ..Defaults::default() };
    let read = read_list(&text, "bench", (ListFormat::Text, defaults), 0, THREADS);
    let read_s = made.elapsed().as_secs_f64();
    if read.refused > 0 {
        return Err(Failure::unusable(format!("{} made indicators are none", read.refused)));
    }
    drop(text);
    let lists = vec![ListBlocks { list: Arc::new(facts()), blocks: read.blocks }];
    let began = Instant::now();
    let table = IndicatorTable::build(lists, HashKey(rand::random()), THREADS)
        .map_err(|error| Failure::unusable(error.to_string()))?;
    let build_s = began.elapsed().as_secs_f64();
    let (listed, bytes) = (table.len(), table.bytes());
    let memory_mb = anonymous_mb();
    let indicators = Indicators::new([Arc::new(table)]);
    let asked: Vec<Entity> = (0..ASKED).map(|number| asked(number, entries)).collect();
    let map: HashMap<String, u32> =
        (0..entries).zip(0_u32..).map(|(number, line)| (entity(number).value, line)).collect();
    let rounds = bench.rounds(ROUNDS);
    let hits = indicators.find(&asked, |_| NOW).len();
    let of =
        |size: usize| -> Vec<f64> { (0..rounds).map(|_| timed(|| in_batches(&indicators, &asked, size))).collect() };
    let (batches, singles) = (of(BATCH), of(1));
    let maps: Vec<f64> =
        (0..rounds).map(|_| timed(|| asked.iter().filter(|one| map.contains_key(&one.value)).count())).collect();
    let (batch_ns, single_ns, map_ns) = (percentile(&batches, 50), percentile(&singles, 50), percentile(&maps, 50));
    Ok(json!({
        "entries": entries,
        "listed": listed,
        "read_s": round(read_s),
        "build_s": round(build_s),
        "ready_s": round(read_s + build_s),
        "table_mb": bytes / 1_000_000,
        "memory_mb": memory_mb,
        "asked": ASKED,
        "hits": hits,
        "batch_ns": round(batch_ns),
        "batch_best_ns": round(percentile(&batches, 0)),
        "single_ns": round(single_ns),
        "hashmap_ns": round(map_ns),
        "ratio": round(map_ns / batch_ns.max(0.01)),
        "rounds": rounds,
    }))
}

/// The list as somebody would send it, one indicator a line.
fn list(entries: u64) -> Vec<u8> {
    let mut text = Vec::new();
    for number in 0..entries {
        text.extend_from_slice(entity(number).value.as_bytes());
        text.push(b'\n');
    }
    text
}

fn in_batches(indicators: &Indicators, asked: &[Entity], size: usize) -> usize {
    asked.chunks(size).map(|batch| indicators.find(batch, |_| NOW).len()).sum()
}

/// Nanoseconds a look-up: of processor time where the system tells it, else of the clock.
fn timed(work: impl Fn() -> usize) -> f64 {
    let (began, on_cpu) = (Instant::now(), on_cpu_ns());
    for _ in 0..PASSES {
        black_box(work());
    }
    let clock = began.elapsed().as_secs_f64() * 1e9;
    let spent = on_cpu_ns().zip(on_cpu).and_then(|(after, before)| u32::try_from((after - before) / 1_000).ok());
    let spent = spent.map_or(clock, |micros| f64::from(micros) * 1e3);
    spent / f64::from(u32::try_from(ASKED).unwrap_or(u32::MAX)) / f64::from(PASSES)
}

/// Processor time of this thread.
fn on_cpu_ns() -> Option<u64> {
    fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
}

/// Memory of this process that is no file's.
fn anonymous_mb() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kb| kb / 1_000)
}

fn facts() -> ListFacts {
    ListFacts {
        id: "bench".to_owned(),
        name: "bench".to_owned(),
        source: String::new(),
        allow: false,
        confidence: None,
        severity: Severity::High,
        shared: false,
    }
}

fn asked(number: u64, entries: u64) -> Entity {
    entity(if number.is_multiple_of(HIT_EVERY) { (number * 7_919) % entries } else { entries + number * 13 })
}

/// The value of a number: three of ten are addresses, four domains, two hashes, one a URL.
fn entity(number: u64) -> Entity {
    let bits = mixed(number);
    let (low, high) = (bits & 0xffff_ffff, bits >> 44);
    match number % 10 {
        0..=2 => {
            let address = u32::try_from(bits >> 32).unwrap_or(0);
            Entity::new(EntityKind::Ip, std::net::Ipv4Addr::from(address).to_string())
        }
        3..=6 => Entity::new(EntityKind::Domain, format!("{high:x}.{low:x}.example")),
        7 => Entity::new(EntityKind::Hash, format!("{bits:016x}{:016x}", bits.rotate_left(17))),
        8 => {
            let [one, two, three] = [17, 27, 37].map(|turn| bits.rotate_left(turn));
            Entity::new(EntityKind::Hash, format!("{bits:016x}{one:016x}{two:016x}{three:016x}"))
        }
        _ => Entity::new(EntityKind::Url, format!("http://{high:x}.example/p/{low:x}")),
    }
}

fn mixed(number: u64) -> u64 {
    let bits = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let bits = (bits ^ (bits >> 31)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    bits ^ (bits >> 32)
}
