//! Ranges and isolation on a real network twin: what a person may rely on is what a packet says.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::{Value, json};
use shieldops_model::{Action, ActionState, Environment, Plan, PlanState, Target};
use shieldops_policy::{Facts, Policy};
use shieldops_respond::{CrashPoints, PlanRequest, ProveOptions, Registry, Requester, RequesterKind, Verdict, prove};

use crate::{
    live::ruleset,
    support::{ATTACKER, World, person, target},
};

const RANGE: &str = "linux.block_range";
const ISOLATE: &str = "linux.isolate_host";
/// Others on the twin's link.
const MANAGER: &str = "198.51.100.200";
const STRANGER: &str = "198.51.100.210";
/// Where the twin's victim listens.
const PORT: u16 = 8022;

async fn plan(world: &World, capability: &str, params: Value) -> Plan {
    world.engine.propose(wish(world, capability, params)).await.unwrap()
}

/// A person asks.
fn wish(world: &World, capability: &str, params: Value) -> PlanRequest {
    let mut request = world.request(params);
    capability.clone_into(&mut request.actions[0].capability);
    request.requester = Requester { id: person(1).user.to_string(), kind: RequesterKind::User };
    request.requester_addr = person(1).client_addr;
    request
}

/// Planned, approved by as many people as it needs, and run.
async fn done(world: &World, capability: &str, params: Value) -> Action {
    let plan = plan(world, capability, params).await;
    assert_eq!(plan.state, PlanState::Proposed, "{:?}", plan.decision);
    run(world, &plan).await
}

/// As many people as it needs; it runs by itself then.
async fn approved(world: &World, plan: &Plan) {
    for number in 0..plan.decision.approvals_needed {
        world.engine.approve(plan.id, &plan.hash, &person(10 + u128::from(number))).await.unwrap();
    }
}

async fn run(world: &World, plan: &Plan) -> Action {
    approved(world, plan).await;
    world.engine.wait(plan.id, Duration::from_mins(2)).await.unwrap().actions.remove(0)
}

async fn verified(world: &World, capability: &str, params: Value) -> Action {
    let action = done(world, capability, params).await;
    assert_eq!(action.state, ActionState::Verified, "{:?}", action.detail);
    action
}

async fn undone(world: &World, action: &Action) {
    let undone = world.undo(action).await.unwrap();
    assert_eq!(undone.state, ActionState::Undone, "{:?}", undone.detail);
}

