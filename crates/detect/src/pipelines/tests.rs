//! Pipelines do to rules what their files say, and say with a place what they cannot.

mod apply;
mod load;

use shieldops_model::LogSource;

use super::*;
use crate::{CompileOptions, EventRef, RuleSet, Worker, parse};

fn source() -> LogSource {
    LogSource {
        product: Some("windows".to_owned()),
        categories: vec!["process_creation".to_owned()],
        service: Some("sysmon".to_owned()),
    }
}

fn rule(detection: &str) -> String {
    let indented: String = detection.lines().flat_map(|line| ["  ", line, "\n"]).collect();
    format!(
        "title: T\nid: r\nlevel: high\nstatus: test\ntags: [attack.t1059]\n\
         logsource: {{product: windows, category: process_creation}}\ndetection:\n{indented}"
    )
}

/// A pipeline of these transformations, given as a YAML list.
fn pipeline(transformations: &str) -> String {
    let indented: String = transformations.lines().flat_map(|line| ["  ", line, "\n"]).collect();
    format!("name: p\nvars: {{Admins: [adm1, 'a*']}}\ntransformations:\n{indented}")
}

fn codes(found: &[Diagnostic]) -> String {
    found.iter().map(|d| format!("{}@{}:{}", d.code, d.line, d.column)).collect::<Vec<_>>().join(" ")
}

fn load(transformations: &str) -> Pipeline {
    let (loaded, found) = Pipeline::parse(&pipeline(transformations), "p.yml");
    loaded.unwrap_or_else(|| panic!("{transformations}: {found:?}"))
}

/// `x` or `.` for each event that the rule matches behind the pipeline; or what is wrong, when it is not loaded.
fn check(transformations: &str, detection: &str, events: &[&str]) -> String {
    check_all(vec![load(transformations)], detection, events)
}

fn check_all(pipelines: Vec<Pipeline>, detection: &str, events: &[&str]) -> String {
    let (documents, found) = parse(&rule(detection), "r.yml");
    assert_eq!(documents.rules.len(), 1, "{found:?}");
    let options = CompileOptions { pipelines, ..CompileOptions::default() };
    let (set, found) = RuleSet::compile(documents, &options);
    if set.is_empty() {
        return codes(&found);
    }
    events.iter().map(|event| if matches(&set, event) { 'x' } else { '.' }).collect()
}

fn matches(set: &RuleSet, event: &str) -> bool {
    let source = source();
    let mut found = false;
    let events = [EventRef { line: 0..event.len(), source: &source }];
    set.scan(&mut Worker::new(), &events, event.as_bytes(), &mut |_, _| found = true);
    found
}

#[test]
fn sets_that_are_compiled_with_the_same_lists_and_pipelines_share_them() {
    let options = CompileOptions {
        placeholders: [("Admins".to_owned(), ["root".to_owned()].into())].into(),
        pipelines: vec![load("- {type: case}")],
        ..CompileOptions::default()
    };
    let set = || RuleSet::compile(parse(&rule("sel: {f: a}\ncondition: sel"), "r.yml").0, &options).0;
    let (one, other) = (set(), set());
    let (one, other) = (one.options(), other.options());
    assert!(Arc::ptr_eq(&one.placeholders["Admins"], &other.placeholders["Admins"]));
    assert!(Arc::ptr_eq(&one.pipelines[0].items, &other.pipelines[0].items));
    assert!(Arc::ptr_eq(&one.pipelines[0].vars["Admins"], &other.pipelines[0].vars["Admins"]));
}
