//! What is shown of a correlation beside what it has in common with rules, and its samples, which are stories.

use std::collections::BTreeSet;

use serde::Serialize;
use shieldops_model::Normalised;
use shieldops_pipeline::{CorrelationEntry, RuleBook, RuleEntry};
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
        let correlation = &entry.correlation;
        Self {
            r#type: correlation.kind.as_str(),
            group_by: correlation.group_by.clone(),
            timespan: correlation.timespan.text.clone(),
            timespan_s: correlation.timespan.seconds,
            members: entry.members.clone(),
            silent: entry.silent,
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

/// Tries a correlation on its own stories, or on these events as one story. Nothing for a rule that is none. Blocking.
pub(crate) fn test(entry: &RuleEntry, events: Option<&[serde_json::Value]>) -> Option<TestAnswer> {
    let result = |story: &[String], expected: Option<bool>, matched: bool| TestResult {
        event: story.join("\n"),
        expected: expected.map(|expected| if expected { "match" } else { "miss" }),
        matched,
        ok: expected.is_none_or(|expected| expected == matched),
        fields: Vec::new(),
    };
    if let Some(events) = events {
        let story: Vec<String> = events.iter().map(ToString::to_string).collect();
        let found = entry.finds(std::slice::from_ref(&story))?;
        let results = found.into_iter().map(|matched| result(&story, None, matched)).collect();
        return Some(TestAnswer { results, passed: 0, failed: 0 });
    }
    let mut results = Vec::new();
    for (expected, stories) in [(true, &entry.matches), (false, &entry.misses)] {
        let stories: Vec<Vec<String>> =
            stories.iter().map(|story| story.lines().map(str::to_owned).collect()).collect();
        let found = entry.finds(&stories)?;
        results.extend(stories.iter().zip(found).map(|(story, matched)| result(story, Some(expected), matched)));
    }
    let passed = results.iter().filter(|result| result.ok).count();
    Some(TestAnswer { failed: results.len().saturating_sub(passed), passed, results })
}
