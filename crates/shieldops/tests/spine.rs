//! The whole spine on a real server and real packets: one posted sshd line becomes alert, incident, revision and plan; an
//! approval of something else is refused; approved, a connection that passed before passes no more; undone, it passes
//! again; killed and started again, everything is there; and the ledger proves it, until a row is deleted.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests: a wrong step ends the test, and a skipped one says so"
)]

#[path = "support/lab.rs"]
mod lab;
#[path = "support/server.rs"]
mod server;

use lab::{ATTACKER, Lab};
use serde_json::{Value, json};
use server::{Server, until};

/// Root from a public address: one line of this is enough for a plan.
const LINE: &str = "Nov 21 10:15:02 web-07 sshd[4211]: Accepted password for root from 203.0.113.66 port 51122 ssh2";

/// One line on its way, and the host that it is about: in a network namespace, or simulated where there can be none.
struct Walk {
    server: Server,
    person: String,
    lab: Option<Lab>,
}

#[test]
fn one_attack_is_seen_understood_stopped_undone_and_proven() {
    if lab::ran_inside("one_attack_is_seen_understood_stopped_undone_and_proven") {
        return;
    }
    let server = Server::start(&[]);
    let mut walk = Walk { person: server.token("personal"), server, lab: Lab::make() };
    walk.register();
    let event = walk.post();
    let incident = walk.understood(&event);
    let plan = walk.planned(&incident);
    walk.wrongly_approved(&plan);
    let action = walk.stopped(&plan);
    walk.undone(&action);
    walk.killed(&event, &incident, &plan, &action);
    walk.proven();
}

impl Walk {
    fn get(&self, path: &str) -> Value {
        self.server.get(path, &self.person).unwrap()
    }

    fn items(&self, path: &str) -> Vec<Value> {
        self.get(path)["items"].as_array().unwrap().clone()
    }

    /// The attacker gets through, or does not, and nobody's word is taken for it.
    fn passes(&self, wanted: bool, when: &str) {
        if let Some(lab) = &self.lab {
            assert_eq!(lab.reaches(), wanted, "a packet {when}");
        }
    }

    fn register(&self) {
        let name = self.lab.as_ref().map_or_else(|| "sim/web-07".to_owned(), Lab::target);
        let target = json!({"kind": "linux_host", "name": name, "host": "web-07"});
        let made = self.server.post("/api/v1/targets", &self.person, &target).unwrap();
        assert_eq!(made["simulated"], self.lab.is_none(), "{made}");
        self.passes(true, "before anything happened");
    }

    /// The line is acknowledged, and is found again as it was sent.
    fn post(&self) -> String {
        let sent = self.server.post_text("/api/v1/events", &self.server.token("ingest"), LINE);
        assert_eq!((&sent["accepted"], &sent["rejected"]), (&json!(1), &json!(0)), "{sent}");
        let events = self.items("/api/v1/events");
        assert_eq!((events.len(), &events[0]["raw"]), (1, &json!(LINE)), "{events:?}");
        text(&events[0]["id"])
    }

    /// Its own alerts, and one incident of just these, which has a revision when it is first seen.
    fn understood(&self, event: &str) -> String {
        let found = until(|| Some(self.items("/api/v1/incidents")).filter(|found| !found.is_empty()));
        assert_eq!((found.len(), &found[0]["revision"]), (1, &json!(1)), "{found:?}");
        let incident = text(&found[0]["id"]);
        let revision = self.get(&format!("/api/v1/incidents/{incident}/investigation"));
        assert_eq!(revision["revision"], 1);
        let alerts = self.items("/api/v1/alerts");
        assert!(!alerts.is_empty());
        for alert in &alerts {
            assert_eq!((&alert["event_ids"], &alert["incident_id"]), (&json!([event]), &json!(incident)), "{alert}");
        }
        for hypothesis in revision["hypotheses"].as_array().unwrap() {
            let evidence = hypothesis["evidence"].as_array().unwrap();
            assert!(evidence.iter().all(|evidence| evidence["event_id"] == event), "{hypothesis}");
        }
        assert_eq!(revision["timeline"][0]["event_id"], event, "{revision}");
        incident
    }

    /// By the system and not by a person, against the attacker of that line, on the host that it names.
    fn planned(&self, incident: &str) -> Value {
        let plan = until(|| self.items(&format!("/api/v1/plans?incident_id={incident}")).into_iter().next());
        assert_eq!((&plan["requester"], &plan["state"]), (&json!("system:investigation"), &json!("proposed")));
        assert_eq!(plan["simulated"], self.lab.is_none(), "{plan}");
        assert!(["medium", "high"].contains(&plan["risk"].as_str().unwrap()), "{plan}");
        assert_eq!(plan["actions"].as_array().unwrap().len(), 1, "{plan}");
        let action = &plan["actions"][0];
        assert_eq!((&action["capability"], &action["state"]), (&json!("linux.block_ip"), &json!("planned")));
        assert_eq!(action["params"]["address"], ATTACKER.to_string(), "{action}");
        plan
    }

