//! Whether new settings of the gate only tighten: then whoever wrote them may put them in force alone. Pure, and in doubt no:
//! what is not known to tighten takes two people.

use std::collections::BTreeSet;

use ipnet::IpNet;
use shieldops_policy::{GateSettings, Limits, NeverBlock, Numbers, PerEnvironment};

/// Nothing that was refused before is let through afterwards.
pub(crate) fn only_tightens(before: &GateSettings, after: &GateSettings) -> bool {
    numbers(&before.numbers, &after.numbers)
        && before.freezes.iter().all(|freeze| after.freezes.contains(freeze))
        && weekends(before, after)
        // A team gives its members targets and takes others away.
        && before.teams == after.teams
        // What is protected nobody acts on any more, and that may be what an attacker wants.
        && protected(before) == protected(after)
        && never_block(before) == never_block(after)
}

fn numbers(before: &Numbers, after: &Numbers) -> bool {
    let same_or_less = [
        (before.restarts_per_hour, after.restarts_per_hour),
        (before.escalation.approvers_after_s, after.escalation.approvers_after_s),
        (before.escalation.administrators_after_s, after.escalation.administrators_after_s),
        (before.vote_void_s, after.vote_void_s),
        (before.automation_expiry_s, after.automation_expiry_s),
    ];
    let same_or_more =
        [(before.kept_for_high_severity, after.kept_for_high_severity), (before.no_redo_s, after.no_redo_s)];
    same_or_less.iter().all(|(before, after)| after <= before)
        && same_or_more.iter().all(|(before, after)| after >= before)
        && after.confidence.low >= before.confidence.low
        && after.confidence.high >= before.confidence.high
        && each(&before.limits, &after.limits)
}

fn each(before: &PerEnvironment<Limits>, after: &PerEnvironment<Limits>) -> bool {
    limits(&before.development, &after.development)
        && limits(&before.staging, &after.staging)
        && limits(&before.production, &after.production)
}

fn limits(before: &Limits, after: &Limits) -> bool {
    let same_or_less = [
        (before.blast_radius, after.blast_radius),
        (before.resources_per_hour, after.resources_per_hour),
        (before.per_minute, after.per_minute),
        (before.per_hour, after.per_hour),
        (before.per_team_hour, after.per_team_hour),
    ];
    same_or_less.iter().all(|(before, after)| after <= before)
        // A longer prefix is a narrower range, and a longer window leaves more time to say no.
        && after.ipv4_prefix >= before.ipv4_prefix
        && after.ipv6_prefix >= before.ipv6_prefix
        && after.veto_window_s >= before.veto_window_s
}

fn weekends(before: &GateSettings, after: &GateSettings) -> bool {
    !before.weekends_frozen || (after.weekends_frozen && after.weekend_zone == before.weekend_zone)
}

/// Without the reasons: one may be written better.
fn protected(settings: &GateSettings) -> BTreeSet<(shieldops_policy::ProtectedKind, &str)> {
    settings.protected.iter().map(|entry| (entry.kind, entry.value.as_str())).collect()
}

fn never_block(settings: &GateSettings) -> [BTreeSet<&IpNet>; 4] {
    let NeverBlock { proxy, nat, monitoring, partner } = &settings.never_block;
    [proxy, nat, monitoring, partner].map(|nets| nets.iter().collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The built-in settings with one member changed.
    fn with(pointer: &str, value: Value) -> GateSettings {
        let mut settings = serde_json::to_value(GateSettings::default()).unwrap();
        *settings.pointer_mut(pointer).unwrap() = value;
        serde_json::from_value(settings).unwrap()
    }

    fn both_ways(pointer: &str, loose: Value, tight: Value) {
        let (loose, tight) = (with(pointer, loose), with(pointer, tight));
        assert!(only_tightens(&loose, &tight), "{pointer}");
        assert!(!only_tightens(&tight, &loose), "{pointer}");
        assert!(only_tightens(&tight, &tight), "{pointer}");
    }

    #[test]
    fn a_number_tightens_in_one_direction_alone() {
        for environment in ["development", "staging", "production"] {
            for less in ["blast_radius", "resources_per_hour", "per_minute", "per_hour", "per_team_hour"] {
                both_ways(&format!("/numbers/limits/{environment}/{less}"), json!(9), json!(8));
            }
            for more in ["ipv4_prefix", "ipv6_prefix", "veto_window_s"] {
                both_ways(&format!("/numbers/limits/{environment}/{more}"), json!(20), json!(30));
            }
        }
        for less in [
            "restarts_per_hour",
            "vote_void_s",
            "automation_expiry_s",
            "escalation/approvers_after_s",
            "escalation/administrators_after_s",
        ] {
            both_ways(&format!("/numbers/{less}"), json!(60), json!(50));
        }
        for more in ["kept_for_high_severity", "no_redo_s"] {
            both_ways(&format!("/numbers/{more}"), json!(3), json!(4));
        }
        for more in ["low", "high"] {
            both_ways(&format!("/numbers/confidence/{more}"), json!(0.6), json!(0.7));
        }
    }

    #[test]
    fn a_list_of_freezes_tightens_when_it_grows() {
        let weekly = json!({"kind": "weekly", "days": ["friday"], "from": "18:00", "to": "06:00", "zone": "UTC"});
        both_ways(
            "/freezes",
            json!([]),
            json!([{"name": "friday", "environments": [], "when": weekly, "reason": "rest"}]),
        );
        both_ways("/weekends_frozen", json!(false), json!(true));
    }

    #[test]
    fn what_nobody_may_act_on_any_more_takes_two_both_ways() {
        let entry = |why: &str| json!([{"kind": "user", "value": "root", "why": why}]);
        let (without, with_one) = (GateSettings::default(), with("/protected", entry("ours")));
        assert!(!only_tightens(&without, &with_one) && !only_tightens(&with_one, &without));
        assert!(only_tightens(&with_one, &with("/protected", entry("needed"))), "another reason");
        for class in ["proxy", "nat", "monitoring", "partner"] {
            let with_net = with(&format!("/never_block/{class}"), json!(["192.0.2.0/24"]));
            assert!(!only_tightens(&without, &with_net) && !only_tightens(&with_net, &without), "{class}");
        }
    }

    #[test]
    fn what_may_go_either_way_takes_two() {
        let team = json!([{"name": "web", "members": [], "labels": {"role": "web"}}]);
        let (without, with_one) = (GateSettings::default(), with("/teams", team));
        assert!(!only_tightens(&without, &with_one) && !only_tightens(&with_one, &without));
        let zone = |zone: &str| GateSettings {
            weekends_frozen: true,
            weekend_zone: zone.to_owned(),
            ..GateSettings::default()
        };
        assert!(!only_tightens(&zone("UTC"), &zone("Asia/Tokyo")));
    }
}
