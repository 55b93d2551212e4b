//! What settings are built in, and what is refused of others.

use serde_json::{Value, json};

use super::*;

fn checked(value: Value) -> Vec<String> {
    let settings: GateSettings = serde_json::from_value(value).unwrap();
    settings.check().err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[test]
fn the_built_in_settings_are_good_and_are_those_that_are_documented() {
    assert_eq!(checked(json!({})), Vec::<String>::new());
    let limits = GateSettings::default().numbers.limits;
    let of = |limits: Limits| (limits.blast_radius, limits.per_hour, limits.per_minute, limits.per_team_hour);
    assert_eq!(of(limits.development), (50, 100, 10, 50));
    assert_eq!(of(limits.staging), (20, 50, 5, 25));
    assert_eq!(of(limits.production), (5, 20, 3, 10));
}

#[test]
fn every_mistake_is_named_with_its_field() {
    let mut limits = serde_json::to_value(Numbers::default().limits).unwrap();
    limits["production"]["ipv4_prefix"] = json!(33);
    limits["staging"]["veto_window_s"] = json!(0);
    limits["staging"]["per_hour"] = json!(100_001);
    let found = checked(json!({
        "numbers": {"limits": limits, "confidence": {"low": 0.9, "high": 0.8}, "vote_void_s": 0},
        "weekend_zone": "Mars/Olympus",
        "freezes": [{"name": "", "reason": "r", "when": {"kind": "weekly", "days": [], "from": "25:00", "to": "8:00", "zone": "x"}},
            {"name": "n", "reason": "r", "when": {"kind": "dates", "from": "2026-01-02T00:00:00Z", "to": "2026-01-02T00:00:00Z"}}],
        "teams": [{"name": "a", "members": [], "labels": {}}, {"name": "a", "members": [], "labels": {"app": ""}}],
        "protected": [{"kind": "address", "value": "1.2.3", "why": "w"}, {"kind": "path", "value": "/a/../b", "why": ""},
            {"kind": "domain", "value": "Idp.example", "why": "w"}, {"kind": "range", "value": "1.2.3.4", "why": "w"}],
    }));
    let paths: Vec<&str> = found.iter().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(
        paths,
        [
            "numbers.limits.staging.per_hour",
            "numbers.limits.staging.veto_window_s",
            "numbers.limits.production.ipv4_prefix",
            "numbers.confidence.low",
            "numbers.vote_void_s",
            "freezes.0.name",
            "freezes.0.when.days",
            "freezes.0.when.from",
            "freezes.0.when.to",
            "freezes.0.when.zone",
            "freezes.1.when.to",
            "weekend_zone",
            "teams.0.labels",
            "teams.1.name",
            "teams.1.labels.app",
            "protected.0.value",
            "protected.1.why",
            "protected.1.value",
            "protected.2.value",
            "protected.3.value",
        ]
    );
}

#[test]
fn a_field_that_is_not_known_is_refused() {
    for bad in [json!({"blast": 1}), json!({"numbers": {"per_hour": 1}}), json!({"never_block": {"vpn": []}})] {
        serde_json::from_value::<GateSettings>(bad).unwrap_err();
    }
}
