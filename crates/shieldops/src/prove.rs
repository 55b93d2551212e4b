//! `shieldops action prove`: the proof suite on simulators and twins of its own, and processes killed in the middle of runs.
//! It needs no data directory and touches no host but its own stand-ins.

mod kills;
pub(crate) mod life;

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
    num::NonZero,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use serde_json::json;
use shieldops_connectors::linux::{Linux, LinuxOptions, RootedOptions, TwinOptions};
use shieldops_model::{FixedClock, Target, Timestamp};
use shieldops_policy::Policy;
use shieldops_respond::{NOT_RESIDUE, ProofRow, ProveOptions, Registry, Twin, Verdict, prove, stand_in};
use tokio::task::JoinSet;

use crate::{
    cli::{Outcome, block_on},
    output::{self, Failure, Output},
};

/// Not every capability could be proved here.
const NOT_RUN: u8 = 3;
/// Stand-ins at work at once for each processor: on a twin, most of the time is spent waiting for what does not answer.
const STAGES_EACH: usize = 3;
const ATTACKER: &str = "203.0.113.66";
const VICTIM: &str = "198.51.100.10";
const HEAD: &[&str] = &[
    "CAPABILITY",
    "REVERSIBILITY",
    "CASES",
    "TWIN",
    "TWIN CASES",
    "RESIDUE",
    "KILLS",
    "ON",
    "SECONDS",
    "VERDICT",
    "WHY",
];

#[derive(Debug, Clone, Args)]
pub(crate) struct ProveArgs {
    /// Which; all of them otherwise.
    capabilities: Vec<String>,
    /// Random states on the simulator, of each capability.
    #[arg(long, default_value_t = 10_000)]
    cases: u32,
    /// Random states on the twin, of each capability; with fewer than 200 none is called proved.
    #[arg(long, default_value_t = 200)]
    twin_cases: u32,
    /// The longest that one capability may take on its twin, in seconds; what has fewer than 200 cases then is not proved.
    #[arg(long, default_value_t = 600)]
    twin_seconds: u64,
    /// Processes killed in the middle of a run, of each capability.
    #[arg(long, default_value_t = 5)]
    kills: u32,
    /// The first of the random states; a failure names the seed that shows it again.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// The stand-ins of one proof, gone with it.
struct Stage {
    folder: tempfile::TempDir,
    linux: Arc<Linux>,
    registry: Arc<Registry>,
    clock: FixedClock,
}

impl Stage {
    fn new() -> anyhow::Result<Self> {
        // Memory, where there is some: a simulator writes its state at each step.
        let memory = Path::new("/dev/shm");
        let builder = |at: &Path| tempfile::Builder::new().prefix("shieldops-prove-").tempdir_in(at);
        let folder = builder(memory).or_else(|_| builder(&std::env::temp_dir())).context("no folder to work in")?;
        let clock = FixedClock::at(Timestamp::from_secs(1_795_000_000));
        let linux = Linux::new(LinuxOptions {
            data_dir: folder.path().to_owned(),
            installation: "proof".to_owned(),
            clock: Arc::new(clock.clone()),
        })
        .context("cannot prepare what runs commands on targets")?;
        let registry = Arc::new(Registry::new(shieldops_connectors::capabilities(Arc::clone(&linux)))?);
        Ok(Self { folder, linux, registry, clock })
    }

    async fn twins(&self) -> anyhow::Result<BTreeMap<&'static str, Result<Target, String>>> {
        let exe = std::env::current_exe().context("cannot find this program")?;
        let (attacker, victim): (IpAddr, IpAddr) = (ATTACKER.parse()?, VICTIM.parse()?);
        let network = TwinOptions { name: "network".to_owned(), attacker, victim, exe: exe.clone() };
        let network = self.linux.start_twin(network).await.map(|_| stand_in("twin/network")).map_err(|error| error.why);
        let rooted = RootedOptions { name: "rooted".to_owned(), exe };
        let rooted = self.linux.start_rooted(rooted).await.map(|_| stand_in("twin/rooted")).map_err(|error| error.why);
        Ok(BTreeMap::from([("network", network), ("rooted", rooted)]))
    }
}

impl Stage {
    async fn options(&self, args: &ProveArgs) -> anyhow::Result<ProveOptions> {
        Ok(ProveOptions {
            registry: Arc::clone(&self.registry),
            policy: Arc::new(Policy::built_in().context("the built-in policies do not load")?),
            clock: self.clock.clone(),
            sim: stand_in("sim/proof"),
            twins: self.twins().await?,
            cases: args.cases,
            twin_cases: args.twin_cases,
            seed: args.seed,
            twin_time: Duration::from_secs(args.twin_seconds),
        })
    }
}

pub(crate) fn run(args: &ProveArgs) -> Outcome {
    let rows = block_on(prove_all(args))??;
    if args.output == Output::Json {
        output::json(&json!({"items": rows, "not_residue": NOT_RESIDUE}))?;
    } else {
        print(&rows)?;
    }
    let any = |verdict: Verdict| rows.iter().any(|row| row.verdict == verdict);
    Ok(match () {
        () if any(Verdict::Failed) => ExitCode::from(1),
        () if any(Verdict::NotRun) || any(Verdict::TooFew) => ExitCode::from(NOT_RUN),
        () => ExitCode::SUCCESS,
    })
}

