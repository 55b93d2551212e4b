//! What follows from settings alone, and what an effect reaches.

use serde_json::json;
use shieldops_model::Id;

use super::*;
use crate::resources;

fn settings() -> GateSettings {
    serde_json::from_value(json!({"teams": [
        {"name": "web", "members": [UserId::from_bits(1)], "labels": {"app": "web"}},
        {"name": "db", "members": [UserId::from_bits(2)], "labels": {"app": "db", "tier": "1"}},
    ]}))
    .unwrap()
}

fn teams_of(id: &str, kind: RequesterKind, labels: &[(&str, &str)]) -> Vec<String> {
    let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let requester = Requester { id: id.to_owned(), kind };
    let found = Situation::of(&settings(), Timestamp::from_secs(0), &requester, [&labels]);
    found.teams.into_iter().map(|team| team.name).collect()
}

#[test]
fn a_person_brings_their_teams_and_automation_those_of_the_targets() {
    let person = UserId::from_bits(1).to_string();
    assert_eq!(teams_of(&person, RequesterKind::User, &[("app", "db"), ("tier", "1")]), ["web"]);
    assert_eq!(teams_of("system:investigation", RequesterKind::System, &[("app", "db"), ("tier", "1")]), ["db"]);
    assert_eq!(teams_of("system:investigation", RequesterKind::System, &[("app", "db")]), [""; 0]);
}

#[test]
fn an_effect_reaches_its_target_single_addresses_and_who_was_seen_in_a_range() {
    let facts = crate::Facts { resources: vec!["user:alice".to_owned()], ..crate::Facts::default() };
    let reach = ["203.0.113.7/32", "198.51.100.0/24", "2001:db8::/64"].map(|net| net.parse().unwrap());
    let seen = ["198.51.100.9", "198.51.100.8", "192.0.2.1"].map(|peer| peer.parse().unwrap());
    let target = Id::from_bits(3);
    assert_eq!(
        resources(target, &reach, &facts, &seen),
        [
            format!("target:{target}").as_str(),
            "peer:198.51.100.8",
            "peer:198.51.100.9",
            "peer:203.0.113.7",
            "range:2001:db8::/64",
            "user:alice"
        ]
    );
}
