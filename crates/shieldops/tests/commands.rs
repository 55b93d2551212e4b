//! The commands as others script against them: what is on standard output, and how they exit.

#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub, reason = "tests: a wrong step ends the test")]

#[path = "support/server.rs"]
mod server;

use serde_json::Value;
use server::{Ran, Server};

fn json(ran: &Ran) -> Value {
    assert_eq!(ran.stdout.lines().count(), 1, "JSON is one line: {}", ran.stdout);
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn a_token_stands_alone_on_standard_output_and_works_at_once() {
    let server = Server::start(&[]);
    let ran = server.cli(&["token", "create", "--data-dir", server.data_dir(), "--kind", "personal", "--name", "ci"]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (0, 1), "{}", ran.stderr);
    let me = server.get("/api/v1/me", ran.stdout.trim()).unwrap();
    assert_eq!(me["user"]["name"], "admin");
    let unknown = server.cli(&[
        "token",
        "create",
        "--data-dir",
        server.data_dir(),
        "--kind",
        "personal",
        "--name",
        "ci",
        "--user",
        "nobody",
    ]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (2, ""), "{}", unknown.stderr);
}

#[test]
fn lists_are_tables_for_people_and_one_line_for_programs() {
    let server = Server::start(&[]);
    let token = server.token("personal");
    for noun in ["plan", "action", "incident", "alert"] {
        let ran = server.cli(&[noun, "list", "--server", server.url(), "--token", &token, "--output", "json"]);
        assert_eq!(ran.code, 0, "{noun}: {}", ran.stderr);
        assert_eq!(json(&ran)["items"], Value::Array(Vec::new()), "{noun}");
        assert_eq!(server.cli(&[noun, "list", "--server", server.url(), "--token", &token]).stdout.trim(), "nothing");
    }
    let ran = server.cli(&[
        "rules",
        "list",
        "--limit",
        "300",
        "--server",
        server.url(),
        "--token",
        &token,
        "--output",
        "json",
    ]);
    assert!(json(&ran)["items"].as_array().unwrap().len() >= 60, "{}", ran.stderr);
}

#[test]
fn a_refusal_exits_with_one_and_an_absent_server_with_two() {
    let server = Server::start(&[]);
    let ingest = server.token("ingest");
    let refused = server.cli(&["plan", "list", "--server", server.url(), "--token", &ingest]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("forbidden") && refused.stderr.contains("fix:"), "{}", refused.stderr);
    let absent = server.cli(&[
        "plan",
        "show",
        "pln_01h455vb4pex5vsknk084sn02q",
        "--server",
        server.url(),
        "--token",
        &server.token("personal"),
    ]);
    assert_eq!(absent.code, 1, "{}", absent.stderr);
    assert_eq!(server.cli(&["plan", "list", "--server", "http://127.0.0.1:1", "--token", "x"]).code, 2);
}

#[test]
fn a_plan_of_several_actions_is_made_from_a_file() {
    let server = Server::start(&[]);
    let token = server.token("personal");
    let cli = |args: &[&str]| server.cli(&[args, &["--server", server.url(), "--token", &token]].concat());
    assert_eq!(cli(&["target", "register", "sim/several"]).code, 0);
    let block = |address: &str| serde_json::json!({"capability": "linux.block_ip", "target": {"kind": "linux_host", "name": "sim/several"}, "params": {"address": address}});
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let actions = [block("203.0.113.7"), block("203.0.113.8")];
    std::fs::write(path, serde_json::json!({"actions": actions}).to_string()).unwrap();
    let made = cli(&["plan", "create", "--file", path, "--why", "both of them", "--output", "json"]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let made = json(&made);
    assert_eq!((made["actions"].as_array().unwrap().len(), &made["why"]), (2, &"both of them".into()));
    std::fs::write(path, "[]").unwrap();
    assert_eq!(cli(&["plan", "create", "--file", path]).code, 2);
    assert_eq!(cli(&["plan", "create", "--why", "nothing"]).code, 2);
}

#[test]
fn automation_is_halted_and_resumed() {
    let server = Server::start(&[]);
    let token = server.token("personal");
    for (verb, halted) in [("halt", true), ("status", true), ("resume", false)] {
        let ran = server.cli(&["automation", verb, "--server", server.url(), "--token", &token, "--output", "json"]);
        assert_eq!(json(&ran)["halted"], halted, "{verb}: {}", ran.stderr);
    }
}

#[test]
fn an_export_proves_itself_until_a_byte_of_it_changes() {
    let server = Server::start(&[]);
    let token = server.token("personal");
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let ran = server.cli(&["ledger", "export", "--file", path, "--server", server.url(), "--token", &token]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let sound = server.cli(&["ledger", "verify", path, "--output", "json"]);
    assert_eq!(sound.code, 0, "{}{}", sound.stdout, sound.stderr);
    assert_eq!(json(&sound)["ok"], true);
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let without_second: Vec<&str> =
        lines.iter().enumerate().filter(|(number, _)| *number != 1).map(|(_, line)| *line).collect();
    std::fs::write(path, without_second.join("\n") + "\n").unwrap();
    let tampered = server.cli(&["ledger", "verify", path]);
    assert_eq!(tampered.code, 1, "{}{}", tampered.stdout, tampered.stderr);
    assert!(tampered.stdout.contains("first bad"), "{}", tampered.stdout);
    std::fs::write(path, "no export\n").unwrap();
    assert_eq!(server.cli(&["ledger", "verify", path]).code, 2);
}

#[test]
fn a_configuration_is_checked_as_a_whole() {
    let server = Server::start(&[]);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "listen = \"x\"\n[bus]\nretention_hours = 0\n").unwrap();
    let path = file.path().to_str().unwrap();
    let ran = server.cli(&["config", "check", "--config", path, "--output", "json"]);
    assert_eq!(ran.code, 2);
    assert_eq!(json(&ran)["problems"].as_array().unwrap().len(), 2);
    std::fs::write(file.path(), "listen = \"127.0.0.1:0\"\n").unwrap();
    assert_eq!(server.cli(&["config", "check", "--config", path]).code, 0);
    let shown = server.cli(&["config", "show", "--config", path, "--output", "json"]);
    assert_eq!(json(&shown)["listen"], "127.0.0.1:0");
}

#[test]
fn the_reference_page_is_the_one_in_the_docs() {
    let server = Server::start(&[]);
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/configuration.md");
    let made = server.cli(&["config", "reference"]).stdout;
    assert!(
        std::fs::read_to_string(page).unwrap() == made,
        "run `shieldops config reference > docs/reference/configuration.md`"
    );
}

#[test]
fn the_built_in_rules_pass_their_samples() {
    let server = Server::start(&[]);
    let ran = server.cli(&["rules", "test", "--output", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    assert_eq!(json(&ran)["failed"], 0);
}
