//! The embedded policies through the Rust door, their own Rego tests, and what happens when evaluation fails.

use std::{fs, path::Path};

use regorus::Value;

use super::*;
use crate::permit::tests::{input, target};

#[test]
fn every_rego_test_passes_and_every_policy_has_some() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut engine = new_engine();
    for file in files.iter().filter(|file| file.extension().is_some_and(|ext| ext == "rego")) {
        engine.add_policy_from_file(file).unwrap();
    }
    let (mut run, mut failed) = (0, Vec::new());
    for module in files.iter().filter(|file| file.to_string_lossy().ends_with("_test.rego")) {
        let text = fs::read_to_string(module).unwrap();
        let package = text.lines().find_map(|line| line.strip_prefix("package ")).unwrap();
        let names = text.lines().filter(|line| line.starts_with("test_")).filter_map(|line| line.split(' ').next());
        for name in names {
            let result = engine.clone().eval_rule(format!("data.{package}.{name}"));
            run += 1;
            if result.ok() != Some(Value::from(true)) {
                failed.push(format!("{package}.{name}"));
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(run >= 44, "only {run} tests were found");
    for (policy, _) in BUILT_IN {
        let beside = folder.join(policy.replace(".rego", "_test.rego"));
        assert!(beside.exists(), "{policy} has no tests beside it");
    }
}

#[test]
fn every_policy_file_is_built_in() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let mut on_disk: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| Path::new(name).extension().is_some_and(|ext| ext == "rego") && !name.ends_with("_test.rego"))
        .collect();
    on_disk.sort();
    assert_eq!(on_disk, BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>());
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
    Policy::load(&[("decision.rego", &text)]).unwrap().evaluate(input()).into_decision()
}

#[test]
fn whatever_goes_wrong_is_a_deny() {
    let whole = r#""denies": [], "approvals_needed": 0, "risk": "low", "risk_terms": []"#;
    for (rego, why) in [
        ("other := 1".to_owned(), "rule path"),
        ("decision := x if { x := input.nothing.here }".to_owned(), "undefined"),
        (r#"decision := {"allow": true}"#.to_owned(), "shape"),
        ("decision := true".to_owned(), "shape"),
        (format!(r#"decision := {{"allow": false, {whole}}}"#), "contradicts"),
        (format!(r#"decision := {{"allow": true, "extra": 1, {whole}}}"#), "shape"),
        (format!(r#"decision := {{"allow": net.cidr_contains("nonsense", "1.2.3.4"), {whole}}}"#), "cidr"),
        (
            r#"decision := {"allow": true, "denies": [], "approvals_needed": 11, "risk": "low", "risk_terms": []}"#
                .to_owned(),
            "too many",
        ),
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
    assert_eq!(Policy::load(&[("bad.rego", "package x\ndeny if {")]).unwrap_err().file, "bad.rego");
    let long = format!("package x\n{}", "# a comment\n".repeat(MAX_POLICY_BYTES / 12 + 1));
    Policy::load(&[("long.rego", &long)]).unwrap_err();
}
