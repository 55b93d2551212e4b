//! Our hand on a target: a program that runs there, is told one job on its input and answers on its output.
//!
//! It is our own binary, entered into the target's namespaces. Nothing is on its command line, no shell is near it, and a
//! job that changes something is journaled as a child before it is told.

use std::{
    collections::{BTreeSet, HashMap},
    io::{self, Read as _, Write as _},
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use shieldops_model::{Target, TargetId};
use shieldops_respond::{Fault, Watch};
use tokio::sync::RwLock;

use super::{
    Linux, Rooted, exec,
    ground::{Context, Ground, Identity, Outcome, Trouble, real::Real, staging},
    rooted,
    sim::ground::Simulated,
};

/// The most bytes of a job.
const MAX_JOB: u64 = 8 * 1024 * 1024;
/// Killed processes that are remembered.
const MAX_KILLED: usize = 4096;
/// The hidden subcommand.
pub const VERB: &str = "linux-hand";

/// One thing that the hand can do.
pub(super) trait Job: Serialize + DeserializeOwned + Send {
    type Answer: Serialize + DeserializeOwned;
    const NAME: &'static str;
    const CHANGES: bool = false;
    const STAND_IN_ONLY: bool = false;

    fn run(self, on: &mut dyn Ground) -> Outcome<Self::Answer>;

    /// Takes away what stays beside the change where its program was killed in the middle.
    fn sweep(self, _on: &mut dyn Ground) -> Outcome<()>
    where
        Self: Sized,
    {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    job: String,
    with: Context,
    body: Value,
    /// Only what a program left that was told this job and killed.
    sweep: bool,
}

type Doing = fn(Value, bool, &mut dyn Ground) -> Outcome<Value>;

fn entry<J: Job>() -> (&'static str, Doing) {
    (J::NAME, |body, sweep, on| {
        let job: J = serde_json::from_value(body).map_err(odd)?;
        if sweep {
            return job.sweep(on).map(Value::from);
        }
        serde_json::to_value(job.run(on)?).map_err(odd)
    })
}

fn jobs() -> Vec<(&'static str, Doing)> {
    vec![
        entry::<staging::Stage>(),
        entry::<staging::Snapshot>(),
        entry::<staging::Start>(),
        entry::<staging::Running>(),
        entry::<Here>(),
        entry::<super::authorized_key::Look>(),
        entry::<super::authorized_key::Set>(),
        entry::<super::authorized_key::Marks>(),
        entry::<super::block_domain::Look>(),
        entry::<super::block_domain::Set>(),
        entry::<super::block_domain::Marks>(),
        entry::<super::block_domain::Ask>(),
        entry::<super::end_sessions::Look>(),
        entry::<super::end_sessions::End>(),
        entry::<super::end_sessions::Others>(),
        entry::<super::cron_entry::Look>(),
        entry::<super::cron_entry::Marks>(),
        entry::<super::disable_user::Look>(),
        entry::<super::disable_user::Set>(),
        entry::<super::lines::Set>(),
        entry::<super::quarantine_file::Look>(),
        entry::<super::quarantine_file::Move>(),
        entry::<super::quarantine_file::Marks>(),
        entry::<super::kill_process::Look>(),
        entry::<super::kill_process::Kill>(),
        entry::<super::kill_process::Again>(),
    ]
}

fn odd(error: serde_json::Error) -> Trouble {
    Trouble::Failed(format!("the job was not understood: {error}"))
}

/// Whether the hand works at all.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Here {}

impl Job for Here {
    type Answer = String;
    const NAME: &'static str = "here";

    fn run(self, on: &mut dyn Ground) -> Outcome<String> {
        on.boot_id()
    }
}

/// `linux-hand`: one job from the input, its answer on the output.
pub fn hand_main(_args: &[String]) -> i32 {
    // Whoever started us is who journaled us: without it nobody waits for the outcome.
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)) {
        tracing::debug!(%error, "no parent-death signal");
    }
    if rooted::is_here() && abandoned() {
        return 1;
    }
    let answer: Outcome<Value> = told().and_then(|told| {
        let (_, doing) = jobs()
            .into_iter()
            .find(|(name, _)| *name == told.job)
            .ok_or_else(|| Trouble::Failed(format!("no such job: {}", told.job)))?;
        let stand_in = told.with.stand_in && rooted::is_here();
        let mut ground = Real::new(Context { stand_in, ..told.with });
        doing(told.body, told.sweep, &mut ground)
    });
    let written = serde_json::to_vec(&answer).map_err(io::Error::other).and_then(|bytes| {
        let mut out = io::stdout().lock();
        out.write_all(&bytes)?;
        out.flush()
    });
    i32::from(written.is_err())
}