    fn wrongly_approved(&self, plan: &Value) {
        let path = format!("/api/v1/plans/{}", text(&plan["id"]));
        for wrong in ["0".repeat(64), text(&plan["hash"]).to_uppercase(), String::new()] {
            let refused =
                self.server.post(&format!("{path}/approve"), &self.person, &json!({"hash": wrong})).unwrap_err();
            assert_eq!(refused["code"], "plan_hash_mismatch", "{refused}");
        }
        let after = self.get(&path);
        assert_eq!((&after["state"], &after["approvals"]), (&json!("proposed"), &json!([])), "{after}");
        self.passes(true, "after an approval of something else");
    }

    /// Approved: the packet that passed is stopped.
    fn stopped(&self, plan: &Value) -> String {
        let path = format!("/api/v1/plans/{}/approve", text(&plan["id"]));
        let done = self.server.post(&path, &self.person, &json!({"hash": plan["hash"]})).unwrap();
        assert_eq!(done["state"], "executed", "{done}");
        assert_eq!(done["actions"][0]["state"], "verified", "{done}");
        self.passes(false, "after the approval");
        text(&done["actions"][0]["id"])
    }

    /// Undone: it passes again, and nothing is left behind.
    fn undone(&self, action: &str) {
        let path = format!("/api/v1/actions/{action}/undo");
        let undone = self.server.post(&path, &self.person, &json!({"reason": "proven"})).unwrap();
        assert_eq!(undone["state"], "undone", "{undone}");
        self.passes(true, "after the undo");
        assert!(self.lab.as_ref().is_none_or(Lab::is_clean), "the undo left something");
    }

    /// Killed: the ledger is sound as it lies there. Started again: nothing is lost, and nothing is done again.
    fn killed(&mut self, event: &str, incident: &str, plan: &Value, action: &str) {
        let before = self.get("/api/v1/ingest/stats");
        let entries = self.items("/api/v1/ledger?limit=200");
        self.server.kill();
        self.verify(0);
        self.server.restart(&[]);
        assert_eq!(self.get("/api/v1/ingest/stats")["accepted"], before["accepted"]);
        assert_eq!(self.get(&format!("/api/v1/events/{event}"))["raw"], LINE);
        assert_eq!(self.get(&format!("/api/v1/incidents/{incident}/investigation?revision=1"))["revision"], 1);
        let again = self.get(&format!("/api/v1/plans/{}", text(&plan["id"])));
        assert_eq!((&again["state"], &again["hash"]), (&json!("executed"), &plan["hash"]), "{again}");
        assert_eq!(self.get(&format!("/api/v1/actions/{action}"))["state"], "undone");
        let kept = self.items("/api/v1/ledger?limit=200");
        assert!(entries.iter().all(|entry| kept.contains(entry)), "an entry of before the kill is gone");
        self.passes(true, "after the restart");
    }

    /// Proven with the server stopped; and found out when a row is gone.
    fn proven(&mut self) {
        self.server.stop();
        assert_eq!(self.verify(0)["ok"], true);
        self.server.sql("DELETE FROM ledger_entries WHERE seq = 3");
        let tampered = self.verify(1);
        let bad: Vec<&Value> =
            tampered["logs"].as_array().unwrap().iter().map(|log| &log["first_bad"]["seq"]).collect();
        assert!(bad.contains(&&json!(3)), "the bad entry is named: {tampered}");
    }

    fn verify(&self, code: i32) -> Value {
        let ran = self.server.cli(&["ledger", "verify", self.server.data_dir(), "--output", "json"]);
        assert_eq!(ran.code, code, "{}{}", ran.stdout, ran.stderr);
        serde_json::from_str(&ran.stdout).unwrap()
    }
}

#[test]
fn the_demonstration_stops_a_real_packet_of_its_own_twin() {
    let server = Server::start(&["--demo"]);
    let person = server.token("personal");
    let incident = server.demo_incident(&person);
    let listed = format!("/api/v1/plans?incident_id={incident}");
    let plan = until(|| server.get(&listed, &person).ok()?["items"].as_array()?.first().cloned());
    assert_eq!(plan["demo"], true, "{plan}");
    let path = format!("/api/v1/plans/{}/approve", text(&plan["id"]));
    let done = server.post(&path, &person, &json!({"hash": plan["hash"]})).unwrap();
    let action = &done["actions"][0];
    assert_eq!((&done["state"], &action["state"]), (&json!("executed"), &json!("verified")), "{done}");
    let path = format!("/api/v1/actions/{}/undo", text(&action["id"]));
    let undone = server.post(&path, &person, &json!({"reason": "proven"})).unwrap();
    assert_eq!(undone["state"], "undone", "{undone}");
    let name = if action["simulated"] == true { "sim/demo" } else { "twin/demo" };
    assert_eq!(action["target"]["name"], name, "{action}");
    if action["simulated"] == true {
        eprintln!("SKIPPED: no twin can run here: the demonstration says that it is simulated, and no packet was sent");
    }
    for (moment, result) in [("before", "reachable"), ("after", "refused"), ("after_undo", "reachable")] {
        let proofs = undone["proofs"].as_array().unwrap();
        let proof = proofs.iter().find(|proof| proof["moment"] == moment);
        assert_eq!(proof.unwrap_or_else(|| panic!("no proof {moment}: {undone}"))["result"], result, "{undone}");
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
