//! `linux.kill_process`: ends one process, which is told from every later one of its number.

mod proof;

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shieldops_model::{ControlPath, Reason, Target};
use shieldops_policy::{Dependant, Facts};
use shieldops_respond::{
    Capability, Child, Class, Description, Fault, Observed, Permit, Probe, ProbeResult, Proving, Purpose, Site,
};

use super::{
    Linux, accounts,
    ground::{Ground, Identity, Outcome, Process, refused},
    hand::Job,
    process,
};

/// What keeps the records of a host.
const LOGGING: [&str; 5] = ["auditd", "systemd-journald", "rsyslogd", "syslog-ng", "osqueryd"];
const DATABASES: [&str; 5] = ["postgres", "postmaster", "mysqld", "mariadbd", "mongod"];
/// The largest process number of any kernel.
const MAX_PID: u32 = 4_194_304;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    #[serde(deserialize_with = "pid")]
    pub pid: u32,
    /// When it began, in clock ticks after boot: with it, a later process of the same number is never meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_ticks: Option<u64>,
}

fn pid<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let pid = u32::deserialize(deserializer)?;
    if (1..=MAX_PID).contains(&pid) {
        return Ok(pid);
    }
    Err(serde::de::Error::custom(format!("pid: want 1 to {MAX_PID}, got {pid}")))
}

/// The process of a number, or that there is none.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    pub pid: u32,
    pub runs: bool,
    /// Which it is, or which was meant.
    pub identity: Option<Identity>,
    pub name: Option<String>,
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        // Nothing is nothing, whoever it was.
        self.pid == other.pid && self.runs == other.runs && (!self.runs || self.identity == other.identity)
    }
}

#[derive(Debug, Clone)]
pub struct KillProcess {
    linux: Arc<Linux>,
}

impl KillProcess {
    pub fn new(linux: Arc<Linux>) -> Self {
        Self { linux }
    }
}

/// Why a process may never be killed. By what it runs, never by the name that it gives itself.
pub(super) fn protected(on: &dyn Ground, process: &Process) -> Outcome<Vec<Reason>> {
    let mut reasons = Vec::new();
    let runs = process.exe.as_deref().map(|exe| format!(", runs {exe}")).unwrap_or_default();
    let what = format!("process {} ({}{runs})", process.identity.pid, process.name);
    let mut no = |code: &str, why: &str| {
        reasons.push(Reason { code: code.to_owned(), detail: format!("{what} {why}") });
    };
    if process.identity.pid == 1 {
        no("first_process", "is process 1: the host ends with it");
    }
    if process.kernel {
        no("kernel_thread", "is a thread of the kernel");
    }
    if process.ours {
        no("own_process", "is ours, or what we hang on");
    }
    let runs = |names: &[&str]| process.program().is_some_and(|program| names.contains(&program));
    // What sshd listens on for a forwarded port is its child's.
    let below = || Ok(on.process(process.ppid)?.is_some_and(|parent| parent.program() == Some("sshd")));
    if runs(&["sshd"]) && !below()? && !on.sockets(process.identity.pid)?.listens.is_empty() {
        no("ssh_listener", "is the listener of ssh: nobody could log in");
    }
    if runs(&DATABASES) {
        no("database", "is a database");
    }
    if runs(&LOGGING) {
        no("logging", "keeps this host's records");
    }
    Ok(reasons)
}

/// Whether it goes on while the rest of its session ends: it serves others.
pub(super) fn serves(reasons: &[Reason]) -> bool {
    let serving = |reason: &Reason| matches!(reason.code.as_str(), "ssh_listener" | "database" | "logging");
    !reasons.is_empty() && reasons.iter().all(serving)
}

