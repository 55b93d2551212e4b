//! The public corpus on recorded attacks and on the benchmark streams: the engine, the oracle and the counted matches agree.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Range,
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use shieldops_detect::{CompileOptions, Documents, EventRef, FieldMap, RuleSet, SourceFields, Worker, parse};
use shieldops_model::LogSource;

use crate::{
    data::{self, Table, columns, detect, expected, lines, long, stream, unpack},
    slow::{Event, Rule, rule},
};

/// Line number and rule id.
type Matches = BTreeSet<(usize, String)>;

struct Corpus {
    set: RuleSet,
    rules: Vec<Rule>,
    shared: std::path::PathBuf,
}

fn corpus() -> Option<&'static Corpus> {
    static CORPUS: OnceLock<Option<Corpus>> = OnceLock::new();
    CORPUS
        .get_or_init(|| {
            let shared = data::shared()?;
            let (mut documents, mut rules) = (Documents::default(), Vec::new());
            for (name, text) in data::rule_files(&shared) {
                documents.extend([parse(&text, &name).0]);
                rules.extend(rule::read(&text).unwrap_or_else(|error| panic!("{name}: {error}")));
            }
            let options =
                CompileOptions { field_map: FieldMap::empty(), service_groups: false, ..CompileOptions::default() };
            let (set, _) = RuleSet::compile(documents, &options);
            assert_eq!((set.len(), rules.len()), (3_780, 3_780));
            Some(Corpus { set, rules, shared })
        })
        .as_ref()
}

/// Events with their log sources.
struct Events<'b> {
    bytes: &'b [u8],
    all: Vec<Event>,
    sources: Vec<LogSource>,
}

impl<'b> Events<'b> {
    fn read(shared: &std::path::Path, bytes: &'b [u8]) -> Self {
        let mut table = Table::read(shared);
        let all: Vec<Event> = lines(bytes).into_iter().map(|line| Event::read(&bytes[line]).unwrap()).collect();
        let sources = all.iter().map(|event| table.source(event)).collect();
        Self { bytes, all, sources }
    }
}

impl Corpus {
    fn engine(&self, events: &Events<'_>) -> Matches {
        let lines = lines(events.bytes);
        let refs: Vec<EventRef<'_>> =
            lines.into_iter().zip(&events.sources).map(|(line, source)| EventRef { line, source }).collect();
        let (mut found, mut worker) = (Matches::new(), Worker::new());
        // In batches, so that what is learned between them is used.
        for (number, batch) in refs.chunks(1_024).enumerate() {
            self.set.scan(&mut worker, batch, events.bytes, &mut |event, rule| {
                found.insert((number * 1_024 + event, rule.id.clone()));
            });
        }
        assert_eq!(worker.stats().bad_events, 0);
        found
    }

    /// As files are scanned: the log source comes from the events' fields, and no event is read before.
    fn engine_on_lines(&self, worker: &mut Worker, fields: &SourceFields, bytes: &[u8]) -> Matches {
        let (lines, mut found) = (lines(bytes), Matches::new());
        self.set.scan_lines(worker, fields, &lines, bytes, &mut |event, rule| {
            found.insert((event, rule.id.clone()));
        });
        found
    }

    fn oracle(&self, events: &Events<'_>) -> Matches {
        const PIECE: usize = 256;
        let (next, found) = (AtomicUsize::new(0), Mutex::new(Matches::new()));
        let work = || {
            let mut routes = HashMap::new();
            loop {
                let start = next.fetch_add(PIECE, Ordering::Relaxed);
                if start >= events.all.len() {
                    break;
                }
                let piece = start..events.all.len().min(start + PIECE);
                let matching = self.oracle_on(events, piece, &mut routes);
                found.lock().unwrap().extend(matching);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(work);
            }
        });
        found.into_inner().unwrap()
    }

    fn oracle_on<'c>(
        &'c self,
        events: &'c Events<'_>,
        piece: Range<usize>,
        routes: &mut HashMap<&'c LogSource, Vec<&'c Rule>>,
    ) -> Matches {
        let mut found = Matches::new();
        for at in piece {
            let source = &events.sources[at];
            let seen =
                routes.entry(source).or_insert_with(|| self.rules.iter().filter(|rule| rule.sees(source)).collect());
            let matching = seen.iter().filter(|rule| rule.matches(&events.all[at]));
            found.extend(matching.map(|rule| (at, rule.id.clone())));
        }
        found
    }

    /// Engine against oracle; the matches of both.
    fn agree(&self, name: &str, bytes: &[u8]) -> Matches {
        let events = Events::read(&self.shared, bytes);
        let began = std::time::Instant::now();
        let engine = self.engine(&events);
        let (took, began) = (began.elapsed(), std::time::Instant::now());
        let oracle = self.oracle(&events);
        eprintln!(
            "{name}: {} events, {} matches, engine {took:?}, oracle {:?}",
            events.all.len(),
            oracle.len(),
            began.elapsed()
        );
        assert_eq!(self.differences(&engine, &oracle), [""; 0], "{name}: engine against oracle");
        engine
    }

    /// Each difference once a rule, with how often and the first line.
    fn differences(&self, found: &Matches, wanted: &Matches) -> Vec<String> {
        let mut rules: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
        for (line, id) in found.difference(wanted) {
            rules.entry(("extra", id)).or_default().push(*line);
        }
        for (line, id) in wanted.difference(found) {
            rules.entry(("missing", id)).or_default().push(*line);
        }
        let title = |id: &str| self.set.get(id).map_or(String::new(), |rule| rule.title.clone());
        let shown = rules.into_iter().map(|((kind, id), lines)| {
            format!("{kind} {} times, first in line {}: {id} {}", lines.len(), lines[0], title(id))
        });
        shown.collect()
    }
}

