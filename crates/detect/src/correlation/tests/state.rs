//! State: its bounds, what is stored of it, and what stays when rules change.

use super::*;

const COUNT: &str = "  type: event_count\n  rules: a\n  group-by: [user]\n  timespan: 1h\n  condition: {gte: 3}\n";

fn small(bench: &Bench, limits: Limits) -> Run<'_> {
    let mut run = Run::new(bench);
    run.correlator = Correlator::new(Arc::clone(&bench.set), limits);
    run
}

#[test]
fn a_flood_in_one_group_keeps_the_newest_and_counts_all() {
    let bench = Bench::new(&correlation("x", COUNT));
    let mut run = small(&bench, Limits { events_per_group: 10, ..Limits::default() });
    let hits = numbered((0..200).map(|time| hit("a", time, "eve")));
    for hits in hits.chunks(7) {
        run.step(hits);
    }
    assert_eq!(run.correlator.counters().evicted_events, 190);
    let told = run.told.by_name.values().next().unwrap();
    assert_eq!((run.told.by_name.len(), told.first_seen.as_secs(), told.last_seen.as_secs()), (1, 0, 199));
    assert!(told.count >= 190, "{}", told.count);
}

#[test]
fn more_groups_or_bytes_than_there_is_room_for_let_the_least_used_go() {
    let bench = Bench::new(&correlation("x", COUNT));
    let names: Vec<String> = (0..50).map(|number| format!("user-{number}")).collect();
    let hits = numbered(names.iter().zip(0..).map(|(name, time)| hit("a", time, name)));
    let mut run = small(&bench, Limits { groups: 20, ..Limits::default() });
    run.step(&hits);
    let counters = run.correlator.counters();
    assert_eq!((counters.groups, counters.evicted_groups), (20, 30));
    let mut run = small(&bench, Limits { bytes: 20_000, ..Limits::default() });
    for hit in &hits {
        run.step(std::slice::from_ref(hit));
    }
    let counters = run.correlator.counters();
    assert!(counters.bytes <= 20_000 && counters.groups > 5 && counters.evicted_groups > 5, "{counters:?}");
    run.step(&numbered([hit("a", 60, "user-49"), hit("a", 61, "user-49")]).map_events(100));
    assert_eq!(run.told.shown(&bench.set), shown(&[("x", "user-49", 49, 61, 3)]), "the newest stayed");
    let groups = run.correlator.counters().groups;
    run.crash();
    assert_eq!(run.correlator.counters().groups, groups, "what went is gone after a crash too");
}

#[test]
fn a_replay_says_what_it_had_no_room_for() {
    let bench = Bench::new(&correlation("x", COUNT));
    let sight = |number: u32| {
        let time = Timestamp::from_secs(i64::from(number));
        let event = EventId::from_bits(u128::from(number));
        let observed = Observed { rule: bench.rule("a"), event, time, apart: false };
        bench.set.sight(observed, &mut |_| vec![format!("user-{number}")])
    };
    let replay = |limits| bench.set.replay((0..50).filter_map(sight).collect(), limits).let_go();
    assert_eq!(replay(Limits::default()), None);
    let said = replay(Limits { groups: 20, ..Limits::default() }).unwrap();
    assert!(said.contains(": 30 groups and 0 events were let go early"), "{said}");
}

trait Renumber {
    fn map_events(self, from: u128) -> Vec<Hit>;
}

impl Renumber for Vec<Hit> {
    fn map_events(self, from: u128) -> Vec<Hit> {
        self.into_iter().map(|hit| Hit { event: hit.event + from, ..hit }).collect()
    }
}

#[test]
fn what_is_stored_of_a_step_grows_with_the_step_and_not_with_the_state() {
    let bench = Bench::new(&correlation("x", COUNT));
    let mut run = Run::new(&bench);
    let names: Vec<String> = (0..20_000).map(|number| format!("user-{number}")).collect();
    let hits = numbered(names.iter().map(|name| hit("a", 10, name)));
    run.step(&hits);
    for time in 0..200 {
        run.step(&[Hit { event: 1_000_000 + u128::try_from(time).unwrap(), ..hit("a", 20 + time, "eve") }]);
    }
    observe(&bench, &mut run.correlator, &Hit { event: 9_999_999, ..hit("a", 300, "eve") });
    run.correlator.advance(None);
    run.correlator.take();
    let saved = run.correlator.save().unwrap();
    assert!(saved.log.len() < 200, "{} bytes for one event", saved.log.len());
    let state = run.correlator.counters().bytes;
    assert!(saved.groups.len() < state / 20, "{} bytes of {state}", saved.groups.len());
    assert!(run.stored.logs.len() <= usize::from(crate::BUCKETS) + 1, "old logs are forgotten");
}

#[test]
fn nothing_is_stored_when_nothing_came() {
    let bench = Bench::new(&correlation("x", COUNT));
    let mut run = Run::new(&bench);
    run.step(&numbered([hit("a", 10, "eve")]));
    let stored = run.stored.clone();
    run.end(Some(Timestamp::from_secs(500)));
    run.step(&[hit("b", 600, "eve")]);
    assert_eq!(run.stored, stored);
}

