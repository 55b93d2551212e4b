//! The obvious evaluator: all events in hand, every window looked at from its beginning. The engine must say the same,
//! in whatever order within the lateness events come, in whatever steps, and over crashes.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::sigma::{Correlation, CorrelationCondition, CorrelationKind, Linked, Target};

/// An event of a group: time, event, which rule, counted values.
type Entry = (i64, u128, usize, Vec<String>);

/// A correlation's verdicts: the times at which it holds, with their events, and its matches.
#[derive(Default, Clone)]
struct Verdict {
    points: BTreeMap<Vec<String>, Vec<(i64, u128)>>,
    matches: BTreeMap<Vec<String>, Vec<(i64, u128)>>,
    shown: Vec<Shown>,
}

fn judge(bench: &Bench, hits: &[Hit]) -> Vec<Shown> {
    let (links, _) = bench.documents.link();
    let mut verdicts: BTreeMap<usize, Verdict> = BTreeMap::new();
    let mut all = Vec::new();
    for linked in &links.correlations {
        let correlation = &bench.documents.correlations[linked.correlation];
        let mut verdict = Verdict::default();
        for (group, mut entries) in groups(bench, correlation, linked, hits, &verdicts) {
            if correlation.kind.needs_field() && correlation.kind != CorrelationKind::ValueCount {
                entries.retain(|(_, _, _, values)| values[0].parse::<f64>().is_ok());
            }
            judge_group(correlation, &group, &entries, &mut verdict);
        }
        if !links.silent.contains(&correlation.header.id) {
            all.extend(verdict.shown.clone());
        }
        verdicts.insert(linked.correlation, verdict);
    }
    all.sort();
    all
}

fn groups(
    bench: &Bench,
    correlation: &Correlation,
    linked: &Linked,
    hits: &[Hit],
    verdicts: &BTreeMap<usize, Verdict>,
) -> BTreeMap<Vec<String>, Vec<Entry>> {
    let mut groups: BTreeMap<Vec<String>, Vec<Entry>> = BTreeMap::new();
    for (number, member) in linked.members.iter().enumerate() {
        match &member.target {
            Target::Rule(id) => {
                for hit in hits.iter().filter(|hit| format!("id-{}", hit.rule) == *id) {
                    let value = |field: &String| {
                        hit.fields.iter().find(|(name, _)| name == field).map(|(_, value)| value.clone())
                    };
                    let all = |fields: &[String]| fields.iter().map(value).collect::<Option<Vec<_>>>();
                    if let (Some(group), Some(values)) = (all(&member.group_by), all(&member.fields)) {
                        groups.entry(group).or_default().push((hit.time, hit.event, number, values));
                    }
                }
            }
            Target::Correlation(below) => {
                let names = &bench.documents.correlations[*below].group_by;
                let verdict = &verdicts[below];
                let fed = if correlation.kind.is_temporal() { &verdict.points } else { &verdict.matches };
                for (values, points) in fed {
                    let value = |field: &String| Some(values[names.iter().position(|name| name == field)?].clone());
                    let all = |fields: &[String]| fields.iter().map(value).collect::<Option<Vec<_>>>();
                    let (Some(group), Some(counted)) = (all(&member.group_by), all(&member.fields)) else { continue };
                    let entries = points.iter().map(|(time, event)| (*time, *event, number, counted.clone()));
                    groups.entry(group).or_default().extend(entries);
                }
            }
        }
    }
    groups
}