#[test]
fn every_regression_case_fires_as_often_as_it_must_and_nothing_else_does() {
    let Some(corpus) = corpus() else { return };
    let bytes = unpack(&detect(&corpus.shared, "regression/events.ndjson.zst"));
    let found = corpus.agree("regression", &bytes);
    let mut cases: BTreeMap<String, usize> = BTreeMap::new();
    let mut names = Vec::new();
    for line in lines(&bytes) {
        let case = Event::read(&bytes[line]).unwrap().text("case").unwrap().to_owned();
        let number = cases.entry(case.clone()).or_default();
        names.push((case, *number));
        *number += 1;
    }
    let named: BTreeSet<(String, usize, String)> =
        found.iter().map(|(line, id)| (names[*line].0.clone(), names[*line].1, id.clone())).collect();
    let rows = columns(&std::fs::read(detect(&corpus.shared, "regression/expected.tsv")).unwrap());
    let wanted = rows.iter().map(|row| (row[0].clone(), row[1].parse().unwrap(), row[2].clone())).collect();
    assert_eq!(named, wanted);
    let manifest = columns(&std::fs::read(detect(&corpus.shared, "regression/manifest.tsv")).unwrap());
    let mut checked = 0;
    for row in manifest.iter().filter(|row| cases.contains_key(&row[0])) {
        let fired = named.iter().filter(|(case, _, id)| *case == row[0] && *id == row[1]).count();
        assert!(fired >= row[2].parse().unwrap(), "{} fires {fired} times", row[0]);
        checked += 1;
    }
    assert_eq!(checked, 120);
}

#[test]
fn recorded_attacks_give_the_matches_of_the_oracle_and_those_that_were_counted() {
    let Some(corpus) = corpus() else { return };
    let found = corpus.agree("eas", &unpack(&detect(&corpus.shared, "eas.ndjson.zst")));
    let wanted = expected(&columns(&std::fs::read(detect(&corpus.shared, "eas.expected.tsv")).unwrap()));
    assert_eq!(wanted.len(), 1_574);
    assert_eq!(corpus.differences(&found, &wanted), [""; 0]);
}

#[test]
fn the_beginning_of_each_stream_gives_the_matches_of_the_oracle() {
    let Some(corpus) = corpus() else { return };
    let events = if long() { 100_000 } else { 20_000 };
    for name in ["nat", "mix", "lean"] {
        assert!(!corpus.agree(name, &stream(&corpus.shared, name, events)).is_empty());
    }
}

/// The oracle sees each set only in the long proof: it takes minutes for half a million events.
#[test]
fn every_recorded_data_set_gives_the_matches_that_were_counted() {
    let Some(corpus) = corpus() else { return };
    let rows = columns(&unpack(&detect(&corpus.shared, "otrf.expected.tsv.zst")));
    assert_eq!(rows.len(), 5_857);
    let mut wanted: BTreeMap<&str, Matches> = BTreeMap::new();
    for row in &rows {
        wanted.entry(&row[0]).or_default().insert((row[1].parse().unwrap(), row[2].clone()));
    }
    let manifest = columns(&std::fs::read(detect(&corpus.shared, "otrf.manifest.tsv")).unwrap());
    let names: Vec<&str> = manifest.iter().skip(1).map(|row| row[0].as_str()).collect();
    let (next, events) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let (mut worker, table) = (Worker::new(), Table::read(&corpus.shared));
                let fields = SourceFields::new(&data::FIELDS, move |values| table.decide(values.try_into().unwrap()));
                while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let bytes = unpack(&detect(&corpus.shared, &format!("otrf/{name}.ndjson.zst")));
                    events.fetch_add(lines(&bytes).len(), Ordering::Relaxed);
                    let found = corpus.engine_on_lines(&mut worker, &fields, &bytes);
                    let wanted = wanted.get(name).cloned().unwrap_or_default();
                    assert_eq!(corpus.differences(&found, &wanted), [""; 0], "{name}");
                    if long() {
                        assert_eq!(corpus.differences(&corpus.agree(name, &bytes), &found), [""; 0], "{name}");
                    }
                }
            });
        }
    });
    assert_eq!(events.into_inner(), 528_740);
    assert!(wanted.keys().all(|name| names.contains(name)));
}
