//! `shieldops scan` as an incident responder uses it: no server, no configuration, exit codes that mean something.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests: a wrong step ends the test, and a skipped one says so"
)]

#[path = "support/feed.rs"]
mod feed;
#[path = "support/server.rs"]
mod server;

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use feed::{filter, has, repository, shared};
use serde_json::{Value, json};

struct Scanned {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Scanned {
    fn findings(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Runs in an empty folder: a scan needs nothing but what it is given.
fn scan(args: &[&str], input: &[u8]) -> Scanned {
    let empty = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_shieldops"))
        .arg("scan")
        .args(args)
        .current_dir(empty.path())
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0, "a scan writes nothing");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Scanned { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn ndjson(paths: &[&Path], more: &[&str]) -> Scanned {
    let mut args = vec!["--output", "ndjson"];
    args.extend_from_slice(more);
    args.extend(paths.iter().map(|path| path.to_str().unwrap()));
    scan(&args, b"")
}

/// Rule and record of each finding, in order of record.
fn places(findings: &[Value]) -> Vec<(String, u64)> {
    let place = |finding: &Value| {
        (finding["rule"]["id"].as_str().unwrap().to_owned(), finding["source"]["record"].as_u64().unwrap())
    };
    let mut places: Vec<_> = findings.iter().map(place).collect();
    places.sort();
    places
}

/// A rule about one word, in a folder, and the arguments that make it the only one.
fn one_rule(dir: &Path) -> [String; 3] {
    let text = "title: The word\nid: 5a000000-0000-4000-8000-00000000000a\nlevel: medium\nlogsource: {product: linux, service: sshd}\ndetection: {selection: {message|contains: heliotrope}, condition: selection}\n";
    let rules = dir.join("rules/deep/down");
    fs::create_dir_all(&rules).unwrap();
    fs::write(rules.join("word.yml"), text).unwrap();
    ["--no-built-in".to_owned(), "--rules".to_owned(), dir.join("rules").to_str().unwrap().to_owned()]
}

#[test]
fn the_recording_is_found_out_and_a_quiet_log_is_clean() {
    let recording = repository("demo/recording");
    let found = ndjson(&[&recording], &[]);
    assert_eq!(found.code, 1, "{}", found.stderr);
    let findings = found.findings();
    let files: std::collections::BTreeSet<_> = findings
        .iter()
        .map(|finding| {
            Path::new(finding["source"]["file"].as_str().unwrap()).file_name().unwrap().to_str().unwrap().to_owned()
        })
        .collect();
    for file in ["auth.log", "audit.log", "access.log"] {
        assert!(files.contains(file), "nothing was found in {file}: {files:?}");
    }
    let times: Vec<_> = findings.iter().map(|finding| finding["time"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "a timeline is in order of time");

    let dir = tempfile::tempdir().unwrap();
    let quiet = dir.path().join("auth.log");
    fs::write(&quiet, "Nov 21 10:15:02 web-07 sshd[1]: Server listening on 0.0.0.0 port 22.\nNov 21 10:15:03 web-07 systemd[1]: Started something.\n").unwrap();
    let clean = ndjson(&[&quiet], &[]);
    assert_eq!((clean.code, clean.stdout.as_str()), (0, ""), "{}", clean.stderr);
}

#[test]
fn a_finding_has_the_names_that_scripts_read() {
    let dir = tempfile::tempdir().unwrap();
    let rule = one_rule(dir.path());
    let rule: Vec<&str> = rule.iter().map(String::as_str).collect();
    let log = dir.path().join("auth.log");
    fs::write(&log, "2026-11-21T10:15:01Z web-07 sshd[1]: quiet\n\n2026-11-21T10:15:03Z web-07 sshd[1]: heliotrope\n")
        .unwrap();
    let found = ndjson(&[&log], &rule);
    assert_eq!((found.code, found.stdout.lines().count()), (1, 1), "{}", found.stderr);
    let finding = &found.findings()[0];
    assert_eq!(finding["rule"]["id"], "5a000000-0000-4000-8000-00000000000a");
    assert_eq!((&finding["rule"]["title"], &finding["rule"]["level"]), (&json!("The word"), &json!("medium")));
    assert_eq!((&finding["source"]["file"], &finding["source"]["record"]), (&json!(log.to_str().unwrap()), &json!(3)));
    assert_eq!(finding["time"], "2026-11-21T10:15:03.000000Z");

    let mut args = rule.clone();
    args.extend(["--output", "json", log.to_str().unwrap()]);
    let whole: Value = serde_json::from_str(&scan(&args, b"").stdout).unwrap();
    assert_eq!((&whole["findings"][0], &whole["events"]), (finding, &json!(2)), "{whole}");
    args[4] = "csv";
    let csv = scan(&args, b"").stdout;
    assert!(csv.starts_with("time,rule.level,rule.id,rule.title,source.file,source.record"), "{csv}");
    assert_eq!(csv.lines().count(), 2);
    args[4] = "table";
    let table = scan(&args, b"");
    assert!(table.stdout.contains("The word") && table.stdout.contains("1 finding"), "{}", table.stdout);
    assert!(!table.stdout.contains('\u{1b}'), "no colours where nobody sees them");
}

#[test]
fn every_form_of_a_file_gives_the_same_findings() {
    let dir = tempfile::tempdir().unwrap();
    let rule = one_rule(dir.path());
    let rule: Vec<&str> = rule.iter().map(String::as_str).collect();
    let said = |number: usize| if number.is_multiple_of(3) { "heliotrope" } else { "quiet" };
    let lines: Vec<String> =
        (1..=9).map(|number| format!("2026-11-21T10:15:0{number}Z web-07 sshd[1]: {}", said(number))).collect();
    let objects: Vec<Value> = lines.iter().map(|line| json!({"message": line})).collect();
    let text = lines.join("\n") + "\n";
    let ndjson_text = objects.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n") + "\n";
    let array = serde_json::to_string_pretty(&objects).unwrap();
    let logs = dir.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let put = |name: &str, bytes: &[u8]| fs::write(logs.join(name), bytes).unwrap();
    put("auth.log", text.as_bytes());
    put("events.ndjson", ndjson_text.as_bytes());
    put("events.json", array.as_bytes());
    put("no-log.bin", &[0; 4_096]);
    if has("gzip") {
        put("auth.log.gz", &filter("gzip", &["-c"], text.as_bytes()));
        put("events.json.gz", &filter("gzip", &["-c"], array.as_bytes()));
    }
    if has("zstd") {
        put("auth.log.zst", &filter("zstd", &["-c"], text.as_bytes()));
    }
    let wanted: Vec<u64> = vec![3, 6, 9];
    let records = |found: &Scanned| -> BTreeMap<String, Vec<u64>> {
        let mut records: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for finding in found.findings() {
            records
                .entry(finding["source"]["file"].as_str().unwrap().to_owned())
                .or_default()
                .push(finding["source"]["record"].as_u64().unwrap());
        }
        records
    };
    let all = ndjson(&[&logs], &rule);
    assert_eq!(all.code, 1, "{}", all.stderr);
    let by_file = records(&all);
    assert_eq!(by_file.len(), fs::read_dir(&logs).unwrap().count() - 1, "{by_file:?}");
    assert!(by_file.values().all(|records| *records == wanted), "{by_file:?}");
    for input in [text, ndjson_text, array] {
        let mut args = rule.clone();
        args.extend(["--output", "ndjson", "-"]);
        let found = scan(&args, input.as_bytes());
        assert_eq!(records(&found), [("-".to_owned(), wanted.clone())].into(), "{}", found.stderr);
    }
    if has("gzip") {
        let mut args = rule.clone();
        args.extend(["--output", "ndjson", "-"]);
        let found = scan(&args, &fs::read(logs.join("auth.log.gz")).unwrap());
        assert_eq!(records(&found), [("-".to_owned(), wanted)].into(), "{}", found.stderr);
    }
}

#[test]
fn what_cannot_be_done_is_told_and_the_exit_code_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let rule = one_rule(dir.path());
    let rule: Vec<&str> = rule.iter().map(String::as_str).collect();
    let path = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let good = path("good.log", b"2026-11-21T10:15:03Z web-07 sshd[1]: heliotrope\n");
    let quiet = path("quiet.log", b"2026-11-21T10:15:03Z web-07 sshd[1]: quiet\n");
    let bad = [
        ("missing.log", dir.path().join("missing.log")),
        ("image.bin", path("image.bin", &[0; 4_096])),
        ("cut.gz", path("cut.gz", &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3])),
        ("torn.evtx", path("torn.evtx", b"ElfFile\0 and then nothing of use")),
    ];
    for (name, file) in &bad {
        let found = ndjson(&[file], &rule);
        assert_eq!(found.code, 2, "{name}: {}{}", found.stdout, found.stderr);
        assert!(found.stderr.contains(name), "{name}: {}", found.stderr);
    }
    let both = ndjson(&[&quiet, &bad[1].1], &rule);
    assert_eq!(both.code, 2, "clean only when everything was read: {}", both.stderr);
    let findings = ndjson(&[&good, &bad[1].1], &rule);
    assert_eq!((findings.code, findings.findings().len()), (1, 1), "{}", findings.stderr);
    assert!(findings.stderr.contains("image.bin"), "{}", findings.stderr);
    assert_eq!(scan(&[], b"").code, 2, "without a path");
    let no_rules = dir.path().join("empty");
    fs::create_dir(&no_rules).unwrap();
    let found = scan(&["--rules", no_rules.to_str().unwrap(), good.to_str().unwrap()], b"");
    assert_eq!(found.code, 2, "{}", found.stderr);
    let hostile = path(
        "hostile.ndjson",
        format!("{{\"a\":{}1{}}}\n{{broken\n\0\u{1}\n{}\n", "[".repeat(5_000), "]".repeat(5_000), "x".repeat(3 << 20))
            .as_bytes(),
    );
    let found = ndjson(&[&hostile], &rule);
    assert!([0, 2].contains(&found.code), "{} {}", found.code, found.stderr);
}

/// Unpacks an archive of the shared data.
fn unpack(archive: &Path, to: &Path) {
    let tar = filter("zstd", &["-dc", "--long=27", archive.to_str().unwrap()], b"");
    filter("tar", &["-x", "-C", to.to_str().unwrap()], &tar);
}

#[test]
fn the_attack_samples_give_what_the_data_set_says_with_the_public_rules() {
    let Some(data) = shared() else { return };
    if !has("zstd") || !has("tar") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (rules, samples) = (dir.path().join("sigma"), dir.path().join("samples"));
    fs::create_dir(&rules).unwrap();
    fs::create_dir(&samples).unwrap();
    unpack(&data.join("sigma-rules.tar.zst"), &rules);
    unpack(&data.join("evtx-attack-samples.tar.zst"), &samples);
    let folders = ["rules", "rules-emerging-threats", "rules-threat-hunting", "rules-placeholder", "rules-compliance"];
    let mut args = ["--no-built-in", "--mapping", "table-only"].map(str::to_owned).to_vec();
    for folder in folders {
        args.extend(["--rules".to_owned(), rules.join(folder).to_str().unwrap().to_owned()]);
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let torn = torn(&samples, dir.path());
    let found = ndjson(&[&samples, &torn], &args);
    assert_eq!(found.code, 1, "{}", found.stderr);

    let (whole, of_torn): (Vec<Value>, Vec<Value>) = found
        .findings()
        .into_iter()
        .partition(|finding| Path::new(finding["source"]["file"].as_str().unwrap()).starts_with(&samples));
    check_torn(&whole, &of_torn, &found.stderr);
    let mut got: BTreeMap<(String, String), u64> = BTreeMap::new();
    for finding in whole {
        let file =
            finding["source"]["file"].as_str().unwrap().rsplit_once("EVTX-ATTACK-SAMPLES/").unwrap().1.to_owned();
        *got.entry((file, finding["rule"]["id"].as_str().unwrap().to_owned())).or_default() += 1;
    }
    let wanted = expected(&data);
    let differ: Vec<_> = wanted
        .iter()
        .filter(|(key, count)| got.get(key) != Some(count))
        .chain(got.iter().filter(|(key, _)| !wanted.contains_key(key)))
        .collect();
    assert!(differ.is_empty(), "{} differ, as {:?}", differ.len(), &differ[..differ.len().min(5)]);
    assert_eq!(got.values().sum::<u64>(), 1_574);
}

/// How often each rule matches in each file.
fn expected(data: &Path) -> BTreeMap<(String, String), u64> {
    let mut file_of = Vec::new();
    for row in fs::read_to_string(data.join("eas.files.tsv")).unwrap().lines().skip(1) {
        let (file, events) = row.split_once('\t').unwrap();
        file_of.extend(std::iter::repeat_n(file.to_owned(), events.parse().unwrap()));
    }
    let mut wanted = BTreeMap::new();
    for row in fs::read_to_string(data.join("eas.expected.tsv")).unwrap().lines() {
        let (line, rule) = row.split_once('\t').unwrap();
        *wanted.entry((file_of[line.parse::<usize>().unwrap()].clone(), rule.to_owned())).or_default() += 1;
    }
    wanted
}

const SAMPLE: &str = "AutomatedTestingTools/Malware/rundll32_cmd_schtask.evtx";

/// A folder with a file that ends in the middle, and one with a hole.
fn torn(samples: &Path, dir: &Path) -> PathBuf {
    let bytes = fs::read(samples.join("EVTX-ATTACK-SAMPLES").join(SAMPLE)).unwrap();
    let middle = bytes.len() / 2;
    let mut hole = bytes.clone();
    hole[middle..middle + 2_000].fill(0x5a);
    let torn = dir.join("torn");
    fs::create_dir(&torn).unwrap();
    fs::write(torn.join("cut.evtx"), &bytes[..middle]).unwrap();
    fs::write(torn.join("hole.evtx"), hole).unwrap();
    torn
}

/// What is left of a damaged file is read, nothing is made up, and the file is named.
fn check_torn(whole: &[Value], of_torn: &[Value], said: &str) {
    let of = |findings: &[Value], name: &str| {
        let own = findings.iter().filter(|finding| finding["source"]["file"].as_str().unwrap().ends_with(name));
        places(&own.cloned().collect::<Vec<_>>())
    };
    let all = of(whole, SAMPLE);
    for name in ["cut.evtx", "hole.evtx"] {
        let left = of(of_torn, name);
        assert!(left.iter().all(|place| all.contains(place)), "{name}: {left:?}");
        assert!(said.contains(name), "{name}: {said}");
    }
    assert!(!of_torn.is_empty(), "what is whole is read");
}