fn judge_group(correlation: &Correlation, group: &[String], entries: &[Entry], verdict: &mut Verdict) {
    let span = i64::try_from(correlation.timespan.seconds).unwrap();
    let times: BTreeSet<i64> = entries.iter().map(|(time, ..)| *time).collect();
    let window = |from: i64, to: i64| -> Vec<&Entry> {
        entries.iter().filter(|(time, ..)| from <= *time && *time <= to).collect()
    };
    let mut stretches: Vec<(i64, i64)> = Vec::new();
    for time in times.into_iter().filter(|time| holds(correlation, &window(time - span, *time))) {
        let now = entries.iter().filter(|(at, ..)| *at == time).map(|(at, event, ..)| (*at, *event));
        verdict.points.entry(group.to_vec()).or_default().extend(now);
        match stretches.last_mut() {
            Some((_, last)) if time - *last <= span => *last = time,
            _ => stretches.push((time, time)),
        }
    }
    for (first, last) in stretches {
        let spanned = window(first - span, last);
        let events: BTreeSet<u128> = spanned.iter().map(|(_, event, ..)| *event).collect();
        let first_seen = spanned.iter().map(|(time, ..)| *time).min().unwrap();
        let name = correlation.header.name.clone();
        verdict.shown.push((name, group.join("|"), first_seen, last, u64::try_from(events.len()).unwrap()));
        let opening = entries.iter().filter(|(time, ..)| *time == first).map(|(_, event, ..)| *event).min().unwrap();
        verdict.matches.entry(group.to_vec()).or_default().push((first, opening));
    }
}

fn holds(correlation: &Correlation, window: &[&Entry]) -> bool {
    let rules = correlation.rules.len();
    let present = |rule: usize| window.iter().any(|(_, _, number, _)| *number == rule);
    let bounds = match &correlation.condition {
        CorrelationCondition::Rules(expr) => {
            let wanted: Vec<usize> = (0..rules).filter(|rule| present(*rule) && is_wanted(expr, *rule)).collect();
            let in_order = correlation.kind == CorrelationKind::Temporal || prefix(&wanted, window) == wanted.len();
            return expr.holds(&present) && in_order;
        }
        CorrelationCondition::Bounds(bounds) => bounds,
    };
    let events: BTreeMap<u128, &Vec<String>> = window.iter().map(|(_, event, _, values)| (*event, values)).collect();
    let mut numbers: Vec<f64> =
        events.values().filter_map(|values| values.first()).filter_map(|value| value.parse().ok()).collect();
    numbers.sort_by(f64::total_cmp);
    let whole = |number: usize| Some(f64::from(u32::try_from(number).unwrap()));
    let some = |number: f64| (!numbers.is_empty()).then_some(number);
    let count = f64::from(u32::try_from(numbers.len()).unwrap());
    let number = match correlation.kind {
        CorrelationKind::EventCount => whole(events.len()),
        CorrelationKind::ValueCount => whole(events.values().collect::<BTreeSet<_>>().len()),
        CorrelationKind::Temporal => whole((0..rules).filter(|rule| present(*rule)).count()),
        CorrelationKind::TemporalOrdered => whole(prefix(&(0..rules).collect::<Vec<_>>(), window)),
        CorrelationKind::ValueSum => some(numbers.iter().sum()),
        CorrelationKind::ValueAvg => some(numbers.iter().sum::<f64>() / count),
        CorrelationKind::ValueMedian => median(&numbers),
        CorrelationKind::ValuePercentile => nearest_rank(&numbers, bounds.percentile.unwrap()),
    };
    let Some(number) = number else { return false };
    bounds.all.iter().all(|bound| bound.operator.holds(number.total_cmp(&bound.value())))
}

fn is_wanted(expr: &crate::RuleExpr, rule: usize) -> bool {
    match expr {
        crate::RuleExpr::Rule(index) => *index == rule,
        crate::RuleExpr::Not(_) => false,
        crate::RuleExpr::All(parts) | crate::RuleExpr::Any(parts) => parts.iter().any(|part| is_wanted(part, rule)),
    }
}

/// How many of these rules, from the first, some choice of events has in order.
fn prefix(rules: &[usize], window: &[&Entry]) -> usize {
    let mut ends: BTreeSet<i64> = [i64::MIN].into();
    for (count, rule) in rules.iter().enumerate() {
        let times = window.iter().filter(|(_, _, number, _)| number == rule).map(|(time, ..)| *time);
        ends = times.filter(|time| ends.iter().any(|end| end <= time)).collect();
        if ends.is_empty() {
            return count;
        }
    }
    rules.len()
}

