//! The fast path against the exact evaluator: generated rules over events in every spelling, by one worker that learns.

mod inherit;

use std::fmt::Write as _;

use proptest::prelude::*;
use shieldops_model::LogSource;

use super::SourceFields;
use crate::sigma::{
    compile::{CompileOptions, RuleSet},
    matcher::{EventRef, Worker},
    parse,
};

const FIELDS: [&str; 7] = ["Image", "EventID", "a.b", "a", "x", "a.b.c", "é"];
const TEXTS: [&str; 20] = [
    "cmd.exe",
    "k",
    "\\\\",
    "\\cmd",
    "a\\*b",
    "*ab*cd",
    "-enc",
    " /enc x",
    "4688",
    "1.0",
    "",
    "é",
    "i\u{307}",
    "\"q",
    "\\n",
    "powershell.exe",
    "aba",
    "s?x",
    "a\u{1}b",
    "null",
];
const MODIFIERS: [&str; 16] = [
    "",
    "",
    "|contains",
    "|startswith",
    "|endswith",
    "|contains|all",
    "|cased",
    "|windash|contains",
    "|re",
    "|re|i",
    "|neq",
    "|cidr",
    "|exists",
    "|fieldref",
    "|contains|cased",
    "|gt",
];

/// One line of a selection.
fn item() -> impl Strategy<Value = String> {
    let texts = prop::collection::vec(prop::sample::select(&TEXTS[..]), 1..7);
    (prop::sample::select(&FIELDS[..]), prop::sample::select(&MODIFIERS[..]), texts, 0_u8..12).prop_map(
        |(field, modifier, texts, odd)| {
            let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
            match (modifier, odd) {
                ("|exists", odd) => format!("    {field}|exists: {}\n", odd % 2 == 0),
                ("|fieldref", _) => format!("    {field}|fieldref: Image\n"),
                ("|cidr", _) => format!("    {field}|cidr: 10.0.0.0/8\n"),
                ("|gt", _) => format!("    {field}|gt: 4\n"),
                ("|re" | "|re|i", odd) => {
                    let expression = ["cmd|powershell", "^[a-k]{2}", "\\\\\\\\c", "-(e|n)nc", "(?:ab)+a$", "é"];
                    format!("    {field}{modifier}: {}\n", quoted(expression[usize::from(odd) % 6]))
                }
                ("", 0) => format!("    {field}: null\n"),
                ("", 1) => format!("    {field}: 4688\n"),
                _ => {
                    let mut lines = format!("    {field}{modifier}:\n");
                    for text in &texts {
                        writeln!(lines, "      - {}", quoted(text)).unwrap();
                    }
                    lines
                }
            }
        },
    )
}

fn rule() -> impl Strategy<Value = String> {
    let keyword = prop::collection::vec(prop::sample::select(&TEXTS[..]), 1..3);
    let condition = prop::sample::select(
        &["one", "one and two", "one or two", "one and not two", "not one", "1 of them", "all of them", "words or one"]
            [..],
    );
    (item(), item(), item(), keyword, condition).prop_map(|(a, b, c, words, condition)| {
        let words: Vec<String> = words.iter().map(|w| format!("    - '{}'\n", w.replace('\'', "''"))).collect();
        let words = if words.concat().contains("- ''") { "    - cmd\n".to_owned() } else { words.concat() };
        let second = if a.split(':').next() == c.split(':').next() { String::new() } else { c };
        format!(
            "title: t\nid: RULE\nlogsource: {{category: test}}\ndetection:\n  one:\n{a}{second}  two:\n{b}  words:\n{words}  condition: {condition}\n"
        )
    })
}

