//! What senders can fill without end has a bound, and it is counted what went over it.

use std::time::Duration;

use shieldops_model::{Clock as _, Timestamp, id};
use shieldops_store::{
    PageRequest, TenantScope, Tx,
    bookkeeping::{self, Counted, OTHER, SOURCES, Seen},
    coverage::{self, Minute, Window},
    dead_letters::{self, BYTES, DROPPED, DeadLetter, Keep},
};

use crate::support::{World, world};

/// Adds letters of so many bytes each, whose detail is their number.
async fn add(world: &World, numbers: std::ops::Range<u64>, bytes: usize, keep: Keep) {
    let mut tx = world.scope().begin().await.unwrap();
    for number in numbers {
        let letter = DeadLetter {
            id: id::mint(world.clock.now(), &mut rand::rng()),
            at: world.clock.now(),
            source: "test".into(),
            stage: "intake".into(),
            code: "bad".into(),
            detail: number.to_string(),
            sample: "x".repeat(bytes),
            size: 1,
            event_id: None,
        };
        dead_letters::insert(&mut tx, &[letter], keep).await.unwrap();
        world.clock.advance(std::time::Duration::from_secs(1));
    }
    tx.commit(world.clock.now()).await.unwrap();
}

/// The numbers that are kept, newest first; letters that went; bytes that are kept.
async fn kept(scope: &TenantScope) -> (Vec<u64>, u64, u64) {
    let mut reader = scope.read().await.unwrap();
    let page = dead_letters::list(&mut reader, &PageRequest { limit: Some(200), cursor: None }).await.unwrap();
    let numbers = page.items.iter().map(|letter| letter.detail.parse().unwrap()).collect();
    let dropped = bookkeeping::counter(&mut reader, DROPPED).await.unwrap();
    (numbers, dropped, bookkeeping::counter(&mut reader, BYTES).await.unwrap())
}

#[tokio::test]
async fn dead_letters_stay_within_their_bytes_and_the_oldest_go_first() {
    let Some(world) = world().await else { return };
    let keep = Keep { bytes: 100_000, ..Keep::default() };
    add(&world, 0..40, 10_000, keep).await;
    let (numbers, dropped, bytes) = kept(&world.scope()).await;
    assert!((80_000..=100_000).contains(&bytes), "{bytes}");
    assert!((8..=9).contains(&numbers.len()), "{numbers:?}");
    assert!(numbers.iter().rev().copied().eq(dropped..40), "the newest are kept: {numbers:?}, {dropped} went");
}

#[tokio::test]
async fn dead_letters_stay_within_their_number() {
    let Some(world) = world().await else { return };
    add(&world, 0..55, 10, Keep { letters: 20, ..Keep::default() }).await;
    let (numbers, dropped, _) = kept(&world.scope()).await;
    assert!((18..=20).contains(&numbers.len()), "{numbers:?}");
    assert!(numbers.iter().rev().copied().eq(dropped..55), "{numbers:?}, {dropped} went");
}

/// A batch of one source.
async fn seen(tx: &mut Tx, source: &str, events: u64, watermark: Option<Timestamp>) {
    let now = tx.scope().store().clock().now();
    let counted = bookkeeping::counted(tx, &[source]).await.unwrap().remove(0);
    let counted = Counted { watermark: watermark.or(counted.watermark), ..counted };
    let seen = Seen { counted, events, late: 1, event_at: now, ingested_at: now, now };
    bookkeeping::sources_seen(tx, &[seen]).await.unwrap();
}

#[tokio::test]
async fn a_source_holds_the_watermark_back_until_it_is_silent_and_never_takes_it_back() {
    let Some(world) = world().await else { return };
    let at = |minutes: u64| world.clock.now().minus(Duration::from_mins(minutes));
    let (slow, fast, silent) = (at(40), at(20), Duration::from_mins(1));
    let common = async || {
        let active = world.clock.now().minus(silent);
        bookkeeping::watermark(&mut world.scope().read().await.unwrap(), "detect", active).await.unwrap()
    };
    let batch = async |source: &str, watermark: Timestamp| {
        let mut tx = world.scope().begin().await.unwrap();
        bookkeeping::keep_watermark(&mut tx, "detect", world.clock.now().minus(silent)).await.unwrap();
        seen(&mut tx, source, 2, Some(watermark)).await;
        bookkeeping::set_offset(&mut tx, "detect", b"here").await.unwrap();
        tx.commit(world.clock.now()).await.unwrap();
    };
    assert_eq!(common().await, None, "nothing has come");
    batch("slow", slow).await;
    world.clock.advance(Duration::from_secs(30));
    batch("fast", fast).await;
    assert_eq!(common().await, Some(slow));
    world.clock.advance(Duration::from_secs(31));
    assert_eq!(common().await, Some(fast), "the slow one has been silent for a minute");
    batch("slow", slow).await;
    assert_eq!(common().await, Some(fast), "it comes back and takes nothing back");
    world.clock.advance(Duration::from_mins(5));
    assert_eq!(common().await, Some(fast), "all are silent");
    let sources = bookkeeping::sources(&mut world.scope().read().await.unwrap()).await.unwrap();
    let slow_one = sources.iter().find(|stats| stats.source == "slow").unwrap();
    assert_eq!((slow_one.watermark, slow_one.late), (Some(slow), 2));
}

