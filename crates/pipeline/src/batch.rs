//! One batch of events through normaliser and rules: bytes in, findings out. Blocking work over values.

use std::sync::Arc;

use shieldops_detect::{EventRef, Worker};
use shieldops_ingest::{Problem, normalise_checked};
use shieldops_model::{Event, Normalised, Severity};
use shieldops_triage::{Finding, RuleFacts};

use crate::{content::RuleBook, enabled::Bitmap};

/// What one batch gave.
pub(crate) struct Outcome {
    pub(crate) events: Vec<Event>,
    pub(crate) findings: Vec<Finding>,
    /// Events that were stored and not understood.
    pub(crate) problems: Vec<(Event, Problem)>,
}

/// `enabled` is the tenant's part of the book's rules.
pub(crate) fn run(events: Vec<Event>, book: &RuleBook, enabled: &Bitmap, worker: &mut Worker) -> Outcome {
    let mut problems = Vec::new();
    let mut seen = Vec::with_capacity(events.len());
    for event in &events {
        let (normalised, problem) = normalise_checked(event);
        if let Some(problem) = problem {
            problems.push((event.clone(), problem));
        }
        seen.push(normalised);
    }
    let mut findings = rule_findings(&events, &seen, (book, enabled), worker);
    findings.extend(indicator_findings(&events, &seen, book));
    Outcome { events, findings, problems }
}

fn rule_findings(
    events: &[Event],
    seen: &[Normalised],
    (book, enabled): (&RuleBook, &Bitmap),
    worker: &mut Worker,
) -> Vec<Finding> {
    let mut bytes = Vec::with_capacity(seen.iter().map(|normalised| normalised.flat.len() + 1).sum());
    let mut refs = Vec::with_capacity(seen.len());
    for normalised in seen {
        let start = bytes.len();
        bytes.extend_from_slice(normalised.flat.as_bytes());
        refs.push(EventRef { line: start..bytes.len(), source: &normalised.log_source });
        bytes.push(b'\n');
    }
    let mut findings = Vec::new();
    book.set.scan(worker, &refs, &bytes, &mut |index, rule| {
        if !enabled.has(rule.index) {
            return;
        }
        let facts = book.facts(&rule.id);
        if let (Some(event), Some(normalised), Some(facts)) = (events.get(index), seen.get(index), facts) {
            findings.push(Finding::new(facts, event, normalised));
        }
    });
    findings
}

fn indicator_findings(events: &[Event], seen: &[Normalised], book: &RuleBook) -> Vec<Finding> {
    if book.indicators.is_empty() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (event, normalised) in events.iter().zip(seen) {
        for hit in book.indicators.lookup(&normalised.entities) {
            let facts = Arc::new(RuleFacts {
                id: format!("indicator:{}", hit.list),
                title: format!("Listed indicator seen ({})", hit.list),
                version: book.indicator_version.clone(),
                level: Severity::High,
                attack: shieldops_model::Attack::default(),
                group_by: Vec::new(),
            });
            let mut finding = Finding::new(facts, event, normalised);
            finding.grouping = vec![hit.entity];
            findings.push(finding);
        }
    }
    findings
}
