//! Orphans on a real server: an effect whose owner is lost is listed, and adopted or undone by plans that another
//! person approves; and a target on which all is undone can be removed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests: a wrong step ends the test")]

#[path = "support/server.rs"]
mod server;

use serde_json::{Value, json};
use server::Server;

const HOST: &str = "sim/orphans";

/// A server on which every owner of a block of this address is lost.
struct Bereft {
    server: Server,
    ann: String,
    bea: String,
    target: String,
}

fn colleague(server: &Server, admin: &str) -> String {
    let user = json!({"name": "bea", "role": "analyst", "password": "another long phrase"});
    server.post("/api/v1/users", admin, &user).unwrap();
    let args =
        ["token", "create", "--data-dir", server.data_dir(), "--kind", "personal", "--name", "t", "--user", "bea"];
    server.cli(&args).stdout.trim().to_owned()
}

fn approved(server: &Server, plan: &Value, by: &str) -> Value {
    let path = format!("/api/v1/plans/{}/approve", plan["id"].as_str().unwrap());
    server.post(&path, by, &json!({"hash": plan["hash"]})).unwrap()
}

impl Bereft {
    fn new() -> Self {
        let mut server = Server::start(&[]);
        let ann = server.token("personal");
        let bea = colleague(&server, &ann);
        let row = server.post("/api/v1/targets", &ann, &json!({"kind": "linux_host", "name": HOST})).unwrap();
        let action = json!({"capability": "linux.block_ip", "target": {"kind": "linux_host", "name": HOST}, "params": {"address": "203.0.113.9"}});
        let plan = server.post("/api/v1/plans", &ann, &json!({"actions": [action]})).unwrap();
        assert_eq!(plan["actions"][0]["control_path"]["at_risk"], false, "{plan}");
        assert_eq!(approved(&server, &plan, &bea)["actions"][0]["state"], "verified");
        server.stop();
        server.sql("DELETE FROM owners");
        server.restart(&[]);
        Self { server, ann, bea, target: row["id"].as_str().unwrap().to_owned() }
    }

    fn orphans(&self) -> Vec<Value> {
        let path = format!("/api/v1/targets/{}/orphans", self.target);
        self.server.get(&path, &self.ann).unwrap()["items"].as_array().unwrap().clone()
    }

    /// The command line, over the API, as the first person.
    fn cli(&self, args: &[&str]) -> Value {
        let all =
            [&["orphan"], args, &["--server", self.server.url(), "--token", &self.ann, "--output", "json"]].concat();
        let ran = self.server.cli(&all);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        serde_json::from_str(&ran.stdout).unwrap()
    }
}

#[test]
fn an_orphan_is_listed_and_undone_and_its_target_can_be_removed() {
    let bereft = Bereft::new();
    let found = bereft.cli(&["list"]);
    let (orphan, listed) = (&found["items"][0], bereft.orphans());
    assert_eq!((listed.len(), &listed[0]["key"]), (1, &json!("203.0.113.9")), "{listed:?}");
    let id = orphan["action_id"].as_str().unwrap();
    let plan = bereft.cli(&["undo", id, "--target", HOST, "--reason", "nobody wants it"]);
    assert_eq!((&plan["state"], &plan["simulated"]), (&json!("proposed"), &json!(true)), "{plan}");
    assert_eq!(bereft.orphans()[0]["plan_id"], plan["id"]);
    let done = approved(&bereft.server, &plan, &bereft.bea);
    assert_eq!(done["actions"][0]["state"], "verified", "{done}");
    assert!(bereft.orphans().is_empty());
    let (status, body) =
        bereft.server.raw("DELETE", &format!("/api/v1/targets/{}", bereft.target), Some(&bereft.ann), None);
    assert_eq!(status, 204, "{body}");
}

#[test]
fn an_orphan_is_adopted_and_then_undone_as_any_action_is() {
    let bereft = Bereft::new();
    let id = bereft.orphans()[0]["action_id"].as_str().unwrap().to_owned();
    let plan = bereft.cli(&["adopt", &id, "--target", HOST, "--reason", "it is still wanted"]);
    let adopted = approved(&bereft.server, &plan, &bereft.bea)["actions"][0].clone();
    assert_eq!((&adopted["state"], &adopted["changed"]), (&json!("verified"), &json!(false)), "{adopted}");
    assert!(bereft.orphans().is_empty());
    let remove = || bereft.server.raw("DELETE", &format!("/api/v1/targets/{}", bereft.target), Some(&bereft.ann), None);
    assert_eq!(remove().0, 409, "an effect on it has an owner");
    let undo = format!("/api/v1/actions/{}/undo", adopted["id"].as_str().unwrap());
    assert_eq!(bereft.server.post(&undo, &bereft.ann, &json!({})).unwrap()["state"], "undone");
    assert_eq!(remove().0, 204);
}

#[test]
fn an_orphan_that_is_not_there_or_has_no_reason_is_refused() {
    let bereft = Bereft::new();
    let seen = bereft.orphans()[0].clone();
    let ask = |key: &Value, reason: &str| {
        let body =
            json!({"capability": seen["capability"], "key": key, "action_id": seen["action_id"], "reason": reason});
        bereft.server.post(&format!("/api/v1/targets/{}/orphans/undo", bereft.target), &bereft.ann, &body).unwrap_err()
    };
    assert_eq!(ask(&json!("203.0.113.10"), "a reason")["code"], "conflict");
    assert_eq!(ask(&seen["key"], "")["code"], "invalid_request");
}
