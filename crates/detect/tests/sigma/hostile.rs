//! Bad input is normal: nothing panics, nothing grows without bound, and the neighbours are not affected.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use shieldops_detect::{CompileOptions, EventRef, RuleSet, Worker};

use crate::check::{check, marks, parse, rule_for, rule_text, source};

fn any_rule() -> RuleSet {
    let (set, _) = RuleSet::compile(vec![rule_for("r", "{category: test}")], &CompileOptions::default());
    set
}

#[test]
fn an_event_that_is_no_json_object_is_counted_and_its_neighbours_match() {
    let bad: [&[u8]; 12] = [
        b"",
        b"null",
        b"[1]",
        b"{",
        br#"{"a""#,
        br#"{"a":1"#,
        br#"{"a":1}x"#,
        br#"{"a":tru}"#,
        br#"{"a":"\x"}"#,
        br#"{"a":"\u12"}"#,
        br"{a:1}",
        br#"{"a":1,}"#,
    ];
    let set = any_rule();
    assert_eq!(marks(&set, &source("/test/"), &bad), "!".repeat(bad.len()));
    let bytes = b"{\"a\":1}\n{oops\n{\"a\":1}";
    let test = source("/test/");
    let events = [0..7, 8..13, 14..21, 0..99].map(|line| EventRef { line, source: &test });
    let mut found = Vec::new();
    let mut worker = Worker::new();
    set.scan(&mut worker, &events, bytes, &mut |event, _| found.push(event));
    assert_eq!(found, [0, 2]);
    assert_eq!(worker.stats().bad_events, 2);
}

