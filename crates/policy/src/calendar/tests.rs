//! Windows of time to the microsecond, in zones, over a change of summer time.

use serde_json::{Value, json};

use super::*;

/// The names of the freezes that hold, with their ends.
fn active(settings: Value, now: &str) -> Vec<String> {
    let settings: GateSettings = serde_json::from_value(settings).unwrap();
    let found = active_freezes(&settings, now.parse().unwrap());
    found.iter().map(|freeze| format!("{} until {}", freeze.name, freeze.until)).collect()
}

fn nights() -> Value {
    let when = json!({"kind": "weekly", "days": ["friday"], "from": "18:00", "to": "06:00", "zone": "Europe/Berlin"});
    json!({"freezes": [{"name": "night", "reason": "r", "when": when}]})
}

#[test]
fn dates_hold_from_the_first_moment_to_just_before_the_last() {
    let when = json!({"kind": "dates", "from": "2026-12-24T00:00:00Z", "to": "2026-12-27T00:00:00Z"});
    let settings =
        json!({"freezes": [{"name": "year's end", "environments": ["production"], "reason": "r", "when": when}]});
    assert_eq!(active(settings.clone(), "2026-12-23T23:59:59.999999Z"), [""; 0]);
    assert_eq!(active(settings.clone(), "2026-12-24T00:00:00Z"), ["year's end until 2026-12-27T00:00:00.000000Z"]);
    assert_eq!(active(settings.clone(), "2026-12-26T23:59:59.999999Z").len(), 1);
    assert_eq!(active(settings, "2026-12-27T00:00:00Z"), [""; 0]);
}

#[test]
fn hours_of_the_week_are_those_of_their_zone_and_go_on_after_midnight() {
    assert_eq!(active(nights(), "2026-11-20T16:59:59Z"), [""; 0]);
    assert_eq!(active(nights(), "2026-11-20T17:00:00Z"), ["night until 2026-11-21T05:00:00.000000Z"]);
    assert_eq!(active(nights(), "2026-11-21T04:59:59Z").len(), 1);
    assert_eq!(active(nights(), "2026-11-21T05:00:00Z"), [""; 0]);
}

#[test]
fn hours_of_the_week_follow_summer_time() {
    assert_eq!(active(nights(), "2026-07-03T15:59:59Z"), [""; 0]);
    assert_eq!(active(nights(), "2026-07-03T16:00:00Z"), ["night until 2026-07-04T04:00:00.000000Z"]);
}

#[test]
fn weekends_are_frozen_only_when_set_and_in_the_zone_that_is_set() {
    assert_eq!(active(json!({}), "2026-11-21T12:00:00Z"), [""; 0]);
    let utc = json!({"weekends_frozen": true});
    assert_eq!(active(utc.clone(), "2026-11-20T23:59:59Z"), [""; 0]);
    assert_eq!(active(utc.clone(), "2026-11-22T12:00:00Z"), ["weekend until 2026-11-23T00:00:00.000000Z"]);
    assert_eq!(active(utc, "2026-11-23T00:00:00Z"), [""; 0]);
    let tokyo = json!({"weekends_frozen": true, "weekend_zone": "Asia/Tokyo"});
    assert_eq!(active(tokyo.clone(), "2026-11-20T15:00:00Z").len(), 1);
    assert_eq!(active(tokyo, "2026-11-22T15:00:00Z"), [""; 0]);
}

#[test]
fn a_freeze_that_cannot_be_read_holds() {
    let when = json!({"kind": "weekly", "days": ["friday"], "from": "18:00", "to": "06:00", "zone": "Nowhere/None"});
    let settings = json!({"freezes": [{"name": "bad", "reason": "r", "when": when}]});
    assert_eq!(active(settings, "2026-11-18T12:00:00Z").len(), 1);
}

#[test]
fn no_environment_means_every_environment() {
    let settings: GateSettings = serde_json::from_value(json!({"weekends_frozen": true})).unwrap();
    let found = active_freezes(&settings, "2026-11-21T12:00:00Z".parse().unwrap());
    assert_eq!(found[0].environments, EVERYWHERE);
}