/// Whoever entered the twin with us died before we could ask for the signal: then the twin's process 1 is our parent. One
/// that lives has no number in here.
fn abandoned() -> bool {
    rustix::process::getppid().is_some()
}

fn told() -> Outcome<Told> {
    let mut bytes = Vec::new();
    let failed = |error: io::Error| Trouble::Failed(format!("the job could not be read: {error}"));
    io::stdin().lock().take(MAX_JOB).read_to_end(&mut bytes).map_err(failed)?;
    serde_json::from_slice(&bytes).map_err(odd)
}

/// What this process knows of hosts besides their packets.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    pub(super) rooted: Mutex<HashMap<String, Arc<Rooted>>>,
    exe: OnceLock<PathBuf>,
    /// Which process was killed last under a number: only to say who started it again.
    killed: Mutex<HashMap<(TargetId, u32), Identity>>,
    /// Fingerprints of the keys that we come in by.
    own_keys: Mutex<BTreeSet<String>>,
    /// Files and folders of ours, besides the data directory.
    own_places: Mutex<Vec<PathBuf>>,
    /// By the program that reaches a host: whoever's target it is, one changes its files at a time, and nobody looks meanwhile.
    at_work: Mutex<HashMap<Vec<String>, Arc<RwLock<()>>>>,
}

/// How a target's files and processes are reached.
enum Way {
    Program { argv: Vec<String>, local: bool },
    Sim(PathBuf),
}

fn words(text: &[&str]) -> Vec<String> {
    text.iter().map(|word| (*word).to_owned()).collect()
}

impl Linux {
    /// Whether a target has files, users and processes that can be read now.
    pub(super) fn has_files(&self, target: &Target) -> bool {
        self.reached(target).is_ok()
    }

    /// These keys are ours: they are never removed from a host.
    pub(super) fn protect_keys(&self, fingerprints: impl IntoIterator<Item = String>) {
        self.hosts.own_keys.lock().unwrap_or_else(PoisonError::into_inner).extend(fingerprints);
    }

