//! Events of one file, matched some at a time. An event is normalised only where its log source is not known without, or
//! where a rule has matched it.

use std::{borrow::Cow, ops::Range};

use bytes::Bytes;
use shieldops_detect::{CompiledRule, EventRef, FieldReader, Observed, Sighting, Worker};
use shieldops_ingest::{
    formats::{
        flat::{json_text, members},
        windows,
    },
    normalise_parts,
    sources::FileEvent,
};
use shieldops_model::{LogSource, Normalised, Timestamp};

use super::{Finding, Found, Options, Place, RuleName, event_id};
use crate::scan::rules::Loaded;

/// Events are matched in batches of this many.
const BATCH: usize = 1_024;
/// Bytes that an event takes beside its text, nearly.
const OVERHEAD: usize = 512;

pub(super) struct Batch<'a> {
    options: &'a Options,
    /// Its place among all files, and its name.
    file: (usize, &'a str),
    reader: FieldReader,
    /// The events' lines, one after the other.
    bytes: Vec<u8>,
    waiting: Vec<Waiting>,
    pub(super) found: Found,
}

/// An event and where its line stands.
struct Waiting {
    record: u64,
    /// Counted over the file.
    number: u64,
    time: Option<Timestamp>,
    source: String,
    format: &'static str,
    raw: Bytes,
    line: Range<usize>,
    log_source: LogSource,
    normalised: Option<Box<Normalised>>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(options: &'a Options, file: (usize, &'a str)) -> Self {
        let (reader, bytes, waiting) = (FieldReader::new(), Vec::new(), Vec::new());
        Self { options, file, reader, bytes, waiting, found: Found::default() }
    }

    /// Whether there is enough to be matched.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= BATCH
    }

    /// Bytes that wait to be matched, nearly.
    pub(super) fn held(&self) -> usize {
        self.bytes.len().saturating_mul(2).saturating_add(self.waiting.len().saturating_mul(OVERHEAD))
    }

    pub(super) fn add(&mut self, event: FileEvent) {
        let FileEvent { record, time, source, format, raw, log_source } = event;
        let stated = if self.options.logsource_fields { stated_source(&raw) } else { None };
        let (mut log_source, normalised) = if let Some(known) = stated.or(log_source) {
            (known, None)
        } else {
            let (mut normalised, _) = normalise_parts(&source, format, &raw);
            (std::mem::take(&mut normalised.log_source), Some(Box::new(normalised)))
        };
        self.options.mapping.limit(&mut log_source);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(normalised.as_ref().map_or(&raw, |normalised| normalised.flat.as_bytes()));
        let line = start..self.bytes.len();
        self.bytes.push(b'\n');
        let number = self.found.events;
        self.found.events = number.saturating_add(1);
        self.waiting.push(Waiting { record, number, time, source, format, raw, line, log_source, normalised });
    }

    pub(super) fn run(&mut self, rules: &Loaded, worker: &mut Worker) {
        let Self { file, reader, bytes, waiting, found, .. } = self;
        let events: Vec<EventRef<'_>> =
            waiting.iter().map(|event| EventRef { line: event.line.clone(), source: &event.log_source }).collect();
        rules.set.scan(worker, &events, bytes, &mut |at, rule| {
            let Some(event) = waiting.get(at) else { return };
            if rules.correlations.wants(rule.index) {
                found.sightings.extend(event.sight(rules, rule, *file, bytes, reader));
            }
            if !rules.correlations.is_silent(rule.index) {
                found.findings.push(event.finding(rules, rule, file.1, bytes));
            }
        });
        self.waiting.clear();
        self.bytes.clear();
    }
}

impl Waiting {
    fn line<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        bytes.get(self.line.clone()).unwrap_or_default()
    }

    /// What correlations need of a match. An event without a time is in no window.
    fn sight(
        &self,
        rules: &Loaded,
        rule: &CompiledRule,
        (at, file): (usize, &str),
        bytes: &[u8],
        reader: &mut FieldReader,
    ) -> Option<(Sighting, Place)> {
        let time = self.time.filter(|_| reader.read(self.line(bytes)))?;
        let observed = Observed { rule: rule.index, event: event_id(at, self.number), time, apart: false };
        let mut read = |field: &str| reader.values(&rules.set, &self.log_source, field);
        let place = Place { file: file.to_owned(), record: self.record };
        rules.correlations.sight(observed, &mut read).map(|sighting| (sighting, place))
    }

    fn finding(&self, rules: &Loaded, rule: &CompiledRule, file: &str, bytes: &[u8]) -> Finding {
        let normalised = match &self.normalised {
            Some(normalised) => Cow::Borrowed(&**normalised),
            None => Cow::Owned(normalise_parts(&self.source, self.format, &self.raw).0),
        };
        let ocsf = &normalised.ocsf;
        Finding {
            time: self.time,
            rule: RuleName {
                id: rule.id.clone(),
                title: rule.title.clone(),
                level: rule.level,
                techniques: rule.attack.techniques.clone(),
            },
            source: Place { file: file.to_owned(), record: self.record },
            host: ocsf.device.clone(),
            user: ocsf.user.clone().or_else(|| ocsf.actor_user.clone()),
            src_ip: ocsf.src_ip.clone(),
            fields: rules.set.explain(rule, &self.log_source, self.line(bytes)),
        }
    }
}

/// The log source that an event of a test data set says itself: by `Channel` and `EventID`, or else by name.
fn stated_source(raw: &[u8]) -> Option<LogSource> {
    let text = std::str::from_utf8(raw).ok()?;
    let members = members(text.trim())?;
    let stated = |wanted: &str| {
        let found = members.iter().rev().find(|(name, _)| name == wanted).map(|(_, raw)| *raw);
        found.and_then(json_text).map(Cow::into_owned)
    };
    if let Some(channel) = stated("Channel") {
        let id = members.iter().rev().find(|(name, _)| name == "EventID").map(|(_, raw)| raw.trim_matches('"'));
        return Some(windows::log_source(&channel, id?.parse().ok()?));
    }
    let (product, category, service) = (stated("product"), stated("category"), stated("service"));
    (product.is_some() || category.is_some() || service.is_some()).then(|| LogSource {
        product,
        categories: category.into_iter().collect(),
        service,
    })
}
