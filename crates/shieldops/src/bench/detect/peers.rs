//! Other engines on the same rules and events, by their own binaries where they are on PATH. Wall time of the whole
//! process, the loading of rules included; each decides by its own reading of rules and log sources.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Map, Value, json};

use super::super::server::pause;

struct Peer {
    binary: &'static str,
    arguments: fn(&Path, &Path, &Path) -> Vec<String>,
}

/// Arguments from the binary, the folder of rules and the file of events.
const PEERS: [Peer; 4] = [
    Peer {
        binary: "rsigma",
        arguments: |_, rules, events| {
            words("engine eval -r").chain([text(rules), "-e".to_owned(), format!("@{}", text(events))]).collect()
        },
    },
    Peer {
        binary: "chainsaw",
        arguments: |binary, rules, events| {
            let mapping = binary.with_file_name("mappings").join("sigma-event-logs-all.yml");
            let paths = ["-s".to_owned(), text(rules), "--mapping".to_owned(), text(&mapping)];
            ["hunt".to_owned(), text(events)]
                .into_iter()
                .chain(paths)
                .chain(words("--skip-errors -q --jsonl"))
                .collect()
        },
    },
    Peer {
        binary: "hayabusa",
        arguments: |_, rules, events| {
            let paths = ["-f".to_owned(), text(events), "-r".to_owned(), text(rules)];
            words("json-timeline --JSON-input --no-wizard --quiet -o /dev/null").chain(paths).collect()
        },
    },
    Peer {
        binary: "zircolite",
        arguments: |_, rules, events| {
            let paths = ["--events".to_owned(), text(events), "--ruleset".to_owned(), text(rules)];
            paths.into_iter().chain(words("--json-input -o /dev/null")).collect()
        },
    },
];

/// A peer that takes longer is ended.
const PATIENCE: Duration = Duration::from_mins(10);

/// What each peer on PATH needed; empty where there is none.
pub(super) fn run(rules: &Path, events: &Path, count: usize) -> Value {
    let found = PEERS.iter().filter_map(|peer| Some((peer, on_path(peer.binary)?)));
    let measured = found.map(|(peer, binary)| {
        let arguments = (peer.arguments)(&binary, rules, events);
        (peer.binary.to_owned(), measure(&binary, &arguments, count).unwrap_or_else(|why| json!({"not_measured": why})))
    });
    Value::Object(measured.collect::<Map<_, _>>())
}

fn words(line: &'static str) -> impl Iterator<Item = String> {
    line.split(' ').map(str::to_owned)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn on_path(binary: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(binary)).find(|file| file.is_file())
}

fn measure(binary: &Path, arguments: &[String], count: usize) -> Result<Value, String> {
    let began = Instant::now();
    let mut command = Command::new(binary);
    let child = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut child = child.map_err(|error| error.to_string())?;
    let out = child.stdout.take();
    let lines = std::thread::spawn(move || out.map_or(0, count_lines));
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            break status;
        }
        if began.elapsed() > PATIENCE {
            drop((child.kill(), child.wait()));
            return Err(format!("took longer than {} s", PATIENCE.as_secs()));
        }
        pause(Duration::from_millis(5));
    };
    let wall_s = began.elapsed().as_secs_f64();
    let lines = lines.join().unwrap_or(0);
    if !status.success() {
        return Err(format!("ended with {status}"));
    }
    Ok(json!({
        "wall_s": super::thousandths(wall_s),
        "events_per_s_with_load": super::round(super::count(count) / wall_s),
        "lines_of_output": lines,
    }))
}

fn count_lines(mut out: impl std::io::Read) -> usize {
    let (mut buffer, mut lines) = (vec![0; 64 * 1024], 0);
    while let Ok(length @ 1..) = out.read(&mut buffer) {
        lines += memchr::memchr_iter(b'\n', buffer.get(..length).unwrap_or_default()).count();
    }
    lines
}
