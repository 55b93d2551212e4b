//! The data of the tests: they lie outside of this repository (`SHIELDOPS_SHARED`). Without them the tests say so and pass.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    ops::Range,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;
use shieldops_model::LogSource;

use crate::slow::Event;

const ACTIVE: [&str; 5] =
    ["rules", "rules-emerging-threats", "rules-threat-hunting", "rules-placeholder", "rules-compliance"];

/// Where the data lie, if they do.
pub(crate) fn shared() -> Option<PathBuf> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let root = std::env::var_os("SHIELDOPS_SHARED").map_or_else(default, PathBuf::from);
    let has_tools = ["zstd", "tar", "python3"].iter().all(|tool| {
        Command::new(tool).arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success())
    });
    if root.join("data/detect/sigma-rules.tar.zst").exists() && has_tools {
        return Some(root);
    }
    assert!(!long(), "the proof was asked for, and there is nothing to prove it with: {}", root.display());
    eprintln!("SKIPPED: no detection data under {} (set SHIELDOPS_SHARED), or no zstd, tar, python3", root.display());
    None
}

/// Whether the long proof is asked for (`make prove`).
pub(crate) fn long() -> bool {
    std::env::var_os("SHIELDOPS_PROVE").is_some()
}

/// A file of the shared folder, unpacked.
pub(crate) fn unpack(path: &Path) -> Vec<u8> {
    let output = Command::new("zstd").args(["-dcq", "--long=27"]).arg(path).output().unwrap();
    assert!(output.status.success(), "{}", path.display());
    output.stdout
}

pub(crate) fn detect(shared: &Path, name: &str) -> PathBuf {
    shared.join("data/detect").join(name)
}

/// The active rules of the public corpus: name and text.
pub(crate) fn rule_files(shared: &Path) -> Vec<(String, String)> {
    let dir = scratch().join(format!("rules-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let tar = dir.join("rules.tar");
    fs::write(&tar, unpack(&detect(shared, "sigma-rules.tar.zst"))).unwrap();
    assert!(Command::new("tar").arg("-xf").arg(&tar).arg("-C").arg(&dir).status().unwrap().success());
    let mut files = Vec::new();
    for folder in ACTIVE {
        walk(&dir.join(folder), &dir, &mut files);
    }
    fs::remove_dir_all(&dir).unwrap();
    files.sort();
    files
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

fn scratch() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

/// A benchmark stream of that many events, made once.
pub(crate) fn stream(shared: &Path, name: &str, events: usize) -> Vec<u8> {
    let dir = scratch().join(format!("streams-{events}"));
    let file = dir.join(format!("{name}.ndjson"));
    if !file.exists() {
        let making = dir.join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&making).unwrap();
        let script = detect(shared, "streams.py");
        let mut command = Command::new("python3");
        command.arg(script).arg(&making).args([&format!("--{name}"), &events.to_string(), "--only", name]);
        assert!(command.stdout(Stdio::null()).status().unwrap().success());
        fs::rename(making.join(format!("{name}.ndjson")), &file).unwrap();
    }
    fs::read(file).unwrap()
}

pub(crate) fn columns(bytes: &[u8]) -> Vec<Vec<String>> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

/// Expected matches of a set without a name column: line and rule.
pub(crate) fn expected(rows: &[Vec<String>]) -> BTreeSet<(usize, String)> {
    rows.iter().map(|row| (row[0].parse().unwrap(), row[1].clone())).collect()
}

pub(crate) fn lines(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut start = 0;
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').map(|line| {
        let range = start..start + line.len();
        start = range.end;
        range
    });
    lines.collect()
}

/// The public table of Windows channels and event ids.
pub(crate) struct Table {
    entries: Vec<Value>,
    known: HashMap<[Option<String>; 5], LogSource>,
}

/// The fields that say where an event of the data belongs.
pub(crate) const FIELDS: [&str; 5] = ["Channel", "EventID", "product", "category", "service"];

impl Table {
    pub(crate) fn read(shared: &Path) -> Self {
        let table = fs::read(shared.join("design/detect-prototype/logsource_windows.json")).unwrap();
        Self { entries: serde_json::from_slice(&table).unwrap(), known: HashMap::new() }
    }

    pub(crate) fn source(&mut self, event: &Event) -> LogSource {
        let key = FIELDS.map(|name| event.text(name).map(str::to_owned));
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let source = self.decide(&[0, 1, 2, 3, 4].map(|at| key[at].as_deref()));
        self.known.insert(key, source.clone());
        source
    }

    /// By channel and event id; what has no channel says it itself.
    pub(crate) fn decide(&self, fields: &[Option<&str>; 5]) -> LogSource {
        let [channel, id, product, category, service] = fields.map(|field| field.map(str::to_lowercase));
        let Some(channel) = channel else {
            return LogSource { product, categories: category.into_iter().collect(), service };
        };
        let mut source = LogSource { product: Some("windows".to_owned()), ..LogSource::default() };
        for entry in &self.entries {
            let channels = entry["channels"].as_array().unwrap();
            let here = channels.iter().any(|name| name.as_str().unwrap().to_lowercase() == channel);
            let ids = entry["event_ids"].as_array();
            if here && ids.is_none_or(|ids| ids.iter().any(|known| Some(known.to_string()) == id)) {
                match entry["category"].as_str() {
                    Some(category) => source.categories.push(category.to_owned()),
                    None => source.service = entry["service"].as_str().map(str::to_owned),
                }
            }
        }
        source
    }
}
