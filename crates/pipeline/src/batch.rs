//! One batch of events through normaliser and rules: bytes in, findings out. Blocking work over values.

use std::sync::Arc;

use shieldops_detect::{EventRef, Indicators, Rule, Worker};
use shieldops_ingest::{Problem, normalise_checked};
use shieldops_model::{Event, Normalised};
use shieldops_triage::Finding;

use crate::{
    cores::in_parts,
    correlation::Correlation,
    enabled::TenantRules,
    fields::Fields,
    indicators::{self, Sightings},
    peers::Peers,
    silent::Silent,
};

/// Events that are worth a thread of their own.
const WORTH_A_CORE: usize = 256;

/// What scanning needs from batch to batch.
#[derive(Default)]
pub(crate) struct Workers {
    base: Worker,
    /// For the tenant's own rules.
    own: Worker,
    pub(crate) fields: Fields,
    pub(crate) peers: Peers,
    pub(crate) correlation: Correlation,
}

/// What one batch gave.
pub(crate) struct Outcome {
    pub(crate) events: Vec<Event>,
    pub(crate) findings: Vec<Finding>,
    /// Events that were stored and not understood.
    pub(crate) problems: Vec<(Event, Problem)>,
    /// Matches that are no findings.
    pub(crate) silent: Silent,
    /// What lists name, made alerts or not.
    pub(crate) sightings: Sightings,
    /// The events were looked up in the lists of indicators.
    pub(crate) looked_up: bool,
    /// What ran.
    pub(crate) rules: Arc<TenantRules>,
}

/// Without `indicators` while they are not loaded.
pub(crate) fn run(
    events: Vec<Event>,
    rules: Arc<TenantRules>,
    indicators: Option<&Indicators>,
    workers: &mut Workers,
) -> Outcome {
    let read = |event: &Event| {
        let (mut normalised, problem) = normalise_checked(event);
        rules.book.fit(&mut normalised.log_source);
        (normalised, problem)
    };
    // Most of the work of a batch.
    let read = in_parts(&events, WORTH_A_CORE, |part| part.iter().map(read).collect());
    let (mut seen, mut problems) = (Vec::with_capacity(events.len()), Vec::new());
    for (event, (normalised, problem)) in events.iter().zip(read) {
        problems.extend(problem.map(|problem| (event.clone(), problem)));
        seen.push(normalised);
    }
    workers.fields.look(&events, &seen);
    workers.peers.look(&events, &seen);
    workers.correlation.begin(&rules.correlations);
    let mut found =
        Found { events: &events, seen: &seen, rules: &rules, findings: Vec::new(), silent: Silent::default() };
    found.by_rules(workers);
    workers.correlation.settle();
    let Found { mut findings, silent, .. } = found;
    let mut sightings =
        indicators.map(|indicators| indicators::sightings(&events, &seen, indicators)).unwrap_or_default();
    findings.append(&mut sightings.findings);
    Outcome { events, findings, problems, silent, sightings, looked_up: indicators.is_some(), rules }
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
        let correlation = &mut workers.correlation;
        rules.book.set.scan(&mut workers.base, &refs, &bytes, &mut |index, rule| {
            if rules.runs(rule.index) {
                self.matched(index, rule, rules.is_shadow(rule.index), correlation);
            }
        });
        if let Some(own) = &rules.own {
            own.set.scan(&mut workers.own, &refs, &bytes, &mut |index, rule| {
                self.matched(index, rule, own.is_shadow(&rule.id), correlation);
            });
        }
    }

    fn matched(&mut self, index: usize, rule: &Rule, shadow: bool, correlation: &mut Correlation) {
        let (Some(event), Some(normalised)) = (self.events.get(index), self.seen.get(index)) else { return };
        let line = normalised.flat.as_bytes();
        if self.rules.excepted(rule, event.window_time(), &normalised.log_source, line) {
            self.silent.excepted(rule, event);
            return;
        }
        // What a correlation in shadow has brought along works for it alone.
        let is_below = self.rules.own.as_ref().is_some_and(|own| own.is_below(&rule.id));
        let (set, place) = (self.rules.correlated(), self.rules.correlated().position(&rule.id));
        if let Some(place) = place.filter(|_| !shadow || is_below) {
            correlation.observe(set, place, index, (event, normalised));
        }
        let is_silent = place.is_some_and(|place| self.rules.correlation_set().is_silent(place));
        if shadow && !(is_below && is_silent) {
            self.silent.shadow(rule, event);
        } else if !shadow
            && !is_silent
            && let Some(facts) = self.rules.facts(&rule.id)
        {
            self.findings.push(Finding::new(facts, event, normalised));
        }
    }
}
