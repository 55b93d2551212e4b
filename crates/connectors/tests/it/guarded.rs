//! What is never cut off, overwritten unasked, or carried on by votes of yesterday.

use std::time::Duration;

use serde_json::{Value, json};
use shieldops_model::{Action, ActionState, Environment, Id, Plan, PlanState, PrivateKey, Ssh, Target};
use shieldops_policy::{ProtectedEntry, ProtectedKind};
use shieldops_respond::{
    CrashPoints, CutHost, Error, Journal as _, Needed, Observed, Person, PlanRequest, Registry, Surroundings,
};

use crate::support::{ATTACKER, World, person, target, unlimited};

const DISABLE: &str = "linux.disable_user";
const ISOLATE: &str = "linux.isolate_host";
const DOMAIN: &str = "linux.block_domain";
const KEY: &str = "linux.remove_authorized_key";
/// Of the simulated host's only key.
const ALICES: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBVuYm9ybiBrZXkgb2YgYSBzaW11bGF0ZWQgaG9zdCEh";

fn entry(kind: ProtectedKind, value: &str) -> ProtectedEntry {
    ProtectedEntry { kind, value: value.to_owned(), why: "it is ours".to_owned() }
}

fn protects(entry: ProtectedEntry) -> Surroundings {
    let mut around = unlimited();
    around.settings.protected.push(entry);
    around
}

/// The simulated host's file as text; edited as somebody else would.
fn edit(world: &World, path: &str, change: impl FnOnce(&str) -> String) {
    let file = world.folder.path().join("sim/hosts/test.json");
    let mut host = world.simulated();
    let text = &mut host["files"][path]["text"];
    *text = change(text.as_str().unwrap()).into();
    std::fs::write(&file, host.to_string()).unwrap();
}

