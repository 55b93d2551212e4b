//! The live twin: a victim and an attacker in network namespaces of a user namespace of their own.
//!
//! No root is needed and the host gets no interface, route or rule. Our own binary is the victim's listener and the
//! attacker's prober, so that a block is proved by a real packet. Everything in it dies with us.

use std::{
    fmt, fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use sha2::{Digest, Sha256};
use shieldops_respond::{Probe, ProbeResult};

use super::{exec, process};

/// Where the victim listens.
pub(super) const PORT: u16 = 8022;
/// A dropped packet shows by silence: longer than a round trip inside one machine ever takes.
const PROBE_MS: u64 = 250;
/// What the prober may take to answer, with what a busy machine adds.
const ANSWERS: Duration = Duration::from_secs(5);
/// How long a twin may take to come up.
const START: Duration = Duration::from_secs(10);
/// How long the link may take to carry its first packet.
const FIRST_PROBE: Duration = Duration::from_secs(3);
/// Answers that may wait to be read.
const QUEUE: usize = 16;
const ATTACKER_MAC: &str = "02:00:00:00:00:66";
const VICTIM_MAC: &str = "02:00:00:00:00:10";
const ATTACKER_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x66);
/// Others on the same link: each address of theirs, and the victim's that it reaches.
const NEIGHBOURS: [(Ipv4Addr, Ipv4Addr); 2] = [
    (Ipv4Addr::new(198, 51, 100, 200), Ipv4Addr::new(198, 51, 100, 201)),
    (Ipv4Addr::new(198, 51, 100, 210), Ipv4Addr::new(198, 51, 100, 211)),
];
const VICTIM_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x10);

#[derive(Debug, Clone)]
pub struct TwinOptions {
    /// `demo` of `twin/demo`.
    pub name: String,
    /// The address that attacks: the recording's.
    pub attacker: IpAddr,
    pub victim: IpAddr,
    /// Our own binary, which takes `twin-init` and `twin-prober`.
    pub exe: PathBuf,
}

/// Why no twin can run here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Unavailable {
    pub why: String,
}

/// A running twin.
pub struct Twin {
    pid: u32,
    attacker: IpAddr,
    victim: IpAddr,
    v6: bool,
    talk: Mutex<Talk>,
    /// Dropped to end the thread that the twin's life hangs on.
    stop: Mutex<Option<SyncSender<()>>>,
    gone: std::sync::Arc<AtomicBool>,
}

struct Talk {
    stdin: ChildStdin,
    answers: Receiver<String>,
    asked: u64,
}

impl fmt::Debug for Twin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Twin").field("pid", &self.pid).field("attacker", &self.attacker).finish_non_exhaustive()
    }
}

/// By which argument the processes of a twin of this data directory are known.
pub(super) fn tag(data_dir: &Path, name: &str) -> String {
    let place = fs::canonicalize(data_dir).unwrap_or_else(|_| data_dir.to_owned());
    let digest = hex::encode(Sha256::digest(place.as_os_str().as_encoded_bytes()));
    format!("--tag={}/{name}", digest.chars().take(16).collect::<String>())
}