/// The first name that no capability has, and what could be meant.
fn unknown(wanted: &[String], known: &[&str]) -> Option<Failure> {
    let name = wanted.iter().find(|name| !known.contains(&name.as_str()))?;
    let near = known.iter().find(|known| known.ends_with(&format!(".{name}")));
    let meant = near.map(|near| format!("write {near}; ")).unwrap_or_default();
    let fix = format!("{meant}there are {}", known.join(", "));
    Some(Failure::unusable(format!("no capability is named `{name}`")).fix(fix))
}

/// Refused when a named capability does not exist. Each worker has stand-ins of its own and takes what is next.
async fn prove_all(args: &ProveArgs) -> anyhow::Result<Result<Vec<ProofRow>, Failure>> {
    let first = Stage::new()?;
    let known: Vec<&'static str> = first.registry.all().map(|capability| capability.describe().name).collect();
    if let Some(failure) = unknown(&args.capabilities, &known) {
        return Ok(Err(failure));
    }
    let named =
        |name: &&'static str| args.capabilities.is_empty() || args.capabilities.iter().any(|wanted| wanted == name);
    let mut wanted: Vec<_> = known.into_iter().filter(named).collect();
    // What waits longest begins first.
    let waits = |name: &str| first.registry.find(name).is_some_and(|it| it.describe().twin == Twin::Network);
    wanted.sort_by_key(|name| !waits(name));
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let workers = (processors * STAGES_EACH).min(wanted.len());
    let queue = Arc::new(Mutex::new(wanted.iter().copied().collect::<VecDeque<_>>()));
    let mut stages = vec![first];
    while stages.len() < workers {
        stages.push(Stage::new()?);
    }
    let mut running = JoinSet::new();
    for stage in stages {
        running.spawn(work(stage, args.clone(), Arc::clone(&queue)));
    }
    let mut rows = Vec::new();
    while let Some(done) = running.join_next().await {
        rows.extend(done.context("a proof panicked")??);
    }
    rows.sort_by(|one, other| one.capability.cmp(&other.capability));
    Ok(Ok(rows))
}

/// Proves what is next in the queue, until it is empty.
async fn work(
    stage: Stage,
    args: ProveArgs,
    queue: Arc<Mutex<VecDeque<&'static str>>>,
) -> anyhow::Result<Vec<ProofRow>> {
    let options = stage.options(&args).await?;
    let mut rows = Vec::new();
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(capability) = next.and_then(|name| stage.registry.find(name)) else { break };
        output::note(&format!("proving {}", capability.describe().name));
        let mut row = Box::pin(prove(&options, capability)).await;
        let twin = known_twin(&row).and_then(|name| Some((name, stage.linux.attachable(name)?)));
        let ground = kills::Ground { folder: stage.folder.path(), capability, twin };
        kills::kill(&ground, args.kills, args.seed, &mut row).await?;
        rows.push(row);
    }
    stage.linux.stop_twins();
    Ok(rows)
}

/// The twin that the capability was just proved on.
fn known_twin(row: &ProofRow) -> Option<&'static str> {
    (row.twin_cases > 0).then_some(row.twin)
}

fn print(rows: &[ProofRow]) -> Result<(), Failure> {
    let cells = |row: &ProofRow| {
        vec![
            row.capability.clone(),
            row.reversibility.to_owned(),
            row.cases.to_string(),
            row.twin.to_owned(),
            row.twin_cases.to_string(),
            row.residue.to_string(),
            row.kills.to_string(),
            row.kills_on.to_owned(),
            format!("{:.1}", Duration::from_millis(row.took_ms).as_secs_f64()),
            output::text(&json!(row.verdict)),
            row.why.clone().unwrap_or_default(),
        ]
    };
    output::table(HEAD, &rows.iter().map(cells).collect::<Vec<_>>())?;
    for row in rows {
        for failure in &row.failures {
            output::foreign_line(&format!("{}: {failure}", row.capability))?;
        }
    }
    output::line(&format!("not counted as residue: {NOT_RESIDUE}"))
}

/// Where a life of a killed process keeps what it knows.
fn life_folder(folder: &Path, capability: &str, number: u32) -> PathBuf {
    folder.join(format!("kill-{}-{number}", capability.replace('.', "-")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_no_capability_has_is_answered_with_those_that_there_are() {
        let known = ["linux.block_ip", "linux.isolate_host"];
        let asked = |name: &str| unknown(&[name.to_owned()], &known);
        let failure = asked("block_ip").unwrap();
        assert_eq!((failure.code, failure.what.as_str()), (output::UNUSABLE, "no capability is named `block_ip`"));
        let fix = "write linux.block_ip; there are linux.block_ip, linux.isolate_host";
        assert_eq!(failure.fix.as_deref(), Some(fix));
        assert!(asked("linux.block_ip").is_none() && unknown(&[], &known).is_none());
    }
}