fn text(world: &World, path: &str) -> String {
    world.simulated()["files"][path]["text"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn what_the_server_lives_by_and_where_people_work_is_never_cut_off() {
    let world = World::new("sim/test");
    let (database, office) = (entry(ProtectedKind::Address, "198.51.100.77"), entry(ProtectedKind::Address, ATTACKER));
    let waiting = world.propose(json!({"address": ATTACKER})).await;
    let server = vec![database, entry(ProtectedKind::Domain, "db.example.com")];
    world.journal.put_lifelines(Needed { server, people: vec![office], ..Needed::default() });
    for (capability, params) in [
        ("linux.block_ip", json!({"address": "198.51.100.77"})),
        ("linux.block_range", json!({"range": "198.51.100.64/28"})),
        (DOMAIN, json!({"domain": "db.example.com"})),
    ] {
        assert_eq!(world.denied(capability, params).await, ["protected_entry"], "{capability}");
    }
    assert!(world.denied("linux.block_ip", json!({"address": "198.51.100.78"})).await.is_empty());
    // Somebody signed in from there after it was planned.
    world.engine.approve(waiting.id, &waiting.hash, &person(1)).await.unwrap();
    world.idle().await;
    let denied = world.journal.plan(waiting.id).await.unwrap().unwrap();
    assert_eq!(denied.state, PlanState::Denied);
    assert!(world.reaches(ATTACKER).await);
}

#[tokio::test]
async fn a_host_is_not_isolated_that_the_server_lives_by_or_somebody_works_from() {
    // An address of the simulated host, and one that is not.
    let (its, other) = (entry(ProtectedKind::Address, "203.0.113.10"), entry(ProtectedKind::Address, "198.51.100.77"));
    let range = entry(ProtectedKind::Range, "203.0.113.0/28");
    let world = World::new("sim/test");
    for needed in [
        Needed { server: vec![its.clone()], ..Needed::default() },
        Needed { people: vec![its.clone()], ..Needed::default() },
    ] {
        world.journal.put_lifelines(needed);
        assert_eq!(world.denied(ISOLATE, json!({})).await, ["protected_entry"]);
        let codes = world.denied(ISOLATE, json!({"keep": ["203.0.113.10"]})).await;
        assert!(codes.contains(&"protected_entry".to_owned()), "to keep it does not help: {codes:?}");
    }
    let strangers = Needed { server: vec![other.clone()], people: vec![other], ..Needed::default() };
    world.journal.put_lifelines(strangers);
    assert!(world.denied(ISOLATE, json!({})).await.is_empty(), "it is none of theirs");
    for protected in [its, range] {
        world.journal.put_surroundings(protects(protected));
        assert_eq!(world.denied(ISOLATE, json!({})).await, ["protected_entry"]);
    }
}

#[tokio::test]
async fn a_proxy_through_which_people_come_is_never_cut_off() {
    let world = World::new("sim/test");
    let through = |proxies| Needed { people: vec![entry(ProtectedKind::Range, proxies)], ..Needed::default() };
    world.journal.put_lifelines(through("198.51.100.76/30"));
    for (capability, params) in [
        ("linux.block_ip", json!({"address": "198.51.100.77"})),
        ("linux.block_range", json!({"range": "198.51.100.76/31"})),
        ("linux.block_range", json!({"range": "198.51.100.64/28"})),
    ] {
        assert_eq!(world.denied(capability, params).await, ["protected_entry"], "{capability}");
    }
    assert!(world.denied("linux.block_ip", json!({"address": "198.51.100.80"})).await.is_empty());
    assert!(world.denied(ISOLATE, json!({})).await.is_empty(), "it is none of theirs");
    world.journal.put_lifelines(through("203.0.113.8/29"));
    assert_eq!(world.denied(ISOLATE, json!({"keep": ["203.0.113.8/29"]})).await, ["protected_entry"]);
}

#[tokio::test]
async fn a_host_from_which_somebody_signed_in_after_it_was_planned_is_not_isolated() {
    let world = World::new("sim/test");
    let plan = world.try_plan(ISOLATE, json!({})).await.unwrap();
    assert_eq!(plan.state, PlanState::Proposed);
    let its = entry(ProtectedKind::Address, "203.0.113.10");
    world.journal.put_lifelines(Needed { people: vec![its], ..Needed::default() });
    for number in 1..=plan.decision.approvals_needed {
        world.engine.approve(plan.id, &plan.hash, &person(u128::from(number))).await.unwrap();
    }
    world.idle().await;
    assert_eq!(world.journal.plan(plan.id).await.unwrap().unwrap().state, PlanState::Denied);
}

#[tokio::test]
async fn nothing_is_cut_off_while_nobody_can_say_where_the_database_is() {
    let world = World::new("sim/test");
    let unknown = || vec!["db.example.com (the database of this server)".to_owned()];
    world.journal.put_lifelines(Needed { unknown: unknown(), ..Needed::default() });
    for (capability, params) in [
        ("linux.block_ip", json!({"address": "198.51.100.77"})),
        ("linux.block_range", json!({"range": "198.51.100.64/28"})),
        (ISOLATE, json!({})),
    ] {
        assert_eq!(world.denied(capability, params).await, ["lifelines_unknown"], "{capability}");
    }
    assert!(world.denied(DISABLE, json!({"user": "alice"})).await.is_empty(), "it reaches no address");
}

#[tokio::test]
async fn this_very_host_keeps_its_people_and_all_that_it_goes_out_to() {
    let world = World::new("sim/test");
    let registry = Registry::new(shieldops_connectors::capabilities(std::sync::Arc::clone(&world.linux))).unwrap();
    let isolate = registry.find(ISOLATE).unwrap();
    let keep = json!({"keep": ["192.0.2.0/24"]});
    let mut seen = isolate.observe(&target("sim/test"), &keep).await.unwrap();
    let host = |name: &str, seen: &Observed<Value>| isolate.cuts_off(&target(name), &keep, seen).unwrap().unwrap().host;
    assert_eq!((host("local", &seen), host("ssh/other", &seen)), (CutHost::Ours, CutHost::Another));
    // By SSH from one of its own addresses: the same host under another name.
    seen.state["keep"] = json!([{"from": "203.0.113.10/32", "port": 22}]);
    assert_eq!(host("ssh/itself", &seen), CutHost::Perhaps);
}

#[tokio::test]
async fn our_own_host_is_not_isolated_by_another_port_than_the_one_that_people_come_by() {
    let world = World::new("sim/test");
    let office = entry(ProtectedKind::Range, "192.0.2.0/28");
    world.journal.put_lifelines(Needed { people: vec![office], door: Some(8443), ..Needed::default() });
    // It is taken for the server's own host, as one that we reach from itself.
    let kept = ["203.0.113.10", "192.0.2.0/24"];
    let codes = world.denied(ISOLATE, json!({"keep": kept})).await;
    for code in ["management_path", "operator_address", "protected_entry"] {
        assert!(codes.contains(&code.to_owned()), "{code}: {codes:?}");
    }
    assert!(world.denied(ISOLATE, json!({"keep": kept, "port": 8443})).await.is_empty());
    // Nobody is signed in, and automation asks: nobody could come any more.
    world.journal.put_lifelines(Needed { door: Some(8443), ..Needed::default() });
    let codes = world.denied(ISOLATE, json!({"keep": ["203.0.113.10", "198.51.100.0/24"]})).await;
    assert!(codes.contains(&"management_path".to_owned()), "{codes:?}");
}

#[tokio::test]
async fn a_vote_of_somebody_whom_the_isolation_would_cut_off_is_refused_and_the_plan_stays() {
    let world = World::new("sim/test");
    world.journal.put_lifelines(Needed { door: Some(8443), ..Needed::default() });
    let office = json!({"keep": ["203.0.113.10", "192.0.2.0/24"], "port": 8443});
    let plan = world.try_plan(ISOLATE, office).await.unwrap();
    assert_eq!((plan.state, plan.decision.approvals_needed), (PlanState::Proposed, 2), "{:?}", plan.decision);
    world.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
    let at_home = Person { client_addr: Some("198.51.100.9:50000".to_owned()), ..person(2) };
    let refused = world.engine.approve(plan.id, &plan.hash, &at_home).await.unwrap_err();
    assert!(matches!(&refused, Error::Denied(reasons) if reasons[0].code == "operator_address"), "{refused}");
    let after = read(&world, &plan).await;
    assert_eq!((after.state, after.approvals.len()), (PlanState::Proposed, 1));
    world.engine.approve(plan.id, &plan.hash, &person(2)).await.unwrap();
    world.idle().await;
    assert_eq!(read(&world, &plan).await.state, PlanState::Executed);
}

#[tokio::test]
async fn a_block_spares_other_tenants_people_on_our_own_host_whatever_it_is_called() {
    let world = World::new("sim/test");
    world.journal.put_lifelines(Needed { others: vec![ATTACKER.parse().unwrap()], ..Needed::default() });
    for (address, codes) in
        [("127.0.0.1", &["protected_entry"][..]), ("localhost", &["protected_entry"]), ("192.0.2.200", &[])]
    {
        let row = target("sim/test");
        world.journal.put_target(Target { ssh: Some(Box::new(by_ssh(address))), ..row });
        assert_eq!(world.denied("linux.block_ip", json!({"address": ATTACKER})).await, codes, "{address}");
        assert_eq!(world.denied("linux.block_range", json!({"range": "203.0.113.64/28"})).await, codes, "{address}");
        assert!(world.denied("linux.block_ip", json!({"address": "203.0.113.67"})).await.is_empty());
    }
}

fn by_ssh(address: &str) -> Ssh {
    let (user, host_key, key_fingerprint) = ("root".to_owned(), String::new(), String::new());
    let private_key = PrivateKey::default();
    Ssh { address: address.to_owned(), port: 22, user, host_key, key_fingerprint, private_key }
}

#[tokio::test]
async fn a_protected_path_protects_every_file_that_an_action_would_write() {
    let world = World::new("sim/test");
    let key = json!({"user": "alice", "key": ALICES});
    for (path, capability, params) in [
        ("/home/alice", KEY, key.clone()),
        ("/etc/shadow", DISABLE, json!({"user": "alice"})),
        ("/etc", DOMAIN, json!({"domain": "evil.example"})),
    ] {
        assert!(world.denied(capability, params.clone()).await.is_empty(), "{capability}");
        world.journal.put_surroundings(protects(entry(ProtectedKind::Path, path)));
        assert_eq!(world.denied(capability, params).await, ["protected_entry"], "{capability}");
        world.journal.put_surroundings(unlimited());
    }
    world.journal.put_surroundings(protects(entry(ProtectedKind::Path, "/home/bob")));
    assert!(world.denied(KEY, key).await.is_empty(), "another's home is not touched");
}

#[tokio::test]
async fn a_protected_program_is_named_by_its_path() {
    let world = World::new("sim/test");
    for (capability, params, program) in [
        ("linux.kill_process", json!({"pid": 400}), "nginx"),
        ("linux.end_sessions", json!({"user": "alice", "session": 6}), "bash"),
    ] {
        for value in [program.to_owned(), format!("/usr/bin/{program}")] {
            world.journal.put_surroundings(protects(entry(ProtectedKind::Process, &value)));
            assert_eq!(world.denied(capability, params.clone()).await, ["protected_entry"], "{capability} {value}");
        }
        world.journal.put_surroundings(protects(entry(ProtectedKind::Process, "/usr/sbin/other")));
        assert!(world.denied(capability, params).await.is_empty());
    }
}

/// A world whose target is in staging: the risk of nearly everything is low there.
fn staging() -> World {
    let world = World::new("sim/test");
    world.journal.put_target(Target { environment: Environment::Staging, ..target("sim/test") });
    world
}

async fn done(world: &World, capability: &str, params: Value) -> Action {
    let plan = world.try_plan(capability, params).await.unwrap();
    let plan = match plan.decision.approvals_needed {
        0 => world.engine.execute(plan.id, &person(9)).await.unwrap(),
        _ => plan,
    };
    let action = world.carry_out(plan).await;
    assert_eq!(action.state, ActionState::Verified, "{:?}", action.detail);
    action
}

#[tokio::test]
async fn an_expiry_over_somebody_s_change_asks_first_in_any_environment() {
    let world = staging();
    let action = done(&world, DISABLE, json!({"user": "alice", "expires_in_s": 600})).await;
    // Meanwhile the account was ended for good.
    edit(&world, "/etc/shadow", |text| text.replace("::1:\nbob", "::18262:\nbob"));
    let ended = text(&world, "/etc/shadow");
    assert!(ended.contains("::18262:"), "{ended}");
    world.clock.advance(Duration::from_secs(601));
    world.engine.expire_due().await.unwrap();
    world.settled().await;
    assert_eq!(world.action(&action).await.state, ActionState::Drifted);
    assert_eq!(text(&world, "/etc/shadow"), ended, "nobody was asked");
    let undo = world.journal.plans_in(&[PlanState::Proposed]).await.unwrap().remove(0);
    assert_eq!((undo.undo_of, undo.decision.approvals_needed), (Some(action.plan_id), 1));
    assert_eq!(undo.decision.obligations.because[0].code, "changed_since");
}

fn two(world: &World) -> PlanRequest {
    let mut request = world.request(json!({"address": ATTACKER}));
    let mut second = request.actions[0].clone();
    second.params = json!({"address": "203.0.113.67"});
    request.actions.push(second);
    request
}

async fn read(world: &World, plan: &Plan) -> Plan {
    world.journal.plan(plan.id).await.unwrap().unwrap()
}

fn states(plan: &Plan) -> Vec<ActionState> {
    plan.actions.iter().map(|action| action.state).collect()
}

#[tokio::test]
async fn what_is_left_of_a_run_that_was_halted_for_longer_than_a_vote_lives_is_not_done() {
    for (minutes, carried) in [(14, true), (16, false)] {
        let world = World::new("sim/test");
        world.journal.halt_with("action.verified");
        let plan = world.engine.propose(two(&world)).await.unwrap();
        world.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
        world.idle().await;
        assert_eq!(states(&read(&world, &plan).await), [ActionState::Verified, ActionState::Planned]);
        world.clock.advance(Duration::from_mins(minutes));
        world.engine.resume(&person(1), "it is over").await.unwrap();
        world.idle().await;
        let after = read(&world, &plan).await;
        let second = if carried { ActionState::Verified } else { ActionState::Aborted };
        assert_eq!((after.state, states(&after)), (PlanState::Executed, vec![ActionState::Verified, second]));
        assert_eq!(world.reaches("203.0.113.67").await, !carried);
        let detail = after.actions[1].detail.clone().unwrap_or_default();
        assert!(carried || detail.contains("too old for the rest"), "{detail}");
    }
}

#[tokio::test]
async fn what_is_left_of_a_run_that_was_lost_yesterday_is_not_done() {
    let mut world = World::new("sim/test");
    world.restart(CrashPoints::give_up_at("after_outcome"));
    let plan = world.engine.propose(two(&world)).await.unwrap();
    world.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
    world.idle().await;
    assert_eq!(states(&read(&world, &plan).await), [ActionState::Verified, ActionState::Planned]);
    world.clock.advance(Duration::from_hours(20));
    world.restart(CrashPoints::none());
    world.engine.recover().await.unwrap();
    world.idle().await;
    assert_eq!(states(&read(&world, &plan).await), [ActionState::Verified, ActionState::Aborted]);
    assert!(world.reaches("203.0.113.67").await);
}

#[tokio::test]
async fn a_tenant_neither_reports_nor_lifts_what_another_tenant_did_on_the_same_host() {
    let mut world = World::new("sim/test");
    let theirs = world.block(ATTACKER).await;
    world.forget();
    world.journal.put_anothers(theirs.id);
    assert!(world.engine.orphans(Id::from_bits(77)).await.unwrap().is_empty(), "it is no orphan of this tenant");
    world.engine.reobserve().await.unwrap();
    assert!(world.journal.entries().iter().all(|entry| entry.kind != "target.orphaned"));
    let ours = world.block(ATTACKER).await;
    assert_eq!((ours.state, ours.changed), (ActionState::Verified, false));
    let undone = world.undo(&ours).await.unwrap();
    assert_eq!(undone.state, ActionState::Undone, "{:?}", undone.detail);
    assert!(!world.reaches(ATTACKER).await, "the other tenant's block stays");
}
