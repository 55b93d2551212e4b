//! What a rule set takes over from the one before it: numbers of predicates and keys, and the shards that no changed rule
//! is in, with what was learned of their events. Shards with a changed rule that were in use are made again here, so
//! that no event waits for them.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use shieldops_model::LogSource;

use super::{
    learn::Stats,
    shard::{EventId, Shard},
    shared::{Cell, Engine, Source, lock},
};
use crate::sigma::compile::{CompiledRule, Route, RuleSet};

/// A cell to be made, and the source that it is of.
type Remade = (Arc<Source>, EventId, Arc<Cell>);

/// From one set to the next.
struct Change<'s> {
    set: &'s RuleSet,
    before: &'s RuleSet,
    /// Rules of the next set that are new, and of the set before that are gone.
    come: Vec<&'s CompiledRule>,
    gone: Vec<&'s CompiledRule>,
}

/// The sources of an engine that follows another, whose program and keys it has taken over; and how many shards are
/// shared with it.
pub(super) fn sources(engine: &Engine, set: &RuleSet, before: &RuleSet) -> (HashMap<LogSource, Arc<Source>>, usize) {
    let is_new = |rule: &&CompiledRule| before.in_slot(rule.slot).is_none();
    let is_gone = |rule: &&CompiledRule| set.in_slot(rule.slot).is_none();
    let (come, gone) = (set.rules().iter().filter(is_new).collect(), before.rules().iter().filter(is_gone).collect());
    let change = Change { set, before, come, gone };
    let mut remade = Vec::new();
    let mut sources = HashMap::new();
    for (log_source, source) in before.engine.known_sources() {
        // One that rules name now, or name no more, is another from here on.
        if !engine.is_told_apart(&log_source) {
            continue;
        }
        let source = change.source(engine, &log_source, &source, &mut remade);
        sources.insert(log_source, source);
    }
    let shared = sources.values().map(|source: &Arc<Source>| lock(&source.cells).len()).sum();
    make(engine, set, &remade);
    (sources, shared)
}

impl Change<'_> {
    fn source(&self, engine: &Engine, log_source: &LogSource, old: &Source, remade: &mut Vec<Remade>) -> Arc<Source> {
        let seen = |rules: &[&CompiledRule]| -> Vec<usize> {
            rules.iter().filter(|rule| self.set.sees(rule, log_source)).map(|rule| rule.slot).collect()
        };
        let (come, gone) = (seen(&self.come), seen(&self.gone));
        let route = Arc::new(self.route(log_source, &old.route, &come));
        let named = if come.is_empty() && gone.is_empty() { old.named.clone() } else { engine.named(self.set, &route) };
        let source = Arc::new(Source { route, named, cells: Mutex::default() });
        let changed: Vec<usize> = come.into_iter().chain(gone).collect();
        let cells = lock(&old.cells);
        for (event_id, cell) in cells.iter().filter(|(event_id, _)| source.has(**event_id)) {
            let recipe = source.recipe((engine, self.set), *event_id);
            if changed.iter().any(|slot| recipe.concerns(*slot)) {
                remade.push((Arc::clone(&source), *event_id, Arc::clone(cell)));
            } else {
                lock(&source.cells).insert(*event_id, Arc::clone(cell));
            }
        }
        source
    }

    /// The rules of the old route that are still there, and those that came, by their places in the next set.
    fn route(&self, log_source: &LogSource, old: &Route, come: &[usize]) -> Route {
        let slots = old.rules.iter().filter_map(|place| self.before.slot(*place)).chain(come.iter().copied());
        let mut rules: Vec<usize> = slots.filter_map(|slot| self.set.place(slot)).collect();
        rules.sort_unstable();
        let same_fields = self.set.field_count() == self.before.field_count();
        let names = if same_fields { Arc::clone(&old.names) } else { Arc::new(self.set.other_names(log_source)) };
        Route { rules, names }
    }
}

/// Makes cells on every core.
fn make(engine: &Engine, set: &RuleSet, remade: &[Remade]) {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((source, event_id, old)) = remade.get(next.fetch_add(1, Ordering::Relaxed)) {
            let recipe = source.recipe((engine, set), *event_id);
            let samples = old.known_samples();
            let stats = match samples.used() {
                Some(lines) => {
                    let (fields, predicates) = recipe.measured();
                    Stats::measure(recipe.keys, recipe.program, &fields, &predicates, lines)
                }
                None => Stats::default(),
            };
            let cell = Cell::new(*event_id, Shard::new(&recipe, &stats), samples);
            lock(&source.cells).insert(*event_id, Arc::new(cell));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(remade.len());
    if threads < 2 {
        return work();
    }
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
}
