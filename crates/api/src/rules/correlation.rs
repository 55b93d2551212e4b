//! What is shown of a correlation beside what it has in common with rules, and its samples, which are stories.

use std::collections::BTreeSet;

use serde::Serialize;
use shieldops_bus::Stop;
use shieldops_detect::Correlation;
use shieldops_model::Normalised;
use shieldops_pipeline::{Case, CorrelationEntry, OwnCorrelation, RuleBook, story_lines};
use utoipa::ToSchema;

use super::{TestAnswer, TestResult};
use crate::alerts::FieldMatch;

/// How a rule is made of others.
#[derive(Serialize, ToSchema)]
pub(crate) struct CorrelationView {
    /// `event_count`, `value_count`, `temporal`, `temporal_ordered`, `value_sum`, `value_avg`, `value_median` or
    /// `value_percentile`.
    r#type: &'static str,
    /// Fields whose values make a group.
    group_by: Vec<String>,
    /// As the rule writes it.
    timespan: String,
    timespan_s: u64,
    /// Ids of its rules, in its order.
    members: Vec<String>,
    /// It raises no alerts itself: another one builds on it.
    silent: bool,
}

impl CorrelationView {
    pub(crate) fn of(entry: &CorrelationEntry) -> Self {
        Self::new(&entry.correlation, &entry.members, entry.silent)
    }

    pub(crate) fn of_own(own: &OwnCorrelation) -> Self {
        Self::new(&own.correlation, &own.members, own.silent)
    }

    fn new(correlation: &Correlation, members: &[String], silent: bool) -> Self {
        Self {
            r#type: correlation.kind.as_str(),
            group_by: correlation.group_by.clone(),
            timespan: correlation.timespan.text.clone(),
            timespan_s: correlation.timespan.seconds,
            members: members.to_vec(),
            silent,
        }
    }
}

/// What one of its events has: the hits of the first of its rules that matches, also through correlations below.
pub(crate) fn fields(book: &RuleBook, entry: &CorrelationEntry, seen: &Normalised) -> Vec<FieldMatch> {
    let mut wanted: Vec<&String> = entry.members.iter().collect();
    let mut tried = BTreeSet::new();
    while let Some(id) = wanted.pop() {
        if !tried.insert(id) {
            continue;
        }
        if let Some(below) = book.correlation_entries.get(id) {
            wanted.extend(&below.members);
        } else if let Some(rule) = book.set.get(id) {
            let hits = book.set.explain(rule, &seen.log_source, seen.flat.as_bytes());
            if !hits.is_empty() {
                return hits.into_iter().map(FieldMatch::from).collect();
            }
        }
    }
    Vec::new()
}

/// Tries a correlation on stories that it must find and stories that it must not; nothing when it had to stop. Blocking.
pub(crate) fn test(case: &Case, matches: &[String], misses: &[String], stop: &Stop) -> Option<TestAnswer> {
    let mut results = Vec::new();
    for (expected, samples) in [(true, matches), (false, misses)] {
        let found = case.finds(&story_lines(samples), stop)?;
        results.extend(samples.iter().zip(found).map(|(story, matched)| result(story, Some(expected), matched)));
    }
    let passed = results.iter().filter(|result| result.ok).count();
    Some(TestAnswer { failed: results.len().saturating_sub(passed), passed, results })
}

/// Tries a correlation on these events as one story; nothing when it had to stop. Blocking.
pub(crate) fn tried(case: &Case, events: &[serde_json::Value], stop: &Stop) -> Option<TestAnswer> {
    let story: Vec<String> = events.iter().map(ToString::to_string).collect();
    let found = case.finds(std::slice::from_ref(&story), stop)?.first().copied().unwrap_or(false);
    Some(TestAnswer { results: vec![result(&story.join("\n"), None, found)], passed: 0, failed: 0 })
}

fn result(story: &str, expected: Option<bool>, matched: bool) -> TestResult {
    TestResult {
        event: story.to_owned(),
        expected: expected.map(|expected| if expected { "match" } else { "miss" }),
        matched,
        ok: expected.is_none_or(|expected| expected == matched),
        fields: Vec::new(),
    }
}
