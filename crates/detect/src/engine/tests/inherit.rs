//! A set that follows another: the same matches as a set compiled anew, and what did not change is shared.

use std::sync::Arc;

use proptest::prelude::*;
use shieldops_model::LogSource;

use super::{event, rule};
use crate::{
    engine::shard::{EventId, Shard},
    sigma::{
        Documents, Rule,
        compile::{CompileOptions, RuleSet},
        matcher::{EventRef, Worker},
        parse,
    },
};

/// What a person does to a folder of rules.
#[derive(Debug, Clone)]
enum Edit {
    Replace(usize, String),
    Remove(usize),
    Insert(usize, String),
    Swap(usize, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (any::<usize>(), rule()).prop_map(|(at, text)| Edit::Replace(at, text)),
        any::<usize>().prop_map(Edit::Remove),
        (any::<usize>(), rule()).prop_map(|(at, text)| Edit::Insert(at, text)),
        (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Edit::Swap(a, b)),
    ]
}

fn parsed(text: &str, id: usize) -> Vec<Arc<Rule>> {
    parse(&text.replace("RULE", &format!("r{id}")), "t.yml").0.rules
}

/// The rules after the edit; what it does not touch is what was parsed before.
fn edited(mut rules: Vec<Arc<Rule>>, edit: &Edit, next: usize) -> Vec<Arc<Rule>> {
    let count = rules.len();
    match edit {
        Edit::Replace(at, text) if count > 0 => {
            let id = rules[at % count].id.trim_start_matches('r').parse().unwrap();
            rules.splice(at % count..=at % count, parsed(text, id));
        }
        Edit::Remove(at) if count > 0 => drop(rules.remove(at % count)),
        Edit::Swap(a, b) if count > 0 => rules.swap(a % count, b % count),
        Edit::Insert(at, text) => drop(rules.splice(at % (count + 1)..at % (count + 1), parsed(text, next))),
        Edit::Replace(..) | Edit::Remove(_) | Edit::Swap(..) => {}
    }
    rules
}

fn of(rules: &[Arc<Rule>]) -> Documents {
    Documents { rules: rules.to_vec(), ..Documents::default() }
}

/// Matches by the fast path, and by the exact one.
fn matches(set: &RuleSet, source: &LogSource, events: &[String], worker: &mut Worker) -> [Vec<(usize, usize)>; 2] {
    let (mut bytes, mut lines) = (Vec::new(), Vec::new());
    // Every event comes several times, so that shapes and statistics are in use.
    for event in events.iter().cycle().take(events.len() * 3) {
        let start = bytes.len();
        bytes.extend_from_slice(event.as_bytes());
        lines.push(start..bytes.len());
    }
    let events: Vec<EventRef<'_>> = lines.into_iter().map(|line| EventRef { line, source }).collect();
    let (mut fast, mut exact) = (Vec::new(), Vec::new());
    set.scan(worker, &events, &bytes, &mut |event, rule| fast.push((event, rule.index)));
    set.scan_exact(&mut Worker::new(), &events, &bytes, &mut |event, rule| exact.push((event, rule.index)));
    [fast, exact]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn after_any_edits_a_set_matches_what_one_compiled_anew_matches(
        rules in prop::collection::vec(rule(), 1..6), edits in prop::collection::vec(edit(), 1..6),
        events in prop::collection::vec(event(), 1..40),
    ) {
        let source = LogSource { categories: vec!["test".to_owned()], ..LogSource::default() };
        let options = CompileOptions::default();
        let mut rules: Vec<_> = rules.iter().enumerate().flat_map(|(id, text)| parsed(text, id)).collect();
        let (mut set, _) = RuleSet::compile(of(&rules), &options);
        let mut worker = Worker::new();
        for (number, edit) in edits.iter().enumerate() {
            matches(&set, &source, &events, &mut worker);
            rules = edited(rules, edit, 100 + number);
            let (anew, said) = RuleSet::compile(of(&rules), &options);
            let (next, told) = set.recompile(of(&rules), &options);
            prop_assert_eq!(said, told);
            let ids = |set: &RuleSet| set.rules().iter().map(|rule| rule.id.clone()).collect::<Vec<_>>();
            prop_assert_eq!(ids(&next), ids(&anew));
            let [fast, exact] = matches(&next, &source, &events, &mut worker);
            let [_, wanted] = matches(&anew, &source, &events, &mut Worker::new());
            prop_assert!(fast == wanted, "{edit:?}");
            prop_assert!(exact == wanted, "{edit:?}");
            set = next;
        }
    }
}

