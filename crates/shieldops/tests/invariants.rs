//! Invariants of the design that no other test of the whole names, each on a real server and named after its number.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests: a wrong step ends the test, and a skipped one says so"
)]

#[path = "invariants/alarms.rs"]
mod alarms;
#[path = "support/clock.rs"]
mod clock;
#[path = "invariants/journey.rs"]
mod journey;
#[path = "invariants/plans.rs"]
mod plans;
#[path = "support/server.rs"]
mod server;
#[path = "invariants/told.rs"]
mod told;

use std::{collections::BTreeMap, path::Path, sync::LazyLock, time::Duration};

use serde_json::{Value, json};
use server::{Server, until};
use shieldops_model::{Clock as _, SystemClock};

/// Yesterday, as `strftime` says it: windows use no time that is much older.
fn yesterday(format: &str) -> String {
    let now = jiff::Timestamp::from_microsecond(SystemClock.now().as_micros()).unwrap();
    (now - Duration::from_hours(24)).strftime(format).to_string()
}

/// Root from a public address: one line of this is an incident.
static LINE: LazyLock<String> = LazyLock::new(|| {
    let day = yesterday("%b %e");
    format!("{day} 10:15:02 web-07 sshd[4211]: Accepted password for root from 203.0.113.66 port 51122 ssh2")
});

fn target(server: &Server, person: &str, name: &str, protected: bool) {
    let body = json!({"kind": "linux_host", "name": name, "protected": protected});
    server.post("/api/v1/targets", person, &body).unwrap();
}

fn block(name: &str, address: &str) -> Value {
    let target = json!({"kind": "linux_host", "name": name});
    json!({"actions": [{"capability": "linux.block_ip", "target": target, "params": {"address": address}}]})
}

/// The bearer of a second person: signs in and makes a token of its own.
fn colleague(server: &Server, admin: &str, name: &str, role: &str) -> String {
    let user = json!({"name": name, "role": role, "password": "another long phrase"});
    server.post("/api/v1/users", admin, &user).unwrap();
    let args =
        ["token", "create", "--data-dir", server.data_dir(), "--kind", "personal", "--name", "t", "--user", name];
    let ran = server.cli(&args);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.stdout.trim().to_owned()
}

fn path(plan: &Value, verb: &str) -> String {
    format!("/api/v1/plans/{}/{verb}", plan["id"].as_str().unwrap())
}

/// Every item of a list, page by page.
fn all(server: &Server, token: &str, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("{path}?limit=200&cursor={cursor}"), token).unwrap();
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => return items,
        }
    }
}

fn processed(server: &Server, token: &str, events: u64) {
    until(|| {
        server.get("/api/v1/ingest/stats", token).ok().filter(|stats| stats["processed"].as_u64() >= Some(events))
    });
}

/// What is blocked on a simulated host, as it lies on disk.
fn simulated(server: &Server, name: &str) -> String {
    std::fs::read_to_string(Path::new(server.data_dir()).join(format!("sim/{name}.json"))).unwrap_or_default()
}

