//! Tenants that come and go while the server runs, and processes that have not every role.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests: a wrong step ends the test")]

#[path = "support/server.rs"]
mod server;

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use server::{Ran, Server, until};

/// Root from a public address: one line of this is enough for a plan. The host name is looked for after a deletion.
const LINE: &str =
    "Nov 21 10:15:02 zebra-7781 sshd[4211]: Accepted password for root from 203.0.113.66 port 51122 ssh2";

/// A server with a second tenant, and the tokens of its people.
struct Two {
    server: Server,
    operator: String,
    person: String,
    ingest: String,
}

impl Two {
    fn start() -> Self {
        let server = Server::start(&[]);
        let operator = made(&server, &["--kind", "operator", "--name", "operator"]);
        let two = Self { server, operator, person: String::new(), ingest: String::new() };
        two.operate("tenant create acme --name Acme");
        let people = two.server.cli_typed(
            &[
                "user",
                "create",
                "--data-dir",
                two.server.data_dir(),
                "--tenant",
                "acme",
                "--name",
                "ann",
                "--role",
                "admin",
            ],
            "correct horse battery staple\n",
        );
        assert_eq!(people.code, 0, "{}", people.stderr);
        let person = made(&two.server, &["--kind", "personal", "--name", "p", "--tenant", "acme", "--user", "ann"]);
        let ingest = made(&two.server, &["--kind", "ingest", "--name", "i", "--tenant", "acme"]);
        Self { person, ingest, ..two }
    }

    fn operate(&self, line: &str) -> Value {
        self.as_whom(&self.operator, line)
    }

    fn as_whom(&self, token: &str, line: &str) -> Value {
        let mut args: Vec<&str> = line.split(' ').collect();
        args.extend(["--server", self.server.url(), "--token", token, "--output", "json"]);
        let Ran { code, stdout, stderr } = self.server.cli(&args);
        assert_eq!(code, 0, "{line}: {stderr}");
        serde_json::from_str(&stdout).unwrap()
    }

    fn list(&self, path: &str) -> Vec<Value> {
        self.server.get(path, &self.person).unwrap()["items"].as_array().unwrap().clone()
    }
}

fn made(server: &Server, args: &[&str]) -> String {
    let all: Vec<&str> = ["token", "create", "--data-dir", server.data_dir()].iter().chain(args).copied().collect();
    let ran = server.cli(&all);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.stdout.trim().to_owned()
}

#[test]
fn a_tenant_that_is_made_while_the_server_runs_has_its_events_detected() {
    let two = Two::start();
    let sent = two.server.post_text("/api/v1/events", &two.ingest, LINE);
    assert_eq!(sent["accepted"], 1, "{sent}");
    let alert = until(|| two.list("/api/v1/alerts").into_iter().next());
    assert!(alert["entities"].to_string().contains("zebra-7781"), "{alert}");
    until(|| two.list("/api/v1/incidents").into_iter().next());
    let theirs = two.server.get("/api/v1/alerts", &two.operator).unwrap();
    assert_eq!(theirs["items"], json!([]), "the other tenant sees nothing of it");
}

#[test]
fn a_suspended_tenant_is_watched_and_nothing_new_is_planned_until_it_is_resumed() {
    let two = Two::start();
    two.as_whom(&two.person, "target register sim/zebra --host zebra-7781");
    two.operate("tenant suspend acme --reason unpaid");
    let sent = two.server.post_text("/api/v1/events", &two.ingest, LINE);
    assert_eq!(sent["accepted"], 1, "events are durable all the same: {sent}");
    let incident = until(|| two.list("/api/v1/incidents").into_iter().next());
    let revision = format!("/api/v1/incidents/{}/investigation", incident["id"].as_str().unwrap());
    let found = until(|| two.server.get(&revision, &two.person).ok());
    assert!(!found["proposed_plans"].as_array().unwrap().is_empty(), "something would be planned: {found}");
    // Proposals are looked at within two seconds of a revision.
    std::thread::park_timeout(Duration::from_secs(4));
    assert_eq!(two.list("/api/v1/plans"), Vec::<Value>::new());
    two.operate("tenant resume acme --reason paid");
    let plan = until(|| two.list("/api/v1/plans").into_iter().next());
    assert_eq!(plan["requester"], "system:investigation", "{plan}");
}

#[test]
fn a_deleted_tenant_leaves_nothing_but_its_sealed_ledger() {
    let mut two = Two::start();
    two.server.post_text("/api/v1/events", &two.ingest, LINE);
    until(|| two.list("/api/v1/incidents").into_iter().next());
    assert!(!holding(Path::new(two.server.data_dir()), b"zebra-7781").is_empty(), "the marker is somewhere before");
    two.operate("tenant delete acme --reason left --grace 0");
    until(|| two.server.get("/api/v1/tenants/acme", &two.operator).err());
    let refused = two.server.get("/api/v1/alerts", &two.person).unwrap_err();
    assert_eq!(refused["status"], 401, "{refused}");
    two.server.stop();
    assert_eq!(holding(Path::new(two.server.data_dir()), b"zebra-7781"), Vec::<String>::new());
    let sound = two.server.cli(&["ledger", "verify", two.server.data_dir()]);
    assert_eq!(sound.code, 0, "{}{}", sound.stdout, sound.stderr);
}

/// The files under a folder that hold these bytes.
fn holding(dir: &Path, marker: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, marker));
        } else if std::fs::read(&path).unwrap().windows(marker.len()).any(|window| window == marker) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn a_process_answers_for_its_own_roles_only() {
    let mut server = Server::start(&["--roles", "api"]);
    let (ingest, person) = (server.token("ingest"), server.token("personal"));
    let (status, refused) = server.raw("POST", "/api/v1/events", Some(&ingest), Some("{}"));
    assert_eq!((status, refused["code"].as_str()), (421, Some("not_an_ingest_node")), "{refused}");
    let (status, refused) = server.raw("GET", "/api/v1/events", Some(&person), None);
    assert_eq!((status, refused["code"].as_str()), (421, Some("not_an_ingest_node")), "{refused}");
    let plan = json!({"actions": [{"capability": "linux.block_ip", "target": {"kind": "linux_host", "name": "sim/a"}, "params": {"address": "203.0.113.66"}}]});
    let (status, refused) = server.raw("POST", "/api/v1/plans", Some(&person), Some(&plan.to_string()));
    assert_eq!((status, refused["code"].as_str()), (421, Some("role_not_here")), "{refused}");
    assert!(server.get("/api/v1/incidents", &person).is_ok());
    let halted = server.post("/api/v1/automation/halt", &person, &json!({"reason": "drill"})).unwrap();
    assert_eq!(halted["halted"], true, "the switch is at hand in every process: {halted}");
    assert!(!Path::new(server.data_dir()).join("bus").exists(), "no log was made");

    server.stop();
    server.restart(&["--roles", "ingest,detect"]);
    assert_eq!(server.post_text("/api/v1/events", &ingest, LINE)["accepted"], 1);
    let (status, refused) = server.raw("GET", "/api/v1/incidents", Some(&person), None);
    assert_eq!((status, refused["code"].as_str()), (421, Some("role_not_here")), "{refused}");
    assert_eq!(server.raw("GET", "/readyz", None, None).0, 200);
}
