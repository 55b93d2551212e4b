//! The whole spine on a real server and a real packet: a posted sshd line becomes alert, incident, revision and plan; the
//! plan is approved and a connection that passed before is refused; undone, it passes again; killed and started again,
//! everything is there; and the ledger proves it, until a row is deleted.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests: a wrong step ends the test")]

#[path = "support/server.rs"]
mod server;

use std::time::Duration;

use serde_json::{Value, json};
use server::{Server, until};

const WAIT: Duration = Duration::from_secs(20);

/// Root from a public address: one line of this is enough for a plan.
const LINE: &str = "Nov 21 10:15:02 web-07 sshd[4211]: Accepted password for root from 203.0.113.66 port 51122 ssh2";

#[test]
fn one_attack_is_seen_understood_stopped_undone_and_proven() {
    let mut server = Server::start(&["--demo"]);
    let ingest = server.token("ingest");
    let person = server.token("personal");
    let incident = server.demo_incident(&person);

    // A line of our own is acknowledged, and joins what is known.
    let sent = server.post_text("/api/v1/events", &ingest, LINE);
    assert_eq!(sent["accepted"], 1, "{sent}");
    until(WAIT, || server.get("/api/v1/ingest/stats", &person).ok().filter(|stats| stats["lag_events"] == 0));
    let alerts = server.get("/api/v1/alerts?limit=200", &person).unwrap();
    assert!(
        alerts["items"].as_array().unwrap().iter().any(|alert| text(&alert["entities"]).contains("web-07")),
        "the posted line raised an alert"
    );

    // Investigated and planned, by the system and not by a person.
    let revision = server.get(&format!("/api/v1/incidents/{incident}/investigation"), &person).unwrap();
    assert!(revision["revision"].as_u64().unwrap() >= 1);
    let plan = until(WAIT, || first(&server.get(&format!("/api/v1/plans?incident_id={incident}"), &person).ok()?));
    assert_eq!(plan["requester"], "system:investigation");
    assert_eq!(plan["state"], "proposed");
    assert!(["medium", "high"].contains(&plan["risk"].as_str().unwrap()), "{plan}");
    let (id, hash) = (plan["id"].as_str().unwrap().to_owned(), plan["hash"].as_str().unwrap().to_owned());

    // An approval of something else is refused.
    let wrong = server.post(&format!("/api/v1/plans/{id}/approve"), &person, &json!({"hash": "0".repeat(64)}));
    assert_eq!(wrong.unwrap_err()["code"], "plan_hash_mismatch");

    // Approved: the packet that passed is refused.
    let done = server.post(&format!("/api/v1/plans/{id}/approve"), &person, &json!({"hash": hash})).unwrap();
    assert_eq!(done["state"], "executed", "{done}");
    let action = done["actions"][0].clone();
    assert_eq!(action["state"], "verified", "{action}");
    if action["simulated"] == false {
        assert_eq!(probe(&action, "before"), "reachable", "{action}");
        assert_eq!(probe(&action, "after"), "refused", "{action}");
    }
    let action_id = action["id"].as_str().unwrap().to_owned();

    // Undone: it passes again.
    let undone =
        server.post(&format!("/api/v1/actions/{action_id}/undo"), &person, &json!({"reason": "proven"})).unwrap();
    assert_eq!(undone["state"], "undone", "{undone}");
    if action["simulated"] == false {
        assert_eq!(probe(&undone, "after_undo"), "reachable", "{undone}");
    }

    // Killed and started again: nothing is lost.
    let before = server.get("/api/v1/ingest/stats", &person).unwrap();
    server.kill();
    server.restart(&["--demo"]);
    let after = server.get("/api/v1/ingest/stats", &person).unwrap();
    assert_eq!(after["accepted"], before["accepted"]);
    let again = server.get(&format!("/api/v1/actions/{action_id}"), &person).unwrap();
    assert_eq!(again["state"], "undone");

    // Proven with the server stopped; and found out when a row is gone.
    server.stop();
    let sound = server.cli(&["ledger", "verify", server.data_dir(), "--output", "json"]);
    assert_eq!(sound.code, 0, "{}{}", sound.stdout, sound.stderr);
    server.sql("DELETE FROM ledger_entries WHERE seq = 3");
    let tampered = server.cli(&["ledger", "verify", server.data_dir(), "--output", "json"]);
    assert_eq!(tampered.code, 1, "{}{}", tampered.stdout, tampered.stderr);
    assert!(tampered.stdout.contains('3'), "the bad entry is named: {}", tampered.stdout);
}

fn text(value: &Value) -> String {
    value.to_string()
}

fn first(list: &Value) -> Option<Value> {
    list["items"].as_array()?.first().cloned()
}

fn probe(action: &Value, moment: &str) -> String {
    let proofs = action["proofs"].as_array().cloned().unwrap_or_default();
    proofs
        .iter()
        .find(|proof| proof["moment"] == moment)
        .map_or_else(|| "none".to_owned(), |proof| proof["result"].as_str().unwrap_or_default().to_owned())
}
