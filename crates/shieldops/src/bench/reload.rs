//! Rules read again as a server reads them: a copy of a folder of rules is loaded, events are scanned so that shards are
//! there, and then one rule after the other is changed on disk. A change is timed from the first look at the folder to
//! the set that serves, with every shard made that was in use.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    time::Instant,
};

use serde_json::{Value, json};
use shieldops_detect::Worker;
use shieldops_pipeline::Content;
use shieldops_store::rule_states::State;

use super::{
    Bench,
    detect::{DetectArgs, runs::Input},
    figures::{milliseconds, summary},
    server::Folder,
};
use crate::output::Failure;

/// So many events show most shards of a file.
const EVENTS: usize = 300_000;

pub(super) fn run(bench: &Bench, args: &DetectArgs) -> Result<Value, Failure> {
    let rules = args.rules.as_ref().ok_or_else(|| Failure::unusable("--rules DIR is missing"))?;
    let folder = Folder::new(&bench.dir)?;
    let mut files = Vec::new();
    copy(rules, &folder.path().join("rules"), &mut files).map_err(|error| unreadable(rules, &error))?;
    if files.is_empty() {
        return Err(Failure::unusable(format!("{} holds no rule", rules.display())));
    }
    let began = Instant::now();
    let content = Content::load(&[], vec![folder.path().join("rules")], State::Enabled);
    let load = began.elapsed();
    let events = match &args.events {
        Some(file) => fs::read(file).map_err(|error| unreadable(file, &error))?,
        None => Vec::new(),
    };
    let input = Input::new(&events, EVENTS);
    let (mut changed, mut same, mut shared) = (Vec::new(), Vec::new(), Vec::new());
    let (rounds, mut worker, fields) = (bench.rounds(30), Worker::new(), args.mapping.fields());
    let mut matches = None;
    for round in 0..rounds {
        let mut found = 0_u64;
        content.book().set.scan_lines(&mut worker, &fields, &input.lines, &events, &mut |_, _| found += 1);
        if *matches.get_or_insert(found) != found {
            return Err(Failure::refused(format!("{found} matches after a reload, {matches:?} before")));
        }
        same.push(timed(&content));
        touch(&files, round, rounds)?;
        changed.push(timed(&content));
        let stats = content.book().set.engine_stats();
        shared.push(json!([stats.shared, stats.shards]));
    }
    let book = content.book();
    Ok(json!({
        "bench": "reload",
        "rules": book.set.len(),
        "shards": book.set.engine_stats().shards,
        "matches": matches,
        "load_ms": milliseconds(load),
        "one_rule": summary(&changed),
        "nothing_changed": summary(&same),
        "shared_of_shards": shared,
    }))
}

/// Milliseconds of one reload.
fn timed(content: &Content) -> f64 {
    let began = Instant::now();
    content.reload();
    milliseconds(began.elapsed())
}

/// Writes a comment behind one of the rules: each round another, from all over the folder.
fn touch(files: &[PathBuf], round: u32, rounds: u32) -> Result<(), Failure> {
    let [number, rounds] = [round, rounds].map(|number| usize::try_from(number).unwrap_or(0));
    let Some(file) = files.get(number * files.len() / rounds.max(1)) else { return Ok(()) };
    let write = || writeln!(fs::OpenOptions::new().append(true).open(file)?, "\n# changed {round}");
    write().map_err(|error| unreadable(file, &error))
}

/// The YAML files of a folder, at the same places of another.
fn copy(from: &Path, to: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    let mut entries = fs::read_dir(from)?.collect::<std::io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy(&path, &to, files)?;
        } else if kind.is_file() && path.extension().is_some_and(|ext| ext == "yml" || ext == "yaml") {
            fs::write(&to, fs::read(&path)?)?;
            files.push(to);
        }
    }
    Ok(())
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::unusable(format!("{}: {error}", path.display()))
}
