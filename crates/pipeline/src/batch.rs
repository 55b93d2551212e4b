//! One batch of events through normaliser and rules: bytes in, findings out. Blocking work over values.

use std::sync::Arc;

use shieldops_detect::{EventRef, Rule, Worker};
use shieldops_ingest::{Problem, normalise_checked};
use shieldops_model::{Event, Normalised, Severity};
use shieldops_triage::{Finding, RuleFacts};

use crate::{content::RuleBook, enabled::TenantRules, fields::Fields, silent::Silent};

/// What scanning needs from batch to batch.
#[derive(Default)]
pub(crate) struct Workers {
    base: Worker,
    /// For the tenant's own rules.
    own: Worker,
    pub(crate) fields: Fields,
}

/// What one batch gave.
pub(crate) struct Outcome {
    pub(crate) events: Vec<Event>,
    pub(crate) findings: Vec<Finding>,
    /// Events that were stored and not understood.
    pub(crate) problems: Vec<(Event, Problem)>,
    /// Matches that are no findings.
    pub(crate) silent: Silent,
    /// What ran.
    pub(crate) rules: Arc<TenantRules>,
}

pub(crate) fn run(events: Vec<Event>, rules: Arc<TenantRules>, workers: &mut Workers) -> Outcome {
    let mut problems = Vec::new();
    let mut seen = Vec::with_capacity(events.len());
    for event in &events {
        let (normalised, problem) = normalise_checked(event);
        if let Some(problem) = problem {
            problems.push((event.clone(), problem));
        }
        seen.push(normalised);
    }
    workers.fields.look(&events, &seen);
    let mut found = Found { events: &events, seen: &seen, rules: &rules, findings: Vec::new(), silent: Silent::default() };
    found.by_rules(workers);
    let Found { mut findings, silent, .. } = found;
    findings.extend(indicator_findings(&events, &seen, &rules.book));
    Outcome { events, findings, problems, silent, rules }
}

/// What the rules find in a batch.
struct Found<'a> {
    events: &'a [Event],
    seen: &'a [Normalised],
    rules: &'a TenantRules,
    findings: Vec<Finding>,
    silent: Silent,
}

impl Found<'_> {
    fn by_rules(&mut self, workers: &mut Workers) {
        let (seen, rules) = (self.seen, self.rules);
        let mut bytes = Vec::with_capacity(seen.iter().map(|normalised| normalised.flat.len() + 1).sum());
        let mut refs = Vec::with_capacity(seen.len());
        for normalised in seen {
            let start = bytes.len();
            bytes.extend_from_slice(normalised.flat.as_bytes());
            refs.push(EventRef { line: start..bytes.len(), source: &normalised.log_source });
            bytes.push(b'\n');
        }
        rules.book.set.scan(&mut workers.base, &refs, &bytes, &mut |index, rule| {
            if rules.runs(rule.index) {
                self.matched(index, rule, rules.is_shadow(rule.index), rules.book.facts(&rule.id));
            }
        });
        if let Some(own) = &rules.own {
            own.set.scan(&mut workers.own, &refs, &bytes, &mut |index, rule| {
                self.matched(index, rule, own.is_shadow(&rule.id), own.facts(&rule.id));
            });
        }
    }

    fn matched(&mut self, index: usize, rule: &Rule, shadow: bool, facts: Option<Arc<RuleFacts>>) {
        let (Some(event), Some(normalised)) = (self.events.get(index), self.seen.get(index)) else { return };
        let line = normalised.flat.as_bytes();
        if self.rules.excepted(rule, event.window_time(), &normalised.log_source, line) {
            self.silent.excepted(rule, event);
        } else if shadow {
            self.silent.shadow(rule, event);
        } else if let Some(facts) = facts {
            self.findings.push(Finding::new(facts, event, normalised));
        }
    }
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
