//! Selections, keywords, conditions and what a rule file may hold.

use shieldops_detect::{CompileOptions, DiagnosticSeverity, RuleSet};

use crate::check::{check, marks, parse, rule_text, source};

#[test]
fn a_map_is_all_of_its_fields_and_a_list_of_maps_any_of_them() {
    let events = [r#"{"a":1,"b":1}"#, r#"{"a":1}"#, r#"{"c":1}"#];
    assert_eq!(check("sel: {a: 1, b: 1}\ncondition: sel", &events), "x..");
    assert_eq!(check("sel:\n  - {a: 1, b: 1}\n  - {c: 1}\ncondition: sel", &events), "x.x");
    assert_eq!(check("sel:\n  '|all':\n    - {a: 1}\n    - {b: 1}\ncondition: sel", &events), "x..");
}

#[test]
fn all_needs_every_value() {
    let events = [r#"{"f":"one two"}"#, r#"{"f":"one"}"#];
    assert_eq!(check("sel: {f|contains: [one, two]}\ncondition: sel", &events), "xx");
    assert_eq!(check("sel: {f|contains|all: [one, two]}\ncondition: sel", &events), "x.");
}

#[test]
fn keywords_look_into_every_value_and_nowhere_else() {
    let events = [
        r#"{"needle":"x"}"#,
        r#"{"a":"has Needle inside"}"#,
        r#"{"a":{"b":[{"c":"needle"}]}}"#,
        r#"{"a":"nee","b":"dle"}"#,
        r#"{"a":12345}"#,
    ];
    assert_eq!(check("kw: [needle]\ncondition: kw", &events), ".xx..");
    assert_eq!(check("kw: needle\ncondition: kw", &events), ".xx..");
    assert_eq!(check("kw: [234]\ncondition: kw", &events), "....x");
    assert_eq!(check("kw: ['nee*le']\ncondition: kw", &events), ".xx..");
    assert_eq!(check("kw:\n  '|re': '^has.*e$'\ncondition: kw", &events), ".x...");
    let two = [r#"{"a":"one","b":"two"}"#, r#"{"a":"one"}"#];
    assert_eq!(check("kw:\n  '|all': [one, two]\ncondition: kw", &two), "x.");
    assert_eq!(check("kw: [one, two]\ncondition: kw", &two), "xx");
    // JSON's own punctuation is no value.
    assert_eq!(check("kw:\n  '|all': ['scp ', ':']\ncondition: kw", &[r#"{"a":"scp x"}"#, r#"{"a":"scp h:p"}"#]), ".x");
}

#[test]
fn a_condition_may_be_a_list_of_which_any_is_enough() {
    let detection = "a: {a: 1}\nb: {b: 1}\ncondition:\n  - a\n  - b";
    assert_eq!(check(detection, &[r#"{"a":1}"#, r#"{"b":1}"#, "{}"]), "xx.");
}

#[test]
fn counts_leave_out_selections_with_an_underscore_and_names_may_contain_and() {
    let detection = "_x: {a: 1}\nsel_and_more: {b: 1}\ncondition: 1 of them or sel_and_more and not 1 of _*";
    assert_eq!(check(detection, &[r#"{"a":1}"#, r#"{"b":1}"#]), ".x");
    let detection = "sel: {a: 1}\nfilter_a: {b: 1}\nfilter_b: {c: 1}\ncondition: sel and not 1 of filter_*";
    assert_eq!(check(detection, &[r#"{"a":1}"#, r#"{"a":1,"c":1}"#]), "x.");
    assert_eq!(check("sel: {a: 1}\ncondition: 1 of nothing*", &[]), "unknown-selection@7:19");
}

#[test]
fn what_is_wrong_is_named_with_its_place_and_what_to_do() {
    let table = [
        ("sel: {f|contain: a}\ncondition: sel", "unknown-modifier@6:11"),
        ("sel: {'f|contain': a}\ncondition: sel", "unknown-modifier@6:12"),
        ("sel: {f|contains|startswith: a}\ncondition: sel", "conflicting-modifiers@6:20"),
        ("sel: {f|i: a}\ncondition: sel", "conflicting-modifiers@6:11"),
        ("sel: {f|re|base64: a}\ncondition: sel", "conflicting-modifiers@6:11"),
        ("sel: {f|re: 'a(?!x)'}\ncondition: sel", "invalid-regex@6:17"),
        ("sel: {f|re: '(a)\\1'}\ncondition: sel", "invalid-regex@6:19"),
        ("sel: {f|re: 'a('}\ncondition: sel", "invalid-regex@6:17"),
        ("sel: {f|re: '(\\w{500}){500}'}\ncondition: sel", "invalid-regex@6:16"),
        ("sel: {f|cidr: 10.0.0.0/40}\ncondition: sel", "invalid-cidr@6:17"),
        ("sel: {f|exists: maybe}\ncondition: sel", "invalid-value@6:19"),
        ("sel: {f|base64: 'a*'}\ncondition: sel", "invalid-value@6:20"),
        ("sel: {f: {g: 1}}\ncondition: sel", "invalid-value@6:9"),
        ("sel: {f: []}\ncondition: sel", "empty-list@6:9"),
        ("sel: {}\ncondition: sel", "empty-selection@6:3"),
        ("sel:\ncondition: sel", "empty-selection@6:3"),
        ("sel: {f: a, f: b}\ncondition: sel", "duplicate-key@6:15"),
        ("sel: {f: a}\nsel: {f: b}\ncondition: sel", "duplicate-key@7:3"),
        ("sel: {f: a}", "missing-condition@5:1"),
        ("sel: {f: a}\ncondition: sell", "unknown-selection@7:14"),
        ("sel: {f: a}\ncondition: sel and (sel", "invalid-condition@7:22"),
        ("sel: {f: a}\ncondition: sel | count() > 3", "unsupported-aggregation@7:18"),
        ("sel: [[[a", "invalid-yaml@7:1"),
    ];
    for (detection, expected) in table {
        assert_eq!(check(detection, &[]), expected, "{detection}");
    }
    let (_, found) = parse(&rule_text("sel: {f|contain: a}\ncondition: sel"), "dir/r.yml");
    assert_eq!(
        found.first().map(ToString::to_string).unwrap(),
        "dir/r.yml:6:11: error[unknown-modifier]: there is no modifier `contain` (Did you mean `contains`?)"
    );
}

#[test]
fn a_carriage_return_alone_moves_no_place() {
    let text = rule_text("sel: {f|contain: a}\ncondition: sel");
    for (from, to) in [("id: r\n", "id: r\r\r\r\n"), ("id: r\n", "id: r\r\n"), ("id: r\n", "id: r\n")] {
        let (_, found) = parse(&text.replacen(from, to, 1), "r.yml");
        let said: Vec<_> = found.iter().map(|said| (said.code, said.line, said.column)).collect();
        assert_eq!(said, [("unknown-modifier", 6, 11)], "{to:?}");
    }
    let (_, found) = parse(&text.replace('\n', "\r"), "r.yml");
    assert!(found.iter().all(|said| said.line == 1), "{found:?}");
}

#[test]
fn a_tab_as_indentation_is_named_with_its_line() {
    let (rules, found) =
        parse("title: T\nlogsource: {category: test}\ndetection:\n\tsel: {a: 1}\n\tcondition: sel\n", "r.yml");
    assert!(rules.is_empty());
    assert_eq!((found[0].code, found[0].line), ("invalid-yaml", 4));
}

#[test]
fn text_that_other_yaml_readers_take_for_something_else_stays_text() {
    let events = [
        r#"{"f":"yes"}"#,
        r#"{"f":"on"}"#,
        r#"{"f":"0x10"}"#,
        r#"{"f":"1e3"}"#,
        r#"{"f":"0o17"}"#,
        r#"{"f":"2024-01-02"}"#,
        r#"{"f":true}"#,
        r#"{"f":16}"#,
    ];
    let table = [
        ("yes", "x......."),
        ("on", ".x......"),
        ("0x10", "..x....."),
        ("1e3", "...x...."),
        ("0o17", "....x..."),
        ("2024-01-02", ".....x.."),
        ("'true'", "......x."),
        ("!!str 16", ".......x"),
    ];
    for (value, expected) in table {
        assert_eq!(check(&format!("sel:\n  f: {value}\ncondition: sel"), &events), expected, "{value}");
    }
}

#[test]
fn anchors_and_merge_keys_work_and_a_bomb_of_them_is_refused() {
    let events = [r#"{"a":1,"b":2}"#, r#"{"a":1,"b":1}"#];
    assert_eq!(check("base: &b {a: 1, b: 1}\nsel: {<<: *b, b: 2}\ncondition: sel and not base", &events), "x.");
    assert_eq!(check("v: &v [1, 3]\nsel: {a: *v}\ncondition: sel", &[r#"{"a":3}"#]), "x");
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let list = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.extend([format!("a{level}: &a{level} [{list}]\n")]);
    }
    assert!(check(&bomb, &[]).starts_with("too-large@"), "{}", check(&bomb, &[]));
    assert_eq!(check("sel: &a [*a]\ncondition: sel", &[]), "recursive-alias@6:12");
    assert!(check(&format!("sel: {}", "[".repeat(200)), &[]).starts_with("too-deep@"));
}

#[test]
fn a_file_holds_many_documents_and_a_bad_one_does_not_take_the_others_along() {
    let good = rule_text("sel: {a: 1}\ncondition: sel");
    let text = format!("\u{feff}{good}---\ntitle: [\n---\n# nothing\n---\n{}", good.replace("id: r", "id: s"));
    let (rules, found) = parse(&text, "r.yml");
    let ids: Vec<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(ids, ["r", "s"]);
    let codes: Vec<_> = found.iter().map(|d| (d.code, d.line)).collect();
    assert_eq!(codes, [("invalid-yaml", 10)]);
    let second = &rules[1];
    assert_eq!(text.get(second.span.clone()).unwrap(), second.text);
    assert_eq!((second.line, second.version.len()), (13, 12));
}

#[test]
fn a_global_document_is_the_base_of_those_after_it() {
    let text = "action: global\ntitle: T\nid: g\nlevel: high\nlogsource: {category: test}\ndetection: {condition: sel}\n\
                ---\ndetection: {sel: {a: 1}}\n---\nlevel: low\ndetection: {sel: {a: 2}}\n";
    let (rules, found) = parse(text, "r.yml");
    let shown: Vec<_> = rules.iter().map(|rule| (rule.id.as_str(), rule.level.as_str())).collect();
    assert_eq!(shown, [("g", "high"), ("g#2", "low")]);
    assert!(found.iter().all(|d| d.severity == DiagnosticSeverity::Info), "{found:?}");
    let (changed, _) = parse(&text.replace("title: T", "title: U"), "r.yml");
    assert_ne!(rules[0].version, changed[0].version);
}

#[test]
fn a_repeated_document_builds_on_the_one_before_it_and_a_reset_ends_the_global_one() {
    let text = "action: global\ntitle: T\nlevel: high\nlogsource: {category: test}\n\
                ---\nid: one\ndetection: {sel: {a: 1}, condition: sel}\n\
                ---\naction: repeat\nid: two\ndetection: {sel: {b: 2}}\n\
                ---\naction: reset\n\
                ---\nid: three\ntitle: U\nlevel: low\nlogsource: {category: test}\ndetection: {sel: {c: 3}, condition: sel}\n\
                ---\naction: again\n";
    let (rules, found) = parse(text, "r.yml");
    let shown: Vec<_> =
        rules.iter().map(|rule| format!("{} {} {}", rule.id, rule.title, rule.level.as_str())).collect();
    assert_eq!(shown, ["one T high", "two T high", "three U low"]);
    assert_eq!(found.iter().map(|d| d.code).collect::<Vec<_>>(), ["unknown-action"]);
    let (set, _) = RuleSet::compile(rules, &CompileOptions::default());
    let events: [&[u8]; 4] = [br#"{"a":1}"#, br#"{"b":2}"#, br#"{"a":1,"b":2}"#, br#"{"c":3}"#];
    // The repeated selection has the fields of both.
    assert_eq!(marks(&set, &source("/test/"), &events), "x.xx");
}

#[test]
fn correlations_and_filters_take_nothing_from_a_global_document() {
    let text = "action: global\ntitle: T\nlogsource: {category: test}\ndetection: {sel: {a: 1}, condition: sel}\n\
                ---\ntitle: C\ncorrelation: {type: temporal, rules: [a, b], timespan: 1m}\n\
                ---\ntitle: F\nfilter: {rules: any, sel: {a: 1}, condition: not sel}\n";
    let (documents, found) = shieldops_detect::parse(text, "r.yml");
    assert_eq!((documents.rules.len(), documents.filters.len(), documents.correlations.len()), (0, 0, 1));
    assert_eq!(found.iter().map(|d| d.code).collect::<Vec<_>>(), ["no-log-source"]);
}

#[test]
fn a_rule_tells_its_name_its_status_and_its_relations() {
    let head = "name: n\nstatus: experimental\nrelated: [{id: x, type: derived}, {id: y, type: similar}, {id: z}]\n";
    let (rules, found) = parse(&format!("{head}{}", rule_text("sel: {a: 1}\ncondition: sel")), "r.yml");
    let related: Vec<_> = rules[0].related.iter().map(|one| format!("{} {}", one.kind, one.id)).collect();
    assert_eq!((rules[0].name.as_str(), rules[0].status.as_str()), ("n", "experimental"));
    assert_eq!(related, ["derived x", "similar y"]);
    assert_eq!(found.iter().map(|d| (d.code, d.line, d.column)).collect::<Vec<_>>(), [("invalid-related", 3, 59)]);
    let (_, found) = parse(&rule_text("sel: {a: 1}\ncondition: sel").replace("level: low", "level: lo"), "r.yml");
    assert_eq!(found[0].to_string(), "r.yml:3:8: error[unknown-level]: there is no level `lo` (Did you mean `low`?)");
    let (rules, found) = parse(&format!("status: new\n{}", rule_text("sel: {a: 1}\ncondition: sel")), "r.yml");
    assert_eq!((rules.len(), found[0].code), (1, "unknown-status"));
}

#[test]
fn a_rule_tells_its_attack_techniques_and_its_grouping() {
    let tags =
        "tags: [attack.t1110.003, attack.credential_access, attack.credential-access, attack.g0007, cve.2024-1]\n";
    let own = "shieldops:\n  group_by: [src_ip, user]\n  triage: |\n    Ask the user.\n    Look at the host.\n";
    let text = format!("{tags}{own}{}", rule_text("sel: {a: 1}\ncondition: sel"));
    let (rules, found) = parse(&text, "r.yml");
    assert_eq!(found, []);
    assert_eq!(rules[0].attack.techniques, ["T1110.003"]);
    assert_eq!(rules[0].attack.tactics, ["credential-access"]);
    assert_eq!(rules[0].group_by.iter().map(|kind| kind.as_str()).collect::<Vec<_>>(), ["ip", "user"]);
    assert_eq!(rules[0].triage, "Ask the user.\nLook at the host.");
    let (rules, found) = parse(&text.replace("src_ip", "colour"), "r.yml");
    assert!(rules.is_empty());
    assert_eq!(found[0].code, "invalid-extension");
}

#[test]
fn of_rules_with_one_id_the_later_counts_and_the_earlier_is_named() {
    let (first, _) = parse(&rule_text("sel: {a: 1}\ncondition: sel"), "first.yml");
    let (second, _) = parse(&rule_text("sel: {a: 2}\ncondition: sel"), "second.yml");
    let (set, found) = RuleSet::compile([first, second].concat(), &CompileOptions::default());
    assert_eq!(set.len(), 1);
    assert_eq!(set.get("r").unwrap().file, "second.yml");
    assert_eq!((found[0].code, found[0].file.as_str()), ("duplicate-id", "first.yml"));
    assert!(found[0].message.contains("second.yml"));
}