fn median(numbers: &[f64]) -> Option<f64> {
    let middle = numbers.len().checked_sub(1)? / 2;
    let other = numbers.len() / 2;
    Some(f64::midpoint(numbers[middle], numbers[other]))
}

fn nearest_rank(numbers: &[f64], percentile: f64) -> Option<f64> {
    let last = numbers.len().checked_sub(1)?;
    let enough = |place: &usize| {
        let (at_or_below, all) = (place + 1, numbers.len());
        f64::from(u32::try_from(at_or_below).unwrap()) * 100.0 >= percentile * f64::from(u32::try_from(all).unwrap())
    };
    Some(numbers[(0..=last).find(enough).unwrap_or(last)])
}

/// Every kind, at once and waiting, alone and over each other.
const ALL: &[(&str, &str)] = &[
    ("count", "  type: event_count\n  rules: [a, b]\n  group-by: [user]\n  timespan: 20s\n  condition: {gte: 3}\n"),
    ("few", "  type: event_count\n  rules: a\n  group-by: [user]\n  timespan: 20s\n  condition: {lt: 2}\n"),
    ("exactly", "  type: event_count\n  rules: a\n  timespan: 15s\n  condition: {eq: 2}\n"),
    (
        "between",
        "  type: event_count\n  rules: [a, c]\n  group-by: [user]\n  timespan: 30s\n  condition: {gt: 1, lte: 4}\n",
    ),
    (
        "values",
        "  type: value_count\n  rules: a\n  group-by: [user]\n  timespan: 30s\n  condition: {field: n, gte: 3}\n",
    ),
    ("novalues", "  type: value_count\n  rules: a\n  timespan: 30s\n  condition: {field: n, neq: 2}\n"),
    ("all", "  type: temporal\n  rules: [a, b, c]\n  group-by: [user]\n  timespan: 20s\n"),
    ("two", "  type: temporal\n  rules: [a, b, c]\n  group-by: [user]\n  timespan: 5s\n  condition: {gte: 2}\n"),
    ("without", "  type: temporal\n  rules: [a, b]\n  group-by: [user]\n  timespan: 20s\n  condition: a and not b\n"),
    ("ordered", "  type: temporal_ordered\n  rules: [a, b, c]\n  group-by: [user]\n  timespan: 30s\n"),
    ("either", "  type: temporal_ordered\n  rules: [a, b, c]\n  timespan: 10s\n  condition: a and (b or c)\n"),
    ("sum", "  type: value_sum\n  rules: a\n  group-by: [user]\n  timespan: 30s\n  condition: {field: n, gt: 9}\n"),
    (
        "mean",
        "  type: value_avg\n  rules: [a, b]\n  group-by: [user]\n  timespan: 30s\n  condition: {field: n, lt: 2.5}\n",
    ),
    ("median", "  type: value_median\n  rules: [a, b]\n  timespan: 30s\n  condition: {field: n, gte: 3.5}\n"),
    (
        "ninth",
        "  type: value_percentile\n  rules: [a, b]\n  timespan: 40s\n  condition: {field: n, percentile: 70, gte: 4}\n",
    ),
    ("chain", "  type: temporal_ordered\n  rules: [count, c]\n  group-by: [user]\n  timespan: 40s\n"),
    ("twice", "  type: event_count\n  rules: count\n  group-by: [user]\n  timespan: 120s\n  condition: {gte: 2}\n"),
    ("spread", "  type: value_count\n  rules: count\n  timespan: 60s\n  condition: {field: user, gte: 2}\n"),
    ("deep", "  type: temporal\n  rules: [chain, few]\n  group-by: [user]\n  timespan: 60s\n  generate: true\n"),
];

fn everything() -> Bench {
    let one = |(name, rest): &(&str, &str)| {
        let generate = if rest.contains("generate") { "" } else { "  generate: true\n" };
        correlation(name, &format!("{rest}{generate}"))
    };
    Bench::new(&ALL.iter().map(one).collect::<Vec<_>>().join("---\n"))
}

