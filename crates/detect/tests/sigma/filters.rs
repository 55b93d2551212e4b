//! Filters: what they leave out of which rules.

use shieldops_detect::{CompileOptions, Diagnostic, Documents, RuleSet, parse};

use crate::check::{marks, source};

fn rule(id: &str, log_source: &str) -> String {
    format!(
        "title: {id}\nid: {id}\nname: n_{id}\nlevel: low\nlogsource: {log_source}\n\
         detection:\n  selection: {{a: 1}}\n  other: {{a: 2}}\n  condition: [selection, other]\n"
    )
}

fn filter(log_source: &str, inner: &str) -> String {
    let indented: String = inner.lines().flat_map(|line| ["  ", line, "\n"]).collect();
    format!("title: F\nlogsource: {log_source}\nfilter:\n{indented}")
}

fn compile(texts: &[String]) -> (RuleSet, Vec<Diagnostic>) {
    let mut all = Documents::default();
    let mut diagnostics = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        let (documents, found) = parse(text, &format!("{number}.yml"));
        all.extend([documents]);
        diagnostics.extend(found);
    }
    let (set, found) = RuleSet::compile(all, &CompileOptions::default());
    diagnostics.extend(found);
    (set, diagnostics)
}

/// Which of some events the rule still matches behind the filter, and the diagnostics.
fn check(log_source: &str, inner: &str) -> String {
    let (set, found) = compile(&[rule("r", "{product: p, category: c}"), filter(log_source, inner)]);
    let events: [&[u8]; 4] =
        [br#"{"a":1}"#, br#"{"a":2,"u":"adm_x"}"#, br#"{"a":1,"u":"adm_y","h":"b"}"#, br#"{"a":1,"u":"eve","h":"b"}"#];
    let codes: Vec<String> = found.iter().map(|d| format!(" {}@{}:{}", d.code, d.line, d.column)).collect();
    format!("{}{}", marks(&set, &source("p/c/"), &events), codes.concat())
}

#[test]
fn a_filter_is_joined_by_and_to_every_condition_of_the_rules_that_it_names() {
    let inner = |rules: &str| format!("rules: {rules}\nsel: {{u|startswith: adm_}}\ncondition: not sel");
    let table = [("any", "x..x"), ("all", "x..x"), ("Any", "x..x"), ("[]", "x..x"), ("r", "x..x"), ("[n_r]", "x..x")];
    for (rules, expected) in table {
        assert_eq!(check("{category: c}", &inner(rules)), expected, "{rules}");
    }
    assert_eq!(check("{category: c}", &inner("[other]")), "xxxx unknown-rule@4:11");
    assert_eq!(check("{category: c}", &inner("[r, other]")), "x..x unknown-rule@4:14");
    // As it stands, without `not`, it keeps what it describes: this is what its text says.
    let kept = "rules: any\nsel: {u|startswith: adm_}\ncondition: sel";
    assert!(check("{category: c}", kept).starts_with(".xx. "), "{}", check("{category: c}", kept));
}

#[test]
fn a_filter_applies_where_the_log_source_of_the_rule_lies_within_its_own() {
    let inner = "rules: any\nsel: {u|startswith: adm_}\ncondition: not sel";
    let table = [
        ("{product: p, category: c}", "x..x"),
        ("{product: p}", "x..x"),
        ("{category: c}", "x..x"),
        ("{product: q}", "xxxx"),
        ("{product: p, service: s}", "xxxx"),
        ("{product: p, category: d}", "xxxx"),
    ];
    for (log_source, expected) in table {
        assert_eq!(check(log_source, inner), expected, "{log_source}");
    }
}

#[test]
fn selections_of_a_filter_do_not_mix_with_those_of_the_rule() {
    let same = "rules: any\nselection: {u|startswith: adm_}\ncondition: not selection";
    assert_eq!(check("{category: c}", same), "x..x");
    let them = "rules: any\none: {u|startswith: adm_}\ntwo: {h: b}\ncondition: not all of them";
    assert_eq!(check("{category: c}", them), "xx.x");
    let pattern = "rules: any\nsel_a: {u|startswith: adm_}\nsel_b: {h: b}\ncondition: not 1 of sel_*";
    assert_eq!(check("{category: c}", pattern), "x...");
    let (set, _) = compile(&[
        rule("r", "{category: c}"),
        filter("{category: c}", "rules: any\nsel: {u: x}\ncondition: not sel"),
        filter("{category: c}", "rules: any\nsel: {h: x}\ncondition: not sel"),
    ]);
    let events: [&[u8]; 3] = [br#"{"a":1}"#, br#"{"a":1,"u":"x"}"#, br#"{"a":1,"h":"x"}"#];
    assert_eq!(marks(&set, &source("/c/"), &events), "x..");
}

#[test]
fn a_filter_without_not_is_warned_of() {
    let text = filter("{category: c}", "rules: any\nsel: {u: x}\ncondition: sel");
    let (documents, found) = parse(&text, "f.yml");
    assert_eq!(documents.filters.len(), 1);
    assert_eq!(found.iter().map(|d| (d.code, d.line, d.column)).collect::<Vec<_>>(), [("filter-without-not", 6, 3)]);
    let (_, found) = parse(&text.replace("condition: sel", "condition: not sel"), "f.yml");
    assert_eq!(found, []);
}

#[test]
fn what_is_wrong_in_a_filter_is_named_with_its_place() {
    let table = [
        ("title: F\nlogsource: {category: c}\nfilter: x\n", "invalid-filter@3:1"),
        ("title: F\nfilter: {rules: any, sel: {a: 1}, condition: not sel}\n", "no-log-source@1:1"),
        ("title: F\nlogsource: {category: c}\nfilter: {sel: {a: 1}, condition: not sel}\n", "missing-rules@3:1"),
        (
            "title: F\nlogsource: {category: c}\nfilter: {rules: [{}], sel: {a: 1}, condition: not sel}\n",
            "invalid-value@3:18",
        ),
        ("title: F\nlogsource: {category: c}\nfilter: {rules: any, sel: {a: 1}}\n", "missing-condition@3:1"),
        (
            "title: F\nlogsource: {category: c}\nfilter: {rules: any, sel: {a: 1}, condition: not s}\n",
            "unknown-selection@3:50",
        ),
    ];
    for (text, expected) in table {
        let (documents, found) = parse(text, "f.yml");
        assert!(documents.filters.is_empty(), "{text}");
        let codes: Vec<String> = found.iter().map(|d| format!("{}@{}:{}", d.code, d.line, d.column)).collect();
        assert_eq!(codes.join(" "), expected, "{text}");
    }
}

#[test]
fn a_filter_leaves_correlations_alone_and_is_no_rule() {
    let correlation =
        "title: C\nid: c\ncorrelation: {type: event_count, rules: [r], timespan: 1m, condition: {gte: 2}}\n";
    let all = filter("{category: c}", "rules: [c]\nsel: {a: 1}\ncondition: not sel");
    let (set, found) = compile(&[rule("r", "{category: c}"), correlation.to_owned(), all]);
    assert_eq!((set.len(), set.correlations().len()), (1, 1));
    assert_eq!(marks(&set, &source("/c/"), &[br#"{"a":1}"#]), "x");
    assert_eq!(found.iter().map(|d| d.code).collect::<Vec<_>>(), ["unknown-rule"]);
}
