//! Cases as data: a detection and events in, a row of marks out.

use shieldops_detect::{CompileOptions, Diagnostic, EventRef, Rule, RuleSet, ScanStats, Worker};
use shieldops_model::LogSource;

/// The rules of a text, and what is wrong with it.
pub(crate) fn parse(text: &str, file: &str) -> (Vec<Rule>, Vec<Diagnostic>) {
    let (documents, diagnostics) = shieldops_detect::parse(text, file);
    (documents.into_rules(), diagnostics)
}

/// A whole rule around a detection.
pub(crate) fn rule_text(detection: &str) -> String {
    let indented: String = detection.lines().flat_map(|line| ["  ", line, "\n"]).collect();
    format!("title: T\nid: r\nlevel: low\nlogsource: {{category: test}}\ndetection:\n{indented}")
}

/// `x` for each event that the detection matches, `.` for each that it does not, `!` where it cannot be read; or the
/// diagnostics, when the rule does not load.
pub(crate) fn check(detection: &str, events: &[&str]) -> String {
    check_with(detection, events, &CompileOptions::default())
}

pub(crate) fn check_with(detection: &str, events: &[&str], options: &CompileOptions) -> String {
    let (rules, diagnostics) = parse(&rule_text(detection), "r.yml");
    if rules.is_empty() {
        return diagnostics.iter().map(|d| format!("{}@{}:{}", d.code, d.line, d.column)).collect::<Vec<_>>().join(" ");
    }
    let (set, _) = RuleSet::compile(rules, options);
    let bytes: Vec<&[u8]> = events.iter().map(|event| event.as_bytes()).collect();
    marks(&set, &source("/test/"), &bytes)
}

pub(crate) fn marks(set: &RuleSet, source: &LogSource, events: &[&[u8]]) -> String {
    events
        .iter()
        .map(|event| {
            let (found, stats) = scan(set, source, event);
            if stats.bad_events > 0 {
                '!'
            } else if found.is_empty() {
                '.'
            } else {
                'x'
            }
        })
        .collect()
}

/// The ids of the rules that match an event.
pub(crate) fn scan(set: &RuleSet, source: &LogSource, event: &[u8]) -> (Vec<String>, ScanStats) {
    let mut worker = Worker::new();
    let mut found = Vec::new();
    let events = [EventRef { line: 0..event.len(), source }];
    set.scan(&mut worker, &events, event, &mut |_, rule| found.push(rule.id.clone()));
    (found, worker.stats())
}

/// `product/category,category/service`; an empty part is absent.
pub(crate) fn source(text: &str) -> LogSource {
    let mut parts = text.split('/').map(|part| (!part.is_empty()).then(|| part.to_owned()));
    let product = parts.next().flatten();
    let categories = parts.next().flatten().map_or(Vec::new(), |all| all.split(',').map(str::to_owned).collect());
    LogSource { product, categories, service: parts.next().flatten() }
}

/// A rule of this id and log source (as flow YAML) that matches every event with the field `a` set to 1.
pub(crate) fn rule_for(id: &str, log_source: &str) -> Rule {
    let text = format!(
        "title: {id}\nid: {id}\nlevel: low\nlogsource: {log_source}\ndetection:\n  sel: {{a: 1}}\n  condition: sel\n"
    );
    let (mut rules, diagnostics) = parse(&text, "r.yml");
    assert_eq!(diagnostics, []);
    rules.remove(0)
}
