//! What all workers of a rule set share: the program, and the shards that were made for the log sources seen.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use shieldops_model::LogSource;

use super::{
    inherit,
    keys::{Key, Keys},
    learn::Stats,
    nets::is_plain_number,
    program::{PredId, Program},
    sample::Samples,
    shard::{EventId, Recipe, Shard},
    words::Words,
};
use crate::sigma::{
    compile::{Route, RuleSet},
    item::Test,
};

/// The field by whose values Windows events are told apart: its tests are constants of a shard.
const EVENT_ID: &str = "EventID";

#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) program: Arc<Program>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) event_id: Option<(usize, Key)>,
    /// By what rules can tell of a log source.
    sources: Mutex<HashMap<LogSource, Arc<Source>>>,
    words: Words,
    /// Counts shards made again: workers take them up.
    pub(crate) version: AtomicU64,
    /// Counts how often everything was forgotten.
    pub(crate) era: AtomicU64,
    pub(crate) rebuilt: AtomicUsize,
    /// Shards taken over from the engine before.
    pub(crate) shared: usize,
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            program: Arc::default(),
            keys: Arc::new(Keys::new()),
            event_id: None,
            sources: Mutex::default(),
            words: Words::default(),
            version: AtomicU64::new(1),
            era: AtomicU64::new(1),
            rebuilt: AtomicUsize::new(0),
            shared: 0,
        }
    }
}

/// Rules and shards of one log source.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) route: Arc<Route>,
    /// Event ids that rules of this source name; empty where none does, or too many.
    pub(super) named: HashSet<u32>,
    pub(super) cells: Mutex<HashMap<EventId, Arc<Cell>>>,
}

/// One shard, made again when more is known of its events.
#[derive(Debug)]
pub(crate) struct Cell {
    event_id: EventId,
    shard: RwLock<Arc<Shard>>,
    pub(crate) samples: Mutex<Samples>,
}

/// Log sources that are remembered: far more than rules tell apart.
const MAX_SOURCES: usize = 4_096;
/// Event ids of one log source with shards of their own.
const MAX_NAMED: usize = 2_048;
const MAX_EVENT_ID: u32 = 999_999;

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    /// The engine of a set, which takes over what it can from that of the set before.
    pub(crate) fn new(set: &RuleSet, before: Option<&RuleSet>) -> Self {
        let mut program = before.map_or_else(Program::default, |before| Program::clone(&before.engine.program));
        let first = program.slots();
        program.add(set.rules().iter().filter(|rule| rule.slot >= first), &|name| set.field_id(name));
        let keys = match before.filter(|before| before.field_count() == set.field_count()) {
            Some(before) => Arc::clone(&before.engine.keys),
            None => Arc::new(keys_of(set, before)),
        };
        let event_id = set.field_id(EVENT_ID).and_then(|field| Some((field, keys.get(EVENT_ID)?)));
        let words = Words::of(set);
        let mut engine = Self { program: Arc::new(program), keys, event_id, words, ..Self::default() };
        if let Some(before) = before {
            let (sources, shared) = inherit::sources(&engine, set, before);
            (engine.sources, engine.shared) = (Mutex::new(sources), shared);
        }
        engine
    }

    pub(super) fn known_sources(&self) -> Vec<(LogSource, Arc<Source>)> {
        lock(&self.sources).iter().map(|(log_source, source)| (log_source.clone(), Arc::clone(source))).collect()
    }

    /// Whether the log source still stands for all that nothing tells apart from it.
    pub(super) fn is_told_apart(&self, log_source: &LogSource) -> bool {
        self.words.told_apart(log_source) == *log_source
    }

    /// What is shared for a log source.
    pub(crate) fn source(&self, set: &RuleSet, log_source: &LogSource) -> Arc<Source> {
        let log_source = self.words.told_apart(log_source);
        let mut sources = lock(&self.sources);
        if let Some(source) = sources.get(&log_source) {
            return Arc::clone(source);
        }
        let route = Arc::new(set.route(&log_source));
        let named = self.named(set, &route);
        let source = Arc::new(Source { route, named, cells: Mutex::default() });
        if sources.len() < MAX_SOURCES {
            sources.insert(log_source, Arc::clone(&source));
        }
        source
    }

    pub(super) fn named(&self, set: &RuleSet, route: &Route) -> HashSet<u32> {
        let mut named = HashSet::new();
        let Some((field, _)) = self.event_id else { return named };
        for node in route.rules.iter().filter_map(|rule| self.program.condition(set.slot(*rule)?)) {
            node.each_predicate(&mut |id: PredId| {
                let predicate = self.program.predicate(id).filter(|predicate| predicate.field == Some(field));
                if let Some(Test::Number { text, .. }) = predicate.map(|predicate| &predicate.test) {
                    named.extend(plain_id(text.as_bytes()));
                }
            });
        }
        // All of them or none: an id that is left out would count as one that no rule names.
        if named.len() > MAX_NAMED {
            named.clear();
        }
        named
    }

    /// Forgets every shard and all that was learned.
    pub(crate) fn reset(&self) {
        lock(&self.sources).clear();
        self.era.fetch_add(1, Ordering::Release);
    }

    /// Shards and their bytes.
    pub(crate) fn shards(&self) -> (usize, usize) {
        let sources: Vec<Arc<Source>> = lock(&self.sources).values().map(Arc::clone).collect();
        let mut all = (0_usize, 0_usize);
        for source in sources {
            for cell in lock(&source.cells).values() {
                all.0 = all.0.saturating_add(1);
                let bytes = cell.shard().size().saturating_add(lock(&cell.samples).bytes());
                all.1 = all.1.saturating_add(bytes);
            }
        }
        all
    }
}

