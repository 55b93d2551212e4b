//! The proof suite, generic over the registry: the real engine drives each capability through random states of a
//! stand-in host, with second owners, expiry, foreign changes and crashes in between, and compares a picture of all that
//! the capability could have touched before and after.

mod case;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Serialize;
use shieldops_model::{Criticality, Environment, FixedClock, Target, TargetId, TargetKind, Timestamp};
use shieldops_policy::{Class, Policy};

use crate::{AnyCapability, Registry, Twin};
use case::Case;

/// Differences that are kept of each capability.
const KEPT: usize = 5;
/// On fewer states of its twin nothing is called proved, whatever was asked for.
const ENOUGH_ON_TWIN: u32 = 200;
/// What may differ between the two pictures, because no undo can restore it: printed with the verdict.
pub const NOT_RESIDUE: &str = "change, access and birth times; times and sizes of directories; passwd- and shadow-; \
    nft handles and counters; login logs";

/// What a proof runs on.
#[derive(Debug)]
pub struct ProveOptions {
    pub registry: Arc<Registry>,
    pub policy: Arc<Policy>,
    /// The clock that the simulator reads too.
    pub clock: FixedClock,
    /// The simulator's row.
    pub sim: Target,
    /// The rows of the twins that run here, or why one does not.
    pub twins: BTreeMap<&'static str, Result<Target, String>>,
    /// On the simulator, for each capability.
    pub cases: u32,
    /// On the twin.
    pub twin_cases: u32,
    pub seed: u64,
    /// A capability's cases on its twin end after this, however many are left: it is not called proved then.
    pub twin_time: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Proved,
    Failed,
    /// Nothing was left and nothing failed, in fewer cases on the twin than a proof takes.
    TooFew,
    NotRun,
}

/// The proof of one capability.
#[derive(Debug, Clone, Serialize)]
pub struct ProofRow {
    pub capability: String,
    pub reversibility: &'static str,
    /// Random states on the simulator in which it was applied and undone.
    pub cases: u32,
    /// `network`, `rooted`, or `none` where no twin runs.
    pub twin: &'static str,
    pub twin_cases: u32,
    /// Cases after which something was left, or something was gone.
    pub residue: u32,
    /// Processes killed in the middle of a run, and whether each was recovered from.
    pub kills: u32,
    /// Where they acted: `network`, `rooted`, `simulator` where no twin runs, or `none`.
    pub kills_on: &'static str,
    pub verdict: Verdict,
    /// Why it is not proved.
    pub why: Option<String>,
    /// The first differences and failures, with the seed of each case.
    pub failures: Vec<String>,
    pub took_ms: u64,
}

impl ProofRow {
    /// A failure that another part of the proof found.
    pub fn fail(&mut self, why: String) {
        self.verdict = Verdict::Failed;
        if self.failures.len() < KEPT {
            self.failures.push(why);
        }
    }
}

/// Counts of one stand-in.
#[derive(Default)]
struct Tally {
    done: u32,
    denied: u32,
    residue: u32,
    failed: u32,
    /// It ended before as many as were asked for.
    out_of_time: bool,
    first: Vec<String>,
}

impl Tally {
    fn add(&mut self, case: Case, seed: u64) {
        match case {
            Case::Proved => self.done += 1,
            Case::Denied => self.denied += 1,
            Case::Residue(what) => {
                self.residue += 1;
                self.keep(seed, &what);
            }
            Case::Failed(what) => {
                self.failed += 1;
                self.keep(seed, &what);
            }
        }
    }

    fn keep(&mut self, seed: u64, what: &str) {
        if self.first.len() < KEPT {
            self.first.push(format!("seed {seed}: {what}"));
        }
    }
}

/// A stand-in's row. Staging: what is proved is the capability, not the number of approvals.
pub fn stand_in(name: &str) -> Target {
    Target {
        id: TargetId::from_bits(u128::from(name.bytes().map(u32::from).sum::<u32>())),
        kind: TargetKind::LinuxHost,
        name: name.to_owned(),
        host: None,
        environment: Environment::Staging,
        criticality: Criticality::Low,
        labels: BTreeMap::new(),
        owner: None,
        simulated: name.starts_with("sim/"),
        realm: None,
        node: None,
        ssh: None,
        protected: false,
        demo: false,
        created_at: Timestamp::from_secs(0),
        version: 1,
    }
}

