//! What the tests of senders, rules and scans share: requests of any bytes, other programs, stored events read back.

#![allow(dead_code, reason = "each test of the whole uses another part")]

use std::{
    collections::BTreeMap,
    io::Write as _,
    net::{TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::Value;

use crate::server::{Server, until};

/// An answer of any kind.
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) retry_after: Option<String>,
    pub(crate) text: String,
}

impl Answered {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {} {}", self.status, self.text))
    }
}

/// Sends a request of any method, headers and bytes.
pub(crate) fn send(server: &Server, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answered {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .timeout_global(Some(Duration::from_mins(1)))
        .build();
    let agent = ureq::Agent::new_with_config(config);
    let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", server.url()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut response = if body.is_empty() && matches!(method, "GET" | "HEAD") {
        agent.run(request.body(()).unwrap())
    } else {
        agent.run(request.body(body.to_vec()).unwrap())
    }
    .unwrap();
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (content_type, retry_after) = (header("content-type").unwrap_or_default(), header("retry-after"));
    let status = response.status().as_u16();
    Answered { status, content_type, retry_after, text: response.body_mut().read_to_string().unwrap() }
}

/// Posts bytes as events.
pub(crate) fn post(server: &Server, path: &str, token: &str, headers: &[(&str, &str)], body: &[u8]) -> Answered {
    let bearer = format!("Bearer {token}");
    let mut all = vec![("authorization", bearer.as_str())];
    all.extend_from_slice(headers);
    send(server, "POST", path, &all, body)
}

/// Every event that a search gives, page by page, newest first.
pub(crate) fn search(server: &Server, token: &str, query: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = server.get(&format!("/api/v1/events?limit=200&{query}{cursor}"), token).unwrap();
        found.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

/// Waits until a search gives so many events or more.
pub(crate) fn wait_for(server: &Server, token: &str, query: &str, count: usize) -> Vec<Value> {
    until(|| Some(search(server, token, query)).filter(|found| found.len() >= count))
}

/// Waits until everything acknowledged has been looked at by the rules.
pub(crate) fn settled(server: &Server, token: &str) -> Value {
    until(|| server.get("/api/v1/ingest/stats", token).ok().filter(|stats| stats["lag_events"] == 0))
}

/// How often each marker `NAME-123;` stands in stored events that hold `name`.
pub(crate) fn markers(server: &Server, token: &str, name: &str) -> BTreeMap<usize, usize> {
    let mut seen = BTreeMap::new();
    for event in search(server, token, &format!("q={name}-")) {
        let raw = event["raw"].as_str().unwrap();
        for piece in raw.split(&format!("{name}-")).skip(1) {
            let number = piece.split(';').next().unwrap().parse().unwrap();
            *seen.entry(number).or_default() += 1;
        }
    }
    seen
}

/// A port of loopback that was free a moment ago, for TCP and for UDP.
pub(crate) fn free_port() -> u16 {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = tcp.local_addr().unwrap().port();
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Whether a program is here; says loudly when a test is skipped for want of it.
pub(crate) fn has(program: &str) -> bool {
    let found = if program.contains('/') {
        Path::new(program).exists()
    } else {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]).any(|dir| dir.join(program).exists())
    };
    if !found {
        eprintln!("SKIPPED: {program} is not installed here");
    }
    found
}

/// What a program writes when it is given `input`.
pub(crate) fn filter(program: &str, args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap().unwrap();
    assert!(output.status.success(), "{program}: {}", output.status);
    output.stdout
}

/// A program that ends with the test.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A configuration file for a server, in a folder of its own.
pub(crate) fn config(dir: &Path, text: &str) -> String {
    let path = dir.join("shieldops.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A path as a TOML string.
pub(crate) fn quoted(path: &Path) -> String {
    serde_json::to_string(path.to_str().unwrap()).unwrap()
}

/// The data shared between projects; says loudly when it is not there.
pub(crate) fn shared() -> Option<PathBuf> {
    let base = std::env::var_os("SHIELDOPS_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let data = base.join("data/detect");
    if data.is_dir() {
        return Some(data);
    }
    eprintln!("SKIPPED: no shared data at {}; set SHIELDOPS_SHARED", data.display());
    None
}

/// A folder of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}
