//! Each kind at the edges of its window and of its condition.

use super::*;

fn bench(rest: &str) -> Bench {
    Bench::new(&correlation("x", rest))
}

fn check(rest: &str, hits: Vec<Hit>, expected: &[(i64, i64, u64)]) {
    let hits = numbered(hits);
    let rows: Vec<(&str, &str, i64, i64, u64)> =
        expected.iter().map(|(first, last, count)| ("x", "eve", *first, *last, *count)).collect();
    assert_eq!(run(&bench(rest), &hits), shown(&rows), "{rest}");
}

fn at(rule: &'static str, times: &[i64]) -> Vec<Hit> {
    times.iter().map(|time| hit(rule, *time, "eve")).collect()
}

fn numbers(rule: &'static str, pairs: &[(i64, &str)]) -> Vec<Hit> {
    pairs.iter().map(|(time, number)| with(hit(rule, *time, "eve"), "n", number)).collect()
}

const COUNT: &str = "  type: event_count\n  rules: a\n  group-by: [user]\n  timespan: 10s\n  condition: {gte: 3}\n";

#[test]
fn a_window_has_both_its_ends_and_lies_on_no_bucket() {
    check(COUNT, at("a", &[100, 105, 110]), &[(100, 110, 3)]);
    check(COUNT, at("a", &[100, 105, 111]), &[]);
    check(COUNT, at("a", &[109, 110, 111]), &[(109, 111, 3)]);
}

#[test]
fn one_match_lasts_until_the_condition_was_false_for_one_timespan() {
    check(COUNT, at("a", &[1, 2, 3, 8, 13, 13, 13]), &[(1, 13, 7)]);
    check(COUNT, at("a", &[1, 2, 3, 12, 13, 13]), &[(1, 13, 6)]);
    check(COUNT, at("a", &[1, 2, 3, 14, 14, 14]), &[(1, 3, 3), (14, 14, 3)]);
}

#[test]
fn limits_are_exact_and_what_may_become_false_waits_for_the_watermark() {
    let rest = |condition: &str| COUNT.replace("gte: 3", condition);
    check(&rest("gt: 3"), at("a", &[1, 2, 3]), &[]);
    check(&rest("gt: 3"), at("a", &[1, 2, 3, 4]), &[(1, 4, 4)]);
    check(&rest("lt: 2"), at("a", &[1, 20, 21]), &[(1, 1, 1), (20, 20, 1)]);
    check(&rest("lte: 2"), at("a", &[1, 2, 3]), &[(1, 2, 2)]);
    check(&rest("eq: 2"), at("a", &[1, 1]), &[(1, 1, 2)]);
    check(&rest("neq: 2"), at("a", &[1, 1]), &[]);
    check(&rest("gte: 2, lte: 2"), at("a", &[1, 2, 3]), &[(1, 2, 2)]);
    let waiting = bench(&rest("lt: 2"));
    let mut run = Run::new(&waiting);
    assert_eq!(run.step(&numbered(at("a", &[100]))), shown(&[]));
    let later = |time| Some(Timestamp::from_secs(time));
    assert_eq!(run.end(later(100)), shown(&[]), "an event of that very second is not late yet");
    assert_eq!(run.end(later(101)), shown(&[("x", "eve", 100, 100, 1)]));
}

#[test]
fn groups_are_equal_values_and_an_event_without_one_is_in_none() {
    let bench = bench(COUNT);
    let nameless = |time| Hit { rule: "a", time, event: 0, fields: Vec::new() };
    let hits = numbered([hit("a", 1, "eve"), hit("a", 2, "Eve"), hit("a", 3, "eve"), nameless(3), nameless(3)]);
    assert_eq!(run(&bench, &hits), shown(&[]));
    let hits = numbered([nameless(1), nameless(2), nameless(3), hit("a", 4, ""), hit("a", 5, ""), hit("a", 6, "")]);
    assert_eq!(run(&bench, &hits), shown(&[("x", "", 4, 6, 3)]), "an empty text is a value");
}

