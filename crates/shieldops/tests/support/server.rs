//! A real server on a data directory of its own, for the tests of the whole.

#![allow(dead_code, reason = "each test of the whole uses another part")]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use serde_json::Value;
use ureq::Agent;

pub(crate) struct Server {
    dir: tempfile::TempDir,
    child: Option<Child>,
    url: String,
    agent: Agent,
    /// The admin link that the last start printed.
    pub(crate) admin_link: Option<String>,
}

pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Server {
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::start_with(args, &[])
    }

    pub(crate) fn start_with(args: &[&str], env: &[(&str, &str)]) -> Self {
        let config =
            Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(30))).build();
        let mut server = Self {
            dir: tempfile::tempdir().unwrap(),
            child: None,
            url: String::new(),
            agent: Agent::new_with_config(config),
            admin_link: None,
        };
        server.restart_with(args, env);
        server
    }

    pub(crate) fn restart(&mut self, args: &[&str]) {
        self.restart_with(args, &[]);
    }

    pub(crate) fn restart_with(&mut self, args: &[&str], env: &[(&str, &str)]) {
        self.restart_at("127.0.0.1:0", args, env);
    }

    pub(crate) fn restart_at(&mut self, listen: &str, args: &[&str], env: &[(&str, &str)]) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shieldops"));
        command.args(["serve", "--data-dir", self.data_dir(), "--listen", listen]).args(args);
        command.envs(env.iter().copied());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).stdin(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = loop {
            let line = lines.next().expect("the server ended before it was ready").unwrap();
            if let Some(link) = line.split_once("/#claim=") {
                self.admin_link = Some(link.1.to_owned());
            }
            if let Some(url) = line.strip_prefix("ready ") {
                break url.to_owned();
            }
        };
        self.url = url;
        self.child = Some(child);
    }

    pub(crate) fn data_dir(&self) -> &str {
        self.dir.path().to_str().unwrap()
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// As by a power cut of the process.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Whether the process is still there.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// SIGTERM: drains and exits with 0.
    pub(crate) fn stop(&mut self) {
        let mut child = self.child.take().unwrap();
        assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
        let status = child.wait().unwrap();
        assert!(status.success(), "{status}");
    }

    #[expect(clippy::unused_self, reason = "said of a server, beside which it runs")]
    pub(crate) fn cli(&self, args: &[&str]) -> Ran {
        let Output { status, stdout, stderr } =
            Command::new(env!("CARGO_BIN_EXE_shieldops")).args(args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ran { code: status.code().unwrap_or(-1), stdout: text(stdout), stderr: text(stderr) }
    }

    /// With lines on standard input.
    #[expect(clippy::unused_self, reason = "said of a server, beside which it runs")]
    pub(crate) fn cli_typed(&self, args: &[&str], typed: &str) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shieldops"));
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ran { code: status.code().unwrap_or(-1), stdout: text(stdout), stderr: text(stderr) }
    }

    /// A token made by the CLI beside the running server.
    pub(crate) fn token(&self, kind: &str) -> String {
        let ran = self.cli(&["token", "create", "--data-dir", self.data_dir(), "--kind", kind, "--name", "test"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stdout.trim().to_owned()
    }

    pub(crate) fn get(&self, path: &str, token: &str) -> Result<Value, Value> {
        answer(
            self.agent
                .get(format!("{}{path}", self.url))
                .header("authorization", format!("Bearer {token}"))
                .call()
                .unwrap(),
        )
    }

    pub(crate) fn post(&self, path: &str, token: &str, body: &Value) -> Result<Value, Value> {
        let request = self.agent.post(format!("{}{path}", self.url)).header("authorization", format!("Bearer {token}"));
        let request = request.header("idempotency-key", fresh_key());
        answer(request.send_json(body).unwrap())
    }

    pub(crate) fn post_text(&self, path: &str, token: &str, body: &str) -> Value {
        let request = self.agent.post(format!("{}{path}", self.url)).header("authorization", format!("Bearer {token}"));
        answer(request.content_type("text/plain").send(body).unwrap()).unwrap()
    }

    /// Any request: its status and its body.
    pub(crate) fn raw(&self, method: &str, path: &str, token: Option<&str>, body: Option<&str>) -> (u16, Value) {
        let headers: Vec<(&str, String)> =
            token.map(|token| ("authorization", format!("Bearer {token}"))).into_iter().collect();
        let (status, _, value) = self.send(method, path, &headers, body);
        (status, value)
    }

    /// The session cookie that a request is answered with.
    pub(crate) fn cookie(&self, path: &str, body: &str) -> Option<String> {
        let (_, cookie, _) = self.send("post", path, &[], Some(body));
        cookie.and_then(|cookie| cookie.split(';').next().map(str::to_owned))
    }

    pub(crate) fn with_cookie(
        &self,
        method: &str,
        path: &str,
        cookie: &str,
        csrf: Option<&str>,
        body: Option<&str>,
    ) -> (u16, Value) {
        let mut headers = vec![("cookie", cookie.to_owned())];
        headers.extend(csrf.map(|csrf| ("shieldops-csrf", csrf.to_owned())));
        let (status, _, value) = self.send(method, path, &headers, body);
        (status, value)
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, String)],
        body: Option<&str>,
    ) -> (u16, Option<String>, Value) {
        let mut request =
            ureq::http::Request::builder().method(method.to_uppercase().as_str()).uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        request = match request.method_ref().map(ureq::http::Method::as_str) {
            Some("POST") => request.header("idempotency-key", fresh_key()),
            Some("PUT" | "PATCH" | "DELETE") => request.header("if-match", "*"),
            _ => request,
        };
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(body.unwrap_or_default().to_owned()).unwrap();
        let mut response = self.agent.run(request).unwrap();
        let cookie = response.headers().get("set-cookie").map(|value| value.to_str().unwrap().to_owned());
        let text = response.body_mut().read_to_string().unwrap();
        (response.status().as_u16(), cookie, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// The one incident of the demonstration, once it is listed.
    pub(crate) fn demo_incident(&self, token: &str) -> String {
        let incident = until(|| {
            let list = self.get("/api/v1/incidents", token).ok()?;
            list["items"].as_array()?.iter().find(|incident| incident["demo"] == true).cloned()
        });
        incident["id"].as_str().unwrap().to_owned()
    }

    /// Changes the database behind the server's back.
    pub(crate) fn sql(&self, statement: &str) {
        let path: PathBuf = self.dir.path().join("state.db");
        let status = Command::new("sqlite3").arg(path).arg(statement).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// An `Idempotency-Key` that no request had before.
pub(crate) fn fresh_key() -> String {
    static MADE: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed))
}

fn answer(mut response: ureq::http::Response<ureq::Body>) -> Result<Value, Value> {
    let ok = response.status().is_success();
    let text = response.body_mut().read_to_string().unwrap();
    let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
    if ok { Ok(value) } else { Err(value) }
}

/// How long is waited for what must come: no test passes sooner or later for it, and a busy machine needs more than a quiet
/// one.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);

/// Tries until there is an answer; fails when none comes.
pub(crate) fn until<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(Instant::now() < deadline, "nothing within {PATIENCE:?}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}
