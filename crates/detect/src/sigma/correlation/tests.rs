//! Correlations are read as they are written, linked to what they mean, and refused with a place and a reason.

use proptest::prelude::*;

use super::*;
use crate::{Diagnostic, DiagnosticSeverity, Documents, parse};

/// A correlation document around its inner part.
fn document(id: &str, inner: &str) -> String {
    let indented: String = inner.lines().flat_map(|line| ["  ", line, "\n"]).collect();
    format!("title: {id}\nid: {id}\nname: n_{id}\ncorrelation:\n{indented}")
}

fn rule(id: &str) -> String {
    format!(
        "title: {id}\nid: {id}\nname: n_{id}\nlevel: low\nlogsource: {{category: test}}\n\
         detection: {{sel: {{a: 1}}, condition: sel}}\n"
    )
}

fn codes(found: &[Diagnostic]) -> String {
    found.iter().map(|d| format!("{}@{}:{}", d.code, d.line, d.column)).collect::<Vec<_>>().join(" ")
}

/// The one correlation, in a short form, or the diagnostics.
fn check(inner: &str) -> String {
    let (documents, found) = parse(&document("c", inner), "c.yml");
    let Some(one) = documents.correlations.first() else { return codes(&found) };
    let rules: Vec<&str> = one.rules.iter().map(|rule| rule.name.as_str()).collect();
    let condition = match &one.condition {
        CorrelationCondition::Bounds(bounds) => {
            let all: Vec<_> = bounds.all.iter().map(|b| format!("{} {}", b.operator.as_str(), b.text)).collect();
            let percentile = bounds.percentile.map_or(String::new(), |p| format!(" p{p}"));
            format!("{}{} {}", all.join(", "), percentile, bounds.fields.join("+"))
        }
        CorrelationCondition::Rules(expr) => format!("{expr:?}"),
    };
    let said = codes(&found);
    format!("{} {rules:?} {:?} {}s {} {said}", one.kind.as_str(), one.group_by, one.timespan.seconds, condition.trim())
        .trim_end()
        .to_owned()
}

