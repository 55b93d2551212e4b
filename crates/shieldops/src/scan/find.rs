//! Files through ingest and detect: one thread a core, each with its own file.

mod batch;

use std::sync::{
    Mutex, OnceLock, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use indicatif::ProgressBar;
use serde::Serialize;
use shieldops_detect::{FieldHit, Sighting, Worker};
use shieldops_ingest::sources::{FileError, FileOptions, read_file};
use shieldops_model::{EventId, Severity, Timestamp};

use self::batch::Batch;
use super::{input::Input, mapping::Mapping, rules::Loaded};

/// One rule that matched one event.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Finding {
    pub(super) time: Option<Timestamp>,
    pub(super) rule: RuleName,
    pub(super) source: Place,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) src_ip: Option<String>,
    /// The fields that made the rule match.
    pub(super) fields: Vec<FieldHit>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct RuleName {
    /// The Sigma id.
    pub(super) id: String,
    pub(super) title: String,
    pub(super) level: Severity,
    pub(super) techniques: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Place {
    pub(super) file: String,
    /// EVTX: `EventRecordID`; text: the line; JSON array: the element, from 1.
    pub(super) record: u64,
}

impl Finding {
    /// The order of the timeline; what has no time comes last.
    pub(super) fn place(&self) -> (bool, Option<Timestamp>, &Place, &str) {
        (self.time.is_none(), self.time, &self.source, &self.rule.id)
    }
}

/// What a scan saw.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) findings: Vec<Finding>,
    /// What could not be read, with its file.
    pub(super) problems: Vec<String>,
    pub(super) files: u64,
    pub(super) events: u64,
    /// Files of a folder that are no logs.
    pub(super) passed_over: u64,
    /// Matches that correlations count, and where their events stand.
    pub(super) sightings: Vec<(Sighting, Place)>,
}

impl Found {
    fn add(&mut self, other: Self) {
        self.findings.extend(other.findings);
        self.problems.extend(other.problems);
        self.files = self.files.saturating_add(other.files);
        self.events = self.events.saturating_add(other.events);
        self.passed_over = self.passed_over.saturating_add(other.passed_over);
        self.sightings.extend(other.sightings);
    }
}

/// A name for an event: its file's place among all, and its own place in it.
fn event_id(file: usize, event: u64) -> EventId {
    let file = u128::try_from(file).unwrap_or(u128::MAX);
    EventId::from_bits(file << 64 | u128::from(event))
}

/// How events are read.
#[derive(Debug, Clone)]
pub(super) struct Options {
    pub(super) source: Option<String>,
    /// Whether events carry their log source themselves.
    pub(super) logsource_fields: bool,
    pub(super) mapping: Mapping,
}

/// Problems of one file are told up to this many.
const MAX_PROBLEMS: usize = 20;

/// Bytes of events that one thread holds while the rules are not ready.
const MAX_HELD: usize = 32 * 1024 * 1024;

/// Scans every input. `load` makes the rules while the first files are read.
pub(super) fn find(
    load: impl FnOnce() -> Loaded,
    inputs: Vec<Input>,
    options: &Options,
    progress: &ProgressBar,
) -> (Loaded, Found) {
    let (rules, next, found) = (OnceLock::new(), AtomicUsize::new(0), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(inputs.len()).max(1);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut finder =
                    Finder { rules: &rules, worker: Worker::new(), aside: Vec::new(), held: 0, done: Vec::new() };
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(input) = inputs.get(at) else { break };
                    finder.read((at, input), options);
                    progress.inc(input.size);
                }
                found.lock().unwrap_or_else(PoisonError::into_inner).extend(finder.finish());
            });
        }
        rules.get_or_init(load);
    });
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_by_key(|(at, _)| *at);
    let found = found.into_iter().fold(Found::default(), |mut all, (_, one)| {
        all.add(one);
        all
    });
    (rules.into_inner().unwrap_or_default(), found)
}

/// One thread's part.
struct Finder<'a> {
    rules: &'a OnceLock<Loaded>,
    worker: Worker,
    /// Files that were read before the rules were ready, and the bytes of their events.
    aside: Vec<(usize, Batch<'a>)>,
    held: usize,
    done: Vec<(usize, Found)>,
}

impl<'a> Finder<'a> {
    /// The rules; waits for them where too much is held already.
    fn ready(&self, more: usize) -> Option<&'a Loaded> {
        if self.held.saturating_add(more) > MAX_HELD { Some(self.rules.wait()) } else { self.rules.get() }
    }

    fn read(&mut self, (at, input): (usize, &'a Input), options: &'a Options) {
        let mut batch = Batch::new(options, (at, &input.name));
        let mut problems = 0_usize;
        let modified = input.modified.map_or_else(now, Timestamp::from_secs);
        let file_options = FileOptions { hint: options.source.clone(), ..FileOptions::new(modified) };
        match input.open() {
            Err(error) => batch.found.problems.push(format!("{}: {error}", input.name)),
            Ok(reader) => read_file(reader, &file_options, &mut |event| match event {
                Ok(event) => {
                    batch.add(event);
                    if batch.is_full()
                        && let Some(rules) = self.ready(batch.held())
                    {
                        batch.run(rules, &mut self.worker);
                    }
                }
                Err(FileError::Binary) if input.from_folder => batch.found.passed_over = 1,
                Err(error) => {
                    problems = problems.saturating_add(1);
                    if problems <= MAX_PROBLEMS {
                        batch.found.problems.push(format!("{}: {}", input.name, chain(&error)));
                    }
                }
            }),
        }
        if problems > MAX_PROBLEMS {
            let more = problems.saturating_sub(MAX_PROBLEMS);
            batch.found.problems.push(format!("{}: and {more} more problems", input.name));
        }
        batch.found.files = 1;
        self.held = self.held.saturating_add(batch.held());
        self.aside.push((at, batch));
        if let Some(rules) = self.ready(0) {
            self.run(rules);
        }
    }

    fn run(&mut self, rules: &Loaded) {
        for (at, mut batch) in self.aside.drain(..) {
            batch.run(rules, &mut self.worker);
            self.done.push((at, batch.found));
        }
        self.held = 0;
    }

    fn finish(mut self) -> Vec<(usize, Found)> {
        self.run(self.rules.wait());
        self.done
    }
}

fn now() -> Timestamp {
    use shieldops_model::Clock as _;
    shieldops_model::SystemClock.now()
}

fn chain(error: &FileError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
