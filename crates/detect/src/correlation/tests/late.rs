//! Late events: what they change, what stays, and what is too late.

use super::*;

const COUNT: &str = "  type: event_count\n  rules: a\n  group-by: [user]\n  timespan: 10s\n  condition: {gte: 3}\n";

fn named(event: u128, time: i64) -> Hit {
    Hit { event, ..hit("a", time, "eve") }
}

#[test]
fn a_late_event_moves_a_match_back_under_its_own_name() {
    let bench = Bench::new(&correlation("x", COUNT));
    let mut run = Run::new(&bench);
    run.step(&[named(1, 100), named(2, 104), named(3, 108)]);
    assert_eq!(run.step(&[named(4, 98)]), shown(&[("x", "eve", 98, 108, 4)]));
    assert_eq!(run.told.by_name.len(), 1, "one name");
    assert_eq!(run.step(&[named(4, 98)]), shown(&[]), "an event that is known changes nothing");
}

#[test]
fn two_matches_that_a_late_event_joins_are_one_and_the_other_is_superseded() {
    let bench = Bench::new(&correlation("x", COUNT));
    let mut run = Run::new(&bench);
    run.step(&[named(1, 100), named(2, 101), named(3, 102)]);
    run.step(&[named(4, 113), named(5, 114), named(6, 115)]);
    assert_eq!(run.told.by_name.len(), 2);
    run.step(&[named(7, 105)]);
    assert_eq!(run.told.shown(&bench.set), shown(&[("x", "eve", 100, 115, 7)]));
    let gone = run.told.by_name.values().find_map(|one| one.superseded).unwrap();
    assert_eq!(gone.by, Some(Timestamp::from_secs(102)), "it says which has taken it in");
}

#[test]
fn what_no_longer_holds_after_the_watermark_is_superseded_and_not_taken_back() {
    let bench = Bench::new(&correlation("x", &COUNT.replace("gte: 3", "eq: 1")));
    let mut run = Run::new(&bench);
    run.step(&[named(1, 100)]);
    assert_eq!(run.step(&[Hit { event: 9, ..hit("a", 165, "ada") }]), shown(&[("x", "eve", 100, 100, 1)]));
    run.step(&[named(2, 99)]);
    run.step(&[Hit { event: 10, ..hit("a", 230, "ada") }]);
    assert_eq!(run.told.superseded(), 1);
    let told: Vec<_> = run.told.shown(&bench.set).into_iter().filter(|row| row.1 == "eve").collect();
    assert_eq!(told, shown(&[("x", "eve", 99, 99, 1)]), "the earlier one stands alone now");
    assert_eq!(run.told.by_name.values().find_map(|one| one.superseded).unwrap().by, None);
}

#[test]
fn what_is_later_than_memory_is_counted_and_a_log_of_yesterday_is_still_correlated() {
    let bench = Bench::new(&correlation("x", COUNT));
    let mut run = Run::new(&bench);
    run.step(&[named(1, 10_000), named(2, 10_001)]);
    run.step(&[Hit { event: 3, ..hit("a", 12_000, "ada") }]);
    run.step(&[named(4, 10_002)]);
    assert_eq!(run.told.times, 0, "its group was forgotten");
    for (event, time) in (5..).zip([500, 503, 506]) {
        run.step(&[Hit { event, ..hit("a", time, "old") }]);
    }
    assert_eq!(run.told.shown(&bench.set), shown(&[("x", "old", 500, 506, 3)]));
    run.step(&[Hit { event: 20, ..hit("a", 12_100, "old") }, Hit { event: 21, ..hit("a", 600, "old") }]);
    assert_eq!(run.correlator.counters().too_late, 1);
}

#[test]
fn a_silent_source_lets_what_waits_fire_though_nothing_comes() {
    let bench = Bench::new(&correlation("x", &COUNT.replace("gte: 3", "lt: 3")));
    let mut run = Run::new(&bench);
    run.step(&[named(1, 100)]);
    assert_eq!(run.correlator.waits_for(), Some(Timestamp::from_secs(100)));
    assert_eq!(run.end(Some(Timestamp::from_secs(101))), shown(&[("x", "eve", 100, 100, 1)]));
    assert!(run.correlator.waits_for() > Some(Timestamp::from_secs(101)), "until it may be forgotten");
    run.close();
    assert_eq!((run.correlator.waits_for(), run.correlator.counters().bytes), (None, 0));
}

#[test]
fn a_watermark_from_a_clock_that_was_ahead_holds_nothing_up_once_it_is_right() {
    let rest = "  type: event_count\n  rules: a\n  group-by: [user]\n  timespan: 1m\n  condition: {lt: 2}\n";
    let bench = Bench::new(&correlation("x", rest));
    for crashes in [false, true] {
        let mut run = Run::new(&bench);
        run.step(&numbered([hit("a", 10, "ann")]));
        run.end(Some(Timestamp::from_secs(100_000)));
        observe(&bench, &mut run.correlator, &Hit { event: 7, ..hit("a", 1_010, "bob") });
        run.correlator.hold_back(Timestamp::from_secs(1_005));
        assert_eq!(run.end(Some(Timestamp::from_secs(1_005))), shown(&[]));
        if crashes {
            run.crash();
        }
        assert_eq!(run.end(Some(Timestamp::from_secs(1_100))), shown(&[("x", "bob", 1_010, 1_010, 1)]), "{crashes}");
    }
}