/// What the capability says of the target now.
async fn facts(world: &World, capability: &str, params: &Value) -> Facts {
    let registry = Registry::new(shieldops_connectors::capabilities(Arc::clone(&world.linux))).unwrap();
    registry.find(capability).unwrap().observe(&target(&world.target), params).await.unwrap().facts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_is_blocked_and_given_back_and_its_neighbours_are_not_touched() {
    let Some(world) = World::live().await else { return };
    let before = ruleset(&world);
    for (range, from) in
        [("203.0.113.64/26", ATTACKER), ("2001:db8::40/122", "2001:db8::66"), ("203.0.113.66/31", ATTACKER)]
    {
        assert!(world.reaches(from).await, "{range}");
        let action = verified(&world, RANGE, json!({"range": range})).await;
        assert!(!world.reaches(from).await, "{from} in {range} still comes through");
        assert!(world.reaches(MANAGER).await, "{MANAGER} is not in {range}");
        let proofs: Vec<_> = action.proofs.iter().map(|proof| (proof.moment.as_str(), proof.result.as_str())).collect();
        assert_eq!(proofs.first(), Some(&("before", "reachable")), "{range}");
        undone(&world, &action).await;
        assert!(world.reaches(from).await, "{from} does not come back after {range}");
        assert_eq!(ruleset(&world), before, "residue of {range}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_may_lie_in_each_other_and_undoing_one_names_what_still_blocks_a_part_of_it() {
    let Some(world) = World::live().await else { return };
    let before = ruleset(&world);
    let wide = verified(&world, RANGE, json!({"range": "203.0.113.64/26"})).await;
    let narrow = verified(&world, RANGE, json!({"range": "203.0.113.64/30", "expires_in_s": 600})).await;
    let alone = verified(&world, "linux.block_ip", json!({"address": ATTACKER})).await;
    let mut named = facts(&world, RANGE, &wide.params).await.dependants;
    named.retain(|one| one.kind == "action");
    let names: Vec<_> = named.iter().map(|one| (one.kind.clone(), one.name.clone())).collect();
    assert_eq!(names.len(), 2, "{named:?}");
    for action in [&narrow, &alone] {
        assert!(names.contains(&("action".to_owned(), action.id.to_string())), "{named:?}");
    }
    undone(&world, &wide).await;
    assert!(!world.reaches(ATTACKER).await, "the range inside still blocks it");
    undone(&world, &alone).await;
    assert!(!world.reaches(ATTACKER).await, "the range inside still blocks it");
    undone(&world, &narrow).await;
    assert!(world.reaches(ATTACKER).await);
    assert_eq!(ruleset(&world), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_holds_what_may_not_be_blocked_is_denied() {
    let world = World::new("sim/test");
    for (range, code) in [
        ("203.0.113.0/28", "own_address"),
        ("192.0.2.0/28", "operator_address"),
        ("127.0.0.0/24", "loopback_address"),
        ("224.0.0.0/24", "multicast_address"),
        ("fe80::/64", "protected_range"),
    ] {
        let plan = plan(&world, RANGE, json!({"range": range})).await;
        let mut denies = plan.decision.denies;
        if plan.state == PlanState::Proposed {
            let denied = world.engine.approve(plan.id, &plan.hash, &person(9)).await.unwrap_err();
            let shieldops_respond::Error::Denied(reasons) = denied else { panic!("{range}: {denied}") };
            denies = reasons;
        }
        assert!(denies.iter().any(|deny| deny.code == code), "{range}: {denies:?}");
    }
    for range in ["0.0.0.0/0", "::/0", "203.0.113.7/24", "203.0.113.7/32", "a/b", "２０３.0.113.0/24"] {
        let request = wish(&world, RANGE, json!({"range": range}));
        assert!(world.engine.propose(request).await.is_err(), "{range}");
    }
    let plan = plan(&world, RANGE, json!({"range": "0.0.0.0/1"})).await;
    assert_eq!(plan.state, PlanState::Denied);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_isolated_host_is_reached_by_what_is_kept_and_by_nobody_else() {
    let Some(world) = World::live().await else { return };
    let before = ruleset(&world);
    let action = verified(&world, ISOLATE, json!({"keep": [MANAGER], "port": PORT})).await;
    assert!(world.reaches(MANAGER).await, "the management path is cut");
    for other in [ATTACKER, STRANGER, "2001:db8::66"] {
        assert!(!world.reaches(other).await, "{other} still comes through");
    }
    // Longer than the revert would take: it was disarmed.
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(!world.reaches(ATTACKER).await, "the revert fired although it was disarmed");
    assert!(world.engine.reobserve().await.unwrap().is_empty());
    undone(&world, &action).await;
    for other in [ATTACKER, STRANGER, MANAGER] {
        assert!(world.reaches(other).await, "{other} does not come back");
    }
    assert_eq!(ruleset(&world), before, "residue");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_is_kept_on_its_port_only() {
    let Some(world) = World::live().await else { return };
    let action = verified(&world, ISOLATE, json!({"keep": [MANAGER], "port": 22})).await;
    assert!(!world.reaches(MANAGER).await);
    undone(&world, &action).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_lost_before_it_disarms_leaves_a_host_that_opens_by_itself() {
    let Some(mut world) = World::live().await else { return };
    let before = ruleset(&world);
    world.restart(CrashPoints::give_up_at("before_disarmed"));
    let plan = plan(&world, ISOLATE, json!({"keep": [MANAGER], "port": PORT})).await;
    approved(&world, &plan).await;
    world.idle().await;
    assert!(!world.reaches(ATTACKER).await, "it was not isolated at all");
    let armed = std::time::Instant::now();
    while !world.reaches(ATTACKER).await {
        assert!(armed.elapsed() < Duration::from_secs(15), "the revert does not fire");
    }
    world.restart(CrashPoints::none());
    world.engine.recover().await.unwrap();
    let plan = world.engine.wait(plan.id, Duration::from_mins(2)).await.unwrap();
    let action = plan.actions[0].clone();
    assert_eq!(action.state, ActionState::Verified, "{:?}", action.detail);
    assert!(!world.reaches(ATTACKER).await);
    undone(&world, &action).await;
    assert_eq!(ruleset(&world), before, "residue");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_comes_back_in_time_disarms_what_it_armed() {
    let Some(mut world) = World::live().await else { return };
    world.restart(CrashPoints::give_up_at("before_disarmed"));
    let plan = plan(&world, ISOLATE, json!({"expires_in_s": 600})).await;
    approved(&world, &plan).await;
    world.idle().await;
    world.restart(CrashPoints::none());
    world.engine.recover().await.unwrap();
    let action = world.engine.wait(plan.id, Duration::from_mins(2)).await.unwrap().actions.remove(0);
    assert_eq!(action.state, ActionState::Verified, "{:?}", action.detail);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(!world.reaches(ATTACKER).await, "the revert fired although it was disarmed");
    undone(&world, &action).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_isolation_arms_nothing_and_its_undo_leaves_the_first() {
    let Some(world) = World::live().await else { return };
    let first = verified(&world, ISOLATE, json!({"expires_in_s": 600})).await;
    let second = verified(&world, ISOLATE, json!({"expires_in_s": 7200})).await;
    assert!(!ruleset(&world).contains("armed"), "{}", ruleset(&world));
    undone(&world, &second).await;
    assert!(!world.reaches(ATTACKER).await, "the first still wants it");
    let other = plan_error(&world, json!({"keep": [MANAGER]})).await;
    assert!(other.contains("isolated already"), "{other}");
    undone(&world, &first).await;
    assert!(world.reaches(ATTACKER).await);
}

async fn plan_error(world: &World, params: Value) -> String {
    world.engine.propose(wish(world, ISOLATE, params)).await.unwrap_err().to_string()
}

#[tokio::test]
async fn the_connections_that_will_be_cut_are_named_and_those_that_stay_are_not() {
    let world = World::new("sim/test");
    let file = world.folder.path().join("sim/test.json");
    verified(&world, "linux.block_ip", json!({"address": "198.51.100.77"})).await;
    let mut host: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let one = |protocol: &str, local: &str, peer: &str| json!({"protocol": protocol, "local": local, "peer": peer});
    host["connections"] = json!([
        one("tcp", "203.0.113.10:22", "198.51.100.200:50000"),
        one("tcp", "203.0.113.10:443", "198.51.100.200:50001"),
        one("udp", "203.0.113.10:22", "198.51.100.200:50002"),
        one("tcp", "203.0.113.10:22", "203.0.113.66:40000"),
        one("tcp", "127.0.0.1:5432", "127.0.0.1:40000"),
    ]);
    std::fs::write(&file, host.to_string()).unwrap();
    let facts = facts(&world, ISOLATE, &json!({"keep": [MANAGER]})).await;
    let names: Vec<_> = facts.dependants.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["tcp 198.51.100.200:50001", "tcp 203.0.113.66:40000", "udp 198.51.100.200:50002"]);
    assert_eq!(facts.resources, ["peer:198.51.100.200", "peer:203.0.113.66"]);
}

#[tokio::test]
async fn who_is_connected_from_a_range_is_reached_by_its_block_though_no_event_names_them() {
    let world = World::new("sim/test");
    let file = world.folder.path().join("sim/test.json");
    verified(&world, "linux.block_ip", json!({"address": "198.51.100.77"})).await;
    let mut host: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let from = |peer: &str| json!({"protocol": "tcp", "local": "203.0.113.10:443", "peer": peer});
    host["connections"] = json!([
        from("203.0.113.65:5"),
        from("203.0.113.66:6"),
        from("203.0.113.66:7"),
        from("203.0.113.128:8"),
        from("[::ffff:203.0.113.67]:9"),
    ]);
    std::fs::write(&file, host.to_string()).unwrap();
    let range = &plan(&world, RANGE, json!({"range": "203.0.113.64/26"})).await.actions[0];
    let peers: Vec<&String> = range.resources.iter().filter(|name| name.starts_with("peer:")).collect();
    assert_eq!(peers, ["peer:203.0.113.65", "peer:203.0.113.66", "peer:203.0.113.67"]);
    assert_eq!(range.dependants.len(), 4, "each connection: {:?}", range.dependants);
    let alone = &plan(&world, "linux.block_ip", json!({"address": ATTACKER})).await.actions[0];
    let named: Vec<&str> = alone.dependants.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(named, ["tcp 203.0.113.66:6", "tcp 203.0.113.66:7"]);
    assert_eq!(alone.resources.len(), 2, "the target and the address: {:?}", alone.resources);
}

#[tokio::test]
async fn this_very_host_is_not_isolated_without_a_way_for_its_people() {
    let world = World::new("sim/test");
    let registry = Registry::new(shieldops_connectors::capabilities(Arc::clone(&world.linux))).unwrap();
    let local = Target { name: "local".to_owned(), simulated: false, ..target("sim/test") };
    let isolate = registry.find(ISOLATE).unwrap();
    // Only read: nothing is ever applied to the host that the tests run on.
    let Ok(seen) = isolate.observe(&local, &json!({})).await else {
        eprintln!("SKIPPED: this host's packet filter cannot be read here");
        return;
    };
    assert_eq!(seen.facts.untouchable[0].code, "management_path");
    let seen = isolate.observe(&local, &json!({"keep": ["192.0.2.7"], "port": 443})).await.unwrap();
    assert!(seen.facts.untouchable.is_empty());
}

async fn proved(world: &World, twin: Result<Target, String>, cases: u32) {
    let row = |name| Target { environment: Environment::Staging, ..target(name) };
    let options = ProveOptions {
        registry: Arc::new(Registry::new(shieldops_connectors::capabilities(Arc::clone(&world.linux))).unwrap()),
        policy: Arc::new(Policy::built_in().unwrap()),
        clock: world.clock.clone(),
        sim: row("sim/prove"),
        twins: BTreeMap::from([("network", twin)]),
        cases,
        twin_cases: 6,
        seed: 1,
        twin_time: Duration::from_secs(20),
    };
    for name in ["linux.block_ip", RANGE, ISOLATE] {
        let capability = options.registry.find(name).unwrap();
        let row = Box::pin(prove(&options, capability)).await;
        eprintln!("{name}: {} cases, {} on the twin, {} ms", row.cases, row.twin_cases, row.took_ms);
        let wanted = if row.twin == "none" { Verdict::NotRun } else { Verdict::TooFew };
        assert_eq!(row.verdict, wanted, "{row:#?}");
        assert_eq!(row.cases, cases, "{row:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_network_capabilities_are_proved() {
    let world = World::new("sim/test");
    let twin = match world.start_twin().await {
        Ok(()) => Ok(target("twin/test")),
        Err(error) => Err(error.to_string()),
    };
    Box::pin(proved(&world, twin, 40)).await;
}