#[test]
fn every_kind_is_judged() {
    let bench = everything();
    assert_eq!(bench.said.iter().filter(|said| said.severity == crate::DiagnosticSeverity::Error).count(), 0);
    assert_eq!(bench.set.len(), ALL.len());
    let waits: Vec<&str> =
        bench.set.correlations().iter().filter(|one| !one.program.waits).map(|one| one.header.name.as_str()).collect();
    assert_eq!(waits.len(), 9, "{waits:?}");
}

/// A match: rule, second, user, number, and how many seconds late it comes.
fn hits() -> impl Strategy<Value = Vec<(Hit, i64)>> {
    let rule = prop::sample::select(vec!["a", "a", "a", "b", "b", "c"]);
    let one = (rule, 0..240_i64, 0..2_u8, 0..6_u8, 0..60_i64, 0..20_u8);
    let made = one.prop_map(|(rule, time, user, number, late, odd)| {
        let mut hit = Hit { rule, time, event: 0, fields: Vec::new() };
        if odd != 0 {
            hit.fields.push(("user", user.to_string()));
        }
        if odd != 1 {
            hit.fields.push(("n", if odd == 2 { "none".to_owned() } else { number.to_string() }));
        }
        (hit, late)
    });
    prop::collection::vec(made, 0..60).prop_map(|mut made| {
        // Now and then an event matches two rules.
        for (place, (hit, late)) in made.clone().into_iter().enumerate() {
            if place % 9 == 4 {
                made.push((Hit { rule: "c", ..hit }, late));
            }
        }
        for (place, (hit, _)) in made.iter_mut().enumerate() {
            hit.event = u128::try_from(place).unwrap() + 1;
        }
        made
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_order_within_the_lateness_gives_what_the_judge_says(made in hits(), steps in prop_oneof![1..9_usize, 9..70_usize], crash in 0..40_usize) {
        let bench = everything();
        let mut on_time: Vec<Hit> = made.iter().map(|(hit, _)| hit.clone()).collect();
        on_time.sort_by_key(|hit| (hit.time, hit.event));
        let judged = judge(&bench, &on_time);
        prop_assert_eq!(&run(&bench, &on_time), &judged);

        let mut late = made.clone();
        late.sort_by_key(|(hit, late)| hit.time + late);
        let late: Vec<Hit> = late.into_iter().map(|(hit, _)| hit).collect();
        let mut run = Run::new(&bench);
        for (place, hits) in late.chunks(steps).enumerate() {
            run.step(hits);
            if place % 7 == crash % 7 && place > 0 {
                run.crash();
            }
        }
        prop_assert_eq!(run.close(), judged);
    }
}

#[test]
fn a_replay_of_everything_says_what_the_judge_says_in_whatever_order_it_is_collected() {
    let bench = everything();
    let hits = numbered((0..300_i64).map(|at| {
        let rule = ["a", "b", "a", "c", "a"][usize::try_from(at * 7 % 5).unwrap()];
        with(hit(rule, at * 13 % 997, if at % 3 == 0 { "eve" } else { "ada" }), "n", at % 6)
    }));
    let sight = |hit: &Hit| {
        let time = Timestamp::from_secs(hit.time);
        let observed =
            Observed { rule: bench.rule(hit.rule), event: EventId::from_bits(hit.event), time, apart: false };
        let mut read = |name: &str| -> Vec<String> {
            hit.fields.iter().filter(|(field, _)| *field == name).map(|(_, value)| value.clone()).collect()
        };
        bench.set.sight(observed, &mut read)
    };
    let sightings: Vec<_> = hits.iter().rev().filter_map(sight).collect();
    let mut found: Vec<Shown> =
        bench.set.replay(sightings, Limits::default()).found.iter().map(|one| show(&bench.set, one)).collect();
    found.sort();
    assert_eq!(found, judge(&bench, &hits));
    assert!(found.len() > 50, "{}", found.len());
}
