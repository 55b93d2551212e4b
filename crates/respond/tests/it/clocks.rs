//! Somebody sets the server's clock: nothing that is held is let go by it, and people are told.

use std::time::Duration;

use serde_json::json;
use shieldops_model::{Environment, Id, Plan, PlanState, ProposedPlan};
use shieldops_policy::{AddressSource, Freeze, GateSettings};
use shieldops_respond::{Journal as _, Surroundings};

use crate::switch::{CHANGE, CONTAIN, START, World, codes, person, request};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// Staging, in a freeze of a day.
fn frozen() -> World {
    let frozen = json!({"name": "release", "reason": "it is out", "environments": ["staging"],
        "when": {"kind": "dates", "from": START, "to": START.plus(DAY)}});
    let freeze: Freeze = serde_json::from_value(frozen).unwrap();
    World::new(Environment::Staging, GateSettings { freezes: vec![freeze], ..GateSettings::default() })
}

async fn is_frozen(world: &World) -> bool {
    let plan = world.planned(CHANGE, None).await;
    codes(&plan) == ["change_freeze"]
}

#[tokio::test]
async fn a_freeze_is_not_over_because_the_clock_was_set_and_is_when_its_time_is_over() {
    let world = frozen();
    world.clock.advance(Duration::from_secs(86_370));
    assert!(is_frozen(&world).await);
    world.clock.leap(DAY);
    assert!(is_frozen(&world).await, "its time is not over");
    world.clock.advance(Duration::from_secs(30));
    assert!(!is_frozen(&world).await);
}

#[tokio::test]
async fn an_hour_after_the_clock_was_set_the_calendar_goes_by_it_again() {
    let world = frozen();
    world.engine.expire_due().await.unwrap();
    world.clock.leap(DAY);
    assert!(is_frozen(&world).await);
    world.clock.advance(HOUR);
    assert!(!is_frozen(&world).await);
}

#[tokio::test]
async fn a_freeze_that_the_set_clock_says_has_begun_holds_too() {
    let world = frozen();
    world.clock.set(START.minus(HOUR));
    world.clock.leap(HOUR * 2);
    assert!(is_frozen(&world).await);
}

#[tokio::test]
async fn what_was_begun_counts_for_its_minute_whatever_the_clock_says() {
    let mut settings = GateSettings::default();
    settings.numbers.limits.staging.per_minute = 1;
    let world = World::new(Environment::Staging, settings);
    let first = world.planned(CONTAIN, None).await;
    assert_eq!(world.approved(&first).await.state, PlanState::Executed);
    let held = |plan: &Plan| codes(plan) == ["rate_minute"];
    assert!(held(&world.planned(CONTAIN, None).await));
    world.clock.leap(DAY + HOUR);
    assert!(held(&world.planned(CONTAIN, None).await));
    world.clock.advance(Duration::from_secs(61));
    let second = world.planned(CONTAIN, None).await;
    assert!(codes(&second).is_empty(), "{:?}", codes(&second));
    assert_eq!(world.approved(&second).await.state, PlanState::Executed);
    assert!(held(&world.planned(CONTAIN, None).await), "what began after it counts from then on");
    world.clock.advance(Duration::from_secs(61));
    assert!(codes(&world.planned(CONTAIN, None).await).is_empty());
}

#[tokio::test]
async fn people_are_told_once_that_the_clock_was_set() {
    let world = World::staging();
    for _ in 0..2 {
        world.engine.expire_due().await.unwrap();
        world.clock.advance(Duration::from_secs(59));
    }
    let told = || world.journal.entries().into_iter().filter(|entry| entry.kind == "clock.set").collect::<Vec<_>>();
    assert!(told().is_empty());
    world.clock.leap(HOUR);
    for _ in 0..3 {
        world.engine.expire_due().await.unwrap();
    }
    let entries = told();
    assert_eq!((entries.len(), &entries[0].payload["ahead_s"]), (1, &json!(3_600)));
    world.clock.leap(HOUR);
    world.engine.expire_due().await.unwrap();
    assert_eq!(told().len(), 2);
}

/// What automation proposes for an incident, and may do.
async fn automated(world: &World, incident: u128) -> Plan {
    let mut around = Surroundings { address_source: AddressSource::Authenticated, ..Surroundings::default() };
    around.autonomy.tenant = Some(4);
    world.journal.put_surroundings(around);
    let wish = request(CONTAIN, None);
    let proposal = ProposedPlan { title: wish.title, why: wish.why, confidence: 0.95, actions: wish.actions };
    let plan =
        world.engine.propose_revision(Id::from_bits(incident), &[proposal], false).await.unwrap().remove(0).unwrap();
    world.idle().await;
    world.journal.plan(plan.id).await.unwrap().unwrap()
}

#[tokio::test]
async fn what_a_person_undid_is_not_done_again_because_the_clock_was_set() {
    let world = World::staging();
    let plan = automated(&world, 1).await;
    assert_eq!(plan.state, PlanState::Executed, "{:?}", plan.decision);
    world.engine.undo(plan.actions[0].id, &person(1), "it was needed").await.unwrap();
    world.clock.leap(DAY + HOUR);
    assert_eq!(codes(&automated(&world, 2).await), ["undone_by_person"]);
    world.clock.advance(Duration::from_hours(23));
    assert_eq!(codes(&automated(&world, 3).await), ["undone_by_person"]);
    world.clock.advance(HOUR);
    assert_eq!(automated(&world, 4).await.state, PlanState::Executed);
}
