//! Log sources: which rules see an event, and which field names stand for each other there.

use shieldops_detect::{CompileOptions, EventRef, FieldAlias, FieldMap, RuleSet, Worker};

use crate::check::{marks, parse, rule_for, scan, source};

fn set(rules: &[(&str, &str)]) -> RuleSet {
    let rules: Vec<_> = rules.iter().map(|(id, log_source)| rule_for(id, log_source)).collect();
    let (set, found) = RuleSet::compile(rules, &CompileOptions::default());
    assert_eq!(found, []);
    set
}

#[test]
fn an_event_of_two_categories_reaches_the_rules_of_both_and_no_others() {
    let set = set(&[
        ("set", "{product: windows, category: registry_set}"),
        ("event", "{product: windows, category: registry_event}"),
        ("process", "{product: windows, category: process_creation}"),
        ("any", "{product: windows}"),
        ("sysmon", "{service: sysmon}"),
    ]);
    let (found, _) = scan(&set, &source("windows/registry_set,registry_event/sysmon"), br#"{"a":1}"#);
    assert_eq!(found, ["set", "event", "any", "sysmon"]);
    let (found, stats) = scan(&set, &source("//"), br#"{"a":1}"#);
    assert!(found.is_empty());
    assert_eq!((stats.events, stats.evaluated), (1, 0));
}

#[test]
fn a_field_named_category_is_a_field_and_not_the_log_source() {
    let text = "title: T\nid: r\nlevel: low\nlogsource: {product: azure, service: auditlogs}\n\
                detection:\n  sel: {category: Policy}\n  condition: sel\n";
    let (set, _) = RuleSet::compile(parse(text, "r.yml").0, &CompileOptions::default());
    let events: [&[u8]; 2] = [br#"{"category":"Policy"}"#, b"{}"];
    assert_eq!(marks(&set, &source("azure/policy,other/auditlogs"), &events), "x.");
}

#[test]
fn a_rule_without_a_log_source_is_refused_unless_asked_for() {
    let rule = rule_for("r", "{definition: none}");
    let (set, found) = RuleSet::compile(vec![rule.clone()], &CompileOptions::default());
    assert!(set.is_empty());
    assert_eq!((found[0].code, found[0].line), ("no-log-source", 1));
    let options = CompileOptions { allow_sourceless: true, ..CompileOptions::default() };
    let (set, found) = RuleSet::compile(vec![rule], &options);
    assert_eq!(found, []);
    assert_eq!(marks(&set, &source("//"), &[br#"{"a":1}"#]), "x");
}

#[test]
fn security_4688_and_sysmon_1_match_the_same_rule() {
    let text = "title: T\nid: r\nlevel: low\nlogsource: {product: windows, category: process_creation}\n\
                detection:\n  sel: {Image|endswith: '\\cmd.exe', ParentImage|endswith: '\\word.exe'}\n  condition: sel\n";
    let (set, _) = RuleSet::compile(parse(text, "r.yml").0, &CompileOptions::default());
    let sysmon: &[u8] = br#"{"EventID":1,"Image":"C:\\cmd.exe","ParentImage":"C:\\word.exe"}"#;
    let security: &[u8] = br#"{"EventID":4688,"NewProcessName":"C:\\cmd.exe","ParentProcessName":"C:\\word.exe"}"#;
    assert_eq!(marks(&set, &source("windows/process_creation/sysmon"), &[sysmon, security]), "x.");
    assert_eq!(marks(&set, &source("windows/process_creation/security"), &[sysmon, security]), "xx");
}

#[test]
fn a_field_map_is_tried_only_where_the_event_lacks_the_rules_own_name() {
    let alias = |to: &str| FieldAlias {
        product: Some("p".to_owned()),
        category: None,
        service: None,
        field: "a".to_owned(),
        to: vec![to.to_owned()],
    };
    let field_map = FieldMap::empty().with(alias("first")).with(alias("x.second"));
    let options = CompileOptions { field_map, ..CompileOptions::default() };
    let (set, _) = RuleSet::compile(vec![rule_for("r", "{product: p}"), rule_for("q", "{product: q}")], &options);
    let events: [&[u8]; 5] = [
        br#"{"a":1}"#,
        br#"{"first":1}"#,
        br#"{"a":0,"first":1}"#,
        br#"{"x":{"second":1}}"#,
        br#"{"first":0,"x":{"second":1}}"#,
    ];
    assert_eq!(marks(&set, &source("p//"), &events), "xx.x.");
    assert_eq!(marks(&set, &source("q//"), &events), "x....");
}

#[test]
fn a_worker_serves_one_rule_set_after_the_other() {
    let (one, two) = (set(&[("one", "{product: p}")]), set(&[("zero", "{product: q}"), ("two", "{product: p}")]));
    let mut worker = Worker::new();
    let p = source("p//");
    let mut found = Vec::new();
    for set in [&one, &two, &one] {
        let events = [EventRef { line: 0..7, source: &p }, EventRef { line: 8..15, source: &p }];
        set.scan(&mut worker, &events, b"{\"a\":1}\n{\"a\":1}", &mut |event, rule| {
            found.push(format!("{event}{}", rule.id));
        });
    }
    assert_eq!(found, ["0one", "1one", "0two", "1two", "0one", "1one"]);
    assert_eq!(worker.stats().matches, 6);
}

#[test]
fn an_explanation_names_the_values_that_made_the_match() {
    let text = "title: T\nid: r\nlevel: low\nlogsource: {product: linux}\ndetection:\n  sel_a:\n    Image|endswith: ['/nc', /ncat]\n    \
                port: 4444\n  sel_b: {user: root}\n  filter: {x: 1}\n  kw: [evil]\n  condition: (1 of sel_*) and not filter and kw\n";
    let (set, _) = RuleSet::compile(parse(text, "r.yml").0, &CompileOptions::default());
    let rule = set.get("r").unwrap();
    let line = br#"{"Image":"/usr/bin/NCAT","port":"4444","user":"bob","note":"so evil","x":2}"#;
    let shown: Vec<String> = set
        .explain(rule, &source("linux//"), line)
        .iter()
        .map(|hit| format!("{}: {} = {} ({})", hit.selection, hit.field, hit.value, hit.pattern))
        .collect();
    assert_eq!(
        shown,
        ["sel_a: Image = /usr/bin/NCAT (endswith: /ncat)", "sel_a: port = 4444 (4444)", "kw:  = so evil (evil)"]
    );
    assert!(set.explain(rule, &source("linux//"), br#"{"user":"root"}"#).is_empty());
    assert!(set.explain(rule, &source("linux//"), b"{").is_empty());
}
