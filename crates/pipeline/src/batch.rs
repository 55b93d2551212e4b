//! One batch of events through normaliser and rules: bytes in, findings out. Blocking work over values.

use std::{sync::Arc, time::Duration};

use shieldops_detect::{EventRef, Indicators, Rule, Worker};
use shieldops_ingest::{Problem, normalise_checked};
use shieldops_model::{Event, Normalised};
use shieldops_triage::Finding;

use crate::{
    cores::in_parts,
    correlation::Correlation,
    enabled::TenantRules,
    fields::Fields,
    fit::fit,
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
    /// Those that were taken: all, or the first of them where they make more than one transaction is to write.
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

/// Without `indicators` while they are not loaded. Matches of one fingerprint within `window` are one alert.
pub(crate) fn run(
    mut events: Vec<Event>,
    rules: Arc<TenantRules>,
    indicators: Option<&Indicators>,
    workers: &mut Workers,
    window: Duration,
) -> Outcome {
    let read = |event: &Event| {
        let (mut normalised, problem) = normalise_checked(event);
        rules.book.fit(&mut normalised.log_source);
        (normalised, problem)
    };
    // Most of the work of a batch.
    let read = in_parts(&events, WORTH_A_CORE, |part| part.iter().map(read).collect());
    let (mut seen, mut problems): (Vec<_>, Vec<_>) = read.into_iter().unzip();
    let matches = Judge { events: &events, seen: &seen, rules: &rules }.by_rules(workers);
    let look = |events: &[Event], seen: &[Normalised]| {
        indicators.map(|indicators| indicators::sightings(events, seen, indicators)).unwrap_or_default()
    };
    let mut sightings = look(&events, &seen);
    // Nothing is told of an event before it is known that it is taken: what correlations saw cannot be unseen.
    let found = matches.iter().filter_map(|one| one.finding.as_ref()).chain(&sightings.findings);
    let taken = fit(&events, found, window);
    if taken < events.len() {
        events.truncate(taken);
        seen.truncate(taken);
        problems.truncate(taken);
        sightings = look(&events, &seen);
    }
    workers.fields.look(&events, &seen);
    workers.peers.look(&events, &seen);
    let (mut findings, silent) = tell(matches, (&events, &seen), &rules, &mut workers.correlation);
    findings.append(&mut sightings.findings);
    let problems = events.iter().zip(problems).filter_map(|(event, problem)| Some((event.clone(), problem?))).collect();
    Outcome { events, findings, problems, silent, sightings, looked_up: indicators.is_some(), rules }
}

/// A match of a rule on the event at `place`.
struct Match<'r> {
    place: usize,
    rule: &'r Rule,
    shadow: bool,
    /// An exception takes it out.
    excepted: bool,
    /// What becomes an alert of it.
    finding: Option<Finding>,
}

/// What the rules find in a batch.
struct Judge<'e, 'r> {
    events: &'e [Event],
    seen: &'e [Normalised],
    rules: &'r TenantRules,
}

impl<'r> Judge<'_, 'r> {
    /// Those of everybody's rules in the order of the events, then those of the tenant's own.
    fn by_rules(&self, workers: &mut Workers) -> Vec<Match<'r>> {
        let (seen, rules) = (self.seen, self.rules);
        let mut bytes = Vec::with_capacity(seen.iter().map(|normalised| normalised.flat.len() + 1).sum());
        let mut refs = Vec::with_capacity(seen.len());
        for normalised in seen {
            let start = bytes.len();
            bytes.extend_from_slice(normalised.flat.as_bytes());
            refs.push(EventRef { line: start..bytes.len(), source: &normalised.log_source });
            bytes.push(b'\n');
        }
        let mut matches = Vec::new();
        let all = rules.book.set.rules();
        rules.book.set.scan(&mut workers.base, &refs, &bytes, &mut |place, rule| {
            if let Some(rule) = all.get(rule.index).filter(|rule| rules.runs(rule.index)) {
                matches.extend(self.judge(place, rule, rules.is_shadow(rule.index)));
            }
        });
        if let Some(own) = &rules.own {
            let all = own.set.rules();
            own.set.scan(&mut workers.own, &refs, &bytes, &mut |place, rule| {
                matches.extend(all.get(rule.index).and_then(|rule| self.judge(place, rule, own.is_shadow(&rule.id))));
            });
        }
        matches
    }

    fn judge(&self, place: usize, rule: &'r Rule, shadow: bool) -> Option<Match<'r>> {
        let (event, normalised) = (self.events.get(place)?, self.seen.get(place)?);
        let line = normalised.flat.as_bytes();
        let excepted = self.rules.excepted(rule, event.window_time(), &normalised.log_source, line);
        let alerts = !excepted && !shadow && !is_silent(self.rules, rule);
        let facts = if alerts { self.rules.facts(&rule.id) } else { None };
        let finding = facts.map(|facts| Finding::new(facts, event, normalised));
        Some(Match { place, rule, shadow, excepted, finding })
    }
}

/// Whether a rule only works for correlations.
pub(crate) fn is_silent(rules: &TenantRules, rule: &Rule) -> bool {
    rules.own.as_ref().is_some_and(|own| own.is_silent(&rule.id))
        || rules.correlated().position(&rule.id).is_some_and(|place| rules.correlation_set().is_silent(place))
}

/// Tells correlations of the matches on these events; gives what becomes alerts, and what does not.
fn tell(
    matches: Vec<Match<'_>>,
    (events, seen): (&[Event], &[Normalised]),
    rules: &TenantRules,
    correlation: &mut Correlation,
) -> (Vec<Finding>, Silent) {
    let (mut findings, mut silent) = (Vec::new(), Silent::default());
    correlation.begin(&rules.correlations);
    for Match { place, rule, shadow, excepted, finding } in matches {
        let (Some(event), Some(normalised)) = (events.get(place), seen.get(place)) else { continue };
        if excepted {
            silent.excepted(rule, event);
            continue;
        }
        // What a correlation in shadow has brought along works for it alone.
        let is_below = rules.own.as_ref().is_some_and(|own| own.is_below(&rule.id));
        let set = rules.correlated();
        if let Some(at) = set.position(&rule.id).filter(|_| !shadow || is_below) {
            correlation.observe(set, at, place, (event, normalised));
        }
        if shadow && !(is_below && is_silent(rules, rule)) {
            silent.shadow(rule, event);
        }
        findings.extend(finding);
    }
    correlation.settle();
    (findings, silent)
}
