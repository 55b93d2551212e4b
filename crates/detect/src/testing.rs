//! Rules against their samples: what `shieldops rules test` and the server's rule page run.

use serde::Serialize;
use shieldops_model::LogSource;

use crate::sigma::{CompileOptions, FieldHit, Rule, RuleSet};

/// One event that a rule must match, or must not.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// The log source of the event; `None` takes the rule's own.
    pub source: Option<&'a LogSource>,
    /// One JSON object.
    pub line: &'a str,
}

impl<'a> From<&'a str> for Sample<'a> {
    fn from(line: &'a str) -> Self {
        Self { source: None, line }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SampleReport {
    pub results: Vec<SampleResult>,
    pub passed: usize,
    pub failed: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "a row of a report")]
pub struct SampleResult {
    /// From 1, in its own list.
    pub line: usize,
    pub expected: bool,
    pub matched: bool,
    /// The line is not a JSON object that the engine reads; never ok.
    pub bad_json: bool,
    pub ok: bool,
    /// What the match found.
    pub fields: Vec<FieldHit>,
}

/// The rule over samples that must match and samples that must not. The log source counts: a sample of a source that
/// the rule does not see does not match.
pub fn check_samples(rule: &Rule, matches: &[Sample<'_>], misses: &[Sample<'_>]) -> SampleReport {
    check_samples_with(rule, &CompileOptions::default(), matches, misses)
}

/// The same with the lists, pipelines and mappings that the rule is compiled with.
pub fn check_samples_with(
    rule: &Rule,
    options: &CompileOptions,
    matches: &[Sample<'_>],
    misses: &[Sample<'_>],
) -> SampleReport {
    check_samples_while(rule, options, (matches, misses), &|| true).unwrap_or_default()
}

/// The same as long as `go_on` says so, which is asked before each sample; nothing when it did not.
pub fn check_samples_while(
    rule: &Rule,
    options: &CompileOptions,
    (matches, misses): (&[Sample<'_>], &[Sample<'_>]),
    go_on: &dyn Fn() -> bool,
) -> Option<SampleReport> {
    let options = CompileOptions { allow_sourceless: true, ..options.clone() };
    let (set, _) = RuleSet::compile(vec![rule.clone()], &options);
    let mut report = SampleReport::default();
    for (expected, samples) in [(true, matches), (false, misses)] {
        for (index, sample) in samples.iter().enumerate() {
            if !go_on() {
                return None;
            }
            let result = check(&set, rule, sample, index.saturating_add(1), expected);
            let count = if result.ok { &mut report.passed } else { &mut report.failed };
            *count = count.saturating_add(1);
            report.results.push(result);
        }
    }
    Some(report)
}

/// A sample that does not say what it is comes from a source of the name that the rule gives.
fn named(rule: &Rule) -> LogSource {
    let name = rule.log_source.service.as_ref().or(rule.log_source.product.as_ref());
    LogSource { product: name.cloned(), categories: Vec::new(), service: name.cloned() }
}

fn check(set: &RuleSet, rule: &Rule, sample: &Sample<'_>, line: usize, expected: bool) -> SampleResult {
    let (own, named) = (rule.log_source.as_event_source(), named(rule));
    let source = match sample.source {
        None => &own,
        Some(source) if *source == LogSource::default() => &named,
        Some(source) => source,
    };
    let bytes = sample.line.as_bytes();
    let matched = set.matches_one(source, bytes, &rule.id);
    let bad_json = matched.is_none();
    let matched = matched.unwrap_or(false);
    let fields = match set.get(&rule.id) {
        Some(compiled) if matched => set.explain(compiled, source, bytes),
        _ => Vec::new(),
    };
    SampleResult { line, expected, matched, bad_json, ok: !bad_json && matched == expected, fields }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    #[test]
    fn each_sample_says_whether_it_did_as_it_should_and_why() {
        let text = "title: Failed login\nid: r1\nlevel: low\nlogsource: {product: linux, service: auth}\n\
                    detection:\n  sel: {outcome: failure, user|startswith: r}\n  condition: sel\n";
        let (rules, problems) = parse(text, "r.yml");
        let rules = rules.into_rules();
        assert_eq!(problems, []);
        let windows = LogSource { product: Some("windows".to_owned()), ..LogSource::default() };
        let hit = r#"{"outcome":"failure","user":"root"}"#;
        let elsewhere = Sample { source: Some(&windows), line: hit };
        let report = check_samples(
            &rules[0],
            &[hit.into(), "{}".into(), "{oops".into(), elsewhere],
            &[r#"{"outcome":"success","user":"root"}"#.into(), hit.into(), elsewhere],
        );
        let shown: Vec<_> = report.results.iter().map(|r| (r.line, r.expected, r.matched, r.bad_json, r.ok)).collect();
        assert_eq!(
            shown,
            [
                (1, true, true, false, true),
                (2, true, false, false, false),
                (3, true, false, true, false),
                (4, true, false, false, false),
                (1, false, false, false, true),
                (2, false, true, false, false),
                (3, false, false, false, true),
            ]
        );
        assert_eq!((report.passed, report.failed), (3, 4));
        let fields: Vec<_> = report.results[0]
            .fields
            .iter()
            .map(|f| format!("{} {}={} ~ {}", f.selection, f.field, f.value, f.pattern))
            .collect();
        assert_eq!(fields, ["sel outcome=failure ~ failure", "sel user=root ~ startswith: r"]);
    }
}
