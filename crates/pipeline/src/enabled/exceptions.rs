//! Exceptions: filters that are asked only when a rule has matched. A rule with its exceptions is compiled the first time
//! that one of them could hold, so a set is never copied for a tenant.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use shieldops_detect::{CompileOptions, Documents, EventRef, Filter, Rule, RuleSet, Worker, parse};
use shieldops_model::{LogSource, Timestamp};
use shieldops_store::exceptions::Exception;

/// Rules with their exceptions that are kept compiled.
const KEPT: usize = 4_096;

/// In the key of a rule without exceptions.
const ALONE: usize = usize::MAX;

/// The rule, its version, and the first exception that had not ended.
type Key = (String, String, usize);

pub(crate) struct Exceptions {
    /// With the time of their end, the first to end first.
    filters: Vec<(Timestamp, Filter)>,
    compiled: Mutex<HashMap<Key, Arc<RuleSet>>>,
}

impl Exceptions {
    pub(crate) fn new(stored: &[Exception]) -> Self {
        let read = |exception: &Exception| {
            let (end, filters) = (exception.expires_at, parse(&exception.filter, "exception.yml").0.filters);
            filters.into_iter().map(move |filter| (end, filter))
        };
        let mut filters: Vec<_> = stored.iter().flat_map(read).collect();
        filters.sort_by_key(|(end, _)| *end);
        Self { filters, compiled: Mutex::default() }
    }

    /// Whether one holds for an event that the rule matches, compiled with these options.
    pub(crate) fn hold(
        &self,
        (rule, options): (&Rule, &CompileOptions),
        at: Timestamp,
        source: &LogSource,
        line: &[u8],
    ) -> bool {
        let first = self.filters.partition_point(|(end, _)| *end <= at);
        let left = self.filters.get(first..).unwrap_or_default();
        let concerned: Vec<&Filter> =
            left.iter().map(|(_, filter)| filter).filter(|filter| filter.applies(rule)).collect();
        if concerned.is_empty() {
            return false;
        }
        let key = |first| (rule.id.clone(), rule.version.clone(), first);
        let set = self.compiled(key(first), || with(rule, &concerned, options));
        // A rule that does not compile with its exceptions has none: too many alerts are better than too few. Nor has one
        // that does not match without them: it is not the rule that matched.
        let alone = || self.compiled(key(ALONE), || with(rule, &[], options));
        !set.is_empty() && !matches(&set, source, line) && matches(&alone(), source, line)
    }

    fn compiled(&self, key: Key, compile: impl FnOnce() -> RuleSet) -> Arc<RuleSet> {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if compiled.len() >= KEPT {
            compiled.clear();
        }
        Arc::clone(compiled.entry(key).or_insert_with(|| Arc::new(compile())))
    }
}

/// The first exception that takes a match out. Blocking.
pub fn excepted_by(
    (rule, options): (&Rule, &CompileOptions),
    stored: &[Exception],
    at: Timestamp,
    source: &LogSource,
    line: &[u8],
) -> Option<Exception> {
    let holds = |one: &&Exception| Exceptions::new(std::slice::from_ref(*one)).hold((rule, options), at, source, line);
    stored.iter().find(holds).cloned()
}

fn with(rule: &Rule, filters: &[&Filter], options: &CompileOptions) -> RuleSet {
    let filters = filters.iter().copied().cloned().collect();
    let documents = Documents { filters, ..Documents::from(vec![rule.clone()]) };
    RuleSet::compile(documents, options).0
}

fn matches(set: &RuleSet, source: &LogSource, line: &[u8]) -> bool {
    let mut matched = false;
    let event = EventRef { line: 0..line.len(), source };
    set.scan(&mut Worker::new(), &[event], line, &mut |_, _| matched = true);
    matched
}
