//! Correlations over everything at once: files, samples, a backtest. Matches of rules are collected in any order and put in
//! the order of time first.

use std::{collections::BTreeMap, sync::Arc};

use shieldops_model::Timestamp;

use super::{CorrelationMatch, CorrelationSet, Correlator, Counters, Limits, Observed};

/// A match of a rule with the values that correlations will ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    pub observed: Observed,
    fields: BTreeMap<String, Vec<String>>,
}

/// What correlations find in everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// In the order of time.
    pub found: Vec<CorrelationMatch>,
    counters: Counters,
}

impl Replayed {
    /// In words, what was let go for want of room: a match may be missing. Nothing when all of it was held.
    pub fn let_go(&self) -> Option<String> {
        let Counters { evicted_groups: groups, evicted_events: events, .. } = self.counters;
        (groups > 0 || events > 0).then(|| {
            format!(
                "correlations had no room for all they count together: {groups} groups and {events} events were let go \
                 early, and what these would have completed is not found"
            )
        })
    }
}

/// Sightings that go in between two looks at what is over.
const STEP: usize = 1_000;

impl CorrelationSet {
    /// What a match is to these correlations; nothing when it is nothing to them. `read` gives the values of a field of its
    /// event.
    pub fn sight(&self, observed: Observed, read: &mut dyn FnMut(&str) -> Vec<String>) -> Option<Sighting> {
        let feeds = self.feeds(observed.rule);
        let names = feeds.iter().flat_map(|feed| feed.group_by.iter().chain(&feed.fields));
        let fields = names.map(|name| (name.clone(), read(name))).collect();
        (!feeds.is_empty()).then_some(Sighting { observed, fields })
    }

    /// Every match of these correlations that stands when all is over, as it is then, by its last sight.
    pub fn replay(self: &Arc<Self>, mut sightings: Vec<Sighting>, limits: Limits) -> Replayed {
        sightings.sort_by_key(|sighting| (sighting.observed.time, sighting.observed.event));
        let mut correlator = Correlator::new(Arc::clone(self), limits);
        let mut found = BTreeMap::new();
        let mut take = |correlator: &mut Correlator| {
            for one in correlator.take() {
                let key = (one.correlation, one.apart, one.group.clone(), one.opened);
                if one.superseded.is_some() {
                    found.remove(&key)
                } else {
                    found.insert(key, one)
                };
            }
        };
        for step in sightings.chunks(STEP) {
            for Sighting { observed, fields } in step {
                correlator.observe(observed, &mut |name| fields.get(name).cloned().unwrap_or_default());
            }
            correlator.advance(step.last().map(|last| last.observed.time));
            take(&mut correlator);
            correlator.forget_steps();
        }
        correlator.advance(Some(Timestamp::from_micros(i64::MAX)));
        take(&mut correlator);
        let mut found: Vec<CorrelationMatch> = found.into_values().collect();
        found.sort_by_key(|one| (one.last_seen, one.correlation, one.opened));
        Replayed { found, counters: correlator.counters() }
    }
}
