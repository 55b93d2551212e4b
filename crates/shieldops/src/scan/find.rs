//! Files through ingest and detect: one thread a core, each with its own file.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use indicatif::ProgressBar;
use serde::Serialize;
use shieldops_detect::{CompiledRule, EventRef, FieldHit, RuleSet, Worker};
use shieldops_ingest::{
    formats::flat::{json_text, members},
    normalise_parts,
    sources::{FileError, FileEvent, FileOptions, read_file},
};
use shieldops_model::{LogSource, Normalised, Severity, Timestamp};

use super::input::Input;

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
}

impl Found {
    fn add(&mut self, other: Self) {
        self.findings.extend(other.findings);
        self.problems.extend(other.problems);
        self.files = self.files.saturating_add(other.files);
        self.events = self.events.saturating_add(other.events);
        self.passed_over = self.passed_over.saturating_add(other.passed_over);
    }
}

/// How events are read.
#[derive(Debug, Clone)]
pub(super) struct Options {
    pub(super) source: Option<String>,
    /// Whether events carry their log source themselves.
    pub(super) logsource_fields: bool,
}

/// Problems of one file are told up to this many.
const MAX_PROBLEMS: usize = 20;
/// Events are matched in batches of this many.
const BATCH: usize = 1_024;

/// Scans every input.
pub(super) fn find(rules: &RuleSet, inputs: Vec<Input>, options: &Options, progress: &ProgressBar) -> Found {
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(inputs.len()).max(1);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(input) = inputs.get(at) else { break };
                    let one = scan_one(rules, input, options);
                    progress.inc(input.size);
                    found.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((at, one));
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().fold(Found::default(), |mut all, (_, one)| {
        all.add(one);
        all
    })
}

fn scan_one(rules: &RuleSet, input: &Input, options: &Options) -> Found {
    let mut batch = Batch {
        rules,
        options,
        file: &input.name,
        worker: Worker::new(),
        waiting: Vec::new(),
        found: Found::default(),
    };
    let mut problems = 0_usize;
    let modified = input.modified.map_or_else(now, Timestamp::from_secs);
    let file_options = FileOptions { hint: options.source.clone(), ..FileOptions::new(modified) };
    match input.open() {
        Err(error) => batch.found.problems.push(format!("{}: {error}", input.name)),
        Ok(reader) => read_file(reader, &file_options, &mut |event| match event {
            Ok(event) => batch.add(event),
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
    batch.run();
    batch.found.files = 1;
    batch.found
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

/// Events of one file that wait to be matched.
struct Batch<'a> {
    rules: &'a RuleSet,
    options: &'a Options,
    file: &'a str,
    worker: Worker,
    waiting: Vec<(u64, Option<Timestamp>, Normalised)>,
    found: Found,
}

impl Batch<'_> {
    fn add(&mut self, event: FileEvent) {
        let (mut normalised, _) = normalise_parts(&event.source, event.format, &event.raw);
        if self.options.logsource_fields {
            stated_source(&mut normalised);
        }
        self.found.events = self.found.events.saturating_add(1);
        self.waiting.push((event.record, event.time, normalised));
        if self.waiting.len() >= BATCH {
            self.run();
        }
    }

    fn run(&mut self) {
        let mut bytes = Vec::new();
        let mut ranges = Vec::with_capacity(self.waiting.len());
        for (_, _, normalised) in &self.waiting {
            let start = bytes.len();
            bytes.extend_from_slice(normalised.flat.as_bytes());
            ranges.push(start..bytes.len());
            bytes.push(b'\n');
        }
        let sources = self.waiting.iter().map(|(_, _, normalised)| &normalised.log_source);
        let events: Vec<EventRef<'_>> =
            ranges.into_iter().zip(sources).map(|(line, source)| EventRef { line, source }).collect();
        let mut findings = Vec::new();
        let (rules, waiting, file) = (self.rules, &self.waiting, self.file);
        rules.scan(&mut self.worker, &events, &bytes, &mut |at, rule| {
            findings.extend(
                waiting
                    .get(at)
                    .map(|(record, time, normalised)| finding(rules, rule, file, *record, *time, normalised)),
            );
        });
        self.found.findings.extend(findings);
        self.waiting.clear();
    }
}

fn finding(
    rules: &RuleSet,
    rule: &CompiledRule,
    file: &str,
    record: u64,
    time: Option<Timestamp>,
    normalised: &Normalised,
) -> Finding {
    let ocsf = &normalised.ocsf;
    Finding {
        time,
        rule: RuleName {
            id: rule.id.clone(),
            title: rule.title.clone(),
            level: rule.level,
            techniques: rule.attack.techniques.clone(),
        },
        source: Place { file: file.to_owned(), record },
        host: ocsf.device.clone(),
        user: ocsf.user.clone().or_else(|| ocsf.actor_user.clone()),
        src_ip: ocsf.src_ip.clone(),
        fields: rules.explain(rule, &normalised.log_source, normalised.flat.as_bytes()),
    }
}

/// The log source that an event of a test data set names itself; `Channel` goes before it.
fn stated_source(normalised: &mut Normalised) {
    let Some(members) = members(&normalised.flat) else { return };
    if members.iter().any(|(name, _)| name == "Channel") {
        return;
    }
    let stated = |wanted: &str| {
        let found = members.iter().find(|(name, _)| name == wanted).map(|(_, raw)| *raw);
        found.and_then(json_text).map(std::borrow::Cow::into_owned)
    };
    let (product, category, service) = (stated("product"), stated("category"), stated("service"));
    if product.is_some() || category.is_some() || service.is_some() {
        normalised.log_source = LogSource { product, categories: category.into_iter().collect(), service };
    }
}
