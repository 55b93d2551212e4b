//! What a plan says of what it reaches, what hangs on it and how long it takes: computed, shown, and counted against the caps.

use std::time::Duration;

use serde_json::json;
use shieldops_model::{Environment, Estimate, Id, Plan, PlanState, Ssh, Target};
use shieldops_policy::GateSettings;
use shieldops_respond::{Journal as _, stand_in};

use crate::switch::{CONTAIN, LOOK, World, codes, person};

const RANGE: Option<&str> = Some("203.0.113.0/24");
const DAY: Duration = Duration::from_hours(24);

#[tokio::test]
async fn a_plan_says_what_it_reaches_what_hangs_on_it_and_how_long_it_takes() {
    let world = World::new(Environment::Production, GateSettings::default());
    let plan = world.planned(CONTAIN, None).await;
    let action = &plan.actions[0];
    let target = format!("target:{}", action.target_id);
    assert_eq!(action.resources, [target.as_str(), "user:ann", "user:bea"]);
    assert_eq!((plan.blast_radius, action.dependants[0].name.as_str()), (Some(3), "lamp"));
    assert_eq!((plan.estimated_ms, action.estimate), (Some(1_000), Some(Estimate { ms: 1_000, measured: 0 })));
    assert_eq!(plan.not_checkable, ["the fuse"]);
    let stored = world.journal.plan(plan.id).await.unwrap().unwrap();
    assert_eq!((stored.blast_radius, &stored.actions[0].resources), (Some(3), &action.resources));
    let reading = world.planned(LOOK, None).await;
    assert_eq!(
        (reading.blast_radius, reading.actions[0].resources.len()),
        (Some(0), 3),
        "what only looks harms nothing"
    );
}

fn over_ssh(address: &str) -> Ssh {
    serde_json::from_value(json!({"address": address, "port": 22, "user": "shieldops", "host_key": "ssh-ed25519 AAAA",
        "key_fingerprint": "SHA256:x"}))
    .unwrap()
}

#[tokio::test]
async fn what_was_measured_is_the_estimate_of_the_next_plan_and_a_way_over_the_network_takes_longer() {
    let world = World::staging();
    world.approved(&world.planned(CONTAIN, None).await).await;
    world.clock.advance(Duration::from_mins(2));
    let next = world.planned(CONTAIN, None).await;
    assert_eq!(next.actions[0].estimate, Some(Estimate { ms: 0, measured: 1 }), "the clock stood still meanwhile");
    let world = World::staging();
    world.journal.put_target(Target { ssh: Some(Box::new(over_ssh("192.0.2.40"))), ..stand_in("sim/a") });
    let far = world.planned(CONTAIN, None).await;
    assert_eq!(far.actions[0].estimate, Some(Estimate { ms: 2_700, measured: 0 }));
}

#[tokio::test]
async fn the_peers_that_events_named_in_a_range_are_its_blast_radius() {
    let world = World::staging();
    let count = |plan: &Plan| (plan.blast_radius.unwrap(), codes(plan).join(","));
    let alone = world.planned(CONTAIN, RANGE).await;
    assert_eq!(count(&alone), (4, String::new()), "a range in which nobody was seen is one");
    world.seen(1..=15);
    assert_eq!(count(&world.planned(CONTAIN, RANGE).await), (18, String::new()));
    world.seen(16..=30);
    let over = world.planned(CONTAIN, RANGE).await;
    assert_eq!(count(&over), (33, "blast_radius,blast_radius_hour".to_owned()));
    assert!(over.actions[0].resources.contains(&"peer:203.0.113.30".to_owned()));
}

#[tokio::test]
async fn a_peer_counts_for_seven_days_after_it_was_seen_last() {
    let world = World::staging();
    let count = async || world.planned(CONTAIN, RANGE).await.blast_radius;
    world.seen(1..=5);
    world.clock.advance(DAY);
    world.seen(1..=1);
    world.clock.advance(DAY * 6);
    assert_eq!(count().await, Some(8), "all five");
    world.clock.advance(Duration::from_hours(1));
    assert_eq!(count().await, Some(4), "the one that was seen again");
    world.clock.advance(DAY);
    assert_eq!(count().await, Some(4), "nobody: the range alone");
    let named = world.planned(CONTAIN, RANGE).await.actions.remove(0).resources;
    assert!(named.contains(&"range:203.0.113.0/24".to_owned()), "{named:?}");
}

#[tokio::test]
async fn registered_targets_in_a_range_are_reached_though_no_event_names_them() {
    let world = World::staging();
    let row = |n: u128, host: &str| Target { id: Id::from_bits(n), host: Some(host.to_owned()), ..stand_in("sim/b") };
    world.journal.put_target(row(501, "203.0.113.40"));
    world.journal.put_target(row(502, "198.51.100.40"));
    world.journal.put_target(Target { ssh: Some(Box::new(over_ssh("203.0.113.41"))), ..row(503, "db.example.org") });
    let plan = world.planned(CONTAIN, RANGE).await;
    let peers: Vec<&String> = plan.actions[0].resources.iter().filter(|name| name.starts_with("peer:")).collect();
    assert_eq!(peers, ["peer:203.0.113.40", "peer:203.0.113.41"]);
}

#[tokio::test]
async fn a_plan_that_grew_since_it_was_agreed_to_goes_back_to_those_who_agreed() {
    let world = World::staging();
    let plan = world.planned(CONTAIN, RANGE).await;
    world.seen(1..=12);
    let back = world.approved(&plan).await;
    assert_eq!((back.state, back.approvals.len(), world.is_on()), (PlanState::Proposed, 0, false));
    assert!(back.risk > plan.risk && back.hash != plan.hash && back.blast_radius == Some(15), "{back:?}");
    let entry = world.journal.entries().pop().unwrap();
    assert_eq!((entry.kind, &entry.payload["replaces"]), ("plan.returned", &json!(plan.hash)));
    world.engine.approve(back.id, &plan.hash, &person(1)).await.unwrap_err();
    let done = world.approved(&back).await;
    assert_eq!((done.state, world.is_on()), (PlanState::Executed, true), "{done:?}");
}