/// What hangs on a process: its children, its listeners, its peers, its user.
pub(super) fn hang(on: &dyn Ground, process: &Process, facts: &mut Facts) -> Outcome<()> {
    let sockets = on.sockets(process.identity.pid)?;
    let mut depend = |kind: &str, name: String, detail: &str| {
        facts.dependants.push(Dependant { kind: kind.to_owned(), name, detail: detail.to_owned() });
    };
    for other in on.processes()? {
        if other.ppid == process.identity.pid {
            depend("process", format!("{} ({})", other.name, other.identity.pid), "is its child, and goes on");
        }
        if other.identity.pid == process.ppid {
            depend("process", format!("{} ({})", other.name, other.identity.pid), "started it, and may start it again");
        }
    }
    for listens in &sockets.listens {
        depend("service", process.name.clone(), &format!("listens on {listens}"));
    }
    for peer in &sockets.peers {
        depend("connection", peer.clone(), "is connected to it");
    }
    facts.resources.push(process.resource());
    facts.resources.push(format!("user:{}", accounts::name_of(on, process.uid)?));
    facts.resources.extend(sockets.peers.iter().map(|peer| format!("peer:{peer}")));
    if !sockets.listens.is_empty() {
        facts.resources.push(format!("service:{}", process.name));
    }
    facts.dependants.sort();
    facts.resources.sort();
    facts.resources.dedup();
    Ok(())
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Look {
    pid: u32,
    start_ticks: Option<u64>,
}

impl Job for Look {
    type Answer = (State, Facts);
    const NAME: &'static str = "kill_process.look";

    fn run(self, on: &mut dyn Ground) -> Outcome<Self::Answer> {
        let meant = |process: &Process| self.start_ticks.is_none_or(|ticks| ticks == process.identity.start_ticks);
        let Some(process) = on.process(self.pid)?.filter(meant) else {
            let state = State { pid: self.pid, runs: false, identity: None, name: None };
            return Ok((state, Facts::default()));
        };
        let mut facts = Facts { untouchable: protected(on, &process)?, ..Facts::default() };
        hang(on, &process, &mut facts)?;
        let state = State { pid: self.pid, runs: true, identity: Some(process.identity), name: Some(process.name) };
        Ok((state, facts))
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kill {
    identity: Identity,
}

impl Job for Kill {
    type Answer = ();
    const NAME: &'static str = "kill_process.kill";
    const CHANGES: bool = true;

    fn run(self, on: &mut dyn Ground) -> Outcome<()> {
        let Some(process) = on.process(self.identity.pid)? else { return Ok(()) };
        if process.identity != self.identity {
            return refused(format!("process {} is another one now", self.identity.pid));
        }
        if let Some(why) = protected(on, &process)?.first() {
            return refused(&why.detail);
        }
        on.kill(&self.identity)
    }
}

/// Who has the number now, and who runs the same program.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Again {
    pid: u32,
    identity: Option<Identity>,
}

impl Job for Again {
    type Answer = (bool, Vec<String>);
    const NAME: &'static str = "kill_process.again";

    fn run(self, on: &mut dyn Ground) -> Outcome<Self::Answer> {
        let there = on.process(self.pid)?;
        let lives = there.is_some_and(|there| self.identity.as_ref().is_none_or(|meant| *meant == there.identity));
        let Some(gone) = self.identity else { return Ok((lives, Vec::new())) };
        let all = on.processes()?;
        let parent = |pid: u32| all.iter().find(|other| other.identity.pid == pid).map(|other| other.name.clone());
        let later = all.iter().filter(|other| {
            gone.exe_inode != 0
                && other.identity.exe_inode == gone.exe_inode
                && other.identity.start_ticks > gone.start_ticks
        });
        let said = later.map(|other| {
            let by = parent(other.ppid).unwrap_or_else(|| "nobody".to_owned());
            format!("process {} runs the same program, started by {by} ({})", other.identity.pid, other.ppid)
        });
        Ok((lives, said.collect()))
    }
}

#[async_trait]
impl Capability for KillProcess {
    type Params = Params;
    type State = State;

    fn describe(&self) -> Description {
        Description {
            name: "linux.kill_process",
            title: "Kill a process",
            target_kind: "linux_host",
            params_schema: json!({
                "type": "object", "additionalProperties": false, "required": ["pid"],
                "properties": {
                    "pid": {"type": "integer", "minimum": 1, "maximum": MAX_PID, "description": "number of the process on the target", "examples": [500]},
                    "start_ticks": {"type": "integer", "minimum": 0, "description": "when it began, in clock ticks after boot (field 22 of /proc/<pid>/stat): a later process of the same number is then never meant"},
                },
            }),
            class: Class::Irreversible,
            purpose: Purpose::Containment,
            effects: &["process.kill"],
            settle_ms: 3_000,
            base_risk: 2,
            twin: shieldops_respond::Twin::Rooted,
            docs: "Sends SIGKILL by a handle of exactly the process that the plan showed: boot, number, start time and program must still be \
                   the same. Never process 1, a kernel thread, ourselves or what we hang on, the ssh listener, a database, or what keeps records. \
                   Nothing brings it back; whether something starts it again is shown.",
        }
    }

    async fn observe(&self, target: &Target, params: &Params) -> Result<Observed<State>, Fault> {
        let look = Look { pid: params.pid, start_ticks: params.start_ticks };
        let (state, facts) = self.linux.hand(target, look, None).await?;
        Ok(Observed { state, facts })
    }

    fn desired(&self, state: &State, _params: &Params) -> State {
        State { runs: false, ..state.clone() }
    }

    async fn apply(&self, site: Site<'_>, from: &State, _to: &State, _permit: Permit) -> Result<(), Fault> {
        let Some(identity) = from.identity.clone().filter(|_| from.runs) else { return Ok(()) };
        self.linux.killed(site.target.id, &identity);
        self.linux.hand(site.target, Kill { identity }, Some(site.watch)).await
    }

    fn undo_text(&self, params: &Params) -> String {
        format!("Nothing brings process {} back: start its service again by hand.", params.pid)
    }

    fn control_path(&self, target: &Target, _params: &Params) -> ControlPath {
        Linux::control_path(target)
    }

    fn key(&self, params: &Params) -> String {
        match params.start_ticks {
            Some(ticks) => format!("{}@{ticks}", params.pid),
            None => params.pid.to_string(),
        }
    }

    fn holds(&self, observed: &State, wanted: &State) -> bool {
        // Somebody else may have the number by now. One that runs another program since is still the same process.
        let other = |wanted: &Identity| observed.identity.as_ref().is_none_or(|there| !wanted.is_same_process(there));
        let gone = wanted.identity.as_ref().is_some_and(other);
        observed == wanted || (!wanted.runs && gone)
    }

    fn not_checkable(&self, params: &Params) -> Vec<String> {
        vec![format!("what process {} had not written to disk yet", params.pid)]
    }

    async fn probe(&self, target: &Target, params: &Params) -> Option<Probe> {
        let identity = self.linux.last_killed(target.id, params.pid);
        let again = Again { pid: params.pid, identity };
        let (lives, said) = self.linux.hand(target, again, None).await.ok()?;
        let result = if lives { ProbeResult::Reachable } else { ProbeResult::Refused };
        let what = if lives { "the process answers" } else { "there is no such process any more" };
        let detail = if said.is_empty() { what.to_owned() } else { format!("{what}; {}", said.join("; ")) };
        Some(Probe { result, detail })
    }

    async fn end_child(&self, child: &Child) -> Result<(), Fault> {
        process::end(child).await
    }
    fn proving(&self) -> Option<&dyn Proving> {
        Some(self)
    }
}
