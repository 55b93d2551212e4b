//! What the linter tells.

use super::*;
use crate::parse;

fn rule(id: &str, detection: &str) -> String {
    let indented: String = detection.lines().flat_map(|line| ["  ", line, "\n"]).collect();
    format!("title: {id}\nid: {id}\nlevel: low\nlogsource: {{category: test}}\ndetection:\n{indented}")
}

fn lint_text(text: &str, seen: Option<&[&str]>) -> String {
    let (documents, found) = parse(text, "r.yml");
    assert!(found.iter().all(|d| d.severity != crate::DiagnosticSeverity::Error), "{found:?}");
    let seen: Option<BTreeSet<String>> = seen.map(|fields| fields.iter().map(|field| (*field).to_owned()).collect());
    let found = lint(&documents, &Context { seen_fields: seen.as_ref() });
    // The ids of these texts are short words; what is told of them has a test of its own.
    let found = found.iter().filter(|d| d.code != "id-no-uuid");
    found.map(|d| format!("{}@{}:{}", d.code, d.line, d.column)).collect::<Vec<_>>().join(" ")
}

fn check(detection: &str) -> String {
    lint_text(&rule("r", detection), None)
}

#[test]
fn conditions_that_cannot_be_meant_are_found() {
    let table = [
        ("a: {f: one}\nb: {g: two}\ncondition: a and not b", ""),
        ("a: {f: one}\ncondition: a and not a", "never-true@7:14"),
        ("a: {f: one}\nb: {f: one}\ncondition: a and not b", "never-true@8:14"),
        ("a: {f: one}\nb: {f: 'one'}\ncondition: a or not b", "always-true@8:14 expensive-rule@1:1"),
        ("a: {f: one}\nb: {g: two}\ncondition: a or (a and b)", "unreachable-selection@8:14"),
        ("a_1: {f: one}\na_2: {g: two}\ncondition: 1 of a_* and a_1", "unreachable-selection@8:14"),
        ("a: {f: one}\ncondition: not a", "matches-the-rest@7:14 expensive-rule@1:1"),
        ("a: {f: one, g: null}\ncondition: a", ""),
        ("a: {f|startswith: one, f: null}\ncondition: a", "contradiction@6:7"),
        ("a: {f|exists: false, f|contains: one}\ncondition: a", "contradiction@6:24"),
        ("a: {f|contains|all: [one]}\ncondition: a", "all-of-one@6:7"),
    ];
    for (detection, expected) in table {
        assert_eq!(check(detection), expected, "{detection}");
    }
    let many: Vec<String> = (0..40).map(|n| format!("s{n}: {{f: v{n}}}\n")).collect();
    assert_eq!(check(&format!("{}condition: 1 of s*", many.concat())), "");
}

#[test]
fn the_cost_of_a_rule_is_told_with_its_reason() {
    let class = |detection: &str| {
        let (documents, found) = parse(&rule("r", detection), "r.yml");
        let cost = cost(documents.rules.first().unwrap_or_else(|| panic!("{found:?}")));
        (cost.class, cost.reasons.join("; "))
    };
    let cheap = [
        "a: {EventID: 1, f|re: '.*'}\ncondition: a",
        "a: {f|endswith: '\\cmd.exe'}\nb: {g: x}\ncondition: a and not b",
        "a: {f: ''}\ncondition: a",
        "a: {f|cidr: 10.0.0.0/8}\ncondition: a",
    ];
    for detection in cheap {
        assert_eq!(class(detection), (CostClass::Cheap, String::new()), "{detection}");
    }
    let table = [
        ("a: {f|contains: ab}\ncondition: a", CostClass::Medium, "less than three"),
        ("a: {f|re: 'abc[0-9]+'}\ncondition: a", CostClass::Medium, "plain text is found"),
        ("a: {f|re: '[0-9]abcd[0-9]'}\ncondition: a", CostClass::Medium, "plain text is found"),
        ("a: {f|gt: 5}\ncondition: a", CostClass::Medium, "comparison"),
        ("kw: [evil]\ncondition: kw", CostClass::Medium, "keywords"),
        ("a: {f|re: '[0-9]{4}'}\ncondition: a", CostClass::Expensive, "without plain text"),
        ("a: {f: one}\nb: {f|re: '[a-z]+'}\ncondition: a or b", CostClass::Expensive, "without plain text"),
        ("a: {f: one}\ncondition: not a", CostClass::Expensive, "every event is tried"),
        ("a: {f: null}\ncondition: a", CostClass::Expensive, "every event is tried"),
        ("a: {f|neq: x}\ncondition: a", CostClass::Expensive, "every event is tried"),
    ];
    for (detection, expected, reason) in table {
        let (found, why) = class(detection);
        assert!(found == expected && why.contains(reason), "{detection}: {found:?} {why}");
    }
}

