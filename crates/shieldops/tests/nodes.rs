//! One installation in several processes on one PostgreSQL: what is revoked on one node is refused by another on the very
//! next request, a change on one is told to listeners on the other, and work goes on when its node is killed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests: a wrong step ends the test, and a skipped one says so"
)]

#[path = "support/live.rs"]
mod live;
#[path = "support/pg.rs"]
mod pg;
#[path = "support/server.rs"]
mod server;
#[path = "support/site.rs"]
mod site;

use live::Live;
use pg::Database;
use serde_json::{Value, json};
use server::{PATIENCE, Server, until};
use site::{Caller, Org, PASSWORD, Reply, Site, attack};

/// Two nodes for people, and one for everything else.
struct Nodes {
    one: Site,
    two: Server,
    worker: Server,
    org: Org,
    keys: tempfile::TempDir,
    database: Database,
}

impl Nodes {
    fn start() -> Option<Self> {
        Self::start_with("ingest,detect,respond")
    }

    /// The third node has these roles.
    fn start_with(roles: &str) -> Option<Self> {
        let database = Database::new()?;
        let keys = tempfile::tempdir().unwrap();
        let env = environment(&database, &keys);
        let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let worker = Server::start_with(&["--roles", roles], &env);
        let one = Site::start_with(&["--roles", "api"], &env);
        let two = Server::start_with(&["--roles", "api"], &env);
        let org = one.tenant("spread", "Spread", None);
        Some(Self { one, two, worker, org, keys, database })
    }

    /// The same caller at the second node.
    fn there(&self, caller: &Caller) -> Caller {
        caller.at(self.two.url())
    }

    /// Works there; is revoked here; is refused there by the very next request.
    #[track_caller]
    fn revoked(what: &str, there: &Caller, ask: impl Fn(&Caller) -> Reply, revoke: impl Fn(), wanted: &[u16]) {
        let before = ask(there);
        assert!((200..300).contains(&before.status), "{what}: {} {}", before.status, before.text);
        revoke();
        let after = ask(there);
        assert!(wanted.contains(&after.status), "{what}: {} {}", after.status, after.text);
    }
}

