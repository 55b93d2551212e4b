//! Correlation told as cases: what joins, what stays apart, and that order does not matter.

use proptest::prelude::*;

use super::*;
use crate::{
    risk::Context,
    rollup::{open, refresh},
    testing::{START, alert, attack_alerts, host, ip, user, with},
};

/// An incident of one alert with these entities and tactics.
fn incident(number: u128, severity: Severity, tactics: &[&str], entities: &[Entity]) -> IncidentSummary {
    let first = with(alert("first", severity, 0), tactics, &[], entities);
    let now = first.first_seen;
    IncidentSummary::from(&open(IncidentId::from_bits(number), &[first], &Context::default(), now).unwrap())
}

fn check(tactics: &[&str], entities: &[Entity], incident: &IncidentSummary) -> String {
    let alert = with(alert("next", Severity::Medium, 60), tactics, &[], entities);
    match correlate(&alert, std::slice::from_ref(incident)) {
        Correlation::Join { why, .. } => why,
        Correlation::Open => "new".into(),
        Correlation::Alone => "alone".into(),
    }
}

#[test]
fn what_is_shared_decides_and_what_is_everywhere_does_not() {
    let (web, attacker, inner) = (host("web-01"), ip("203.0.113.66"), ip("10.0.0.9"));
    let entities =
        [web.clone(), attacker.clone(), inner.clone(), user("deploy"), user("root"), user("admin"), ip("127.0.0.1")];
    let spray = incident(1, Severity::Medium, &["credential-access"], &entities);
    let quiet = incident(1, Severity::Low, &["discovery"], &entities);
    let access = &["credential-access"][..];
    let cases = [
        ("public address", check(access, &[attacker], &spray)),
        ("private address", check(access, std::slice::from_ref(&inner), &spray)),
        ("private address and host", check(access, &[inner, web.clone()], &spray)),
        ("named account, no host known", check(access, &[user("deploy")], &spray)),
        ("named account of another host", check(access, &[user("deploy"), host("db-02")], &spray)),
        ("named account and host", check(access, &[user("deploy"), web.clone()], &spray)),
        ("root and host", check(access, &[user("root"), web.clone()], &spray)),
        ("another spray of the same names", check(access, &[user("admin"), user("root"), ip("198.51.100.9")], &spray)),
        ("host", check(access, std::slice::from_ref(&web), &spray)),
        ("host, execution after access", check(&["execution"], std::slice::from_ref(&web), &spray)),
        ("host, access beside low discovery", check(access, std::slice::from_ref(&web), &quiet)),
        ("root, no host known", check(&["execution"], &[user("root")], &spray)),
        ("host, no tactic", check(&[], &[web], &spray)),
        ("loopback", check(access, &[ip("127.0.0.1")], &spray)),
        ("nothing", check(access, &[], &spray)),
    ];
    insta::assert_snapshot!(cases.map(|(case, outcome)| format!("{case}: {outcome}")).join("\n"));
}

#[test]
fn only_open_incidents_of_the_last_half_hour_are_joined() {
    let attacker = [ip("203.0.113.66")];
    let near = incident(1, Severity::Medium, &[], &attacker);
    let late = |seconds| with(alert("next", Severity::Medium, seconds), &[], &[], &attacker);
    let joins = |alert: &Alert, incident: &IncidentSummary| {
        correlate(alert, std::slice::from_ref(incident)) != Correlation::Open
    };
    assert!(joins(&late(1_800), &near));
    assert!(!joins(&late(1_801), &near));
    assert!(joins(&late(-1_800), &near));
    assert!(!joins(&late(-1_801), &near));
    for changed in [
        IncidentSummary { status: IncidentStatus::Closed, ..near.clone() },
        IncidentSummary { status: IncidentStatus::Resolved, ..near.clone() },
        IncidentSummary { merged: true, ..near.clone() },
        IncidentSummary { demo: true, ..near },
    ] {
        assert!(!joins(&late(60), &changed), "{changed:?}");
    }
}

#[test]
fn an_informational_alert_joins_but_opens_nothing() {
    let attacker = [ip("203.0.113.66")];
    let note = with(alert("note", Severity::Informational, 60), &[], &[], &attacker);
    assert_eq!(correlate(&note, &[]), Correlation::Alone);
    let near = incident(1, Severity::Medium, &[], &attacker);
    assert!(matches!(correlate(&note, &[near]), Correlation::Join { .. }));
}

