//! Our answers beside those of Open Policy Agent: every test of the shipped policies, every rule on ordinary inputs, and
//! the decision on inputs that differ in one field. Skipped, and said so, where it is not installed
//! (`scripts/opa install`).

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::{Entry, Input, Requester, RequesterKind, example, explain, load, suite, tree};

/// Paths without `data.`, each with an input.
type Questions = Vec<(String, Value)>;

/// The answers of the other engine; `None`: it is not here.
fn opa(files: &[load::File], questions: &Questions) -> Option<Vec<Value>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut child = Command::new("bash")
        .arg(root.join("scripts/opa"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let policies: BTreeMap<_, _> = files.iter().cloned().collect();
    let asked = json!({"policies": policies, "questions": questions}).to_string();
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || drop(input.write_all(asked.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    if output.status.code() == Some(75) {
        eprintln!("SKIPPED: no Open Policy Agent here: run scripts/opa install");
        return None;
    }
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Our answer in the same form.
fn ours(engine: &mut regorus::Engine, path: &str, input: &Value) -> Value {
    engine.set_input(input.clone().into());
    match engine.eval_rule(format!("data.{path}")) {
        Ok(regorus::Value::Undefined) => json!({}),
        Ok(value) => json!({"value": serde_json::from_str::<Value>(&value.to_json_str().unwrap()).unwrap()}),
        Err(error) => json!({"error": error.to_string()}),
    }
}

fn compare(files: &[load::File], questions: &Questions) {
    let Some(theirs) = opa(files, questions) else { return };
    assert_eq!(theirs.len(), questions.len());
    let mut engine = load::engine(files).unwrap();
    let mut different = Vec::new();
    for ((path, input), theirs) in questions.iter().zip(theirs) {
        let ours = ours(&mut engine, path, input);
        // Texts of errors differ, that there is one does not.
        let same = ours == theirs || ours.get("error").is_some() && theirs.get("error").is_some();
        if !same {
            different.push(format!("{path}\n  ours   {ours}\n  theirs {theirs}\n  of {input}"));
        }
    }
    assert!(different.is_empty(), "{} of {} differ:\n{}", different.len(), questions.len(), different.join("\n"));
}

/// An ordinary plan, by everybody and through every door.
fn ordinary() -> Vec<Value> {
    let person = Requester { id: "usr_01h455vb4pex5vsknk084sn02q".to_owned(), kind: RequesterKind::User };
    let inputs = [
        example::block(),
        Input { requester: person.clone(), ..example::block() },
        Input { entry: Entry::Undo, ..example::block() },
        Input { entry: Entry::Undo, requester: person, drifted: true, ..example::block() },
    ];
    inputs.iter().map(|input| serde_json::to_value(input).unwrap()).collect()
}

/// Ours pass all of them: a test of its own says so.
#[test]
fn every_rego_test_passes_in_open_policy_agent() {
    let files = suite::built_in();
    let names: Vec<String> = suite::run(&files).unwrap().tests.into_iter().map(|test| test.name).collect();
    let packages: BTreeSet<&str> = names.iter().filter_map(|name| Some(name.rsplit_once('.')?.0)).collect();
    let questions = packages.iter().map(|name| (name.trim_start_matches("data.").to_owned(), json!({}))).collect();
    let Some(theirs) = opa(&files, &questions) else { return };
    let theirs: BTreeMap<&str, Value> = packages.into_iter().zip(theirs).collect();
    for name in &names {
        let (package, test) = name.rsplit_once('.').unwrap();
        assert_eq!(theirs[package]["value"][test], json!(true), "{name}: {}", theirs[package]["error"]);
    }
}

#[test]
fn every_rule_gives_the_same_in_open_policy_agent() {
    let files = load::built_in();
    let rules = tree::rules_without_arguments(&load::index(&files).unwrap());
    assert!(rules.len() > 50, "{rules:?}");
    let questions = ordinary()
        .iter()
        .flat_map(|input| rules.iter().map(|rule| (rule.trim_start_matches("data.").to_owned(), input.clone())))
        .collect();
    compare(&files, &questions);
}

#[test]
fn every_input_with_one_field_changed_is_decided_the_same_in_open_policy_agent() {
    let files = load::built_in();
    let inputs: Vec<Value> = ordinary().iter().flat_map(|input| explain::neighbours(&files, input)).collect();
    assert!(inputs.len() > 300, "{}", inputs.len());
    let questions = inputs.into_iter().map(|input| ("shieldops.decision.decision".to_owned(), input)).collect();
    compare(&files, &questions);
}