#[tokio::test]
async fn a_source_with_an_old_clock_holds_nothing_up() {
    let Some(world) = world().await else { return };
    let at = |minutes: u64| world.clock.now().minus(Duration::from_mins(minutes));
    let common = async || {
        let mut reader = world.scope().read().await.unwrap();
        bookkeeping::active_watermark(&mut reader, at(1), at(1)).await.unwrap()
    };
    let batch = async |source: &str, watermark: Option<Timestamp>| {
        let mut tx = world.scope().begin().await.unwrap();
        seen(&mut tx, source, 1, watermark).await;
        tx.commit(world.clock.now()).await.unwrap();
    };
    assert_eq!(common().await, None, "nothing has come");
    batch("catches-up", Some(at(60 * 24))).await;
    batch("with-it", Some(at(60 * 24 - 10))).await;
    assert_eq!(common().await, Some(at(60 * 24)), "all are behind, and keep together");
    batch("live", Some(at(2))).await;
    assert_eq!(common().await, Some(at(2)), "the others are late");
    batch("near", Some(at(16))).await;
    assert_eq!(common().await, Some(at(16)), "and this one is not");
    batch("without-time", None).await;
    assert_eq!(common().await, Some(at(16)));
    world.clock.advance(Duration::from_mins(2));
    batch("old", Some(at(60 * 24 * 6))).await;
    assert_eq!(common().await, Some(at(1)), "alone with silent ones it holds nothing up either");
}

#[tokio::test]
async fn many_sources_of_one_batch_are_counted_together_within_the_limit() {
    let Some(world) = world().await else { return };
    let names: Vec<String> = (0..SOURCES + 200).map(|number| format!("source-{number:04}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut tx = world.scope().begin().await.unwrap();
    let now = world.clock.now();
    for _ in 0..2 {
        let counted = bookkeeping::counted(&mut tx, &names).await.unwrap();
        let others = counted.iter().filter(|one| one.source == OTHER).count();
        assert_eq!((counted.len(), others, counted[0].source.as_str()), (names.len(), 200, "source-0000"));
        let row = |counted: Counted| Seen { counted, events: 1, late: 0, event_at: now, ingested_at: now, now };
        let rows: Vec<Seen> = counted.into_iter().take(usize::try_from(SOURCES).unwrap() + 1).map(row).collect();
        bookkeeping::sources_seen(&mut tx, &rows).await.unwrap();
    }
    let minute = |at: i64, source: &str| Minute {
        source: source.to_owned(),
        minute: Timestamp::from_secs(at * 60),
        rules: "set".to_owned(),
        evaluated: 1,
        late: 0,
        skipped: 2,
    };
    let (cut, shorter) = ("x".repeat(2_000), "x".repeat(1_500));
    let minutes: Vec<Minute> =
        (0..1_000).map(|at| minute(at, "a")).chain([minute(5, &cut), minute(5, &shorter)]).collect();
    for _ in 0..2 {
        coverage::add(&mut tx, &minutes).await.unwrap();
    }
    tx.commit(now).await.unwrap();
    let mut reader = world.scope().read().await.unwrap();
    let sources = bookkeeping::sources(&mut reader).await.unwrap();
    assert_eq!((sources.len(), sources.iter().map(|stats| stats.events).sum::<u64>()), (1_001, 2_002));
    let window = Window {
        sources: &[],
        from: Timestamp::from_secs(0),
        to: Timestamp::from_secs(90_000),
        gaps: false,
        limit: 10_000,
    };
    let kept = coverage::minutes(&mut reader, &window).await.unwrap();
    let counts = |rows: &[&Minute]| rows.iter().map(|row| (row.evaluated, row.skipped)).collect::<Vec<_>>();
    let cut: Vec<&Minute> = kept.iter().filter(|row| row.source != "a").collect();
    assert_eq!((kept.len(), counts(&cut), counts(&[&kept[0]])), (1_001, vec![(4, 8)], vec![(2, 4)]));
}

#[tokio::test]
async fn names_of_sources_beyond_the_limit_count_as_other() {
    let Some(world) = world().await else { return };
    let mut tx = world.scope().begin().await.unwrap();
    let now = world.clock.now();
    for number in 0..SOURCES + 5 {
        seen(&mut tx, &format!("source-{number}"), 2, None).await;
    }
    seen(&mut tx, "source-0", 3, None).await;
    tx.commit(now).await.unwrap();
    let sources = bookkeeping::sources(&mut world.scope().read().await.unwrap()).await.unwrap();
    let events = |name: &str| sources.iter().find(|stats| stats.source == name).map(|stats| stats.events);
    assert_eq!((sources.len(), events(OTHER), events("source-0")), (1_001, Some(10), Some(5)));
    assert_eq!((events("source-999"), events("source-1000")), (Some(2), None));
}