#[test]
fn invariant_13_the_overview_is_what_the_lists_add_up_to() {
    let server = Server::start(&["--demo"]);
    let ann = server.token("personal");
    server.demo_incident(&ann);
    until(|| {
        let before = server.get("/api/v1/overview?hours=168", &ann).unwrap();
        let (alerts, incidents) = (all(&server, &ann, "/api/v1/alerts"), all(&server, &ann, "/api/v1/incidents"));
        let plans = all(&server, &ann, "/api/v1/plans");
        let entries = server.get("/api/v1/ledger?limit=1", &ann).unwrap();
        // Compared only when nothing changed meanwhile.
        if before["activity"][0]["seq"] != entries["items"][0]["seq"] || plans.is_empty() {
            return None;
        }
        let open = |item: &&Value| item["status"] == "new" || item["status"] == "in_progress";
        let mut severities: BTreeMap<&str, u64> = BTreeMap::new();
        for alert in alerts.iter().filter(open) {
            *severities.entry(alert["severity"].as_str().unwrap()).or_default() += 1;
        }
        for (severity, count) in before["alerts"]["by_severity"].as_object().unwrap() {
            assert_eq!(count.as_u64().unwrap(), severities.get(severity.as_str()).copied().unwrap_or(0), "{severity}");
        }
        assert_eq!(before["alerts"]["total"], alerts.len());
        assert_eq!(before["alerts"]["open"], alerts.iter().filter(open).count());
        assert_eq!(before["incidents"]["total"], incidents.len());
        let waiting = plans.iter().filter(|plan| plan["state"] == "proposed").count();
        assert_eq!(before["plans"]["waiting_count"], waiting);
        let sum = |bucket: &Value| bucket.as_object().unwrap().values().filter_map(Value::as_u64).sum::<u64>();
        let charted: u64 = before["alert_series"].as_array().unwrap().iter().map(sum).sum();
        assert_eq!(charted, u64::try_from(alerts.len()).unwrap());
        Some(())
    });
}

#[test]
fn invariant_15_every_list_has_one_shape_and_keeps_its_limit() {
    let server = Server::start(&["--demo"]);
    let (ann, operator) = (server.token("personal"), server.token("operator"));
    let incident = server.demo_incident(&ann);
    let targets = server.get("/api/v1/targets", &ann).unwrap();
    let target = targets["items"][0]["id"].as_str().unwrap();
    let actions = until(|| server.get("/api/v1/actions", &ann).ok().filter(|page| page["items"][0].is_object()));
    let action = actions["items"][0]["id"].as_str().unwrap();
    let text = "title: One's own\nid: 5f0f1a52-1f0e-4c39-9a9c-0d5a3f6f3b11\nlevel: low\nlogsource: {product: linux}\n\
        detection:\n  one: {user: root}\n  condition: one\n";
    let rule = server.post("/api/v1/rules", &ann, &json!({"text": text, "match": [], "miss": []})).unwrap();
    let rule = rule["id"].as_str().unwrap();
    server.post("/api/v1/value-lists", &ann, &json!({"name": "admins", "values": ["root"]})).unwrap();
    let pipeline = json!({"name": "admins", "text": "name: none\ntransformations: []\n"});
    server.post("/api/v1/pipelines", &ann, &pipeline).unwrap();
    let description = server.get("/api/v1/openapi.json", "").unwrap();
    let mut lists = 0;
    for (path, item) in description["paths"].as_object().unwrap() {
        let Some(name) = item["get"]["operationId"].as_str().filter(|name| name.starts_with("list_")) else { continue };
        let id = match path.split('/').nth(3) {
            Some("targets") => target,
            Some("rules") => rule,
            Some("actions") => action,
            _ => &incident,
        };
        let path = path.replace("{id}", id).replace("{name}", "admins");
        let who = if name == "list_tenants" || name == "list_installation_ledger" { &operator } else { &ann };
        let more = if name == "list_indicators" { "&value=192.0.2.1" } else { "" };
        let page = server.get(&format!("{path}?limit=1{more}"), who).unwrap();
        let items = page["items"].as_array().unwrap_or_else(|| panic!("{name}: {page}"));
        assert!(items.len() <= 1, "{name} gave {} items", items.len());
        assert!(page.as_object().unwrap().contains_key("next_cursor"), "{name}: {page}");
        assert!(page["next_cursor"].is_string() || page["next_cursor"].is_null(), "{name}: {page}");
        let refused = server.get(&format!("{path}?limit=201"), who).unwrap_err();
        assert_eq!(refused["code"], "invalid_request", "{name}");
        lists += 1;
    }
    assert!(lists >= 20, "only {lists} lists");
}

