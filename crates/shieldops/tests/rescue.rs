//! A rescue on the real binary: the server is dead, its database is away, and all that it did is taken back, over SSH too.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests: a wrong step ends the test, and a skipped one says so"
)]

#[path = "support/server.rs"]
mod server;
#[path = "../../connectors/tests/it/sshd.rs"]
mod sshd;

use std::{fs, path::Path};

use serde_json::{Value, json};
use server::{Server, until};
use sshd::{Host, OTHER, SSHD, THERE, in_a_namespace, reaches};

const NAME: &str = "ssh/web-1";
const ATTACKER: &str = "203.0.113.66";

/// Where the database lies while the rescue goes on.
struct Away(tempfile::TempDir);

impl Away {
    fn take(data_dir: &str) -> Self {
        let away = Self(tempfile::tempdir().unwrap());
        shift(Path::new(data_dir), away.0.path());
        assert!(!Path::new(data_dir).join("state.db").exists());
        away
    }

    fn give_back(self, data_dir: &str) {
        shift(self.0.path(), Path::new(data_dir));
    }
}

/// Moves the files of the database.
fn shift(from: &Path, to: &Path) {
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        if from.join(name).exists() {
            fs::copy(from.join(name), to.join(name)).unwrap();
            fs::remove_file(from.join(name)).unwrap();
        }
    }
}

/// One plan with these actions, carried out.
fn carried_out(server: &Server, person: &str, actions: &[(&str, Value)]) -> Vec<Value> {
    let target = json!({"kind": "linux_host", "name": NAME});
    let wanted: Vec<Value> = actions
        .iter()
        .map(|(capability, params)| json!({"capability": capability, "target": target, "params": params}))
        .collect();
    let plan = server.post("/api/v1/plans", person, &json!({"actions": wanted})).unwrap();
    let path = format!("/api/v1/plans/{}/execute", plan["id"].as_str().unwrap());
    server.post(&path, person, &json!({})).unwrap_or_else(|error| panic!("{error}: {plan}"));
    // Over SSH a run takes longer than an answer waits for it.
    let shown = || server.get(path.trim_end_matches("/execute"), person).ok();
    let done = until(|| shown().filter(|plan| plan["state"] == "executed"));
    let states = |plan: &Value| plan["actions"].as_array().unwrap().iter().all(|action| action["state"] == "verified");
    assert!(states(&done), "{}: {} {}", done["state"], done["decision"], done["actions"][0]["detail"]);
    done["actions"].as_array().unwrap().clone()
}

fn rescued(server: &Server) -> (i32, Vec<Value>) {
    let dir = server.data_dir();
    let ran = server.cli(&["action", "undo", "--all", "--data-dir", dir, "--reason", "a fire", "--output", "json"]);
    let said: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr));
    (ran.code, said["items"].as_array().unwrap().clone())
}

