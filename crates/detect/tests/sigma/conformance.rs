//! The public corpus: every active rule loads, and recorded attacks give exactly the matches that were counted for
//! them. The data lies outside of this repository (`SHIELDOPS_SHARED`); without it these tests say so and pass.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use serde_json::Value;
use shieldops_detect::{CompileOptions, DiagnosticSeverity, Documents, EventRef, RuleSet, Worker, parse};
use shieldops_model::LogSource;

const ACTIVE: [&str; 5] =
    ["rules", "rules-emerging-threats", "rules-threat-hunting", "rules-placeholder", "rules-compliance"];

fn shared() -> Option<PathBuf> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let root = std::env::var_os("SHIELDOPS_SHARED").map_or_else(default, PathBuf::from);
    let has_tools = ["zstd", "tar"].iter().all(|tool| {
        Command::new(tool).arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success())
    });
    if root.join("data/detect/sigma-rules.tar.zst").exists() && has_tools {
        return Some(root);
    }
    eprintln!("SKIPPED: no detection data under {} (set SHIELDOPS_SHARED), or no zstd and tar", root.display());
    None
}

fn unpack(path: &Path) -> Vec<u8> {
    let output = Command::new("zstd").args(["-dc", "--long=27"]).arg(path).output().unwrap();
    assert!(output.status.success(), "{}", path.display());
    output.stdout
}

/// The files of the rule archive: name and text.
fn rule_files(shared: &Path) -> Vec<(String, String)> {
    let dir = tempdir();
    let tar = dir.join("rules.tar");
    fs::write(&tar, unpack(&shared.join("data/detect/sigma-rules.tar.zst"))).unwrap();
    assert!(Command::new("tar").arg("-xf").arg(&tar).arg("-C").arg(&dir).status().unwrap().success());
    let mut files = Vec::new();
    for folder in ACTIVE {
        walk(&dir.join(folder), &dir, &mut files);
    }
    fs::remove_dir_all(&dir).unwrap();
    files.sort();
    files
}

fn tempdir() -> PathBuf {
    let dir = std::env::temp_dir().join(format!("shieldops-detect-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    dir
}

fn walk(folder: &Path, root: &Path, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, root, files);
        } else if path.extension().is_some_and(|extension| extension == "yml") {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            files.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

struct Corpus {
    set: RuleSet,
    loaded: usize,
    problems: Vec<String>,
    windows: Vec<Value>,
    shared: PathBuf,
}

fn corpus() -> Option<&'static Corpus> {
    static CORPUS: OnceLock<Option<Corpus>> = OnceLock::new();
    CORPUS
        .get_or_init(|| {
            let shared = shared()?;
            let mut documents = Documents::default();
            let mut diagnostics = Vec::new();
            for (name, text) in rule_files(&shared) {
                let (more, found) = parse(&text, &name);
                documents.extend([more]);
                diagnostics.extend(found);
            }
            let loaded = documents.rules.len();
            let (set, found) = RuleSet::compile(documents, &CompileOptions::default());
            diagnostics.extend(found);
            let mut counts: BTreeMap<_, usize> = BTreeMap::new();
            for diagnostic in &diagnostics {
                *counts.entry((diagnostic.severity, diagnostic.code)).or_default() += 1;
            }
            eprintln!("{loaded} rules, diagnostics: {counts:?}");
            let errors = diagnostics.iter().filter(|d| d.severity == DiagnosticSeverity::Error);
            let problems = errors.map(ToString::to_string).collect();
            let table = fs::read(shared.join("design/detect-prototype/logsource_windows.json")).unwrap();
            let windows = serde_json::from_slice(&table).unwrap();
            Some(Corpus { set, loaded, problems, windows, shared })
        })
        .as_ref()
}

impl Corpus {
    /// The log source of a Windows event, by its channel and event id.
    fn source(&self, line: &[u8]) -> LogSource {
        let event: Value = serde_json::from_slice(line).unwrap();
        let text = |key: &str| event[key].as_str().map(str::to_lowercase);
        let Some(channel) = text("Channel") else {
            return LogSource {
                product: text("product"),
                categories: text("category").into_iter().collect(),
                service: text("service"),
            };
        };
        let mut source = LogSource { product: Some("windows".to_owned()), ..LogSource::default() };
        for entry in &self.windows {
            let channels = entry["channels"].as_array().unwrap();
            let here = channels.iter().any(|name| name.as_str().unwrap().to_lowercase() == channel);
            let ids = entry["event_ids"].as_array();
            if !here || !ids.is_none_or(|ids| ids.contains(&event["EventID"])) {
                continue;
            }
            match entry["category"].as_str() {
                Some(category) => source.categories.push(category.to_owned()),
                None => source.service = entry["service"].as_str().map(str::to_owned),
            }
        }
        source
    }

    /// Line number and rule id of every match.
    fn scan(&self, bytes: &[u8]) -> BTreeSet<(usize, String)> {
        let mut lines = Vec::new();
        let mut start = 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            lines.push(start..start + line.len());
            start += line.len();
        }
        let sources: Vec<LogSource> = lines.iter().map(|range| self.source(&bytes[range.clone()])).collect();
        let events: Vec<EventRef<'_>> =
            lines.iter().zip(&sources).map(|(line, source)| EventRef { line: line.clone(), source }).collect();
        let mut found = BTreeSet::new();
        let mut worker = Worker::new();
        let start = std::time::Instant::now();
        self.set.scan(&mut worker, &events, bytes, &mut |event, rule| {
            found.insert((event, rule.id.clone()));
        });
        eprintln!("{} events in {:?}: {:?}", events.len(), start.elapsed(), worker.stats());
        assert_eq!(worker.stats().bad_events, 0);
        found
    }

    fn differences<K: Ord + std::fmt::Debug>(
        &self,
        found: &BTreeSet<(K, String)>,
        expected: &BTreeSet<(K, String)>,
    ) -> Vec<String> {
        let title = |id: &str| self.set.get(id).map_or(String::new(), |rule| rule.title.clone());
        let extra = found.difference(expected).map(|(event, id)| format!("extra {event:?} {id} {}", title(id)));
        let missing = expected.difference(found).map(|(event, id)| format!("missing {event:?} {id} {}", title(id)));
        extra.chain(missing).collect()
    }
}