#[test]
fn aliases_join_fields_of_different_names() {
    let bench = bench(
        "  type: temporal\n  rules: [a, b]\n  group-by: [who]\n  timespan: 10s\n  aliases:\n    who: {a: user, b: n}\n",
    );
    let other = |time, value: &str| Hit { rule: "b", time, event: 0, fields: vec![("n", value.to_owned())] };
    let hits = numbered([hit("a", 1, "eve"), other(2, "eve"), hit("a", 3, "ada"), other(4, "bob")]);
    assert_eq!(run(&bench, &hits), shown(&[("x", "eve", 1, 2, 2)]));
}

#[test]
fn values_are_counted_once_and_several_fields_as_one_value() {
    let rest =
        "  type: value_count\n  rules: a\n  group-by: [user]\n  timespan: 10s\n  condition: {field: n, gte: 3}\n";
    check(rest, numbers("a", &[(1, "x"), (2, "y"), (3, "x"), (4, "z")]), &[(1, 4, 4)]);
    check(rest, numbers("a", &[(1, "x"), (2, "y"), (12, "z")]), &[]);
    let both = rest.replace("field: n", "field: [n, m]");
    let pair = |time, n: &str, m: &str| with(with(hit("a", time, "eve"), "n", n), "m", m);
    check(&both, vec![pair(1, "x", "y"), pair(2, "y", "x"), pair(3, "xy", "")], &[(1, 3, 3)]);
    check(&both, vec![pair(1, "x", "y"), pair(2, "x", "y"), pair(3, "y", "x")], &[]);
}

#[test]
fn temporal_wants_every_rule_in_any_order() {
    let rest = "  type: temporal\n  rules: [a, b]\n  group-by: [user]\n  timespan: 10s\n";
    check(rest, [at("b", &[1]), at("a", &[11])].concat(), &[(1, 11, 2)]);
    check(rest, [at("b", &[1]), at("a", &[12])].concat(), &[]);
    check(&format!("{rest}  condition: a and not b\n"), [at("a", &[1]), at("b", &[2])].concat(), &[(1, 1, 1)]);
    check(&format!("{rest}  condition: a and not b\n"), [at("b", &[1]), at("a", &[2])].concat(), &[]);
}

#[test]
fn temporal_ordered_wants_all_rules_in_their_order_and_takes_equal_times_for_it() {
    let rest = "  type: temporal_ordered\n  rules: [a, b, c]\n  group-by: [user]\n  timespan: 10s\n";
    check(rest, [at("a", &[1]), at("b", &[2]), at("c", &[11])].concat(), &[(1, 11, 3)]);
    check(rest, [at("a", &[1]), at("c", &[2]), at("b", &[3])].concat(), &[]);
    check(rest, [at("b", &[1]), at("a", &[2]), at("c", &[3])].concat(), &[]);
    check(rest, [at("c", &[5]), at("b", &[5]), at("a", &[5])].concat(), &[(5, 5, 3)]);
    check(rest, [at("a", &[1]), at("b", &[2]), at("c", &[12])].concat(), &[]);
    check(rest, [at("a", &[1]), at("b", &[2]), at("a", &[5]), at("b", &[6]), at("c", &[12])].concat(), &[(2, 12, 4)]);
}

#[test]
fn one_event_that_matches_two_rules_is_one_event() {
    let both = [Hit { event: 7, ..hit("a", 5, "eve") }, Hit { event: 7, ..hit("b", 5, "eve") }];
    let rest = "  type: event_count\n  rules: [a, b]\n  group-by: [user]\n  timespan: 10s\n  condition: {gte: 2}\n";
    assert_eq!(run(&bench(rest), &both), shown(&[]));
    let rest = "  type: temporal\n  rules: [a, b]\n  group-by: [user]\n  timespan: 10s\n";
    assert_eq!(run(&bench(rest), &both), shown(&[("x", "eve", 5, 5, 1)]));
}

