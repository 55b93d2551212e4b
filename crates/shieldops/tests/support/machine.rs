//! A server that is expected to die: a start may fail, a call may go unanswered, and the data directory outlives both.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::Agent;

/// Longer than anything that is waited for should take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) struct Machine {
    /// Removed with the last machine that uses it.
    hold: Arc<TempDir>,
    data: PathBuf,
    child: Option<Child>,
    out: Option<BufReader<ChildStdout>>,
    pub(crate) client: Client,
    pub(crate) kills: u32,
}

/// Who talks to a running server. Each call has its own connection: nothing is sent twice behind our back.
#[derive(Clone)]
pub(crate) struct Client {
    agent: Agent,
    url: String,
}

/// How a server ended that did not come up.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) said: String,
}

pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Client {
    fn new() -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .max_idle_connections(0)
            .max_idle_connections_per_host(0)
            .build();
        Self { agent: Agent::new_with_config(config), url: String::new() }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Status and body, or nothing when the server died over it.
    pub(crate) fn send(&self, method: &str, path: &str, token: &str, kind: &str, body: &str) -> Option<(u16, Value)> {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", kind);
        let request = match method {
            "POST" => request.header("idempotency-key", fresh_key()),
            "PUT" | "PATCH" | "DELETE" => request.header("if-match", "*"),
            _ => request,
        };
        let mut response = self.agent.run(request.body(body.to_owned()).unwrap()).ok()?;
        let text = response.body_mut().with_config().limit(64 << 20).read_to_string().ok()?;
        Some((response.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    pub(crate) fn post(&self, path: &str, token: &str, body: &Value) -> Option<(u16, Value)> {
        self.send("POST", path, token, "application/json", &body.to_string())
    }

    pub(crate) fn get(&self, path: &str, token: &str) -> Value {
        let (status, body) =
            self.send("GET", path, token, "application/json", "").unwrap_or_else(|| panic!("no answer to {path}"));
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// All pages of a list.
    pub(crate) fn all(&self, path: &str, token: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let page =
                self.get(&format!("{path}{}limit=200{cursor}", if path.contains('?') { '&' } else { '?' }), token);
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            let Some(next) = page["next_cursor"].as_str() else { return items };
            cursor = format!("&cursor={next}");
        }
    }
}

/// An `Idempotency-Key` that no request had before.
fn fresh_key() -> String {
    static MADE: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed))
}

impl Machine {
    pub(crate) fn new() -> Self {
        let hold = Arc::new(TempDir::new().unwrap());
        let data = hold.path().join("data");
        Self { hold, data, child: None, out: None, client: Client::new(), kills: 0 }
    }

    /// On a directory that somebody else removes.
    pub(crate) fn at(data: &Path) -> Self {
        let mut machine = Self::new();
        data.clone_into(&mut machine.data);
        machine
    }

    /// Another machine with the same past. Both must be at rest.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::new();
        let status = Command::new("cp").arg("-a").arg(&self.data).arg(&copy.data).status().unwrap();
        assert!(status.success());
        copy
    }

    /// A second machine on the very same directory.
    pub(crate) fn twin(&self) -> Self {
        Self {
            hold: Arc::clone(&self.hold),
            data: self.data.clone(),
            child: None,
            out: None,
            client: Client::new(),
            kills: 0,
        }
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Starts the process and waits for nothing.
    pub(crate) fn spawn(&mut self, args: &[&str], env: &[(&str, &str)]) {
        assert!(self.child.is_none(), "it runs already");
        let log = OpenOptions::new().create(true).append(true).open(self.log()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_shieldops"));
        command.arg("serve").arg("--data-dir").arg(&self.data);
        if !args.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        command.args(args).envs(env.iter().copied()).env("SHIELDOPS_LOG__LEVEL", "warn");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        self.out = child.stdout.take().map(BufReader::new);
        self.child = Some(child);
    }

    /// Waits until it serves.
    pub(crate) fn ready(&mut self) -> Result<(), Ended> {
        for line in self.out.take().unwrap().lines() {
            if let Some(url) = line.unwrap().strip_prefix("ready ") {
                url.clone_into(&mut self.client.url);
                return Ok(());
            }
        }
        let status = self.child.take().unwrap().wait().unwrap();
        Err(Ended { status, said: self.said() })
    }

    pub(crate) fn start(&mut self, env: &[(&str, &str)]) -> Result<(), Ended> {
        self.start_with(&[], env)
    }

    pub(crate) fn start_with(&mut self, args: &[&str], env: &[(&str, &str)]) -> Result<(), Ended> {
        fs::write(self.log(), "").unwrap();
        self.spawn(args, env);
        self.ready()
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        (self.out, self.kills) = (None, self.kills + 1);
    }

    /// How the process ended, if it does so in time.
    pub(crate) fn ended(&mut self, within: Duration) -> Option<ExitStatus> {
        let status = within_time(within, || self.child.as_mut()?.try_wait().unwrap())?;
        self.child = None;
        Some(status)
    }

    /// SIGTERM: how it ended, and after how long.
    pub(crate) fn terminate(&mut self) -> (Option<ExitStatus>, Duration) {
        let begun = Instant::now();
        self.signal_stop();
        (self.ended(PATIENCE), begun.elapsed())
    }

    /// SIGTERM, without waiting for what it does.
    pub(crate) fn signal_stop(&self) {
        let id = self.child.as_ref().unwrap().id();
        assert!(Command::new("kill").args(["-TERM", &id.to_string()]).status().unwrap().success());
    }

    fn log(&self) -> PathBuf {
        self.hold.path().join("stderr.log")
    }

    /// What it wrote to standard error since its start.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    pub(crate) fn cli(args: &[&str]) -> Ran {
        let output = Command::new(env!("CARGO_BIN_EXE_shieldops")).args(args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ran { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    pub(crate) fn token(&self, kind: &str, user: Option<&str>) -> String {
        let mut args =
            vec!["token", "create", "--data-dir", self.data.to_str().unwrap(), "--kind", kind, "--name", "crash"];
        args.extend(user.into_iter().flat_map(|user| ["--user", user]));
        let ran = Self::cli(&args);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stdout.trim().to_owned()
    }

    /// Fails unless the ledger is proven sound.
    pub(crate) fn verify(&self) {
        let ran = Self::cli(&["ledger", "verify", self.data.to_str().unwrap(), "--output", "json"]);
        assert_eq!(ran.code, 0, "ledger verify: {}{}", ran.stdout, ran.stderr);
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
        if thread::panicking() {
            eprintln!("--- the server said:\n{}", self.said());
        }
    }
}

/// A stopped server with an administrator, a second person, and simulated hosts.
pub(crate) struct Staffed {
    pub(crate) machine: Machine,
    /// Plans.
    pub(crate) ann: String,
    /// Approves.
    pub(crate) bea: String,
}

impl Machine {
    /// A test does in a minute what is allowed in a week: two administrators put other numbers in force.
    fn lift_rates(&self, ann: &str) {
        let second = json!({"name": "cyd", "role": "admin", "password": "another long phrase"});
        assert_eq!(self.client.post("/api/v1/users", ann, &second).unwrap().0, 201);
        let cyd = self.token("personal", Some("cyd"));
        let names = ["per_minute", "per_hour", "per_team_hour", "resources_per_hour"];
        let pairs = names.map(|name| format!("numbers.limits.production.{name}=10000"));
        let mut args = vec!["gate", "set"];
        args.extend(pairs.iter().map(String::as_str));
        args.extend(["--reason", "a test", "--server", self.client.url(), "--token", ann]);
        let drafted = Self::cli(&args);
        assert_eq!(drafted.code, 0, "{}", drafted.stderr);
        let args = ["gate", "activate", "1", "--reason", "agreed", "--server", self.client.url(), "--token", &cyd];
        let active = Self::cli(&args);
        assert_eq!(active.code, 0, "{}", active.stderr);
    }
}

impl Staffed {
    pub(crate) fn new(targets: &[&str]) -> Self {
        let mut machine = Machine::new();
        let ann = machine.token("personal", None);
        machine.start(&[]).unwrap();
        let user = json!({"name": "bea", "role": "analyst", "password": "another long phrase"});
        assert_eq!(machine.client.post("/api/v1/users", &ann, &user).unwrap().0, 201);
        for name in targets {
            let target = json!({"kind": "linux_host", "name": name});
            let (status, body) = machine.client.post("/api/v1/targets", &ann, &target).unwrap();
            assert_eq!(status, 201, "{body}");
        }
        let bea = machine.token("personal", Some("bea"));
        machine.lift_rates(&ann);
        assert!(machine.terminate().0.is_some_and(|status| status.success()));
        Self { machine, ann, bea }
    }
}

/// An empty file that a test may grow: space that can be given back.
pub(crate) fn ballast(path: &Path, bytes: u64) {
    let chunk = vec![b'x'; 1 << 16];
    let mut file = File::create(path).unwrap();
    for _ in 0..bytes.div_ceil(1 << 16) {
        if std::io::Write::write_all(&mut file, &chunk).is_err() {
            return;
        }
    }
}

pub(crate) fn pause(time: Duration) {
    let end = Instant::now() + time;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        thread::park_timeout(left);
    }
}

/// Tries until there is an answer or the time is over.
pub(crate) fn within_time<T>(at_most: Duration, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + at_most;
    loop {
        if let Some(found) = attempt() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        pause(Duration::from_millis(10));
    }
}