fn environment(database: &Database, keys: &tempfile::TempDir) -> Vec<(&'static str, String)> {
    vec![
        ("SHIELDOPS_DATABASE__URL", database.url.clone()),
        ("SHIELDOPS_KEYS__DIR", keys.path().to_str().unwrap().to_owned()),
        ("SHIELDOPS_LIMITS__ENABLED", "false".to_owned()),
    ]
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn reads(caller: &Caller) -> Reply {
    caller.call("GET", "/api/v1/alerts", None)
}

#[test]
fn what_is_revoked_on_one_node_is_refused_on_another_by_the_next_request() {
    let Some(nodes) = Nodes::start() else { return };
    credentials(&nodes);
    memberships(&nodes);
    grants(&nodes);
}

fn credentials(nodes: &Nodes) {
    let admin = &nodes.org.admin;
    let second = Caller::session(nodes.one.url(), &nodes.one.sign_in("spread-admin", PASSWORD));
    let sessions = admin.items("/api/v1/sessions");
    let mut open: Vec<String> = sessions.iter().map(|session| text(&session["id"])).collect();
    let there = nodes.there(&second);
    let sign_out = || {
        let reply = second.call("DELETE", "/api/v1/session", None);
        assert_eq!(reply.status, 204, "{}", reply.text);
    };
    Nodes::revoked("a session that signs out", &there, reads, sign_out, &[401]);
    let third = Caller::session(nodes.one.url(), &nodes.one.sign_in("spread-admin", PASSWORD));
    let newest =
        admin.items("/api/v1/sessions").iter().map(|session| text(&session["id"])).find(|id| !open.contains(id));
    open.extend(newest.clone());
    let end = || drop(admin.call("DELETE", &format!("/api/v1/sessions/{}", newest.as_ref().unwrap()), None).ok());
    Nodes::revoked("a session that is ended", &nodes.there(&third), reads, end, &[401]);

    let (id, token) = Org::token_of(admin, "away");
    let revoke = || drop(admin.call("DELETE", &format!("/api/v1/tokens/{id}"), None).ok());
    Nodes::revoked("a token", &nodes.there(&token), reads, revoke, &[401]);

    let key = nodes.org.key("robot", &["alert.read"]);
    let id = text(&admin.items("/api/v1/keys")[0]["id"]);
    let revoke = || drop(admin.call("DELETE", &format!("/api/v1/keys/{id}"), None).ok());
    Nodes::revoked("a key", &nodes.there(&key), reads, revoke, &[401]);
}

fn memberships(nodes: &Nodes) {
    let admin = &nodes.org.admin;
    let id = |caller: &Caller| text(&caller.get("/api/v1/me")["user"]["id"]);
    let writes = |caller: &Caller| {
        let body = json!({"ids": ["alt_01h455vb4pex5vsknk084sn02q"], "status": "in_progress", "reason": "a look"});
        caller.call("POST", "/api/v1/alerts/bulk", Some(&body))
    };
    let change =
        |user: &str, patch: Value| drop(admin.call("PATCH", &format!("/api/v1/users/{user}"), Some(&patch)).ok());
    let ann = nodes.org.member("ann", "analyst");
    let user = id(&ann);
    Nodes::revoked("a role", &nodes.there(&ann), writes, || change(&user, json!({"role": "viewer"})), &[403]);
    Nodes::revoked(
        "a disabled person",
        &nodes.there(&ann),
        reads,
        || change(&user, json!({"disabled": true})),
        &[401, 403],
    );
    let ben = nodes.org.member("ben", "analyst");
    let user = id(&ben);
    let remove = || drop(admin.call("DELETE", &format!("/api/v1/users/{user}"), None).ok());
    Nodes::revoked("a membership", &nodes.there(&ben), reads, remove, &[401]);
    let role = json!({"name": "reader", "permissions": ["alert.read", "alert.write"]});
    let role = text(&admin.post("/api/v1/roles", &role)["id"]);
    let cid = nodes.org.member("cid", &role);
    let narrower = json!({"name": "reader", "permissions": ["alert.read"]});
    let narrow = || drop(admin.call("PUT", &format!("/api/v1/roles/{role}"), Some(&narrower)).ok());
    Nodes::revoked("a permission of a custom role", &nodes.there(&cid), writes, narrow, &[403]);
}

fn grants(nodes: &Nodes) {
    let child = nodes.one.tenant("below", "Below", Some("spread"));
    let soon =
        std::process::Command::new("date").args(["-u", "-d", "+1 hour", "+%Y-%m-%dT%H:%M:%SZ"]).output().unwrap();
    let soon = String::from_utf8(soon.stdout).unwrap();
    let grant = json!({"role": "analyst", "reason": "cover", "expires_at": soon.trim()});
    let grant = text(&child.admin.post("/api/v1/grants", &grant)["id"]);
    let there = nodes.there(&nodes.org.admin.about("below"));
    let revoke = || drop(child.admin.call("DELETE", &format!("/api/v1/grants/{grant}"), None).ok());
    Nodes::revoked("a grant", &there, reads, revoke, &[404]);
    let lock = || drop(nodes.one.operator.post("/api/v1/tenants/below/lock", &json!({"reason": "a test"})));
    Nodes::revoked("a tenant", &nodes.there(&child.admin), reads, lock, &[403]);
}

#[test]
fn a_change_on_one_node_is_told_on_the_other() {
    let Some(nodes) = Nodes::start() else { return };
    let there = nodes.there(&nodes.org.admin);
    let mut socket = Live::with_headers(there.url(), &there.headers, "spread");
    nodes.org.admin.post("/api/v1/targets", &json!({"kind": "linux_host", "name": "sim/told"}));
    // What was changed before may still come first.
    let told = std::iter::from_fn(|| socket.next(PATIENCE)).any(|frame| frame["kind"] == "target");
    assert!(told, "no frame of the target");
    assert_eq!(there.items("/api/v1/targets").len(), 1);
}

#[test]
fn events_are_taken_where_the_log_is_and_their_alerts_are_seen_everywhere() {
    let Some(nodes) = Nodes::start() else { return };
    let shipper = nodes.org.shipper("edge");
    for node in [nodes.one.url(), nodes.two.url()] {
        let refused = shipper.at(node).bytes("POST", "/api/v1/events", &[], "text/plain", b"a line");
        refused.refused(421, "not_an_ingest_node");
    }
    let worker = nodes.org.admin.at(nodes.worker.url());
    worker.call("GET", "/api/v1/alerts", None).refused(421, "role_not_here");
    assert_eq!(shipper.at(nodes.worker.url()).send_lines(&attack("spread-1", 3))["accepted"], 1);
    let there = nodes.there(&nodes.org.admin);
    until(|| (!there.items("/api/v1/alerts").is_empty()).then_some(()));
    let incident = until(|| there.items("/api/v1/incidents").into_iter().next());
    assert!(incident["id"].is_string());
}

#[test]
fn work_moves_to_another_node_when_its_own_is_killed() {
    let Some(mut nodes) = Nodes::start() else { return };
    let env = environment(&nodes.database, &nodes.keys);
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let id = |database: &Database| database.value("SELECT count(*) FROM leases WHERE name LIKE 'response.watch/%'");
    until(|| (id(&nodes.database) != "0").then_some(()));
    let holders = |database: &Database| {
        database.value("SELECT string_agg(DISTINCT holder, ' ') FROM leases WHERE name LIKE 'response.watch/%' AND expires_at > extract(epoch FROM now()) * 1000000")
    };
    let first = until(|| Some(holders(&nodes.database)).filter(|holder| !holder.is_empty()));
    let _other = Server::start_with(&["--roles", "respond"], &env);
    assert_eq!(holders(&nodes.database), first, "who works goes on");
    nodes.worker.kill();
    let second = until(|| Some(holders(&nodes.database)).filter(|now| !now.is_empty() && *now != first));
    assert_ne!(first, second);
}

#[test]
fn of_two_processes_that_respond_one_acts_for_a_tenant_and_the_other_can_halt_and_takes_over() {
    let Some(mut nodes) = Nodes::start() else { return };
    let env = environment(&nodes.database, &nodes.keys);
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (admin, second) = (nodes.org.admin.clone(), nodes.org.member("bea", "admin"));
    admin.post("/api/v1/targets", &json!({"kind": "linux_host", "name": "sim/calm"}));
    let stand_by = Server::start_with(&["--roles", "api,respond"], &env);
    let there = admin.at(stand_by.url());
    let action = json!({"capability": "linux.block_ip", "target": {"kind": "linux_host", "name": "sim/calm"}, "params": {"address": "203.0.113.9"}});
    let plan = json!({"actions": [action]});
    let refused = until(|| Some(there.call("POST", "/api/v1/plans", Some(&plan))).filter(|got| got.status == 421));
    refused.refused(421, "role_not_here");
    assert!(refused.text.contains("stands by"), "{}", refused.text);
    there.post("/api/v1/automation/halt", &json!({"reason": "in doubt"}));
    nodes.worker.kill();
    let made = until(|| Some(there.call("POST", "/api/v1/plans", Some(&plan))).filter(|got| got.status < 300));
    there.post("/api/v1/automation/resume", &json!({"reason": "all is well"}));
    let made = made.json();
    let voted = json!({"hash": made["hash"]});
    let plan = format!("/api/v1/plans/{}", text(&made["id"]));
    second.at(stand_by.url()).post(&format!("{plan}/approve"), &voted);
    let done = until(|| Some(there.get(&plan)).filter(|plan| plan["state"] == "executed"));
    assert_eq!(done["actions"][0]["state"], "verified", "{done}");
}

#[test]
fn what_was_done_on_the_host_of_a_node_that_is_gone_is_undone_by_that_node_alone() {
    let Some(nodes) = Nodes::start_with("ingest,detect") else { return };
    let env = environment(&nodes.database, &nodes.keys);
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let roles = ["--roles", "api,respond"];
    let mut first = Server::start_with(&roles, &env);
    let (admin, second) = (nodes.org.admin.clone(), nodes.org.member("bea", "admin"));
    admin.post("/api/v1/targets", &json!({"kind": "linux_host", "name": "sim/calm"}));
    let action = json!({"capability": "linux.block_ip", "target": {"kind": "linux_host", "name": "sim/calm"}, "params": {"address": "203.0.113.9"}});
    let made = admin.at(first.url()).post("/api/v1/plans", &json!({"actions": [action]}));
    let plan = format!("/api/v1/plans/{}", text(&made["id"]));
    second.at(first.url()).post(&format!("{plan}/approve"), &json!({"hash": made["hash"]}));
    let done = until(|| Some(admin.get(&plan)).filter(|plan| plan["state"] == "executed"));
    let action = format!("/api/v1/actions/{}", text(&done["actions"][0]["id"]));
    assert_eq!(admin.get(&action)["state"], "verified");

    let mut other = Server::start_with(&roles, &env);
    first.kill();
    let undo = |at: &Server| {
        admin.at(at.url()).call("POST", &format!("{action}/undo"), Some(&json!({"reason": "it is over"})))
    };
    let refused = until(|| Some(undo(&other)).filter(|got| got.status != 421));
    assert!(refused.status >= 400 && refused.text.contains("is the host of node"), "{}", refused.text);
    let state = text(&admin.get(&action)["state"]);
    assert!(["verified", "unverified"].contains(&state.as_str()), "{state}");

    other.kill();
    first.restart_with(&roles, &env);
    until(|| Some(undo(&first)).filter(|got| got.status < 300));
    until(|| Some(admin.get(&action)).filter(|action| action["state"] == "undone"));
}

/// A policy that denies every plan, with its test, put in force by two people at `here`.
fn forbid_all(here: &Caller, second: &Caller) {
    let policy = "package tenant.calm\n\ndeny contains \"not today\" if input.entry == \"action\"\n";
    let test = "package tenant.calm_test\n\nimport data.tenant.calm\n\ntest_an_undo_is_free if calm.deny == set() with input as {\"entry\": \"undo\"}\n";
    let files = json!([{"path": "calm.rego", "text": policy}, {"path": "calm_test.rego", "text": test}]);
    here.post("/api/v1/policies/versions", &json!({"files": files, "reason": "a calm day"}));
    let replay = format!(
        "/api/v1/policies/replays/{}",
        text(&here.post("/api/v1/policies/replays", &json!({"version": 1}))["id"])
    );
    until(|| (here.get(&replay)["state"] == "done").then_some(()));
    let made = second.post("/api/v1/policies/versions/1/activate", &json!({"reason": "agreed"}));
    assert_eq!(made["state"], "in_force", "{made}");
}

#[test]
fn policies_put_in_force_on_one_node_decide_on_the_others_at_once_and_after_a_crash() {
    let Some(nodes) = Nodes::start_with("ingest,detect") else { return };
    let env = environment(&nodes.database, &nodes.keys);
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let roles = ["--roles", "api,respond"];
    let mut third = Server::start_with(&roles, &env);
    let (admin, second) = (&nodes.org.admin, nodes.org.member("bea", "admin"));
    admin.post("/api/v1/targets", &json!({"kind": "linux_host", "name": "sim/calm"}));
    let target = json!({"kind": "linux_host", "name": "sim/calm"});
    let action = json!({"capability": "linux.block_ip", "target": target, "params": {"address": "203.0.113.9"}});
    let planned = |at: &Server| admin.at(at.url()).post("/api/v1/plans", &json!({"actions": [action]}));
    let before = planned(&third);
    assert_eq!(before["state"], "proposed", "{before}");
    let explanation = format!("/api/v1/plans/{}/explanation", text(&before["id"]));
    // What it reaches is looked at, which only the process that responds can.
    nodes.there(admin).call("GET", &explanation, None).refused(421, "role_not_here");
    let there = admin.at(third.url());
    assert_eq!(there.get(&explanation)["allow"], true);
    forbid_all(admin, &second);
    assert_eq!(there.get(&explanation)["allow"], false, "the third node asks them too");
    let denied = planned(&third);
    assert_eq!((&denied["state"], &denied["decision"]["denies"][0]["code"]), (&json!("denied"), &json!("tenant.calm")));
    third.kill();
    third.restart_with(&roles, &env);
    assert_eq!(planned(&third)["decision"]["denies"][0]["code"], "tenant.calm", "and after a crash");
}