#[test]
fn every_type_is_read_with_its_condition() {
    let table = [
        (
            "type: event_count\nrules: [a]\ngroup-by: [h, u]\ntimespan: 90m\ncondition: {gte: 100}",
            r#"event_count ["a"] ["h", "u"] 5400s gte 100"#,
        ),
        (
            "type: value_count\nrules: a\ngroup-by: h\ntimespan: 1d\ncondition: {field: [u, d], gt: 1, lte: 200}",
            r#"value_count ["a"] ["h"] 86400s gt 1, lte 200 u+d"#,
        ),
        ("type: temporal\nrules: [a, b]\ntimespan: 5s", r#"temporal ["a", "b"] [] 5s gte 2"#),
        ("type: temporal_ordered\nrules: [a, b]\ntimespan: 1w", r#"temporal_ordered ["a", "b"] [] 604800s gte 2"#),
        (
            "type: temporal\nrules: [a, b, c]\ntimespan: 1M\ncondition: a and (b or not c)",
            r#"temporal ["a", "b", "c"] [] 2629746s All([Rule(0), Any([Rule(1), Not(Rule(2))])])"#,
        ),
        (
            "type: temporal\ntimespan: 1y\ncondition: a and not b",
            r#"temporal ["a", "b"] [] 31556952s All([Rule(0), Not(Rule(1))])"#,
        ),
        (
            "type: value_sum\nrules: [a]\ntimespan: 1h\ncondition: {field: b, gt: 1.5}",
            r#"value_sum ["a"] [] 3600s gt 1.5 b"#,
        ),
        (
            "type: value_avg\nrules: [a]\ntimespan: 1h\ncondition: {field: b, neq: 3}",
            r#"value_avg ["a"] [] 3600s neq 3 b"#,
        ),
        (
            "type: value_median\nrules: [a]\ntimespan: 1h\ncondition: {field: b, eq: 3}",
            r#"value_median ["a"] [] 3600s eq 3 b"#,
        ),
        (
            "type: value_percentile\nrules: [a]\ntimespan: 1h\ncondition: {field: b, lt: 3, percentile: 99.5}",
            r#"value_percentile ["a"] [] 3600s lt 3 p99.5 b"#,
        ),
    ];
    for (inner, expected) in table {
        assert_eq!(check(inner), expected, "{inner}");
    }
}

#[test]
fn what_is_wrong_in_a_correlation_is_named_with_its_place() {
    let table = [
        ("rules: [a]\ntimespan: 1m\ncondition: {gte: 1}", "missing-type@4:1"),
        ("type: event_cuont\nrules: [a]\ntimespan: 1m\ncondition: {gte: 1}", "unknown-type@5:9"),
        ("type: event_count\nrules: [a]\ncondition: {gte: 1}", "missing-timespan@4:1"),
        ("type: event_count\nrules: [a]\ntimespan: 1x\ncondition: {gte: 1}", "invalid-timespan@7:13"),
        ("type: event_count\nrules: [a]\ntimespan: 0s\ncondition: {gte: 1}", "invalid-timespan@7:13"),
        (
            "type: event_count\nrules: [a]\ntimespan: 99999999999999999999d\ncondition: {gte: 1}",
            "invalid-timespan@7:13",
        ),
        ("type: event_count\nrules: [a]\ntimespan: 11y\ncondition: {gte: 1}", "invalid-timespan@7:13"),
        ("type: event_count\ntimespan: 1m\ncondition: {gte: 1}", "missing-rules@4:1"),
        ("type: event_count\nrules: [{}]\ntimespan: 1m\ncondition: {gte: 1}", "invalid-value@6:11 missing-rules@4:1"),
        ("type: event_count\nrules: [a]\ntimespan: 1m", "missing-condition@4:1"),
        ("type: event_count\nrules: [a]\ntimespan: 1m\ncondition: a", "invalid-condition@8:3"),
        ("type: event_count\nrules: [a]\ntimespan: 1m\ncondition: {}", "invalid-condition@8:3"),
        ("type: event_count\nrules: [a]\ntimespan: 1m\ncondition: {more: 1}", "invalid-condition@8:15"),
        ("type: event_count\nrules: [a]\ntimespan: 1m\ncondition: {gte: x}", "invalid-value@8:20"),
        ("type: event_count\nrules: [a]\ntimespan: 1m\ncondition: {gt: 5, lt: 4}", "impossible-condition@8:3"),
        ("type: event_count\nrules: [a]\ntimespan: 1m\ncondition: {gt: 5, lte: 5}", "impossible-condition@8:3"),
        ("type: value_count\nrules: [a]\ntimespan: 1m\ncondition: {gte: 1}", "missing-field@8:3"),
        ("type: value_sum\nrules: [a]\ntimespan: 1m\ncondition: {gte: 1, field: [a, b]}", "invalid-condition@8:3"),
        ("type: value_percentile\nrules: [a]\ntimespan: 1m\ncondition: {gte: 1, field: a}", "missing-percentile@8:3"),
        (
            "type: value_percentile\nrules: [a]\ntimespan: 1m\ncondition: {gte: 1, field: a, percentile: 101}",
            "invalid-value@8:45",
        ),
        ("type: temporal\nrules: [a, b]\ntimespan: 1m\ncondition: a and c", "unknown-selection@8:20"),
        ("type: temporal\nrules: [a, b]\ntimespan: 1m\ncondition: a or", "invalid-condition@8:18"),
        ("type: temporal\nrules: [a, b]\ntimespan: 1m\ncondition: 1 of a", "invalid-condition@8:14"),
        ("type: temporal\nrules: [a, b]\ntimespan: 1m\ncondition: a", "unused-rule@8:14"),
        ("type: temporal\nrules: [a]\ntimespan: 1m\naliases: {x: y}", "invalid-aliases@8:13"),
        ("type: temporal\nrules: [a]\ntimespan: 1m\ngenerate: maybe", "invalid-value@8:13"),
    ];
    for (inner, expected) in table {
        assert_eq!(check(inner), expected, "{inner}");
    }
    let (documents, found) = parse("title: c\ncorrelation: [a]\n", "c.yml");
    assert!(documents.correlations.is_empty());
    assert_eq!(codes(&found), "invalid-correlation@2:1");
    let misspelt = check("type: temporal\nrules: [a]\ntimespan: 1m\ngroupby: [x]");
    assert!(misspelt.ends_with("unknown-key@8:3"), "{misspelt}");
}

/// The files, joined and linked: the order of the correlations, what is silent, and the diagnostics.
fn link(files: &[&str]) -> (Vec<String>, Vec<String>, String) {
    let mut all = Documents::default();
    for (number, text) in files.iter().enumerate() {
        let (documents, found) = parse(text, &format!("{number}.yml"));
        assert!(found.iter().all(|d| d.severity != DiagnosticSeverity::Error), "{found:?}");
        all.extend([documents]);
    }
    let (links, found) = all.link();
    let order = links.correlations.iter().map(|one| all.correlations[one.correlation].header.id.clone()).collect();
    (order, links.silent.into_iter().collect(), codes(&found))
}

fn over(id: &str, rules: &str, more: &str) -> String {
    document(id, &format!("type: temporal\nrules: [{rules}]\ntimespan: 1m\n{more}"))
}

#[test]
fn correlations_stand_behind_those_that_they_build_on() {
    let text =
        [over("top", "middle, n_b", ""), over("middle", "low, a", ""), over("low", "a, b", ""), rule("a"), rule("b")];
    let (order, silent, said) = link(&[&text.join("---\n")]);
    assert_eq!((order.join(" "), said.as_str()), ("low middle top".to_owned(), ""));
    assert_eq!(silent, ["a", "b", "low", "middle"]);
}

#[test]
fn correlations_that_refer_to_each_other_are_refused_and_so_are_those_that_build_on_them() {
    let text = [
        over("x", "y, a", ""),
        over("y", "x", ""),
        over("z", "x", ""),
        over("own", "own", ""),
        over("good", "a", ""),
        rule("a"),
    ];
    let (order, _, said) = link(&[&text.join("---\n")]);
    assert_eq!(order, ["good"]);
    assert_eq!(said, "correlation-cycle@1:1 unusable-correlation@9:1 unusable-correlation@17:1 correlation-cycle@25:1");
    let mut ring: Vec<String> =
        (0..2_000).map(|n| over(&format!("c{n}"), &format!("c{}", (n + 1) % 2_000), "")).collect();
    ring.push(over("good", "a", ""));
    ring.push(rule("a"));
    let files: Vec<&str> = ring.iter().map(String::as_str).collect();
    assert_eq!(link(&files).0, ["good"]);
}

#[test]
fn a_reference_that_means_nothing_or_several_things_is_an_error_of_its_place() {
    let (order, _, said) = link(&[&over("c", "a, missing", ""), &rule("a")]);
    assert_eq!((order.len(), said.as_str()), (0, "unknown-rule@6:14"));
    // A name counts within its file first.
    let twin = rule("b").replace("n_b", "n_a");
    assert_eq!(link(&[&over("c", "n_a", ""), &rule("a"), &twin]).2, "ambiguous-rule@6:11");
    assert_eq!(link(&[&format!("{}---\n{}", over("c", "n_a", ""), rule("a")), &twin]).2, "");
    // The id of a rule is the rule's, and of two correlations the later one counts.
    let (order, _, said) = link(&[&over("a", "b", ""), &rule("a"), &rule("b")]);
    assert_eq!((order.len(), said.as_str()), (0, "duplicate-id@1:1"));
    let (order, _, said) = link(&[&over("c", "a", ""), &over("c", "b", ""), &rule("a"), &rule("b")]);
    assert_eq!((order.len(), said.as_str()), (1, "duplicate-id@1:1"));
}

#[test]
fn a_base_rule_falls_silent_in_the_same_file_or_where_generate_says_so() {
    let together = |more: &str| format!("{}---\n{}", over("c", "a, b", more), rule("a"));
    assert_eq!(link(&[&together(""), &rule("b")]).1, ["a"]);
    assert_eq!(link(&[&together("generate: false"), &rule("b")]).1, ["a", "b"]);
    assert_eq!(link(&[&together("generate: true"), &rule("b")]).1, Vec::<String>::new());
    let outside = together("").replace("correlation:", "generate: false\ncorrelation:");
    assert_eq!(link(&[&outside, &rule("b")]).1, ["a", "b"]);
}

#[test]
fn aliases_give_each_rule_its_own_field() {
    let aliases = "group-by: [ip, host]\naliases:\n  ip: {n_a: source.ip, b: destination.ip}";
    let inner = format!("type: temporal\nrules: [a, n_b]\ntimespan: 1m\n{aliases}");
    let (documents, _) = parse(&format!("{}---\n{}---\n{}", document("c", &inner), rule("a"), rule("b")), "c.yml");
    let (links, found) = documents.link();
    let fields: Vec<_> = links.correlations[0].members.iter().map(|member| member.group_by.join(" ")).collect();
    assert_eq!(fields, ["source.ip host", "destination.ip host"]);
    assert_eq!(codes(&found), "");
    let (_, _, said) = link(&[&over("c", "a, b", "group-by: [ip]\naliases: {ip: {a: x}}"), &rule("a"), &rule("b")]);
    assert_eq!(said, "incomplete-alias@9:13");
}

#[test]
fn limits_are_compared_exactly() {
    let bound = |operator, text: &str| Bound { operator, text: text.to_owned(), value: Decimal::parse(text).unwrap() };
    assert!(bound(Operator::Gte, "9007199254740993").holds_count(9_007_199_254_740_993));
    assert!(!bound(Operator::Gte, "9007199254740993").holds_count(9_007_199_254_740_992));
    assert!(bound(Operator::Neq, "2").holds_count(3) && !bound(Operator::Neq, "2").holds_count(2));
    assert!(bound(Operator::Lt, "2.5").holds_count(2) && (bound(Operator::Lt, "2.5").value() - 2.5).abs() < 1e-9);
}

proptest! {
    #[test]
    fn arbitrary_correlations_never_make_the_parser_panic(
        kind in "(event_count|temporal|value_sum|x)",
        rules in "\\PC{0,12}",
        timespan in "[0-9]{0,21}[smhdwMyx]?",
        condition in "(\\{gte: \\PC{0,5}\\}|(a |and |not |\\(|\\)|or ){0,6}|\\PC{0,12})",
    ) {
        let inner = format!("type: {kind}\nrules: {rules}\ntimespan: {timespan}\ncondition: {condition}");
        let (documents, _) = parse(&document("c", &inner), "c.yml");
        documents.link();
    }
}
