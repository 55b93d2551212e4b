//! A correlation on events that are still there: matches of its rules are collected, and correlated when all are read.

use std::sync::Arc;

use shieldops_detect::{CorrelationSet, FieldReader, Limits, Observed, RuleSet, Sighting};
use shieldops_model::{Event, EventId, Normalised};

use super::tally::Tally;

/// Matches that are remembered until the end.
const MOST: usize = 500_000;

pub(super) struct Sightings {
    set: Arc<CorrelationSet>,
    wanted: Option<usize>,
    seen: Vec<Sighting>,
    reader: FieldReader,
    /// The event that the reader has; whether it could read it.
    read: Option<(EventId, bool)>,
    pub(super) left_out: u64,
}

impl Sightings {
    pub(super) fn new(set: CorrelationSet, id: &str) -> Self {
        let wanted = set.find(id).map(|one| one.index);
        Self { set: Arc::new(set), wanted, seen: Vec::new(), reader: FieldReader::new(), read: None, left_out: 0 }
    }

    /// Takes a match of the rule at that place of its set.
    pub(super) fn see(&mut self, rules: &RuleSet, rule: usize, event: &Event, normalised: &Normalised) {
        if self.seen.len() >= MOST {
            self.left_out = self.left_out.saturating_add(1);
            return;
        }
        let readable = match self.read {
            Some((id, readable)) if id == event.id => readable,
            _ => self.reader.read(normalised.flat.as_bytes()),
        };
        self.read = Some((event.id, readable));
        if readable {
            let observed = Observed { rule, event: event.id, time: event.window_time(), apart: event.demo };
            let reader = &mut self.reader;
            let mut read = |field: &str| reader.values(rules, &normalised.log_source, field);
            self.seen.extend(self.set.sight(observed, &mut read));
        }
    }

    /// Counts what the correlation finds in all of it, and says what there was no room for. Blocking.
    pub(super) fn tell(self, tally: &mut Tally) -> Option<String> {
        let groups = self.wanted.and_then(|wanted| self.set.get(wanted)).map(|one| one.group_by.clone());
        let replayed = self.set.replay(self.seen, Limits::default());
        for one in replayed.found.iter().filter(|one| Some(one.correlation) == self.wanted) {
            tally.correlated(one, groups.as_deref().unwrap_or_default());
        }
        replayed.let_go()
    }
}