/// Proves one capability on the simulator and on its twin.
pub async fn prove(with: &ProveOptions, capability: &Arc<dyn AnyCapability>) -> ProofRow {
    let described = capability.describe();
    let begun = Instant::now();
    let kind = match described.twin {
        Twin::Network => "network",
        Twin::Rooted => "rooted",
    };
    let mut row = ProofRow {
        capability: described.name.to_owned(),
        reversibility: described.class.as_str(),
        cases: 0,
        twin: "none",
        twin_cases: 0,
        residue: 0,
        kills: 0,
        kills_on: "none",
        verdict: Verdict::Proved,
        why: None,
        failures: Vec::new(),
        took_ms: 0,
    };
    if capability.proving().is_none() {
        row.verdict = Verdict::NotRun;
        row.why = Some("it brings no stand-in to be proved on".to_owned());
        return row;
    }
    let tally = Box::pin(run(with, capability, &with.sim, with.cases, Duration::MAX)).await;
    row.cases = tally.done;
    if judge(&mut row, &tally, "the simulator") && tally.done < with.cases.max(1) {
        let why =
            format!("{} of {} cases on the simulator; policy denied {}", tally.done, with.cases.max(1), tally.denied);
        not_proved(&mut row, Verdict::NotRun, why);
    }
    match with.twins.get(kind) {
        Some(Ok(twin)) => {
            let tally = Box::pin(run(with, capability, twin, with.twin_cases, with.twin_time)).await;
            (row.twin, row.twin_cases) = (kind, tally.done);
            if judge(&mut row, &tally, "the twin") && tally.done < ENOUGH_ON_TWIN {
                let verdict = if tally.done == 0 { Verdict::NotRun } else { Verdict::TooFew };
                not_proved(&mut row, verdict, few_on_twin(with, &tally));
            }
        }
        Some(Err(why)) => not_proved(&mut row, Verdict::NotRun, format!("no {kind} twin runs here: {why}")),
        None => not_proved(&mut row, Verdict::NotRun, format!("no {kind} twin was started")),
    }
    row.took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    row
}

fn not_proved(row: &mut ProofRow, verdict: Verdict, why: String) {
    if row.verdict == Verdict::Proved {
        (row.verdict, row.why) = (verdict, Some(why));
    }
}

/// Why there are no more cases, and what gives more.
fn few_on_twin(with: &ProveOptions, tally: &Tally) -> String {
    let more = if with.twin_cases < ENOUGH_ON_TWIN {
        format!("{} were asked for (--twin-cases)", with.twin_cases)
    } else if tally.out_of_time {
        format!("its {} s were over (--twin-seconds)", with.twin_time.as_secs())
    } else {
        format!("policy denied {}", tally.denied)
    };
    format!("{} of {ENOUGH_ON_TWIN} cases on the twin; {more}", tally.done)
}

async fn run(
    with: &ProveOptions,
    capability: &Arc<dyn AnyCapability>,
    target: &Target,
    cases: u32,
    at_most: Duration,
) -> Tally {
    let begun = Instant::now();
    let mut tally = Tally::default();
    // What policy denies is no case: as many again are tried for it.
    for number in 0..cases.saturating_mul(2) {
        if tally.done + tally.residue + tally.failed >= cases {
            break;
        }
        if begun.elapsed() > at_most {
            tally.out_of_time = true;
            break;
        }
        let seed = with.seed.wrapping_add(u64::from(number));
        tally.add(Box::pin(case::case(with, capability, target, seed)).await, seed);
        if tally.first.len() >= KEPT {
            break;
        }
    }
    tally
}

/// Whether nothing was left and nothing failed.
fn judge(row: &mut ProofRow, tally: &Tally, place: &str) -> bool {
    row.residue += tally.residue;
    row.failures.extend(tally.first.iter().map(|what| format!("{place}: {what}")));
    row.failures.truncate(KEPT);
    let held = tally.residue + tally.failed == 0;
    if !held {
        row.verdict = Verdict::Failed;
        row.why = Some(format!("{} left something and {} failed on {place}", tally.residue, tally.failed));
    }
    held
}

/// What is proved of a class.
pub(crate) fn claims_undo(class: Class) -> bool {
    class == Class::Reversible
}
