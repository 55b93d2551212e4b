//! Explanations of real decisions by the built-in policies and by a tenant's.

use shieldops_model::{Severity, UserId};

use super::*;
use crate::{Override, PerEnvironment, Team, example};

/// The codes with their places, then what would have made it another.
fn shown(input: &Input) -> String {
    let explained = explain_within(Duration::from_mins(5), &Policy::built_in().unwrap(), input);
    assert!(explained.evaluations <= MAX_EVALUATIONS);
    let flip = |flip: &Option<Flip>| {
        flip.as_ref().map_or("none found".to_owned(), |flip| {
            let changes = flip.changes.iter().map(|change| format!("{} {} -> {}", change.path, change.from, change.to));
            changes.collect::<Vec<_>>().join(" and ")
        })
    };
    let denied = explained.fired.iter().filter(|fired| fired.kind == FiredKind::Deny);
    let denied: Vec<String> = denied.map(|fired| format!("{} {}", fired.code, fired.file)).collect();
    format!("{}: {}; fewer: {}", denied.join(", "), flip(&explained.nearest), flip(&explained.fewer_approvals))
}

#[test]
fn a_rate_is_flipped_by_the_count_that_just_fits() {
    let mut input = example::block();
    input.situation.counts.last_hour = PerEnvironment { production: 25, ..PerEnvironment::default() };
    assert_eq!(
        shown(&input),
        "rate_hour limits.rego: situation.counts.last_hour.production 25 -> 18; fewer: none found"
    );
}

#[test]
fn a_search_that_takes_too_long_ends_with_what_it_has() {
    let input = Input { automation_halted: true, ..example::block() };
    let explained = explain_within(Duration::ZERO, &Policy::built_in().unwrap(), &input);
    assert_eq!((explained.evaluations, explained.nearest), (0, None));
    assert_eq!(explained.fired[0].code, "automation_halted", "what fired is told all the same");
}

#[test]
fn a_halt_is_flipped_by_resuming() {
    let input = Input { automation_halted: true, ..example::block() };
    assert!(shown(&input).starts_with("automation_halted automation.rego: automation_halted true -> false"));
}

#[test]
fn two_reasons_need_two_changes() {
    let mut input = Input { automation_halted: true, ..example::block() };
    input.actions[0].target.protected = true;
    let shown = shown(&input);
    assert!(
        shown.contains("automation_halted true -> false")
            && shown.contains("actions[0].target.protected true -> false"),
        "{shown}"
    );
}

#[test]
fn what_no_change_of_two_fields_flips_is_said_so() {
    let mut input = Input { automation_halted: true, ..example::block() };
    input.actions[0].target.protected = true;
    input.situation.counts.last_hour.production = 25;
    input.situation.counts.last_minute.production = 25;
    assert!(shown(&input).contains(": none found; fewer: none found"), "{}", shown(&input));
}

#[test]
fn an_allow_is_flipped_too_and_fewer_approvals_are_looked_for() {
    let mut input = example::block();
    input.requester = crate::Requester { id: UserId::from_bits(7).to_string(), kind: crate::RequesterKind::User };
    input.situation.severity = Some(Severity::Low);
    let explained = explain_within(Duration::from_mins(5), &Policy::built_in().unwrap(), &input);
    assert!(explained.allow && explained.approvals_needed == 1);
    assert!(explained.nearest.is_some());
    let fewer = explained.fewer_approvals.unwrap();
    assert_eq!(fewer.changes.len(), 1);
    assert_eq!(fewer.changes[0].path, "actions[0].target.environment");
}

#[test]
fn the_facts_that_a_rule_read_are_shown_with_their_values() {
    let mut input = example::block();
    input.requester = crate::Requester { id: UserId::from_bits(7).to_string(), kind: crate::RequesterKind::User };
    input.situation.teams = vec![Team {
        name: "web".to_owned(),
        members: Vec::new(),
        labels: [("app".to_owned(), "web".to_owned())].into(),
    }];
    let explained = explain_within(Duration::from_mins(5), &Policy::built_in().unwrap(), &input);
    let fired = &explained.fired[0];
    assert_eq!((fired.code.as_str(), fired.file.as_str()), ("outside_team", "teams.rego"));
    assert!(fired.lines.len() == 1 && fired.lines[0] > 1);
    assert!(
        fired.facts.contains(&Fact { path: "situation.teams[0].labels.app".to_owned(), value: "web".into() }),
        "{:#?}",
        fired.facts
    );
}

#[test]
fn what_a_capability_found_and_what_a_tenant_wrote_have_their_place_too() {
    let mut input = example::block();
    let reason = shieldops_model::Reason { code: "last_administrator".to_owned(), detail: "alice".to_owned() };
    input.actions[0].facts.as_mut().unwrap().untouchable = vec![reason];
    let explained = explain_within(Duration::from_mins(5), &Policy::built_in().unwrap(), &input);
    assert_eq!(explained.fired[0].file, "facts.rego");
    assert!(explained.fired[0].facts.iter().any(|fact| fact.path == "actions[0].facts.untouchable[0]"));
    let files =
        [("nights.rego".to_owned(), "package tenant.nights\n\ndeny contains \"no\" if input.drifted\n".to_owned())];
    let tenant = Policy::with_tenant(&files).unwrap();
    let explained = explain_within(Duration::from_mins(5), &tenant, &Input { drifted: true, ..example::block() });
    let fired = &explained.fired[0];
    assert_eq!(
        (fired.code.as_str(), fired.file.as_str(), fired.lines.as_slice()),
        ("tenant.nights", "nights.rego", &[3][..])
    );
    assert_eq!(explained.nearest.unwrap().changes[0].path, "drifted");
}

#[test]
fn a_freeze_is_flipped_by_its_end_or_by_an_override() {
    let mut input = example::block();
    input.actions[0].capability.purpose = crate::Purpose::Change;
    input.situation.freezes = vec![crate::ActiveFreeze {
        name: "year's end".to_owned(),
        environments: vec![shieldops_model::Environment::Production],
        reason: "r".to_owned(),
        until: shieldops_model::Timestamp::from_secs(1_795_999_999),
    }];
    let first = shown(&input);
    assert!(first.starts_with("change_freeze freezes.rego: ") && !first.contains("none found;"), "{first}");
    input.situation.freeze_override = Some(Override { by: "usr_1".to_owned(), reason: "r".to_owned() });
    assert!(explain(&Policy::built_in().unwrap(), &input).allow);
}