#[test]
fn ids_that_come_twice_and_rules_that_fall_silent_are_told() {
    let same = format!("{}---\n{}", rule("r", "a: {f: one}\ncondition: a"), rule("r", "a: {f: two}\ncondition: a"));
    assert_eq!(lint_text(&same, None), "duplicate-id@9:1");
    let correlation =
        "title: C\nid: c\ncorrelation: {type: event_count, rules: [r, gone], timespan: 1m, condition: {gte: 2}}\n";
    let text = format!("{}---\n{correlation}", rule("r", "a: {f: one}\ncondition: a"));
    assert_eq!(lint_text(&text, None), "unknown-rule@11:45");
    assert_eq!(lint_text(&text.replace(", gone", ""), None), "silenced-rule@1:1");
    let above = "title: D\nid: d\ncorrelation: {type: event_count, rules: [c], timespan: 1m, condition: {gte: 2}}\n";
    let text = format!("{}---\n{above}", text.replace(", gone", ""));
    assert_eq!(lint_text(&text, None), "silenced-rule@1:1 silenced-rule@9:1", "a correlation under a correlation, too");
}

#[test]
fn fields_that_no_source_has_sent_are_told_with_the_nearest_that_one_has() {
    let text = rule("r", "a: {CommandLin: one, Image: two}\nb: {CommandLin|contains: xyz}\ncondition: a or b");
    assert_eq!(lint_text(&text, Some(&["Image", "CommandLine"])), "unseen-field@6:7");
    let (documents, _) = parse(&text, "r.yml");
    let seen = BTreeSet::from(["CommandLine".to_owned(), "Image".to_owned()]);
    let found = lint(&documents, &Context { seen_fields: Some(&seen) });
    let unseen = found.iter().find(|d| d.code == "unseen-field");
    assert_eq!(unseen.map(|d| d.fix.as_str()), Some("Did you mean `CommandLine`?"));
    assert_eq!(lint_text(&text, None), "");
}

#[test]
fn parts_of_a_time_that_no_time_has_are_told() {
    let table = [
        ("hour: 25", "never"),
        ("hour: 23", ""),
        ("minute: 60", "never"),
        ("month: 13", "never"),
        ("day: 0", "never"),
        ("week: 54", "never"),
        ("week: 53", ""),
        ("hour|gt: 23", "never"),
        ("hour|gte: 23", ""),
        ("hour|lt: 24", "always"),
        ("hour|gte: 0", "always"),
        ("day|lt: 1", "never"),
        ("year: 2026", ""),
        ("year: 99999", "never"),
    ];
    for (line, expected) in table {
        let (documents, _) = parse(&rule("r", &format!("a: {{g: one, t|{line}}}\ncondition: a")), "r.yml");
        let found = lint(&documents, &Context::default());
        let said = found.iter().find(|d| d.code == "impossible-time").map_or("", |d| d.message.as_str());
        assert_eq!(said.is_empty(), expected.is_empty(), "{line}: {said}");
        assert!(said.contains(expected), "{line}: {said}");
    }
}

#[test]
fn ids_that_are_no_uuids_and_relations_to_nothing_are_told() {
    let uuid = "0ede835e-f44f-40a5-b586-661d2763ac4c";
    let text = |id: &str, other: &str| {
        format!("related: [{{id: {other}, type: derived}}]\n{}", rule(id, "a: {f: one}\ncondition: a"))
    };
    let codes = |text: &str| {
        let (documents, _) = parse(text, "r.yml");
        lint(&documents, &Context::default()).iter().map(|d| d.code).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(codes(&text(uuid, uuid)), "");
    assert_eq!(codes(&text("mine", uuid)), "id-no-uuid");
    assert_eq!(codes(&text("mine", "mine")), "id-no-uuid", "a rule of these files is known");
    assert_eq!(codes(&text(uuid, "gone")), "unknown-related");
}

#[test]
fn a_filter_that_takes_nothing_out_of_any_rule_is_told() {
    let filter = |rules: &str, source: &str| {
        let text =
            format!("title: F\nlogsource: {source}\nfilter:\n  rules: {rules}\n  s: {{f: x}}\n  condition: not s\n");
        lint_text(&format!("{}---\n{text}", rule("r", "a: {f: one}\ncondition: a")), None)
    };
    assert_eq!(filter("any", "{category: test}"), "");
    assert_eq!(filter("any", "{category: other}"), "filter-fits-no-rule@9:1");
    assert_eq!(filter("[r]", "{category: test}"), "");
    assert_eq!(filter("[r]", "{category: test, product: linux}"), "filter-fits-no-rule@9:1");
    assert_eq!(
        filter("[gone]", "{category: other}"),
        "",
        "that there is no such rule is told where filters are joined"
    );
}