/// The keys of a set's fields and of their other names, behind those of the set before.
fn keys_of(set: &RuleSet, before: Option<&RuleSet>) -> Keys {
    let mut keys = before.map_or_else(Keys::new, |before| Keys::clone(&before.engine.keys));
    for field in 0..set.field_count() {
        keys.add(set.field_name(field));
    }
    for name in set.field_map().all_names() {
        keys.add(name);
    }
    keys
}

/// The number that the bytes of an event id are.
pub(crate) fn plain_id(bytes: &[u8]) -> Option<u32> {
    if bytes.is_empty() || bytes.len() > 6 || !is_plain_number(bytes) {
        return None;
    }
    let digit = |number: u32, byte: &u8| number.saturating_mul(10).saturating_add(u32::from(byte.wrapping_sub(b'0')));
    Some(bytes.iter().fold(0, digit)).filter(|id| *id <= MAX_EVENT_ID)
}

impl Source {
    /// What the event id of an event says about its shard.
    pub(crate) fn event_id(&self, id: Option<u32>) -> EventId {
        match id {
            Some(id) if self.named.contains(&id) => EventId::Value(id),
            Some(_) if !self.named.is_empty() => EventId::Unnamed,
            _ => EventId::Open,
        }
    }

    pub(crate) fn cell(&self, set: &RuleSet, event_id: EventId) -> Arc<Cell> {
        if let Some(cell) = lock(&self.cells).get(&event_id) {
            return Arc::clone(cell);
        }
        let recipe = self.recipe((&set.engine, set), event_id);
        let made = Arc::new(Cell::new(event_id, Shard::new(&recipe, &Stats::default()), Samples::default()));
        Arc::clone(lock(&self.cells).entry(event_id).or_insert(made))
    }

    /// Whether events of the source can be of that kind.
    pub(super) fn has(&self, event_id: EventId) -> bool {
        match event_id {
            EventId::Value(id) => self.named.contains(&id),
            EventId::Unnamed => !self.named.is_empty(),
            EventId::Open => true,
        }
    }

    /// `engine` is that of `set`, or is to become it.
    pub(crate) fn recipe<'a>(&'a self, (engine, set): (&'a Engine, &'a RuleSet), event_id: EventId) -> Recipe<'a> {
        Recipe {
            set,
            program: &engine.program,
            keys: &engine.keys,
            route: &self.route,
            event_id,
            event_id_field: engine.event_id.map(|(field, _)| field),
        }
    }
}

impl Cell {
    pub(super) fn new(event_id: EventId, shard: Shard, samples: Samples) -> Self {
        Self { event_id, shard: RwLock::new(Arc::new(shard)), samples: Mutex::new(samples) }
    }

    pub(super) fn known_samples(&self) -> Samples {
        lock(&self.samples).clone()
    }

    pub(crate) fn shard(&self) -> Arc<Shard> {
        Arc::clone(&self.shard.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes the shard again from what was seen, where that is worth it; whether it was.
    pub(crate) fn improve(&self, set: &RuleSet, source: &Source) -> bool {
        let Some(lines) = lock(&self.samples).take_due() else { return false };
        let recipe = source.recipe((&set.engine, set), self.event_id);
        let (fields, predicates) = recipe.measured();
        let stats = Stats::measure(recipe.keys, recipe.program, &fields, &predicates, &lines);
        let made = Arc::new(Shard::new(&recipe, &stats));
        *self.shard.write().unwrap_or_else(PoisonError::into_inner) = made;
        set.engine.rebuilt.fetch_add(1, Ordering::Relaxed);
        set.engine.version.fetch_add(1, Ordering::Release);
        true
    }
}