fn columns(bytes: &[u8]) -> Vec<Vec<String>> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

#[test]
fn every_active_rule_of_the_public_corpus_loads_without_an_error() {
    let Some(corpus) = corpus() else { return };
    assert_eq!(corpus.problems, Vec::<String>::new());
    assert_eq!(corpus.loaded, 3_780);
    assert_eq!(corpus.set.len(), 3_780);
}

#[test]
fn every_regression_case_fires_its_rule_and_nothing_unexpected() {
    let Some(corpus) = corpus() else { return };
    let bytes = unpack(&corpus.shared.join("data/detect/regression/events.ndjson.zst"));
    let mut cases: BTreeMap<String, usize> = BTreeMap::new();
    let mut names = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let event: Value = serde_json::from_slice(line).unwrap();
        let case = event["case"].as_str().unwrap().to_owned();
        let number = cases.entry(case.clone()).or_default();
        names.push((case, *number));
        *number += 1;
    }
    assert_eq!(cases.len(), 120);
    let found: BTreeSet<((String, usize), String)> =
        corpus.scan(&bytes).into_iter().map(|(line, id)| (names[line].clone(), id)).collect();
    let table = fs::read(corpus.shared.join("data/detect/regression/expected.tsv")).unwrap();
    let expected: BTreeSet<_> =
        columns(&table).into_iter().map(|c| ((c[0].clone(), c[1].parse().unwrap()), c[2].clone())).collect();
    assert_eq!(corpus.differences(&found, &expected), Vec::<String>::new());
    for case in cases.keys() {
        assert!(found.iter().any(|((name, _), id)| name == case && id == case), "{case} does not fire");
    }
}

#[test]
fn recorded_attacks_give_exactly_the_counted_matches() {
    let Some(corpus) = corpus() else { return };
    let bytes = unpack(&corpus.shared.join("data/detect/eas.ndjson.zst"));
    let table = fs::read(corpus.shared.join("data/detect/eas.expected.tsv")).unwrap();
    let expected: BTreeSet<_> =
        columns(&table).into_iter().map(|c| (c[0].parse::<usize>().unwrap(), c[1].clone())).collect();
    let found = corpus.scan(&bytes);
    assert_eq!(corpus.differences(&found, &expected), Vec::<String>::new());
}
