//! The embedded policies through the Rust door, and what happens when evaluation fails.

use std::{fs, path::Path};

use shieldops_model::Risk;

use super::*;
use crate::load::{BUILT_IN, BUILT_IN_TESTS, MAX_POLICY_BYTES};
use crate::permit::tests::{input, target};

#[test]
fn every_policy_file_is_built_in() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let mut on_disk: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| Path::new(name).extension().is_some_and(|ext| ext == "rego"))
        .collect();
    on_disk.sort();
    let mut built_in: Vec<_> = BUILT_IN.iter().chain(BUILT_IN_TESTS).map(|(name, _)| (*name).to_owned()).collect();
    built_in.sort();
    assert_eq!(on_disk, built_in);
}

#[test]
fn every_policy_has_tests_beside_it() {
    for (policy, _) in BUILT_IN {
        let beside = policy.replace(".rego", "_test.rego");
        assert!(BUILT_IN_TESTS.iter().any(|(name, _)| *name == beside), "{policy}");
    }
}

#[test]
fn a_block_in_production_is_medium_or_high_and_needs_one_approval() {
    let policy = Policy::built_in().unwrap();
    for (criticality, risk) in [("low", Risk::Medium), ("medium", Risk::Medium), ("high", Risk::High)] {
        let mut question = input();
        question.actions[0].target.criticality = serde_json::from_value(criticality.into()).unwrap();
        let decision = policy.evaluate(question).into_decision();
        assert!(decision.allow, "{:?}", decision.denies);
        assert_eq!((decision.risk, decision.approvals_needed), (risk, 1));
        assert_eq!(decision.risk_terms.len(), 5);
    }
}

#[test]
fn the_same_input_gives_the_same_hashes() {
    let policy = Policy::built_in().unwrap();
    let first = policy.evaluate(input()).into_decision();
    assert_eq!(first, policy.evaluate(input()).into_decision());
    let mut other = input();
    other.actions[0].target = (&shieldops_model::Target { protected: true, ..target() }).into();
    let other = policy.evaluate(other).into_decision();
    assert_ne!(first.input_hash, other.input_hash);
    assert_eq!(other.denies[0].code, "protected_target");
}

fn answer_of(rego: &str) -> Decision {
    let text = format!("package shieldops.decision\n{rego}");
    Policy::load(vec![("decision.rego".to_owned(), text)]).unwrap().evaluate(input()).into_decision()
}

#[test]
fn whatever_goes_wrong_is_a_deny() {
    let rest = r#""risk": "low", "risk_terms": [], "obligations": {}, "controls": [], "tenant": {"denies": [], "obligations": []}"#;
    let whole = format!(r#""denies": [], "approvals_needed": 0, {rest}"#);
    for (rego, why) in [
        ("other := 1".to_owned(), "rule path"),
        ("decision := x if { x := input.nothing.here }".to_owned(), "undefined"),
        (r#"decision := {"allow": true}"#.to_owned(), "shape"),
        ("decision := true".to_owned(), "shape"),
        (format!(r#"decision := {{"allow": false, {whole}}}"#), "contradicts"),
        (format!(r#"decision := {{"allow": true, "extra": 1, {whole}}}"#), "shape"),
        (format!(r#"decision := {{"allow": net.cidr_contains("nonsense", "1.2.3.4"), {whole}}}"#), "cidr"),
        (format!(r#"decision := {{"allow": true, "denies": [], "approvals_needed": 11, {rest}}}"#), "too many"),
    ] {
        let decision = answer_of(&rego);
        assert!(!decision.allow, "{rego}");
        assert_eq!(decision.denies[0].code, "policy_error", "{rego}");
        assert!(decision.denies[0].detail.contains(why), "{rego}: {}", decision.denies[0].detail);
    }
}

#[test]
fn an_answer_that_takes_too_long_is_a_deny() {
    let rego = "decision := count([1 | some a in range; some b in range; some c in range; some d in range; a + b + c + d < 0])
range := numbers_list
numbers_list := [x | some x in split(\"1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49,50\", \",\")]";
    let rego = rego.replace("a + b + c + d < 0", "concat(\"\", [a, b, c, d]) == \"x\"");
    let begun = Instant::now();
    let decision = answer_of(&rego);
    assert_eq!(decision.denies[0].code, "policy_error");
    assert!(begun.elapsed() < EVALUATION_LIMIT * 8, "{:?}", begun.elapsed());
}

#[test]
fn a_policy_that_does_not_parse_or_is_too_long_is_refused() {
    assert_eq!(
        Policy::load(vec![("bad.rego".to_owned(), "package x\ndeny if {".to_owned())]).unwrap_err().file,
        "bad.rego"
    );
    let long = format!("package x\n{}", "# a comment\n".repeat(MAX_POLICY_BYTES / 12 + 1));
    Policy::load(vec![("long.rego".to_owned(), long)]).unwrap_err();
}