/// What a rescue would come to, record by record.
fn foreseen(server: &Server) -> Vec<String> {
    let ran =
        server.cli(&["action", "undo", "--all", "--preview", "--data-dir", server.data_dir(), "--output", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let said: Value = serde_json::from_str(&ran.stdout).unwrap();
    said["items"].as_array().unwrap().iter().map(|item| item["prospect"].as_str().unwrap().to_owned()).collect()
}

fn outcomes(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["outcome"].as_str().unwrap()).collect()
}

#[test]
fn a_host_behind_ssh_is_let_go_with_the_server_dead_and_its_database_away() {
    in_a_namespace(|| {
        let host = Host::start();
        let mut server = Server::start(&[]);
        let ann = server.token("personal");
        let ssh = json!({"address": THERE, "port": SSHD, "user": "root", "known_hosts": host.text("host.pub"), "private_key": host.text("key")});
        let row = json!({"kind": "linux_host", "name": NAME, "environment": "staging", "ssh": ssh});
        server.post("/api/v1/targets", &ann, &row).unwrap();
        carried_out(
            &server,
            &ann,
            &[("linux.block_ip", json!({"address": ATTACKER})), ("linux.isolate_host", json!({}))],
        );
        let by_hand = carried_out(&server, &ann, &[("linux.block_ip", json!({"address": "203.0.113.67"}))]);
        assert!(host.ruleset().contains(ATTACKER) && !reaches(OTHER), "{}", host.ruleset());
        assert_eq!(rescue_beside_a_live_server(&server), 1, "the server's own door is for that");

        server.kill();
        // Somebody changed one effect meanwhile: that is theirs now.
        let element = ["nft", "delete", "element", "inet", "shieldops", "blocked_v4", "{ 203.0.113.67 }"];
        host.inside(&element);
        let theirs = ["nft", "add", "element", "inet", "shieldops", "blocked_v4", "{ 203.0.113.67 comment \"ours\" }"];
        host.inside(&theirs);
        let away = Away::take(server.data_dir());
        let (code, lines) = rescued(&server);
        assert_eq!((code, lines.len()), (1, 3), "{lines:?}");
        let of = |outcome: &str| lines.iter().filter(|line| line["outcome"] == outcome).collect::<Vec<_>>();
        assert_eq!(of("undone").len(), 2, "{lines:?}");
        let left = lines.iter().find(|line| line["action"] == by_hand[0]["id"]).unwrap();
        assert_ne!(left["outcome"], "undone", "{left}");
        assert!(host.ruleset().contains("203.0.113.67") && host.ruleset().contains("ours"), "{}", host.ruleset());
        assert!(!host.ruleset().contains(ATTACKER) && reaches(OTHER), "{}", host.ruleset());
        accounted(&mut server, &ann, away, &host);
    });
}

/// Refused: only one of them acts.
fn rescue_beside_a_live_server(server: &Server) -> i32 {
    let ran = server.cli(&["action", "undo", "--all", "--data-dir", server.data_dir()]);
    assert!(ran.stderr.contains("alive"), "{}", ran.stderr);
    for form in ["--plan ID", "ID --all-owners", "--by automation (automation's part of a day alone)", "--by user:ID"] {
        assert!(ran.stderr.contains(form), "{form}: {}", ran.stderr);
    }
    ran.code
}

/// The next start writes down what the rescue did, once, and what was taken back is undone.
fn accounted(server: &mut Server, ann: &str, away: Away, host: &Host) {
    away.give_back(server.data_dir());
    for _start in 0..2 {
        server.restart(&[]);
        let count = |path: &str, wanted: &dyn Fn(&Value) -> bool| {
            let page = server.get(path, ann).unwrap();
            page["items"].as_array().unwrap().iter().filter(|item| wanted(item)).count()
        };
        let rescued = || count("/api/v1/ledger?kind=action.rescued", &|_| true);
        until(|| (rescued() >= 3).then_some(()));
        assert_eq!((rescued(), count("/api/v1/actions", &|action| action["state"] == "undone")), (3, 2));
        server.kill();
    }
    assert!(reaches(OTHER) && reaches(SSHD), "{}", host.ruleset());
}

#[test]
fn a_rescue_of_a_simulated_host_says_what_it_did_and_a_second_one_does_nothing() {
    let mut server = Server::start(&[]);
    let ann = server.token("personal");
    let row = json!({"kind": "linux_host", "name": "sim/web", "environment": "staging"});
    server.post("/api/v1/targets", &ann, &row).unwrap();
    let action = json!({"capability": "linux.block_ip", "target": {"kind": "linux_host", "name": "sim/web"}, "params": {"address": ATTACKER}});
    let plan = server.post("/api/v1/plans", &ann, &json!({"actions": [action]})).unwrap();
    server.post(&format!("/api/v1/plans/{}/execute", plan["id"].as_str().unwrap()), &ann, &json!({})).unwrap();
    let simulated = || fs::read_to_string(Path::new(server.data_dir()).join("sim/web.json")).unwrap();
    assert!(simulated().contains(ATTACKER));
    server.kill();
    let away = Away::take(server.data_dir());
    assert_eq!(foreseen(&server), ["undo"]);
    let simulated = || fs::read_to_string(Path::new(server.data_dir()).join("sim/web.json")).unwrap();
    assert!(simulated().contains(ATTACKER), "a preview touches nothing");
    assert!(!Path::new(server.data_dir()).join("rescue/journal").exists(), "and writes nothing");
    let (code, lines) = rescued(&server);
    assert_eq!((code, outcomes(&lines), &lines[0]["reason"]), (0, vec!["undone"], &json!("a fire")), "{lines:?}");
    let simulated = fs::read_to_string(Path::new(server.data_dir()).join("sim/web.json")).unwrap();
    assert!(!simulated.contains(ATTACKER), "{simulated}");
    let (code, lines) = rescued(&server);
    assert_eq!((code, outcomes(&lines)), (0, vec!["already"]), "{lines:?}");
    assert_eq!(foreseen(&server), ["nothing"]);
    away.give_back(server.data_dir());
    server.restart(&[]);
    until(|| {
        let actions = server.get("/api/v1/actions", &ann).unwrap();
        (actions["items"][0]["state"] == "undone").then_some(())
    });
    let entries = server.get("/api/v1/ledger?kind=action.rescued", &ann).unwrap();
    assert_eq!(entries["items"][0]["payload"]["reason"], "a fire", "{entries}");
}