#[test]
fn bytes_that_are_cut_or_of_another_version_are_told_and_the_rest_is_used() {
    let bench = Bench::new(&correlation("x", COUNT));
    let mut run = Run::new(&bench);
    for hit in numbered((0..5).map(|time| hit("a", time, "eve"))) {
        run.step(&[hit]);
    }
    let restore = |stored: &Stored| Correlator::restore(Arc::clone(&bench.set), Limits::default(), stored.clone());
    for place in 0..run.stored.logs[2].1.len() {
        let mut cut = run.stored.clone();
        cut.logs[2].1.truncate(place);
        assert_eq!(restore(&cut).1, ["the log of step 3 is damaged"]);
    }
    let mut other = run.stored.clone();
    other.buckets[1].2[0] = 9;
    assert_eq!(restore(&other).1, ["part 2 of the groups, written at step 2, is damaged"]);
    let (whole, problems) = restore(&run.stored);
    assert_eq!((problems, whole.counters().groups), (Vec::new(), 1));
}

#[test]
fn changed_rules_begin_anew_and_others_keep_what_they_have() {
    let two = |limit: u32| {
        Bench::new(
            &[correlation("x", COUNT), correlation("y", &COUNT.replace("gte: 3", &format!("gte: {limit}")))]
                .join("---\n"),
        )
    };
    let (before, after) = (two(3), two(2));
    let mut correlator = before.correlator();
    let hits = numbered([1, 2, 3].map(|time| hit("a", time, "eve")));
    observe(&before, &mut correlator, &hits[0]);
    observe(&before, &mut correlator, &hits[1]);
    correlator.advance(None);
    correlator.adopt(Arc::clone(&after.set));
    observe(&after, &mut correlator, &hits[2]);
    correlator.advance(None);
    let told: Vec<Shown> = correlator.take().iter().map(|one| show(&after.set, one)).collect();
    assert_eq!(told, shown(&[("x", "eve", 1, 3, 3)]));
}

#[test]
fn a_correlation_that_is_off_sees_nothing() {
    let bench = Bench::new(&correlation("x", COUNT));
    let mut run = Run::new(&bench);
    run.correlator.switch_off(&["id-x".to_owned()].into());
    let hits = numbered((0..6).map(|time| hit("a", time, "eve")));
    run.step(&hits[..3]);
    run.correlator.switch_off(&std::collections::BTreeSet::new());
    assert_eq!(run.step(&hits[3..5]), shown(&[]));
    assert_eq!(run.step(&hits[5..]), shown(&[("x", "eve", 3, 5, 3)]));
}

#[test]
fn a_demonstration_is_not_counted_with_the_rest() {
    let bench = Bench::new(&correlation("x", COUNT));
    let mut correlator = bench.correlator();
    for (event, apart) in [(1_u32, false), (2, true), (3, true), (4, false), (5, true)] {
        let time = Timestamp::from_secs(i64::from(event));
        let observed = Observed { rule: bench.rule("a"), event: EventId::from_bits(event.into()), time, apart };
        correlator.observe(&observed, &mut |_| vec!["eve".to_owned()]);
    }
    correlator.advance(None);
    let told: Vec<(bool, u64)> = correlator.take().iter().map(|one| (one.apart, one.count)).collect();
    assert_eq!(told, [(true, 3)]);
}

#[test]
fn groups_that_wait_come_due_in_pieces_and_a_crash_between_two_forgets_none() {
    let rest = "  type: event_count\n  rules: a\n  group-by: [user]\n  timespan: 1m\n  condition: {lt: 2}\n";
    let bench = Bench::new(&correlation("x", rest));
    let mut run = Run::new(&bench);
    let names: Vec<String> = (0..1_000).map(|number| format!("user-{number}")).collect();
    // Ten of them at each second.
    let hits = numbered(names.iter().zip(0..).map(|(name, number)| hit("a", 100 + number / 10, name)));
    for hit in &hits {
        observe(&bench, &mut run.correlator, hit);
    }
    assert_eq!(run.end(Some(Timestamp::from_secs(50))), shown(&[]));
    let (mut pieces, mut whole) = (0, false);
    while !whole {
        whole = run.correlator.advance_some(Some(Timestamp::from_secs(500)), 95);
        let told = run.correlator.take();
        assert!(told.len() <= 95, "{}", told.len());
        run.told.take(told);
        run.correlator.save().into_iter().for_each(|saved| run.stored.take(saved));
        pieces += 1;
        run.crash();
    }
    assert_eq!((run.told.by_name.len(), run.told.times), (1_000, 1_000));
    assert!((11..=13).contains(&pieces), "{pieces}");
}

#[test]
fn what_waits_for_one_instant_comes_due_at_once() {
    let rest = "  type: event_count\n  rules: a\n  group-by: [user]\n  timespan: 1m\n  condition: {lt: 2}\n";
    let bench = Bench::new(&correlation("x", rest));
    let mut correlator = bench.correlator();
    let names: Vec<String> = (0..20).map(|number| format!("user-{number}")).collect();
    for hit in &numbered(names.iter().map(|name| hit("a", 100, name))) {
        observe(&bench, &mut correlator, hit);
    }
    assert!(!correlator.advance_some(Some(Timestamp::from_secs(120)), 5));
    assert_eq!(correlator.take().len(), 20);
    assert!(correlator.advance_some(Some(Timestamp::from_secs(120)), 5));
}