fn line(category: &str, id: usize, event: u32, text: &str) -> String {
    format!(
        "title: t\nid: r{id}\nlogsource: {{category: {category}}}\n\
         detection: {{s: {{EventID: {event}, x|endswith: {text}}}, condition: s}}"
    )
}

fn source(category: &str) -> LogSource {
    LogSource { categories: vec![category.to_owned()], ..LogSource::default() }
}

fn shard(set: &RuleSet, category: &str, event: u32) -> Arc<Shard> {
    set.engine.source(set, &source(category)).cell(set, EventId::Value(event)).shard()
}

#[test]
fn only_shards_with_a_changed_rule_are_made_again() {
    let rules = [line("a", 0, 1, "b"), line("a", 1, 4688, "b"), line("c", 2, 1, "b")];
    let mut rules: Vec<_> = rules.iter().enumerate().flat_map(|(id, text)| parsed(text, id)).collect();
    let options = CompileOptions::default();
    let (set, _) = RuleSet::compile(of(&rules), &options);
    let events: Vec<String> = (0..600).map(|number| format!("{{\"EventID\":4688,\"x\":\"{number}b\"}}")).collect();
    let mut worker = Worker::new();
    assert_eq!(matches(&set, &source("a"), &events, &mut worker)[0].len(), 1_800);
    let all = |set: &RuleSet| [("a", 1), ("a", 4688), ("c", 1)].map(|(category, event)| shard(set, category, event));
    let before = all(&set);
    rules[1] = parsed(&line("a", 1, 4688, "'7b'"), 1).remove(0);
    let (next, _) = set.recompile(of(&rules), &options);
    let same: Vec<bool> = before.iter().zip(all(&next)).map(|(old, new)| Arc::ptr_eq(old, &new)).collect();
    assert_eq!(same, [true, false, true]);
    assert_eq!((next.engine_stats().shards, next.engine_stats().shared), (3, 2));
    assert_eq!(matches(&next, &source("a"), &events, &mut worker)[0].len(), 180);
    // A rule in front of the others moves their places and nothing else.
    rules.insert(0, parsed(&line("z", 9, 1, "b"), 9).remove(0));
    let (moved, _) = next.recompile(of(&rules), &options);
    assert!(all(&moved).iter().zip(all(&next)).all(|(old, new)| Arc::ptr_eq(old, &new)));
    let found = &matches(&moved, &source("a"), &events, &mut worker)[0];
    assert!(found.len() == 180 && found.iter().all(|(_, rule)| *rule == 2));
}

#[test]
fn what_no_rule_uses_any_more_does_not_pile_up() {
    let options = CompileOptions::default();
    let mut set = RuleSet::compile(of(&parsed(&line("a", 0, 1, "b"), 0)), &options).0;
    let mut most = 0;
    for number in 0..2_000 {
        let (next, _) = set.recompile(of(&parsed(&line("a", 0, 1, &format!("b{number}")), 0)), &options);
        most = most.max(next.engine_stats().predicates);
        set = next;
    }
    assert!(most < 700, "{most}");
    assert_eq!(set.len(), 1);
}

#[test]
fn a_rule_that_names_thousands_of_event_ids_matches_each() {
    let ids: Vec<String> = (1..=3_000).map(|id| id.to_string()).collect();
    let text = format!(
        "title: t\nid: r\nlogsource: {{category: a}}\ndetection: {{s: {{EventID: [{}]}}, condition: s}}",
        ids.join(", ")
    );
    let (set, _) = RuleSet::compile(parse(&text, "r.yml").0, &CompileOptions::default());
    let events: Vec<String> = (2_990..=3_001).map(|id| format!("{{\"EventID\":{id}}}")).collect();
    let [fast, exact] = matches(&set, &source("a"), &events, &mut Worker::new());
    assert_eq!((fast.len(), &fast), (33, &exact));
}
