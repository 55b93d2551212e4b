//! Scans of small files, from arguments to findings.

use std::path::Path;

use super::*;

const RULE: &str = "
title: Refused password
id: 11111111-1111-4111-8111-111111111111
level: medium
logsource: {product: linux, service: sshd}
detection:
  selection: {message|startswith: Failed password}
  condition: selection
";
const WINDOWS: &str = "
title: Registry query
id: 22222222-2222-4222-8222-222222222222
level: high
logsource: {product: windows, category: process_creation}
detection:
  selection: {Image|endswith: '\\reg.exe'}
  condition: selection
";

const CORRELATION: &str = "
title: Refused again and again
id: 33333333-3333-4333-8333-333333333333
level: high
correlation:
  type: event_count
  rules: [11111111-1111-4111-8111-111111111111]
  group-by: [src_ip]
  timespan: 1m
  condition: {gte: 3}
";

fn found(paths: &[&Path]) -> Found {
    let rules = rules::load(
        &[("a.yml", RULE), ("b.yml", WINDOWS), ("c.yml", CORRELATION)],
        &[],
        &Mapping::All.compile_options(),
    )
    .unwrap();
    assert_eq!(rules.complaints, Vec::<String>::new());
    let paths: Vec<PathBuf> = paths.iter().map(|path| path.to_path_buf()).collect();
    let args = ScanArgs {
        paths: Vec::new(),
        rules: Vec::new(),
        pipeline: Vec::new(),
        no_built_in: false,
        output: Output::Ndjson,
        source: None,
        logsource_fields: false,
        mapping: Mapping::All,
    };
    scan(move || rules, inputs(&paths).unwrap(), &args).1
}

#[test]
fn findings_of_a_folder_name_rule_file_record_and_time_in_order_of_time() {
    let dir = tempfile::tempdir().unwrap();
    let log = "2026-11-21T11:59:02Z web1 sshd[1]: Failed password for root from 203.0.113.9 port 1 ssh2\nwords\n2026-11-21T11:59:00Z web1 sshd[1]: Failed password for root from 203.0.113.9 port 1 ssh2\n";
    std::fs::write(dir.path().join("auth.log"), log).unwrap();
    let array = r#"[{"a":1},{"EventID":1,"Channel":"Microsoft-Windows-Sysmon/Operational","Image":"C:\\reg.exe","UtcTime":"2026-11-21 11:59:01.000"}]"#;
    std::fs::write(dir.path().join("events.json"), array).unwrap();
    std::fs::write(dir.path().join("tool.bin"), [0_u8; 64]).unwrap();
    let found = found(&[dir.path()]);
    assert_eq!(found.problems, Vec::<String>::new());
    assert_eq!((found.files, found.events, found.passed_over), (3, 5, 1));
    let shown: Vec<String> = found
        .findings
        .iter()
        .map(|finding| {
            let name = Path::new(&finding.source.file).file_name().unwrap().to_str().unwrap();
            format!("{} {} {name}:{}", finding.time.unwrap(), finding.rule.title, finding.source.record)
        })
        .collect();
    assert_eq!(
        shown,
        [
            "2026-11-21T11:59:00.000000Z Refused password auth.log:3",
            "2026-11-21T11:59:01.000000Z Registry query events.json:2",
            "2026-11-21T11:59:02.000000Z Refused password auth.log:1",
        ]
    );
    let json = serde_json::to_value(&found.findings[0]).unwrap();
    assert_eq!(json["rule"]["id"], "11111111-1111-4111-8111-111111111111");
    assert_eq!((&json["rule"]["level"], &json["source"]["record"]), (&"medium".into(), &3.into()));
    assert_eq!(json["fields"][0]["field"], "message");
}

#[test]
fn what_cannot_be_read_is_named_and_never_clean() {
    let dir = tempfile::tempdir().unwrap();
    let binary = dir.path().join("tool.bin");
    std::fs::write(&binary, [0_u8; 64]).unwrap();
    let found = found(&[&binary]);
    assert!(found.problems[0].ends_with("tool.bin: holds binary data of no known format"), "{:?}", found.problems);
    assert!(inputs(&[dir.path().join("missing")]).unwrap_err().contains("missing"));
    assert!(
        rules::load(&[], &[dir.path().to_owned()], &Mapping::All.compile_options())
            .err()
            .unwrap()
            .contains("no usable Sigma rule")
    );
}

#[test]
fn a_correlation_is_found_in_the_order_of_time_whatever_the_order_of_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let line = |second: u32, from: &str| {
        format!("2026-11-21T11:59:{second:02}Z web1 sshd[1]: Failed password for root from {from} port 1 ssh2\n")
    };
    std::fs::write(dir.path().join("a.log"), line(40, "203.0.113.9") + &line(1, "203.0.113.9")).unwrap();
    std::fs::write(dir.path().join("b.log"), line(20, "203.0.113.9") + &line(30, "198.51.100.7")).unwrap();
    let found = found(&[dir.path()]);
    assert_eq!(found.findings.len(), 5);
    let last = &found.findings[4];
    assert_eq!((last.rule.title.as_str(), last.rule.level.as_str()), ("Refused again and again", "high"));
    assert_eq!(last.time.unwrap().to_string(), "2026-11-21T11:59:40.000000Z");
    assert!(last.source.file.ends_with("a.log") && last.source.record == 1, "{:?}", last.source);
    assert_eq!((last.fields[0].field.as_str(), last.fields[0].value.as_str()), ("src_ip", "203.0.113.9"));
}
