//! Audit logs of clouds and identity providers, as their senders post them, through a running server to an alert.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests: a wrong step ends the test, and a skipped one says so"
)]

#[path = "support/feed.rs"]
mod feed;
#[path = "support/server.rs"]
mod server;

use feed::{post, repository, search, settled};
use serde_json::{Value, json};
use server::Server;

/// A rule's folder, the log source of its events, and what the alert must name.
const RULES: [(&str, &str, &[&str]); 9] = [
    ("cloud/aws/cloudtrail_stopped", "aws/cloudtrail", &["ip:198.51.100.23", "user:dana"]),
    ("cloud/azure/diagnostic_setting_deleted", "azure/activitylogs", &["ip:198.51.100.23", "user:dana@corp.example"]),
    ("cloud/gcp/log_sink_deleted", "gcp/gcp.audit", &["ip:198.51.100.23", "user:dana@corp.example"]),
    (
        "identity/entra/global_administrator_added",
        "azure/auditlogs",
        &["ip:198.51.100.23", "user:dana@corp.example", "user:lee@corp.example"],
    ),
    ("identity/entra/risky_sign_in_worked", "azure/signinlogs", &["ip:203.0.113.77", "user:dana@corp.example"]),
    (
        "identity/okta/administrator_role_granted",
        "okta/okta",
        &["ip:198.51.100.23", "user:dana@corp.example", "user:lee@corp.example"],
    ),
    (
        "identity/google_workspace/administrator_role_assigned",
        "gcp/google_workspace.admin",
        &["ip:198.51.100.23", "user:dana@corp.example"],
    ),
    ("kubernetes/cluster_admin_bound", "kubernetes/audit", &["ip:198.51.100.23", "user:dana@corp.example"]),
    ("kubernetes/all_secrets_listed", "kubernetes/audit", &["ip:198.51.100.23", "user:system:serviceaccount:shop:web"]),
];

fn read(folder: &str, file: &str) -> String {
    std::fs::read_to_string(repository("rules").join(folder).join(file)).unwrap()
}

fn rule_id(folder: &str) -> String {
    let text = read(folder, "rule.yml");
    text.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned()
}

/// The first event that must match.
fn event(folder: &str) -> Value {
    serde_json::from_str(read(folder, "match.ndjson").lines().next().unwrap()).unwrap()
}

/// The events as each service hands them over: lists in wrappers, one over several lines, one by one.
fn bodies() -> Vec<String> {
    let [aws, azure, gcp, audit, sign_in, okta, workspace, bound, listed] = RULES.map(|(folder, ..)| event(folder));
    vec![
        json!({"Records": [aws]}).to_string(),
        json!([{"records": [azure, audit]}, {"records": [sign_in]}]).to_string(),
        serde_json::to_string_pretty(&gcp).unwrap(),
        json!({"eventType": "com.okta.event_hook", "cloudEventsVersion": "0.1", "data": {"events": [okta]}})
            .to_string(),
        json!({"kind": "admin#reports#activities", "etag": "x", "items": [workspace]}).to_string(),
        json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": [bound]}).to_string(),
        listed.to_string(),
    ]
}

fn names(entities: &Value) -> Vec<String> {
    let entities = entities.as_array().unwrap();
    entities.iter().map(|entity| format!("{}:{}", entity["kind"], entity["value"]).replace('"', "")).collect()
}

#[test]
fn an_event_of_each_cloud_raises_the_alert_of_its_rule_with_its_entities() {
    let server = Server::start(&[]);
    let (ingest, person) = (server.token("ingest"), server.token("personal"));
    for body in bodies() {
        let answer = post(&server, "/api/v1/events", &ingest, &[("content-type", "application/json")], body.as_bytes());
        assert!(answer.status < 300 && answer.json()["rejected"] == 0, "{} {}", answer.status, answer.text);
    }
    settled(&server, &person);
    assert_eq!(search(&server, &person, "").len(), RULES.len(), "a list is its events");
    for (folder, source, wanted) in RULES {
        let path = format!("/api/v1/alerts?limit=50&rule_id={}", rule_id(folder));
        let alerts = server.get(&path, &person).unwrap()["items"].clone();
        assert_eq!(alerts.as_array().map(Vec::len), Some(1), "{folder} ({source}): {alerts}");
        let have = names(&alerts[0]["entities"]);
        assert!(wanted.iter().all(|name| have.iter().any(|entity| entity == name)), "{folder}: {have:?}");
    }
}

#[test]
fn a_broken_record_of_a_list_is_refused_with_its_place_and_the_others_are_taken() {
    let server = Server::start(&[]);
    let ingest = server.token("ingest");
    let body = json!({"Records": [event("cloud/aws/cloudtrail_stopped"), "not a record"]}).to_string();
    let answer = post(&server, "/api/v1/events", &ingest, &[], body.as_bytes()).json();
    assert_eq!((&answer["accepted"], &answer["rejected"]), (&json!(1), &json!(1)), "{answer}");
    assert!(answer["errors"][0]["detail"].as_str().unwrap().starts_with("Records[2]: "), "{answer}");
}