#[test]
fn numbers_add_up_exactly_and_other_texts_are_passed_over() {
    let rest = |kind: &str, condition: &str| {
        format!(
            "  type: {kind}\n  rules: a\n  group-by: [user]\n  timespan: 10s\n  condition: {{field: n, {condition}}}\n"
        )
    };
    let tenths = [(1, "0.1"), (2, "0.1"), (3, "0.1"), (3, "many")];
    check(&rest("value_sum", "eq: 0.3"), numbers("a", &tenths), &[(1, 3, 3)]);
    check(&rest("value_sum", "gt: 0.3"), numbers("a", &tenths), &[]);
    check(&rest("value_sum", "lt: 0"), numbers("a", &[(1, "5"), (2, "-7")]), &[(1, 2, 2)]);
    check(&rest("value_avg", "gte: 2.5"), numbers("a", &[(1, "2"), (2, "3")]), &[(1, 2, 2)]);
    check(&rest("value_avg", "gt: 2.5"), numbers("a", &[(1, "2"), (2, "3")]), &[]);
    check(&rest("value_median", "eq: 2.5"), numbers("a", &[(1, "9"), (2, "1"), (3, "2"), (4, "3")]), &[(1, 4, 4)]);
    let hundred: Vec<(i64, String)> = (1..=10).map(|n| (n, n.to_string())).collect();
    let hundred: Vec<(i64, &str)> = hundred.iter().map(|(time, text)| (*time, text.as_str())).collect();
    check(&rest("value_percentile", "percentile: 90, eq: 9"), numbers("a", &hundred), &[(1, 10, 10)]);
    check(&rest("value_percentile", "percentile: 0, gt: 1"), numbers("a", &hundred), &[]);
}

#[test]
fn a_chain_goes_on_while_what_it_builds_on_holds_and_rules_fall_silent() {
    let text = [
        correlation("many", COUNT),
        correlation("x", "  type: temporal_ordered\n  rules: [many, b]\n  group-by: [user]\n  timespan: 10s\n"),
    ];
    let bench = Bench::new(&text.join("---\n"));
    let hits = numbered([at("a", &[1, 5, 9, 13, 17, 21]), at("b", &[30])].concat());
    assert_eq!(run(&bench, &hits), shown(&[("x", "eve", 21, 30, 2)]), "long after it began, soon after it held last");
    assert!(bench.set.find("id-many").unwrap().silent, "in the same file, and `generate` is absent");
    assert!(!bench.set.is_silent(bench.rule("a")), "in another file");
    assert!(bench.set.wants(bench.rule("a")) && !bench.set.wants(bench.rule("c")));
    let loud = Bench::new(&text.map(|one| format!("{one}  generate: true\n")).join("---\n"));
    assert!(!loud.set.find("id-many").unwrap().silent);
    let quiet = Bench::new(&correlation("x", &format!("{COUNT}  generate: false\n")));
    assert!(quiet.set.is_silent(quiet.rule("a")));
}

#[test]
fn in_a_list_of_rules_it_stands_with_what_its_rules_have_in_common() {
    let bench = bench(COUNT);
    let rule = bench.set.find("id-x").unwrap().as_rule(&bench.rules);
    assert_eq!((rule.id.as_str(), rule.title.as_str()), ("id-x", "Correlation x"));
    assert_eq!(rule.log_source.product.as_deref(), Some("linux"));
    let (alone, _) = RuleSet::compile(vec![rule], &CompileOptions::default());
    let source = shieldops_model::LogSource { product: Some("linux".to_owned()), ..Default::default() };
    assert_eq!(alone.matches_one(&source, br#"{"k":"a"}"#, "id-x"), Some(false));
}

#[test]
fn what_can_never_match_is_said() {
    let codes = |bench: &Bench| bench.said.iter().map(|said| said.code).collect::<Vec<_>>();
    assert_eq!(codes(&bench(&COUNT.replace("gte: 3", "gte: 10001"))), ["limit-out-of-reach"]);
    let text = [
        correlation("many", COUNT),
        correlation("x", "  type: temporal\n  rules: [many, b]\n  group-by: [host]\n  timespan: 10s\n"),
    ];
    assert_eq!(codes(&Bench::new(&text.join("---\n"))), ["missing-group"]);
}

#[test]
fn a_match_names_events_of_every_rule_however_many_there_are() {
    let bench = bench("  type: temporal_ordered\n  rules: [a, b]\n  group-by: [user]\n  timespan: 1h\n");
    let hits = numbered((0..500).map(|time| hit("a", time, "eve")).chain([hit("b", 600, "eve")]));
    let mut run = Run::new(&bench);
    run.step(&hits);
    let told = run.told.by_name.values().next().unwrap();
    let events: Vec<u128> = told.events.iter().map(|event| event.bits()).collect();
    assert_eq!((told.count, events.len()), (501, 50));
    assert!(events.contains(&1) && events.contains(&501), "{events:?}");
}