#[test]
fn an_alert_that_bridges_two_incidents_names_both() {
    let by_address = incident(1, Severity::Medium, &["credential-access"], &[ip("203.0.113.66"), host("a")]);
    let by_account = incident(2, Severity::Low, &["discovery"], &[user("deploy"), host("web-01")]);
    let bridge = with(
        alert("sign-in", Severity::High, 60),
        &["initial-access"],
        &["T1078"],
        &[ip("203.0.113.66"), user("deploy"), host("web-01")],
    );
    let both = [by_address.clone(), by_account.clone()];
    let Correlation::Join { id, also, .. } = correlate(&bridge, &both) else { panic!("joins") };
    assert_eq!((id, also), (by_address.id, vec![by_account.id]));
}

/// Runs alerts through correlation as the pipeline does, with merges, and counts the incidents that stay.
fn incidents_of(alerts: &[Alert]) -> usize {
    let mut incidents: Vec<(Incident, Vec<Alert>)> = Vec::new();
    for (number, alert) in (1_u128..).zip(alerts) {
        let candidates: Vec<IncidentSummary> = incidents.iter().map(|(incident, _)| incident.into()).collect();
        match correlate(alert, &candidates) {
            Correlation::Join { id, also, .. } => {
                let moved: Vec<Alert> = incidents
                    .extract_if(.., |(incident, _)| also.contains(&incident.id))
                    .flat_map(|(_, alerts)| alerts)
                    .collect();
                let joined = moved.iter().chain([alert]).map(|alert| alert.id).collect();
                let (incident, held) = incidents.iter_mut().find(|(incident, _)| incident.id == id).unwrap();
                held.extend(moved);
                held.push(alert.clone());
                let growth = crate::Growth { joined, ..Default::default() };
                *incident = refresh(incident, held, &growth, &Context::default(), alert.last_seen);
            }
            Correlation::Open => {
                let held = vec![alert.clone()];
                let opened = open(IncidentId::from_bits(number), &held, &Context::default(), alert.last_seen).unwrap();
                incidents.push((opened, held));
            }
            Correlation::Alone => {}
        }
    }
    incidents.len()
}

#[test]
fn the_recorded_attack_is_one_incident() {
    assert_eq!(incidents_of(&attack_alerts()), 1);
}

/// A slip of an administrator on the same host is not swallowed by the attack, and does not take the attacker's acts.
#[test]
fn a_slip_on_the_same_host_stays_apart() {
    let slip = [ip("198.51.100.23"), host("web-01"), user("admin")];
    let mut alerts = attack_alerts();
    alerts.insert(0, with(alert("slip", Severity::Low, -9), &["credential-access"], &["T1110"], &slip));
    assert_eq!(incidents_of(&alerts), 1, "one slip opens no incident");
    alerts.first_mut().unwrap().count = 3;
    assert_eq!(incidents_of(&alerts), 2);
}

#[test]
fn two_attackers_on_one_host_are_two_incidents() {
    let from = |rule: &str, address: &str, second: i64| {
        let entities = [ip(address), host("web-01"), user("admin"), user("root")];
        with(alert(rule, Severity::Medium, second), &["credential-access"], &["T1110"], &entities)
    };
    assert_eq!(incidents_of(&[from("a", "203.0.113.66", 0), from("b", "198.51.100.7", 30)]), 2);
}

proptest! {
    #[test]
    fn the_recorded_attack_is_one_incident_in_whatever_order_it_arrives(alerts in Just(attack_alerts()).prop_shuffle()) {
        prop_assert_eq!(incidents_of(&alerts), 1);
    }

    #[test]
    fn the_order_of_the_candidates_does_not_matter(numbers in Just(vec![1_u128, 2, 3, 4]).prop_shuffle()) {
        let attacker = [ip("203.0.113.66")];
        let of = |numbers: &[u128]| {
            let candidates: Vec<IncidentSummary> =
                numbers.iter().map(|number| incident(*number, Severity::Medium, &[], &attacker)).collect();
            correlate(&with(alert("next", Severity::Low, 60), &[], &[], &attacker), &candidates)
        };
        prop_assert_eq!(of(&numbers), of(&[1, 2, 3, 4]));
    }
}

#[test]
fn the_start_of_the_tests_is_the_time_they_say() {
    assert_eq!(Timestamp::from_secs(START).to_string(), "2026-11-21T10:00:00.000000Z");
}
