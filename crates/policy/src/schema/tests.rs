//! That the schema, the types and the policies speak of the same input.

use super::*;
use crate::{load, permit, suite, tree::reads_of};

fn reads(files: &[load::File]) -> BTreeSet<Read> {
    let index = load::index(files).unwrap();
    index
        .modules
        .iter()
        .flat_map(|module| module.policy.iter().flat_map(|rule| reads_of(&index, module, rule)))
        .collect()
}

#[test]
fn every_fact_that_a_shipped_policy_reads_is_in_the_schema() {
    let reads = reads(&load::built_in());
    let unknown = unknown(&input_schema(), reads.clone());
    assert!(unknown.is_empty(), "{unknown:#?}");
    let paths: BTreeSet<String> = reads.iter().map(|read| read.path.to_string()).collect();
    for wanted in [
        "input.actions[_].capability.effects[_]",
        "input.actions[_].facts.untouchable[_]",
        "input.situation.numbers.limits[_].blast_radius",
        "input.situation.grants[_].labels",
        "input.situation.actions[_].address_source",
        "input.situation.counts.teams_last_hour[_][_]",
        "input.situation.protected[_].value",
        "input.actions[_].target.labels[_]",
    ] {
        assert!(paths.contains(wanted), "{wanted} is not followed: {paths:#?}");
    }
}

#[test]
fn a_fact_that_is_not_there_is_found_with_its_line() {
    let text = "package p\n\ndeny contains \"x\" if {\n\tsome action in input.actions\n\taction.capability.clas == \"x\"\n\tinput.nothing\n\tinput.situation.numbers.limits.production.per_hour > 1\n}\n";
    let found = unknown(&input_schema(), reads(&[("p.rego".to_owned(), text.to_owned())]));
    let found: Vec<String> = found.iter().map(|read| format!("{}:{} {}", read.file, read.line, read.path)).collect();
    assert_eq!(found, ["p.rego:5 input.actions[_].capability.clas", "p.rego:6 input.nothing"]);
}

/// The same as a JSON value, with every list and object filled once.
#[test]
fn the_inputs_of_the_rego_tests_are_inputs_of_the_server() {
    let mut engine = load::engine(&suite::built_in()).unwrap();
    let block = "data.shieldops.testing.block_of_a_stranger".to_owned();
    let text = engine.eval_rule(block).unwrap().to_json_str().unwrap();
    let mut value: Value = serde_json::from_str(&text).unwrap();
    let typed: crate::Input = serde_json::from_value(value.clone()).unwrap();
    let mut printed = serde_json::to_value(&typed).unwrap();
    // Only the name of the peer is not what the server would have written.
    printed["actions"][0]["resources"] = Value::Null;
    value["actions"][0]["resources"] = Value::Null;
    assert_eq!(printed, value);
}

#[test]
fn what_the_server_sends_is_what_the_schema_says() {
    fn check(schema: &Value, value: &Value, at: &Path) {
        assert!(has(schema, at), "{at}");
        match value {
            Value::Object(map) if at.0.last() != Some(&Part::Field("params".to_owned())) => {
                map.iter().for_each(|(key, value)| check(schema, value, &at.then(Part::Field(key.clone()))));
            }
            Value::Array(items) => items.iter().for_each(|value| check(schema, value, &at.then(Part::Each))),
            _ => {}
        }
    }
    check(&input_schema(), &serde_json::to_value(permit::tests::input()).unwrap(), &Path::default());
}