    pub(super) fn own_keys(&self) -> Vec<String> {
        self.hosts.own_keys.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// These files and folders of this host are ours: nobody reads or moves what is there through an action.
    pub fn protect_places(&self, places: impl IntoIterator<Item = PathBuf>) {
        self.hosts.own_places.lock().unwrap_or_else(PoisonError::into_inner).extend(places);
    }

    /// All of them, the data directory first, without links: as the paths are that an action is given.
    pub(super) fn own_places(&self) -> Vec<String> {
        let others = self.hosts.own_places.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let all = std::iter::once(self.with.data_dir.clone()).chain(others);
        let found =
            |place: PathBuf| std::fs::canonicalize(&place).or_else(|_| std::path::absolute(&place)).unwrap_or(place);
        all.map(|place| found(place).to_string_lossy().into_owned()).collect()
    }

    pub(super) fn killed(&self, target: TargetId, identity: &Identity) {
        let mut killed = self.hosts.killed.lock().unwrap_or_else(PoisonError::into_inner);
        if killed.len() >= MAX_KILLED {
            killed.clear();
        }
        killed.insert((target, identity.pid), identity.clone());
    }

    pub(super) fn last_killed(&self, target: TargetId, pid: u32) -> Option<Identity> {
        self.hosts.killed.lock().unwrap_or_else(PoisonError::into_inner).get(&(target, pid)).cloned()
    }

    /// The program that stands in for our own binary as the hand: for tests, whose binary has no such subcommand.
    pub fn use_hand(&self, exe: PathBuf) {
        if self.hosts.exe.set(exe).is_err() {
            tracing::debug!("the hand is already chosen");
        }
    }

    fn hand_exe(&self) -> String {
        if let Some(exe) = self.hosts.exe.get() {
            return exe.to_string_lossy().into_owned();
        }
        // Works although our file was replaced since we started.
        format!("/proc/{}/exe", std::process::id())
    }

    fn reached(&self, target: &Target) -> Result<Way, Fault> {
        Self::check_target_name(&target.name).map_err(Fault::Params)?;
        self.is_here(target)?;
        let no_files = |what: &str| {
            Fault::Refused(format!("{} is {what}: it has no files, users and processes of its own", target.name))
        };
        match target.name.split_once('/') {
            None => {
                let mut argv = words(&["setpriv", "--pdeathsig", "KILL"]);
                argv.extend([self.hand_exe(), VERB.to_owned()]);
                Ok(Way::Program { argv, local: true })
            }
            Some(("twin", name)) => match self.hand_in(name) {
                Some(argv) => Ok(Way::Program { argv, local: false }),
                None if self.inside_network(name).is_some() => Err(no_files("a network twin")),
                None => Err(Fault::Unavailable(format!("the twin {name} is not running"))),
            },
            Some(("sim", _)) => Ok(Way::Sim(self.sim_ground(target)?)),
            Some(("netns", _)) => Err(no_files("a network namespace")),
            Some(_) => Err(Fault::Refused(format!(
                "{} is another host: over SSH only its addresses, isolation and evidence are in reach",
                target.name
            ))),
        }
    }

    /// A simulated host's files and processes are in a file beside its packet filter.
    fn sim_ground(&self, target: &Target) -> Result<PathBuf, Fault> {
        let super::target::Access::Sim(path) = self.access(target)? else {
            return Err(Fault::Refused(format!("{} is not simulated", target.name)));
        };
        let name = path.file_name().unwrap_or_default().to_owned();
        Ok(path.with_file_name("hosts").join(name))
    }

    fn context(&self, local: bool, stand_in: bool) -> Context {
        let own = if local { self.own_places() } else { Vec::new() };
        let now_ns = self.with.clock.now().as_micros().saturating_mul(1000);
        Context { marker: self.marker().to_owned(), own, now_ns, stand_in }
    }

    /// Has a job done on a target. A job that changes something is watched.
    pub(super) async fn hand<J: Job>(
        &self,
        target: &Target,
        job: J,
        watch: Option<&dyn Watch>,
    ) -> Result<J::Answer, Fault> {
        match self.reached(target)? {
            Way::Program { local: true, .. } if J::STAND_IN_ONLY => {
                Err(Fault::Refused(format!("{} is a real host: it is never put into a state", target.name)))
            }
            Way::Program { argv, local } => {
                let host = self.at_work(&argv);
                if J::CHANGES {
                    let _alone = host.write().await;
                    return self.hand_by(&argv, local, job, watch).await;
                }
                let _still = host.read().await;
                self.hand_by(&argv, local, job, watch).await
            }
            Way::Sim(path) => {
                let _one_at_a_time = self.sims.lock().await;
                let mut ground = Simulated::load(&path, self.context(false, true))?;
                let answer = job.run(&mut ground);
                if J::CHANGES {
                    ground.save(&path)?;
                }
                Ok(answer?)
            }
        }
    }

    fn at_work(&self, argv: &[String]) -> Arc<RwLock<()>> {
        let mut all = self.hosts.at_work.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(argv.to_vec()).or_default())
    }

    /// Has a job done by the program that `argv` starts.
    pub(super) async fn hand_by<J: Job>(
        &self,
        argv: &[String],
        local: bool,
        job: J,
        watch: Option<&dyn Watch>,
    ) -> Result<J::Answer, Fault> {
        let failed = |error: serde_json::Error| Fault::Failed(error.to_string());
        let body = serde_json::to_value(&job).map_err(failed)?;
        let mut told = Told { job: J::NAME.to_owned(), with: self.context(local, !local), body, sweep: false };
        let bytes = serde_json::to_vec(&told).map_err(failed)?;
        let fault = match exec::begun(&self.spawner, argv, &bytes, watch).await? {
            Ok(output) => match serde_json::from_slice::<Outcome<J::Answer>>(&output.stdout) {
                Ok(answer) => return Ok(answer?),
                Err(error) => {
                    let why = format!("our program on the target did not answer: {error} {}", output.stderr);
                    Fault::Unavailable(why)
                }
            },
            Err(late) => late,
        };
        if J::CHANGES {
            told.sweep = true;
            self.sweep(argv, &told, watch).await;
        }
        Err(fault)
    }

    /// After a program that ended without an answer, by itself or by us; whether the change was made, its reader finds out.
    async fn sweep(&self, argv: &[String], told: &Told, watch: Option<&dyn Watch>) {
        let Ok(bytes) = serde_json::to_vec(told) else { return };
        let said = exec::run(&self.spawner, argv, &bytes, watch).await.map(|output| output.stdout);
        if said.as_ref().is_ok_and(|said| serde_json::from_slice::<Outcome<()>>(said).is_ok_and(|swept| swept.is_ok()))
        {
            return;
        }
        let said = said.map(|said| String::from_utf8_lossy(&said).into_owned());
        tracing::warn!(job = told.job, ?said, "what a killed program left could not be swept away");
    }
}