impl Twin {
    /// Starts a twin. Blocks until it is up, at most ten seconds.
    pub(super) fn start(data_dir: &Path, options: &TwinOptions) -> Result<Self, Unavailable> {
        let unavailable = |why: &str| Unavailable { why: why.to_owned() };
        let tag = tag(data_dir, &options.name);
        // An earlier process of this data directory is gone (only one may serve it): so is the use of its twin.
        process::with_argument(&tag).into_iter().for_each(process::kill);
        let (stop, stopped) = sync_channel::<()>(1);
        let (report, reported) = sync_channel(1);
        let argv = argv(options, &tag);
        let gone = std::sync::Arc::new(AtomicBool::new(false));
        let flag = std::sync::Arc::clone(&gone);
        let life = move || {
            match spawn(&argv) {
                Ok(mut child) => {
                    let pipes = (child.id(), child.stdin.take(), child.stdout.take(), child.stderr.take());
                    if report.send(Ok(pipes)).is_ok() {
                        // The twin lives as long as this thread: it waits to be told, or for the other side to go.
                        live(&mut child, &stopped, &flag);
                    }
                    end(child);
                }
                Err(error) => drop(report.send(Err(error))),
            }
            flag.store(true, Ordering::SeqCst);
        };
        thread::Builder::new()
            .name(format!("twin-{}", options.name))
            .spawn(life)
            .map_err(|error| unavailable(&error.to_string()))?;
        let spawned = reported.recv().map_err(|error| unavailable(&error.to_string()))?;
        let (pid, stdin, stdout, stderr) =
            spawned.map_err(|error| unavailable(&format!("cannot start it: {error}")))?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
            return Err(unavailable("no pipes"));
        };
        let (lines, answers) = sync_channel(QUEUE);
        let reader = move || BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| lines.send(line));
        thread::Builder::new()
            .name("twin-answers".to_owned())
            .spawn(reader)
            .map_err(|error| unavailable(&error.to_string()))?;
        let Ok(ready) = answers.recv_timeout(START) else {
            drop(stop);
            let mut why = String::new();
            let read = stderr.take(2_000).read_to_string(&mut why);
            let why = if read.is_err() || why.trim().is_empty() {
                "it did not come up".to_owned()
            } else {
                why.trim().replace('\n', "; ")
            };
            return Err(unavailable(&format!("namespaces do not work here: {why}")));
        };
        let talk = Mutex::new(Talk { stdin, answers, asked: 0 });
        let v6 = ready.ends_with("v6");
        let mut twin = Self {
            pid,
            attacker: options.attacker,
            victim: options.victim,
            v6,
            talk,
            stop: Mutex::new(Some(stop)),
            gone,
        };
        let before = twin.first_probe(options.attacker);
        if before.result != ProbeResult::Reachable {
            return Err(unavailable(&format!("the attacker does not reach the victim: {}", before.detail)));
        }
        twin.v6 = v6 && twin.first_probe(IpAddr::V6(ATTACKER_V6)).result == ProbeResult::Reachable;
        Ok(twin)
    }

    /// A link that just came up may lose its first packets: a silence here says nothing yet.
    fn first_probe(&self, from: IpAddr) -> Probe {
        let deadline = Instant::now() + FIRST_PROBE;
        loop {
            let probe = self.probe_from(from);
            if probe.result == ProbeResult::Reachable || Instant::now() >= deadline {
                return probe;
            }
        }
    }

    /// The process whose user and network namespaces are the victim's.
    pub fn process_id(&self) -> u32 {
        self.pid
    }

    pub fn attacker(&self) -> IpAddr {
        self.attacker
    }

    pub fn victim(&self) -> IpAddr {
        self.victim
    }

    /// Whether it has IPv6 addresses too (2001:db8::66 attacks 2001:db8::10).
    pub fn has_v6(&self) -> bool {
        self.v6
    }

    pub fn runs(&self) -> bool {
        !self.gone.load(Ordering::SeqCst)
    }

    /// Everybody whom the prober can speak as, and whom of the victim's addresses each reaches.
    fn speakers(&self) -> Vec<(IpAddr, IpAddr)> {
        let mut speakers = vec![(self.attacker, self.victim)];
        if self.v6 {
            speakers.push((ATTACKER_V6.into(), VICTIM_V6.into()));
        }
        speakers.extend(NEIGHBOURS.map(|(theirs, own)| (theirs.into(), own.into())));
        speakers
    }

    pub(super) fn speaks_from(&self, address: IpAddr) -> bool {
        self.speakers().iter().any(|(from, _)| *from == address)
    }

    /// Somebody in this range whom the prober can speak as.
    pub(super) fn speaker_in(&self, range: IpNet) -> Option<IpAddr> {
        self.speakers().into_iter().map(|(from, _)| from).find(|from| range.contains(from))
    }

    /// One TCP connection from the attacker to the victim. Blocks at most half a second.
    pub fn probe(&self) -> Probe {
        self.probe_from(self.attacker)
    }

    /// The same from one of the attacker's addresses.
    pub fn probe_from(&self, from: IpAddr) -> Probe {
        let to = self.speakers().into_iter().find(|(speaker, _)| *speaker == from).map_or(self.victim, |(_, to)| to);
        let mut talk = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        let (result, detail) =
            talk.ask(from, SocketAddr::new(to, PORT)).unwrap_or_else(|error| (ProbeResult::Unknown, error.to_string()));
        Probe { result, detail: format!("TCP from {from} to {}: {detail}", SocketAddr::new(to, PORT)) }
    }

    /// Ends it, from the thread that it lives on: nobody else knows that its pid is still its own.
    pub fn stop(&self) {
        drop(self.stop.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl Drop for Twin {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Talk {
    fn ask(&mut self, from: IpAddr, to: SocketAddr) -> io::Result<(ProbeResult, String)> {
        self.asked += 1;
        let asked = self.asked.to_string();
        writeln!(self.stdin, "{asked} {from} {to} {PROBE_MS}")?;
        let deadline = Instant::now() + ANSWERS;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let answer = self
                .answers
                .recv_timeout(left)
                .map_err(|error| io::Error::other(format!("the prober does not answer: {error}")))?;
            let mut words = answer.splitn(3, ' ');
            // Late answers to earlier questions are passed over.
            if words.next() != Some(asked.as_str()) {
                continue;
            }
            let result = match words.next() {
                Some("reachable") => ProbeResult::Reachable,
                Some("refused") => ProbeResult::Refused,
                _ => ProbeResult::Unknown,
            };
            return Ok((result, words.next().unwrap_or_default().to_owned()));
        }
    }
}

fn argv(options: &TwinOptions, tag: &str) -> Vec<String> {
    let wrap = "setpriv --pdeathsig KILL unshare --user --map-root-user --net --pid --fork --kill-child=KILL";
    let mut argv: Vec<String> = wrap.split(' ').map(str::to_owned).collect();
    argv.extend([options.exe.to_string_lossy().into_owned(), "twin-init".to_owned(), tag.to_owned()]);
    argv.extend([options.attacker.to_string(), options.victim.to_string()]);
    argv
}

pub(super) fn spawn(argv: &[String]) -> io::Result<Child> {
    let mut command = exec::command(argv).ok_or_else(|| io::Error::other("an empty command"))?;
    // A group of its own: an interrupt at the terminal is for us, who then end the twin in our own time.
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
}

pub(super) fn live(child: &mut Child, stopped: &Receiver<()>, gone: &AtomicBool) {
    loop {
        match stopped.recv_timeout(Duration::from_millis(200)) {
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
            _ => return,
        }
        if !matches!(child.try_wait(), Ok(None)) {
            gone.store(true, Ordering::SeqCst);
            return;
        }
    }
}

pub(super) fn end(mut child: Child) {
    if let Err(error) = child.kill().and_then(|()| child.wait()) {
        tracing::debug!(%error, "the twin had ended");
    }
}

/// `twin-init --tag=… ATTACKER VICTIM`: the victim. Runs in namespaces of its own, as process 1.
pub fn init_main(args: &[String]) -> i32 {
    let [_tag, attacker, victim] = args else { return complain("want --tag=… ATTACKER VICTIM") };
    match init(attacker, victim) {
        Ok(()) => 0,
        Err(error) => complain(&error.to_string()),
    }
}

fn init(attacker: &str, victim: &str) -> io::Result<()> {
    let (_, _) = (parse(attacker)?, parse(victim)?);
    ip(&["link", "set", "lo", "up"])?;
    let exe = std::env::current_exe()?;
    let mut prober = Command::new("unshare")
        .arg("--net")
        .arg(exe)
        .args(["twin-prober", attacker, victim])
        .stdout(Stdio::piped())
        .spawn()?;
    let answers = prober.stdout.take().ok_or_else(|| io::Error::other("no pipe"))?;
    let mut lines = BufReader::new(answers).lines();
    lines.next().ok_or_else(|| io::Error::other("the attacker's namespace did not come up"))??;
    ip(&["addr", "add", victim, "peer", attacker, "dev", "victim"])?;
    let v6 = ip(&["-6", "addr", "add", &format!("{VICTIM_V6}/64"), "dev", "victim", "nodad"]).is_ok();
    ip(&["link", "set", "victim", "up"])?;
    know("victim", ATTACKER_MAC, &[attacker, &ATTACKER_V6.to_string()]);
    for (theirs, own) in NEIGHBOURS {
        ip(&["addr", "add", &own.to_string(), "peer", &theirs.to_string(), "dev", "victim"])?;
        know("victim", ATTACKER_MAC, &[&theirs.to_string()]);
        listen(SocketAddr::new(own.into(), PORT))?;
    }
    listen(SocketAddr::new(parse(victim)?, PORT))?;
    let v6 = v6 && listen(SocketAddr::new(IpAddr::V6(VICTIM_V6), PORT)).is_ok();
    let mut out = io::stdout().lock();
    writeln!(out, "ready {}", if v6 { "v4 v6" } else { "v4" })?;
    out.flush()?;
    // The prober ends when our parent closes its input; then so do we, and with process 1 everything in here.
    for line in lines {
        writeln!(out, "{}", line?)?;
        out.flush()?;
    }
    Ok(())
}

/// Neighbours are known from the start: a lost ARP request would look like a dropped packet for a second.
fn know(device: &str, mac: &str, addresses: &[&str]) {
    for address in addresses {
        if let Err(error) = ip(&["neigh", "replace", address, "lladdr", mac, "dev", device, "nud", "permanent"]) {
            tracing::debug!(%error, "the twin asks for its neighbours");
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    thread::Builder::new().name("listener".to_owned()).spawn(move || listener.incoming().for_each(drop))?;
    Ok(())
}

/// `twin-prober ATTACKER VICTIM`: the attacker. Runs in a network namespace of its own and connects as it is asked.
pub fn prober_main(args: &[String]) -> i32 {
    let [attacker, victim] = args else { return complain("want ATTACKER VICTIM") };
    match prober(attacker, victim) {
        Ok(()) => 0,
        Err(error) => complain(&error.to_string()),
    }
}

fn prober(attacker: &str, victim: &str) -> io::Result<()> {
    ip(&["link", "set", "lo", "up"])?;
    // Process 1 of this process namespace is the victim: the other end is made where it lives.
    ip(&[
        "link",
        "add",
        "attacker",
        "address",
        ATTACKER_MAC,
        "type",
        "veth",
        "peer",
        "name",
        "victim",
        "address",
        VICTIM_MAC,
        "netns",
        "1",
    ])?;
    ip(&["addr", "add", attacker, "peer", victim, "dev", "attacker"])?;
    if ip(&["-6", "addr", "add", &format!("{ATTACKER_V6}/64"), "dev", "attacker", "nodad"]).is_err() {
        tracing::debug!("the twin has no IPv6");
    }
    ip(&["link", "set", "attacker", "up"])?;
    know("attacker", VICTIM_MAC, &[victim, &VICTIM_V6.to_string()]);
    for (theirs, own) in NEIGHBOURS {
        ip(&["addr", "add", &theirs.to_string(), "peer", &own.to_string(), "dev", "attacker"])?;
        know("attacker", VICTIM_MAC, &[&own.to_string()]);
    }
    let mut out = io::stdout().lock();
    writeln!(out, "linked")?;
    out.flush()?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let mut words = line.split(' ');
        let asked = words.next().unwrap_or_default();
        let to: Option<SocketAddr> = words.nth(1).and_then(|word| word.parse().ok());
        let limit: Option<u64> = words.next().and_then(|word| word.parse().ok());
        let said = match (to, limit) {
            (Some(to), Some(limit)) => connect(to, Duration::from_millis(limit)),
            _ => "unknown not a question".to_owned(),
        };
        writeln!(out, "{asked} {said}")?;
        out.flush()?;
    }
    Ok(())
}

fn connect(to: SocketAddr, limit: Duration) -> String {
    let begun = Instant::now();
    match TcpStream::connect_timeout(&to, limit) {
        Ok(_) => format!("reachable connected in {} us", begun.elapsed().as_micros()),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            format!("refused no answer within {} ms", limit.as_millis())
        }
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => "refused connection refused".to_owned(),
        Err(error) => format!("unknown {error}"),
    }
}

fn parse(address: &str) -> io::Result<IpAddr> {
    address.parse().map_err(io::Error::other)
}

pub(super) fn ip(args: &[&str]) -> io::Result<()> {
    let output = Command::new("ip").args(args).stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("ip {}: {}", args.join(" "), said.trim())))
}

pub(super) fn complain(why: &str) -> i32 {
    let mut err = io::stderr().lock();
    // Nobody is left to tell when this fails.
    drop(writeln!(err, "{why}"));
    1
}
