//! Two tenants with something of everything in them. Each thing of the first has a marker in its name or text.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::{
    server::until,
    site::{Caller, Org, Site, attack},
};

pub(crate) const MARKER: &str = "qx7markz";

/// A tenant with people and things.
pub(crate) struct Filled {
    pub(crate) org: Org,
    /// By role, and the key.
    pub(crate) callers: Vec<(&'static str, Caller)>,
}

/// How much of everything.
pub(crate) struct Amount {
    pub(crate) incidents: usize,
    pub(crate) machines: usize,
}

pub(crate) fn fill(site: &Site, org: Org, mark: &str, amount: &Amount) -> Filled {
    let second = org.member(&format!("{mark}-second"), "admin");
    events(&org, mark, amount.incidents);
    stories(&org, &second, mark);
    limits(&org, &second, mark);
    targets(&org, &second, mark, amount);
    gate(&org, mark);
    policies(&org, mark);
    detection(&org, mark);
    evidence(&org, mark);
    machines(&org, mark, amount.machines);
    let callers = callers(&org, mark);
    settings(&org);
    assert_eq!(site.operator.get(&format!("/api/v1/tenants/{}", org.slug))["slug"], json!(org.slug));
    Filled { org, callers }
}

/// Alerts and incidents, and lines that are none.
fn events(org: &Org, mark: &str, incidents: usize) {
    let shipper = org.shipper(&format!("{mark}-shipper"));
    let lines: Vec<String> = (0..incidents).map(|n| attack(&format!("{mark}-host-{n}"), n + 1)).collect();
    assert_eq!(shipper.send_lines(&lines.join("\n"))["accepted"], json!(incidents));
    let broken = format!("{{\"message\": \"{mark} fine\"}}\n{{{mark} broken\n");
    shipper.bytes("POST", "/api/v1/events", &[], "application/x-ndjson", broken.as_bytes()).ok();
    until(|| {
        let found = org.admin.items("/api/v1/incidents?limit=200");
        let known = |incident: &Value| !incident["revision"].is_null();
        (found.len() >= incidents && found.iter().all(known)).then_some(())
    });
    until(|| (!org.admin.items("/api/v1/dead-letters").is_empty()).then_some(()));
}

/// What people write about alerts and incidents.
fn stories(org: &Org, second: &Caller, mark: &str) {
    for incident in org.admin.items("/api/v1/incidents?limit=4") {
        let path = format!("/api/v1/incidents/{}", text(&incident["id"]));
        org.admin.post(&format!("{path}/notes"), &json!({"text": format!("{mark} was seen")}));
        let judged = json!({"verdict": "true_positive", "reason": format!("{mark} is real")});
        second.call("POST", &format!("{path}/verdict"), Some(&judged)).ok();
    }
    let ids: Vec<Value> = org.admin.items("/api/v1/alerts?limit=3").iter().map(|alert| alert["id"].clone()).collect();
    let bulk = json!({"ids": ids, "status": "in_progress", "reason": format!("{mark} bulk")});
    org.admin.post("/api/v1/alerts/bulk", &bulk);
}

/// Targets with plans: one waits, one is rejected, the others are carried out and one of these undone.
fn targets(org: &Org, second: &Caller, mark: &str, amount: &Amount) {
    for number in 0..amount.machines {
        let name = format!("sim/{mark}-{number}");
        org.admin.post("/api/v1/targets", &json!({"kind": "linux_host", "name": name, "owner": mark}));
        let action = json!({"capability": "linux.block_ip", "target": {"kind": "linux_host", "name": name}, "params": {"address": format!("203.0.113.{}", number + 1)}});
        let plan = org.admin.post("/api/v1/plans", &json!({"actions": [action], "title": format!("{mark} plan")}));
        let path = format!("/api/v1/plans/{}", text(&plan["id"]));
        match number {
            0 => {}
            1 => drop(second.post(&format!("{path}/reject"), &json!({"reason": format!("{mark} no")}))),
            _ => {
                let done = second.post(&format!("{path}/approve"), &json!({"hash": plan["hash"]}));
                let action = text(&done["actions"][0]["id"]);
                if number == 2 {
                    org.admin
                        .post(&format!("/api/v1/actions/{action}/undo"), &json!({"reason": format!("{mark} back")}));
                }
            }
        }
    }
}

/// Settings of the gate in two versions: room for everything that is done here, and a protected user.
fn limits(org: &Org, second: &Caller, mark: &str) {
    let mut wide = org.admin.get("/api/v1/gate-settings")["settings"].clone();
    for name in ["resources_per_hour", "per_minute", "per_hour", "per_team_hour"] {
        wide["numbers"]["limits"]["production"][name] = 1_000.into();
    }
    let mut safe = wide.clone();
    safe["protected"] = json!([{"kind": "user", "value": format!("{mark}-user"), "why": format!("{mark} is ours")}]);
    for settings in [wide, safe] {
        let text = json!({"settings": settings, "reason": format!("{mark} needs it")});
        let made = org.admin.call("PUT", "/api/v1/gate-settings", Some(&text)).ok();
        let path = format!("/api/v1/gate-settings/versions/{}/activate", made["number"]);
        second.post(&path, &json!({"reason": format!("{mark} agrees")}));
    }
}

/// A change that waits for a second person, and a standing grant.
fn gate(org: &Org, mark: &str) {
    let machine = org.admin.items("/api/v1/targets?limit=1").remove(0);
    let lower = json!({"criticality": "low", "reason": format!("{mark} is small")});
    org.admin.call("PATCH", &format!("/api/v1/targets/{}", text(&machine["id"])), Some(&lower)).ok();
    let grant = json!({
        "capability": "linux.block_ip", "environment": "production", "targets": [machine["id"]], "until": in_a_week(),
        "reason": format!("{mark} night"),
    });
    org.admin.post("/api/v1/standing-grants", &grant);
}

/// A version of policies of one's own, and a replay of it.
fn policies(org: &Org, mark: &str) {
    let rego = format!("package tenant.{mark}\n\ndeny contains \"{mark} is shut\" if input.drifted\n");
    let files = json!([{"path": format!("{mark}.rego"), "text": rego}]);
    let made =
        org.admin.post("/api/v1/policies/versions", &json!({"files": files, "reason": format!("{mark} nights")}));
    let job = org.admin.post("/api/v1/policies/replays", &json!({"version": made["number"]}));
    let path = format!("/api/v1/policies/replays/{}", text(&job["id"]));
    until(|| (org.admin.get(&path)["state"] == "done").then_some(()));
}

/// The id of the rule of a tenant's own that was filled with this mark.
pub(crate) fn rule_id(mark: &str) -> String {
    let last = if mark == MARKER { 2 } else { 1 };
    format!("5a000000-0000-4000-8000-0000000000f{last}")
}

/// The name of its list of values and of its pipeline.
pub(crate) fn named(mark: &str) -> String {
    format!("{mark}-words")
}

/// A rule with a sample and a backtest, an exception of it, a list of values, a pipeline, a list of indicators.
fn detection(org: &Org, mark: &str) {
    let rule = rule_id(mark);
    let sigma = format!(
        "title: {mark} rule\nid: {rule}\nstatus: test\nlevel: medium\nlogsource:\n  product: linux\n  service: sshd\ndetection:\n  selection:\n    message|contains: {mark}never\n  condition: selection\n"
    );
    org.admin.post("/api/v1/rules", &json!({"text": sigma, "note": format!("{mark} first")}));
    let backtest =
        org.admin.call("POST", &format!("/api/v1/rules/{rule}/backtest"), Some(&json!({"from": a_day_ago()})));
    assert_eq!(backtest.status, 202, "{}", backtest.text);
    let job = backtest.header("location").unwrap().to_owned();
    until(|| (org.admin.get(&job)["state"] != "running").then_some(()));
    let filter = format!(
        "title: {mark} backups\nlogsource:\n  product: linux\n  service: sshd\nfilter:\n  rules: [{rule}]\n  known:\n    message|contains: {mark}backup\n  condition: not known\n"
    );
    let excepted =
        json!({"filter": filter, "owner": mark, "reason": format!("{mark} nightly"), "expires_at": in_a_week()});
    org.admin.post("/api/v1/exceptions", &excepted);
    let values = json!({"name": named(mark), "values": [format!("{mark}-value")], "note": format!("{mark} values")});
    org.admin.post("/api/v1/value-lists", &values);
    let shaped =
        "name: own\npriority: 10\ntransformations:\n  - type: field_name_mapping\n    mapping:\n      body: message\n";
    org.admin.post("/api/v1/pipelines", &json!({"name": named(mark), "text": shaped}));
    let list = org.admin.post(
        "/api/v1/indicators/lists",
        &json!({"name": format!("{mark} list"), "source": format!("https://{mark}.example")}),
    );
    let list = format!("/api/v1/indicators/lists/{}", text(&list["id"]));
    let entries = format!("{mark}.example.test\n198.51.100.7\n");
    org.admin
        .bytes("POST", &format!("{list}/import"), &[("idempotency-key", mark)], "text/plain", entries.as_bytes())
        .ok();
    until(|| (org.admin.get(&list)["state"] == "in_use").then_some(()));
}

/// An action that collected something.
fn evidence(org: &Org, mark: &str) {
    let target = json!({"kind": "linux_host", "name": format!("sim/{mark}-0")});
    let action = json!({"capability": "linux.collect_evidence", "target": target, "params": {}});
    let plan = org.admin.post("/api/v1/plans", &json!({"actions": [action], "title": format!("{mark} evidence")}));
    let path = format!("/api/v1/plans/{}", text(&plan["id"]));
    if plan["state"] == "proposed" {
        org.admin.post(&format!("{path}/execute"), &json!({}));
    }
    let done = until(|| Some(org.admin.get(&path)).filter(|plan| plan["state"] == "executed"));
    let collected = format!("/api/v1/actions/{}/evidence", text(&done["actions"][0]["id"]));
    assert!(!org.admin.items(&collected).is_empty(), "{done}");
}

/// Roles, keys, tokens, links, grants.
fn machines(org: &Org, mark: &str, count: usize) {
    for number in 0..count {
        let role = json!({"name": format!("{mark}-role-{number}"), "permissions": ["alert.read", "incident.read"]});
        org.admin.post("/api/v1/roles", &role);
        org.key(&format!("{mark}-key-{number}"), &["alert.read"]);
        Org::token_of(&org.admin, &format!("{mark}-token-{number}"));
        let invited = json!({"name": format!("{mark}-guest-{number}"), "role": "viewer"});
        org.admin.post("/api/v1/invitations", &invited);
        let grant = json!({"role": "viewer", "reason": format!("{mark} look"), "expires_at": in_a_week()});
        org.admin.post("/api/v1/grants", &grant);
    }
}

/// A time that a grant may end at, in the clock of this machine.
pub(crate) fn in_a_week() -> String {
    from_now("+7 days")
}

fn a_day_ago() -> String {
    from_now("-1 day")
}

fn from_now(span: &str) -> String {
    let made = std::process::Command::new("date").args(["-u", "-d", span, "+%Y-%m-%dT%H:%M:%SZ"]).output().unwrap();
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

fn callers(org: &Org, mark: &str) -> Vec<(&'static str, Caller)> {
    let everything: Vec<String> = org
        .admin
        .items("/api/v1/me/permissions")
        .iter()
        .filter(|decision| decision["allowed"] == true)
        .map(|decision| text(&decision["permission"]))
        .collect();
    let everything: Vec<&str> =
        everything.iter().map(String::as_str).filter(|name| !name.starts_with("tenant.")).collect();
    let mut callers = vec![("admin", org.admin.clone())];
    for role in ["analyst", "viewer", "auditor"] {
        callers.push((role, org.member(&format!("{mark}-{role}"), role)));
    }
    callers.push(("key", org.key(&format!("{mark}-everything"), &everything)));
    callers
}

fn settings(org: &Org) {
    for minutes in [45, 50] {
        org.admin.call("PUT", "/api/v1/settings", Some(&json!({"session_idle_minutes": minutes}))).ok();
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Ids by prefix in everything that a caller can read.
pub(crate) type Ids = BTreeMap<String, BTreeSet<String>>;

/// Every id in a text.
pub(crate) fn ids_in(text: &str, into: &mut Ids) {
    for word in text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_') {
        if is_id(word) {
            into.entry(word.get(..3).unwrap().to_owned()).or_default().insert(word.to_owned());
        }
    }
}

pub(crate) fn is_id(word: &str) -> bool {
    let bytes = word.as_bytes();
    bytes.len() == 30
        && bytes[..3].iter().all(u8::is_ascii_lowercase)
        && bytes[3] == b'_'
        && bytes[4..].iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
}

/// Lists that everybody has.
pub(crate) const LISTS: [&str; 29] = [
    "alerts",
    "incidents",
    "events",
    "plans",
    "actions",
    "targets",
    "tokens",
    "users",
    "ledger",
    "dead-letters",
    "roles",
    "keys",
    "grants",
    "invitations",
    "jobs",
    "settings/versions",
    "gate-settings/versions",
    "gate-changes",
    "policies/versions",
    "policies/replays",
    "standing-grants",
    "sessions?all=true",
    "sessions",
    "grants?held=true",
    "exceptions",
    "value-lists",
    "pipelines",
    "indicators/lists",
    "indicators/hits",
];

/// What an administrator finds in its lists and behind them.
pub(crate) fn harvest(caller: &Caller) -> Ids {
    let mut ids = Ids::new();
    for list in LISTS {
        let joint = if list.contains('?') { '&' } else { '?' };
        ids_in(&caller.call("GET", &format!("/api/v1/{list}{joint}limit=200"), None).text, &mut ids);
    }
    let incidents: Vec<String> = ids.get("inc").into_iter().flatten().take(6).cloned().collect();
    for incident in incidents {
        for part in ["notes", "investigation", "ledger"] {
            ids_in(&caller.call("GET", &format!("/api/v1/incidents/{incident}/{part}"), None).text, &mut ids);
        }
    }
    ids
}