#[test]
fn several_values_between_commas_are_any_of_them_and_an_empty_filter_is_none() {
    let server = Server::start(&[]);
    let (ann, ingest) = (server.token("personal"), server.token("ingest"));
    server.post_text("/api/v1/events", &ingest, &LINE);
    until(|| Some(all(&server, &ann, "/api/v1/incidents")).filter(|incidents| !incidents.is_empty()));
    let found = |query: &str| server.get(query, &ann).unwrap()["items"].as_array().unwrap().len();
    let every = "informational,low,medium,high,critical";
    assert!(found("/api/v1/alerts?status=new,in_progress") > 0);
    assert_eq!(found(&format!("/api/v1/alerts?severity={every}")), found("/api/v1/alerts?severity=&q="));
    assert_eq!(found("/api/v1/alerts?status=resolved,suppressed"), 0);
    assert_eq!(found(&format!("/api/v1/incidents?severity={every}&status=new,in_progress")), 1);
    for wrong in [
        "/api/v1/alerts?status=nope",
        "/api/v1/alerts?severity=high,nope",
        "/api/v1/plans?state=x",
        "/api/v1/actions?state=verified,x",
    ] {
        assert_eq!(server.get(wrong, &ann).unwrap_err()["code"], "invalid_request", "{wrong}");
    }
}

#[test]
fn a_flood_of_refusals_is_one_entry_of_the_ledger() {
    let mut server = Server::start(&[]);
    let (ann, operator) = (server.token("personal"), server.token("operator"));
    let ingest = server.token("ingest");
    for _ in 0..50 {
        assert_eq!(server.get("/api/v1/alerts", &ingest).unwrap_err()["code"], "forbidden");
        assert_eq!(server.get("/api/v1/alerts", "nobody").unwrap_err()["code"], "unauthenticated");
    }
    server.stop();
    server.restart(&[]);
    // Nobody's refusals are no tenant's.
    for (path, who, whose) in
        [("/api/v1/ledger", &ann, "tok_"), ("/api/v1/installation/ledger", &operator, "anonymous")]
    {
        let entries = server.get(&format!("{path}?kind=access.denied"), who).unwrap();
        let entries = entries["items"].as_array().unwrap();
        assert!((1..=2).contains(&entries.len()), "one, or two where a minute ended: {entries:?}");
        let times: u64 = entries.iter().filter_map(|entry| entry["payload"]["times"].as_u64()).sum();
        assert_eq!(times, 50, "{entries:?}");
        let text = json!(entries).to_string();
        assert!(text.contains("GET /api/v1/alerts") && text.contains(whose), "{text}");
    }
}

#[test]
fn one_event_that_cannot_be_processed_holds_up_no_other() {
    let server = Server::start(&[]);
    let (ann, ingest) = (server.token("personal"), server.token("ingest"));
    server.sql("CREATE TRIGGER poison BEFORE INSERT ON alert_entities WHEN NEW.value='203.0.113.77' BEGIN SELECT RAISE(ABORT, 'poison'); END");
    let line = |last: usize| LINE.replace("203.0.113.66", &format!("203.0.113.{last}"));
    let body = (70..86).map(line).collect::<Vec<_>>().join("\n");
    assert_eq!(server.post_text("/api/v1/events", &ingest, &body)["accepted"], 16);
    processed(&server, &ann, 16);
    let letters = server.get("/api/v1/dead-letters", &ann).unwrap();
    let letters = letters["items"].as_array().unwrap();
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!((&letters[0]["code"], &letters[0]["stage"]), (&json!("unprocessable"), &json!("detect")));
    assert!(letters[0]["sample"].as_str().unwrap().contains("203.0.113.77"));
    for address in (70..86).filter(|address| *address != 77) {
        let found = server.get(&format!("/api/v1/alerts?entity=ip:203.0.113.{address}"), &ann).unwrap();
        assert!(!found["items"].as_array().unwrap().is_empty(), "203.0.113.{address} raised its alert");
    }
    let entries = server.get("/api/v1/ledger?kind=event.unprocessable", &ann).unwrap();
    assert_eq!(entries["items"].as_array().unwrap().len(), 1, "{entries}");
}
