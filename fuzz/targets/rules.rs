//! Any text as a rule file: it gives rules or diagnostics, and what it gives can be compiled and scanned with.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shieldops_detect::{CompileOptions, EventRef, RuleSet, Worker, parse};
use shieldops_model::LogSource;

const EVENT: &[u8] =
    br#"{"EventID":1,"Image":"C:\\Windows\\cmd.exe","a":{"b":["x",1,null]},"Time":"2026-01-01T00:00:00Z"}"#;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (documents, diagnostics) = parse(&text, "f.yml");
    for diagnostic in &diagnostics {
        assert!(diagnostic.line <= text.lines().count() + 1, "{diagnostic}");
    }
    let options = CompileOptions { allow_sourceless: true, ..CompileOptions::default() };
    let (set, _) = RuleSet::compile(documents, &options);
    let source = LogSource {
        product: Some("windows".to_owned()),
        categories: vec!["process_creation".to_owned()],
        service: Some("sysmon".to_owned()),
    };
    let mut matching = Vec::new();
    let events = [EventRef { line: 0..EVENT.len(), source: &source }];
    set.scan(&mut Worker::new(), &events, EVENT, &mut |_, rule| matching.push(rule.index));
    for rule in matching.iter().filter_map(|index| set.rules().get(*index)) {
        let _fields = set.explain(rule, &source, EVENT);
    }
});