#[test]
fn what_can_be_matched_in_damaged_text_is_matched() {
    let set = any_rule();
    let events: [&[u8]; 5] = [
        b"{\"a\":1,\"x\":\"\xff\xfe\"}",
        br#"{"a":1,"x":"\ud800"}"#,
        br#"{"a":1,"x":"\ud800\ud800"}"#,
        b"{\"a\":1,\"x\":\"\x00\x01\t\"}",
        br#"{"a":1,"x":"\u0000"}"#,
    ];
    assert_eq!(marks(&set, &source("/test/"), &events), "xxxxx");
    assert_eq!(
        check("sel: {x|contains: a}\ncondition: sel", &[r#"{"x":"\ud800a"}"#, r#"{"x":"\ud83d\ude00a"}"#]),
        "xx"
    );
    assert_eq!(check("sel: {x: 😀}\ncondition: sel", &[r#"{"x":"\ud83d\ude00"}"#]), "x");
}

#[test]
fn huge_deep_and_wide_events_are_bounded() {
    let set = any_rule();
    let test = source("/test/");
    let keys: String = (0..100_000).flat_map(|key| ["\"k".to_owned(), key.to_string(), "\":1,".to_owned()]).collect();
    let same: String = "\"a\":0,".repeat(100_000);
    let long = "y".repeat(10 * 1_024 * 1_024);
    let events = [
        format!("{}{}", "{\"a\":".repeat(10_000), "}".repeat(10_000)),
        format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000)),
        format!("{{{keys}\"a\":1}}"),
        format!("{{{same}\"a\":1}}"),
        format!("{{\"x\":\"{long}\",\"a\":1}}"),
        format!("{{\"x\":\"{}\",\"a\":1}}", "y".repeat(17 * 1_024 * 1_024)),
        format!("{{\"a\":\"{long}"),
    ];
    let bytes: Vec<&[u8]> = events.iter().map(String::as_bytes).collect();
    let start = Instant::now();
    assert_eq!(marks(&set, &test, &bytes), "!!xxx!!");
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

#[test]
fn a_rule_file_over_the_limit_is_refused() {
    let (rules, found) = parse(&"# x\n".repeat(1_000_000), "big.yml");
    assert!(rules.is_empty());
    assert_eq!(found[0].code, "file-too-large");
    let (_, found) = parse(&"---\na\n".repeat(2_000), "many.yml");
    assert!(found.iter().any(|d| d.code == "too-many-documents") || found.len() == 500);
}

/// The codes of what is wrong with a rule, each once; said within half a minute, however busy the machine is.
fn refused(detection: &str) -> String {
    let start = Instant::now();
    let (rules, found) = parse(&rule_text(detection), "r.yml");
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert!(rules.is_empty());
    let mut codes: Vec<&str> = found.iter().map(|diagnostic| diagnostic.code).collect();
    codes.dedup();
    codes.join(" ")
}

#[test]
fn a_rule_of_too_many_values_is_refused_with_a_reason() {
    let values = |count: usize, each: &str| vec![each; count].join(", ");
    assert_eq!(refused(&format!("sel: {{f: [{}]}}\ncondition: sel", values(100_000, "v"))), "too-large");
    let fields: Vec<String> = (0..6_000).map(|field| format!("  f{field}: 1\n")).collect();
    assert_eq!(refused(&format!("sel:\n{}condition: sel", fields.concat())), "too-large");
    let bomb =
        refused(&format!("sel: {{f|windash|base64offset: [{}]}}\ncondition: sel", values(5_000, "'-a -b -c -d'")));
    assert_eq!(bomb, "too-costly");
    assert_eq!(refused(&format!("sel: {{f|windash|base64: '{}'}}\ncondition: sel", "-a ".repeat(20))), "invalid-value");
}

#[test]
fn expressions_that_need_too_much_memory_are_refused_alone_and_together() {
    let rule = |values: &str| format!("sel: {{f|re: [{values}]}}\ncondition: sel");
    for alone in ["'(\\w{500}){500}'", "'((a{100}){100}){1000}'", "'(((((a{9}){9}){9}){9}){9}){9}'"] {
        assert_eq!(refused(&rule(alone)), "invalid-regex", "{alone}");
    }
    assert_eq!(refused(&rule(&format!("'{}'", "(".repeat(5_000)))), "invalid-regex");
    assert_eq!(refused(&rule(&format!("'{}'", "a".repeat(9_000)))), "invalid-regex");
    assert_eq!(refused(&rule(&vec!["'a\\w{60}'"; 5_000].join(", "))), "too-costly");
    assert_eq!(refused(&rule(&vec!["'a'"; 5_000].join(", "))), "too-costly");
}

#[test]
fn expressions_that_take_long_at_each_character_are_refused_and_those_that_only_count_are_counted() {
    let rule = |value: &str| format!("sel: {{f|re: '{value}'}}\ncondition: sel");
    for slow in
        [".{1000,}x.{1000,}y", "(a{1,100}){1,100}b", "[ab].{600}[zq]", "^.{600}$", "[ab]{257}c", "(?:x.{150}|y.{150})"]
    {
        assert_eq!(refused(&rule(slow)), "invalid-regex", "{slow}");
    }
    for fine in [".{1000,}", "(.){200,}", "^.{2000}", "[^/]{100,}$", "[ab]{256}c", "(Copy|cpi) .{2,128} -D .{1,32}x"] {
        let (rules, found) = parse(&rule_text(&rule(fine)), "r.yml");
        assert_eq!((rules.len(), found.len()), (1, 0), "{fine}: {found:?}");
    }
}

/// The codes of what is wrong with a file, each once.
fn codes(text: &str) -> String {
    let start = Instant::now();
    let (_, found) = parse(text, "r.yml");
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    let mut codes: Vec<&str> = found.iter().map(|diagnostic| diagnostic.code).collect();
    codes.dedup();
    codes.join(" ")
}

#[test]
fn what_a_rule_says_about_itself_is_bounded() {
    let long = "x".repeat(1_000_000);
    let rule = rule_text("sel: {f: a}\ncondition: sel");
    for key in ["description", "author", "name", "date"] {
        assert_eq!(codes(&format!("{key}: {long}\n{rule}")), "too-long", "{key}");
    }
    let (rules, _) = parse(&format!("description: {long}\n{rule}"), "r.yml");
    assert!(rules.is_empty(), "it is not loaded");
    let body = "level: low\ndetection: {sel: {f: a}, condition: sel}\n";
    assert_eq!(codes(&format!("title: {long}\nid: r\nlogsource: {{product: linux}}\n{body}")), "too-long");
    assert_eq!(codes(&format!("title: t\nid: {long}\nlogsource: {{product: linux}}\n{body}")), "too-long");
    assert_eq!(codes(&format!("title: t\nid: r\nlogsource: {{product: {long}}}\n{body}")), "too-long");
    for key in ["tags", "references", "falsepositives"] {
        let many = vec!["attack.t1110"; 2_000].join(", ");
        assert_eq!(
            codes(&format!("title: t\nid: r\nlogsource: {{product: linux}}\n{key}: [{many}]\n{body}")),
            "too-long"
        );
    }
    for (notes, code) in [(long.as_str(), "too-long"), ("[a, b]", "invalid-extension")] {
        assert_eq!(codes(&format!("shieldops: {{triage: {notes}}}\n{rule}")), code);
    }
    let (_, found) = parse(&format!("title: {long}\nlevel: {long}\n{body}"), "r.yml");
    assert!(found.iter().all(|said| said.message.chars().count() <= 1_001), "a diagnostic does not quote all of it");
}

#[test]
fn conditions_documents_and_aliases_do_not_multiply() {
    let many = vec!["1 of s*"; 20_000].join(", ");
    let selections = (0..2_000).map(|number| format!("s{number}: {{f: e{number}}}\n")).collect::<Vec<_>>().concat();
    assert_eq!(refused(&format!("{selections}condition: [{many}]")), "condition-too-long");
    let values = (0..20_000).map(|number| format!("      - value{number}\n")).collect::<Vec<_>>().concat();
    let global = format!(
        "action: global\ntitle: g\nlevel: low\nlogsource: {{product: linux}}\ndetection:\n  s:\n    f|contains:\n{values}  condition: s\n"
    );
    let (rules, found) = parse(&format!("{global}{}", "---\nid: x\n".repeat(300)), "g.yml");
    assert!(rules.len() < 10 && found.iter().any(|said| said.code == "too-large"), "{}", rules.len());
    let one = format!("---\na: &a [{}]\nb: [{}]\n", vec!["v"; 100].join(", "), vec!["*a"; 400].join(", "));
    assert!(codes(&one.repeat(100)).contains("too-large"));
}

#[test]
fn values_that_take_long_at_each_place_are_refused() {
    let rule = |field: &str, value: &str| format!("sel: {{{field}: '{value}'}}\ncondition: sel");
    assert_eq!(refused(&rule("f", &"e".repeat(9_000))), "value-too-long");
    assert_eq!(refused(&rule("f", &format!("*{}b*", "?".repeat(600)))), "value-too-long");
    assert_eq!(refused(&rule("f", &format!("*{}*", "a?".repeat(400)))), "value-too-long");
    assert_eq!(refused(&rule("f|windash|contains", &" -a".repeat(600))), "value-too-long");
    assert_eq!(
        refused(&rule(
            "f|contains|contains|contains|contains|contains|contains|contains|contains|contains|contains|contains|contains|contains|contains|contains|contains|contains",
            "a"
        )),
        "conflicting-modifiers"
    );
    let wild = vec![format!("'{}'", "*a".repeat(4_000)); 200].join(", ");
    assert_eq!(refused(&format!("sel: {{f: [{wild}]}}\ncondition: sel")), "too-costly");
    let encoded = vec![format!("' -a -b -c -d{}'", "e".repeat(8_000)); 4].join(", ");
    assert_eq!(
        refused(&format!("sel: {{f|windash|base64offset|contains: [{encoded}]}}\ncondition: sel")),
        "too-costly"
    );
    for fine in [format!("*{}b*", "?".repeat(500)), "*a".repeat(1_000), "e".repeat(8_192)] {
        let (rules, found) = parse(&rule_text(&rule("f", &fine)), "r.yml");
        assert_eq!((rules.len(), found.len()), (1, 0), "{found:?}");
    }
}

#[test]
fn lists_that_refer_to_lists_are_compared_in_far_less_than_every_pair() {
    let list = |letter: &str| (0..60_000).map(|n| format!("\"{letter}{n}\"")).collect::<Vec<_>>().join(",");
    let wide = format!("{{\"f\":[{}],\"g\":[{}]}}", list("a"), list("b"));
    let long = format!("{{\"f\":\"{0}{0}\",\"g\":\"{0}b\"}}", "a".repeat(250_000));
    let start = Instant::now();
    for modifiers in
        ["fieldref", "fieldref|contains", "fieldref|startswith", "fieldref|endswith", "fieldref|cased|contains"]
    {
        let rule = format!("sel: {{f|{modifiers}: g}}\ncondition: sel");
        assert_eq!(check(&rule, &[&wide, &long]), "..", "{modifiers}");
    }
    assert!(start.elapsed() < Duration::from_mins(1), "{:?}", start.elapsed());
    let wide = format!("{{\"f\":[{}],\"g\":[{},\"a59999\"]}}", list("a"), list("b"));
    assert_eq!(check("sel: {f|fieldref: g}\ncondition: sel", &[&wide]), "x");
}

#[test]
fn values_that_almost_stand_everywhere_take_no_longer_than_the_event_is_long() {
    let time = |detection: &str, value: &str| {
        let (rules, found) = parse(&rule_text(detection), "r.yml");
        assert!(rules.len() == 1, "{found:?}");
        let (set, _) = RuleSet::compile(rules, &CompileOptions::default());
        let event = format!("{{\"f\":\"{}\"}}", value.repeat(256 * 1_024 / value.len()));
        let began = Instant::now();
        assert_eq!(marks(&set, &source("/test/"), &[event.as_bytes()]), ".", "{detection:.60}");
        began.elapsed()
    };
    // What is looked for step by step is looked for 64 characters at a time.
    let event = "a".repeat(256 * 1_024);
    let began = Instant::now();
    for _ in 0..128 {
        assert_eq!(std::hint::black_box(&event).bytes().filter(|byte| *byte == b'b').count(), 0);
    }
    let read = began.elapsed();
    let (a, dashes) = ("a".repeat(8_100), " -a".repeat(160));
    for (line, value) in [
        (format!("f|contains: '{a}?b'"), "a"),
        (format!("f|contains: '?{a}b'"), "a"),
        (format!("f|contains: '{a}b'"), "a"),
        (format!("f|contains|cased: '{a}b'"), "a"),
        (format!("f|contains|cased: '{a}B'"), "a"),
        (format!("f|windash|contains: '{dashes}b'"), " -a"),
    ] {
        let took = time(&format!("sel: {{{line}}}\ncondition: sel"), value);
        assert!(took < read * 40, "{line:.30}: {took:?}, and {read:?} to read the event 128 times");
    }
}

#[test]
fn ten_megabytes_of_yaml_are_refused_before_they_are_read() {
    let start = Instant::now();
    let text = rule_text(&format!("sel: {{f: '{}'}}\ncondition: sel", "x".repeat(10 * 1_024 * 1_024)));
    let (rules, found) = parse(&text, "big.yml");
    assert_eq!((rules.len(), found[0].code), (0, "file-too-large"));
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

const SEED: &str = "title: T\nid: r\nlevel: low\nstatus: test\ntags: [attack.t1110, attack.impact]\nlogsource: {category: test}\n\
detection:\n  sel:\n    - a|contains|all: ['x*', \"y\\n\", 1.5]\n      b|re|i: '^a(b|c)+$'\n    - c|cidr: 10.0.0.0/8\n  kw: ['k?', &v 7]\n  \
f_1: {d|windash|endswith: ' -x', e|base64offset|contains: *v, g|exists: true, h|expand: '%p%', i: null}\n  \
condition: sel and not 1 of f_* or (kw and all of them)\nshieldops: {group_by: [src_ip]}\n";

fn run(text: &str, event: &[u8]) {
    let (rules, found) = parse(text, "r.yml");
    for diagnostic in &found {
        assert!(!diagnostic.message.is_empty() && !diagnostic.code.is_empty());
    }
    let options = CompileOptions { allow_sourceless: true, ..CompileOptions::default() };
    let (set, _) = RuleSet::compile(rules, &options);
    let test = source("/test/");
    let events = [EventRef { line: 0..event.len(), source: &test }];
    set.scan(&mut Worker::new(), &events, event, &mut |_, rule| {
        // A match by absence alone has nothing to show.
        assert!(!set.explain(rule, &test, event).is_empty() || rule.text.contains("not"));
    });
}

proptest! {
    #[test]
    fn arbitrary_text_never_makes_the_parser_panic(text: String) {
        run(&text, b"{}");
    }

    #[test]
    fn arbitrary_detections_never_make_the_engine_panic(
        key in "[a-z|*' ]{0,12}(\\|(contains|re|all|cidr|windash|base64offset|wide|neq|exists|fieldref|lt|hour|expand|cased|i))*",
        value in "\\PC{0,20}",
        condition in "(not |and |or |sel |1 of |all of |them |\\(|\\)|s\\* ){0,6}",
    ) {
        let detection = format!("sel: {{\"{key}\": {value:?}}}\ncondition: sel or {condition}");
        run(&rule_text(&detection), br#"{"a":"x","b":[1,{"c":null}]}"#);
    }

    #[test]
    fn a_damaged_rule_never_makes_the_engine_panic(
        cuts in prop::collection::vec((0..SEED.len(), 0..12usize, "\\PC{0,6}"), 1..6),
    ) {
        let mut text = SEED.to_owned();
        for (at, length, with) in cuts {
            let at = at.min(text.len());
            let end = (at + length).min(text.len());
            if text.is_char_boundary(at) && text.is_char_boundary(end) {
                text.replace_range(at..end, &with);
            }
        }
        run(&text, br#"{"a":"x y\n 1.5","b":"abc","c":"10.0.0.1","k":"k7"}"#);
    }

    #[test]
    fn arbitrary_bytes_never_make_the_matcher_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        run(SEED, &bytes);
    }

    #[test]
    fn damaged_json_never_makes_the_matcher_panic(
        at in 0..70usize,
        with in prop::collection::vec(any::<u8>(), 0..4),
    ) {
        let mut bytes = br#"{"a":"x\u00e4\\ y","b":[1,{"c":null}],"d":{"e":[true,-1.5e3]},"k":"k7"}"#.to_vec();
        bytes.splice(at..=at, with);
        run(SEED, &bytes);
    }

    #[test]
    fn text_survives_its_json_spelling(text: String) {
        let event = serde_json::json!({ "f": text }).to_string();
        let quoted = serde_json::to_string(&text.replace('\\', "\\\\").replace('*', "\\*").replace('?', "\\?")).unwrap();
        let detection = format!("sel: {{f|cased: {quoted}}}\ncondition: sel");
        let (rules, _) = parse(&rule_text(&detection), "r.yml");
        prop_assume!(!rules.is_empty());
        prop_assert_eq!(check(&detection, &[&event]), "x");
    }
}