/// A value in some spelling.
fn value() -> impl Strategy<Value = String> {
    let text = prop::sample::select(
        &[
            r"C:\\Windows\\cmd.exe",
            r"\u0043MD.EXE",
            r"x\/y",
            "K",
            "\u{212a}",
            "\u{130}",
            "é",
            "É",
            r"\u00c9",
            "10.1.2.3",
            "4688",
            "04688",
            "",
            "-enc x",
            " /enc x",
            "\u{2013}enc x",
            r"a*b",
            "abxcd",
            r#"\"q"#,
            r"a\nb",
            r"\u0001",
            r"a\u0001b",
            "ababa",
            "sax",
            "powershell.exe",
            r"\\\\cmd",
            r"\ud800",
            "null",
        ][..],
    );
    let scalar = prop_oneof![
        8 => text.prop_map(|text| format!("\"{text}\"")),
        3 => prop::sample::select(&["4688", "1", "1.0", "null", "true", "false", "4.688e3", "-3"][..]).prop_map(str::to_owned),
    ];
    scalar.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|all| format!("[{}]", all.join(","))),
            prop::collection::vec((prop::sample::select(&["b", "c", "b.c", "k"][..]), inner), 0..3).prop_map(|all| {
                let members: Vec<String> = all.into_iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

fn event() -> impl Strategy<Value = String> {
    let key =
        prop::sample::select(&["Image", "EventID", "a.b", "a", "x", "a.b.c", "é", "other", r"Im\u0061ge", "c-ip"][..]);
    let gap = prop::sample::select(&["", "", "", " ", "\t"][..]);
    (prop::collection::vec((key, value()), 0..7), gap, 0_u8..20).prop_map(|(members, gap, damage)| {
        let members: Vec<String> = members.iter().map(|(key, value)| format!("\"{key}\":{gap}{value}")).collect();
        let line = format!("{{{}}}", members.join(&format!(",{gap}")));
        match damage {
            0 => line.replace(':', ""),
            1 => format!("{line}}}"),
            2 => line.replacen('"', "", 1),
            3 => format!(" {line}\n"),
            _ => line,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn the_fast_path_finds_what_the_exact_evaluator_finds(
        rules in prop::collection::vec(rule(), 1..6), events in prop::collection::vec(event(), 1..60),
    ) {
        let texts = rules.iter().enumerate().map(|(number, rule)| rule.replace("RULE", &format!("r{number}")));
        let parsed = texts.flat_map(|text| parse(&text, "t.yml").0.into_rules()).collect::<Vec<_>>();
        let (set, _) = RuleSet::compile(parsed, &CompileOptions::default());
        let source = LogSource { categories: vec!["test".to_owned()], ..LogSource::default() };
        let (mut bytes, mut lines) = (Vec::new(), Vec::new());
        // Every event comes several times, so that shapes and statistics are in use.
        for event in events.iter().cycle().take(events.len().saturating_mul(3)) {
            let start = bytes.len();
            bytes.extend_from_slice(event.as_bytes());
            lines.push(start..bytes.len());
        }
        let refs: Vec<EventRef<'_>> = lines.iter().map(|line| EventRef { line: line.clone(), source: &source }).collect();
        let (mut exact, mut fast, mut named) = (Vec::new(), Vec::new(), Vec::new());
        set.scan_exact(&mut Worker::new(), &refs, &bytes, &mut |event, rule| exact.push((event, rule.index)));
        set.scan(&mut Worker::new(), &refs, &bytes, &mut |event, rule| fast.push((event, rule.index)));
        let same = source.clone();
        let fields = SourceFields::new(&["Image", "c-ip"], move |_| same.clone());
        set.scan_lines(&mut Worker::new(), &fields, &lines, &bytes, &mut |event, rule| named.push((event, rule.index)));
        let shown = |found: &[(usize, usize)]| {
            let odd = found.iter().find(|one| !exact.contains(one)).or(exact.iter().find(|one| !found.contains(one)));
            odd.map(|(event, rule)| (bytes[lines[*event].clone()].escape_ascii().to_string(), rules.get(*rule).cloned()))
        };
        prop_assert!(fast == exact, "{:?}", shown(&fast));
        prop_assert!(named == exact, "by fields: {:?}", shown(&named));
    }
}

#[test]
fn an_engine_that_was_reset_learns_again_and_matches_the_same() {
    let text = "title: t\nid: r\nlogsource: {category: test}\ndetection: {s: {x|endswith: b}, condition: s}";
    let (set, _) = RuleSet::compile(parse(text, "r.yml").0, &CompileOptions::default());
    let source = LogSource { categories: vec!["test".to_owned()], ..LogSource::default() };
    let bytes = br#"{"x":"ab"}{"x":"ba"}"#.repeat(300);
    let lines = (0..600_usize).map(|number| number * 10..number * 10 + 10);
    let events: Vec<EventRef<'_>> = lines.map(|line| EventRef { line, source: &source }).collect();
    let mut worker = Worker::new();
    for round in 1..=3_u64 {
        set.scan(&mut worker, &events, &bytes, &mut |_, _| {});
        assert_eq!(worker.stats().matches, 300 * round);
        assert_eq!((set.engine_stats().shards, set.engine_stats().rebuilt > 0), (1, true));
        set.reset_learning();
        assert_eq!(set.engine_stats().shards, 0);
    }
}
