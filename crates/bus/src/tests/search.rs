//! Finding events by time, text and entity key.

use proptest::prelude::*;

use super::*;
use crate::{Page, Query};

/// 300 events over sealed and active segments: event n has keys n % 7 and 1000 + n, one second after the one before.
fn filled(world: &World) -> Bus {
    let bus = world.open();
    for batch in 0..60_u64 {
        world.clock.advance(Duration::from_secs(5));
        let events = (0..5).map(|n| {
            let n = batch * 5 + n;
            NewEvent { time: START.plus(Duration::from_secs(n)), ..text(&format!("user {} of {}", n % 7, 1000 + n)) }
        });
        bus.append(tenant(), events.collect(), None).unwrap();
    }
    bus
}

fn numbers(page: &Page) -> Vec<u64> {
    page.events.iter().map(|event| keys_of(event)[1] - 1000).collect()
}

fn limits() -> Limits {
    Limits { segment_bytes: 6_000, ..Limits::default() }
}

#[test]
fn pages_newest_first_and_oldest_first_give_everything_once() {
    let world = World::with(limits());
    let bus = filled(&world);
    for newest_first in [true, false] {
        let mut query = Query { newest_first, limit: 37, ..Query::default() };
        let mut got = Vec::new();
        loop {
            let page = bus.scan(tenant(), &query, &mut |_| true).unwrap();
            got.extend(numbers(&page));
            if page.looked.complete {
                assert_eq!(page.next, None);
                break;
            }
            if newest_first { query.before = page.next } else { query.after = page.next }
        }
        let mut want: Vec<u64> = (0..300).collect();
        if newest_first {
            want.reverse();
        }
        assert_eq!(got, want);
    }
}

#[test]
fn a_search_stops_at_its_budget_and_says_how_far_it_looked() {
    let world = World::with(limits());
    let bus = filled(&world);
    let query = Query { max_events: 50, ..Query::default() };
    let page = bus.scan(tenant(), &query, &mut |event| event.raw.ends_with(b"1001")).unwrap();
    assert_eq!((page.events.len(), page.looked.events, page.looked.complete), (0, 50, false));
    let rest = Query { before: page.next, ..Query::default() };
    let page = bus.scan(tenant(), &rest, &mut |event| event.raw.ends_with(b"1001")).unwrap();
    assert_eq!((numbers(&page), page.looked.complete), (vec![1], true));
    assert_eq!(page.looked.from, Some(all(&bus)[0].events[0].id.time()));
}

#[test]
fn a_search_stops_at_bytes_and_when_it_is_told_to_and_goes_on_where_it_was() {
    let world = World::with(limits());
    let bus = filled(&world);
    let one = all(&bus)[0].events[0].raw.len() as u64;
    let query = Query { max_bytes: 10 * one, limit: 1000, ..Query::default() };
    let page = bus.scan(tenant(), &query, &mut |_| true).unwrap();
    assert!(!page.looked.complete && (9..=11).contains(&page.events.len()), "{}", page.events.len());
    let query = Query { limit: 1000, ..Query::default() };
    let mut seen = 0;
    let mut told = |_: &shieldops_model::Event| {
        seen += 1;
        query.stop.now.store(seen == 20, std::sync::atomic::Ordering::Relaxed);
        true
    };
    let page = bus.scan(tenant(), &query, &mut told).unwrap();
    assert_eq!((page.events.len(), page.looked.events, page.looked.complete), (20, 20, false));
    let rest = Query { before: page.next, limit: 1000, ..Query::default() };
    assert_eq!(bus.scan(tenant(), &rest, &mut |_| true).unwrap().events.len(), 280);
    let late = crate::Stop { at: Some(std::time::Instant::now()), ..crate::Stop::default() };
    let page = bus.scan(tenant(), &Query { stop: late, ..Query::default() }, &mut |_| true).unwrap();
    assert_eq!((page.events.len(), page.looked.events, page.looked.complete), (0, 0, false));
}

#[test]
fn a_key_is_found_in_sealed_and_active_segments_and_after_a_reopening() {
    let world = World::with(limits());
    let bus = filled(&world);
    let query = Query { limit: 1000, ..Query::default() };
    let want: Vec<u64> = (0..300).rev().filter(|n| n % 7 == 3).collect();
    for _ in 0..2 {
        assert_eq!(numbers(&bus.find_by_key(tenant(), 3, &query, &mut |_| true).unwrap()), want);
    }
    bus.append(tenant(), vec![text("user 3 of 1300")], None).unwrap();
    let page = bus.find_by_key(tenant(), 3, &query, &mut |_| true).unwrap();
    assert_eq!((numbers(&page)[0], page.events.len()), (300, want.len() + 1));
    drop(bus);
    let bus = world.open();
    assert_eq!(numbers(&bus.find_by_key(tenant(), 3, &query, &mut |_| true).unwrap()).len(), want.len() + 1);
    bus.drain().unwrap();
    assert_eq!(numbers(&bus.find_by_key(tenant(), 3, &query, &mut |_| true).unwrap()).len(), want.len() + 1);
    assert_eq!(numbers(&bus.find_by_key(tenant(), 77, &query, &mut |_| true).unwrap()), Vec::<u64>::new());
    assert!(world.disk.paths().iter().any(|path| path.extension().is_some_and(|extension| extension == "idx")));
}

#[test]
fn an_index_that_reached_its_limit_still_finds_everything() {
    let world = World::with(Limits { index_postings: 10, ..limits() });
    let bus = filled(&world);
    let query = Query { limit: 1000, ..Query::default() };
    let want: Vec<u64> = (0..300).rev().filter(|n| n % 7 == 3).collect();
    for _ in 0..2 {
        assert_eq!(numbers(&bus.find_by_key(tenant(), 3, &query, &mut |_| true).unwrap()), want);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_search_gives_what_a_filter_over_everything_gives(
        from in proptest::option::of(0_u64..320),
        to in proptest::option::of(0_u64..320),
        key in proptest::option::of(0_u64..8),
        newest_first: bool,
        sealed: bool,
    ) {
        let world = World::with(limits());
        let bus = filled(&world);
        if sealed {
            bus.seal(tenant()).unwrap();
        }
        let at = |n: u64| START.plus(Duration::from_secs(n));
        let query = Query { from: from.map(at), to: to.map(at), newest_first, limit: 1000, ..Query::default() };
        let page = match key {
            Some(key) => bus.find_by_key(tenant(), key, &query, &mut |_| true).unwrap(),
            None => bus.scan(tenant(), &query, &mut |_| true).unwrap(),
        };
        let mut want: Vec<u64> = (0..300)
            .filter(|n| from.is_none_or(|from| *n >= from) && to.is_none_or(|to| *n < to))
            .filter(|n| key.is_none_or(|key| n % 7 == key))
            .collect();
        if newest_first {
            want.reverse();
        }
        prop_assert_eq!(numbers(&page), want);
        prop_assert!(page.looked.complete);
    }
}
