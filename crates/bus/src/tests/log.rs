//! Appending and reading.

use std::{sync::Arc, thread, time::Duration};

use super::*;
use crate::Error;

#[test]
fn what_was_appended_is_read_back_as_it_was() {
    let world = World::new();
    let bus = world.open();
    let first = NewEvent { demo: true, unchecked: true, time_quality: TimeQuality::Missing, ..text("one") };
    let second = NewEvent {
        source: "nginx".into(),
        format: "access/1".into(),
        time: START.plus(Duration::from_secs(5)),
        ..text("")
    };
    let appended = bus.append(tenant(), vec![first.clone(), second.clone()], None).unwrap();
    let frames = all(&bus);
    assert_eq!((frames.len(), frames[0].offset, frames[0].next), (1, Offset(0), Offset(2)));
    let events = &frames[0].events;
    assert_eq!((Some(events[0].id), Some(events[1].id)), (appended.first, appended.last));
    assert_eq!((appended.count, appended.offset, appended.duplicate), (2, Offset(2), false));
    for (event, new) in events.iter().zip([first, second]) {
        let read = NewEvent {
            source: event.source.clone(),
            format: event.format.clone(),
            time: event.time,
            time_quality: event.time_quality,
            demo: event.demo,
            unchecked: event.unchecked,
            raw: event.raw.clone(),
        };
        assert_eq!((read, event.ingested_at, event.tenant), (new, START, tenant()));
    }
}

#[test]
fn a_hundred_thousand_events_keep_their_order_over_segments_and_a_reopening() {
    let world = World::with(Limits { segment_bytes: 1 << 20, ..Limits::default() });
    let bus = world.open();
    for batch in 0..100 {
        let events = (0..1_000).map(|n| text(&format!("event {}", batch * 1_000 + n))).collect();
        bus.append(tenant(), events, None).unwrap();
    }
    let want: Vec<String> = (0..100_000).map(|n| format!("event {n}")).collect();
    assert!(raws(&bus) == want);
    drop(bus);
    let bus = world.open();
    assert!(raws(&bus) == want);
    assert_sound(&bus);
    assert!(bus.stats(tenant()).segments >= 4);
    assert_eq!(bus.stats(tenant()).accepted, 100_000);
}

#[test]
fn each_event_is_found_by_its_id_and_none_by_another() {
    let world = World::with(small());
    let bus = world.open();
    for batch in 0..60 {
        world.clock.advance(Duration::from_millis(batch % 3));
        let events = (0..=batch).map(|n| text(&format!("event {batch} {n}"))).collect();
        bus.append(tenant(), events, None).unwrap();
    }
    let reopened = {
        drop(bus);
        world.open()
    };
    for event in all(&reopened).into_iter().flat_map(|frame| frame.events) {
        let id = event.id;
        assert_eq!(reopened.get(tenant(), id).unwrap(), Some(event));
        let other = shieldops_model::EventId::from_bits(id.bits() + 1);
        assert!(reopened.get(tenant(), other).unwrap().is_none_or(|event| event.id == other));
    }
    let other_tenant = TenantId::from_bits(2);
    assert_eq!(reopened.get(other_tenant, all(&reopened)[0].events[0].id).unwrap(), None);
}

#[test]
fn reading_may_begin_inside_a_batch() {
    let world = World::new();
    let bus = world.open();
    bus.append(tenant(), vec![text("a"), text("b"), text("c")], None).unwrap();
    let frames = bus.read(tenant(), Offset(1), 1).unwrap();
    assert_eq!((frames[0].offset, frames[0].next, frames[0].events.len()), (Offset(1), Offset(3), 2));
    assert_eq!(bus.read(tenant(), Offset(3), 1).unwrap(), vec![]);
}

#[test]
fn a_large_batch_is_several_frames_under_one_answer() {
    let world = World::new();
    let bus = world.open();
    let events: Vec<_> = (0..100).map(|n| event(vec![n; 20_000])).collect();
    let appended = bus.append(tenant(), events, None).unwrap();
    let frames = all(&bus);
    assert_eq!((appended.count, appended.offset), (100, Offset(100)));
    assert!(frames.len() > 5);
    for frame in &frames {
        assert!(frame.events.iter().map(|event| event.raw.len()).sum::<usize>() <= 256 * 1024);
    }
    let one = bus.append(tenant(), vec![event(vec![1; 1024 * 1024])], None).unwrap();
    assert_eq!(one.count, 1, "an event larger than a frame has its own");
}

#[test]
fn what_is_over_a_limit_is_refused_whole_and_says_which() {
    let world = World::new();
    let bus = world.open();
    let large = bus.append(tenant(), vec![text("small"), event(vec![0; 1024 * 1024 + 1])], None);
    assert!(matches!(large, Err(Error::EventTooLarge { index: 1, .. })));
    let named = bus.append(tenant(), vec![NewEvent { source: "s".repeat(300), ..text("x") }], None);
    assert!(matches!(named, Err(Error::NameTooLong { index: 0, .. })));
    let many = bus.append(tenant(), vec![event(vec![0; 1024 * 1024]); 33], None);
    assert!(matches!(many, Err(Error::BatchTooLarge { .. })));
    assert_eq!(bus.end(tenant()), Offset(0));
    let empty = bus.append(tenant(), vec![], None).unwrap();
    assert_eq!((empty.first, empty.count), (None, 0));
}

#[test]
fn many_writers_share_syncs_and_nothing_is_lost() {
    let world = World::new();
    let bus = Arc::new(world.open());
    let writers: Vec<_> = (0..16)
        .map(|writer| {
            let bus = Arc::clone(&bus);
            thread::spawn(move || {
                for n in 0..50 {
                    bus.append(tenant(), vec![text(&format!("{writer} {n}"))], None).unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    let got = raws(&bus);
    for writer in 0..16 {
        let prefix = format!("{writer} ");
        let of_writer: Vec<_> = got.iter().filter(|raw| raw.starts_with(&prefix)).cloned().collect();
        assert_eq!(of_writer, (0..50).map(|n| format!("{writer} {n}")).collect::<Vec<_>>());
    }
    assert_sound(&bus);
    assert!(world.disk.syncs() <= 800);
}

#[test]
fn an_append_without_waiting_answers_when_it_is_durable() {
    let world = World::new();
    let bus = world.open();
    let (answer, answered) = std::sync::mpsc::sync_channel(1);
    bus.append_then(tenant(), vec![text("x")], None, move |result| answer.send(result).unwrap());
    assert_eq!(answered.recv().unwrap().unwrap().offset, Offset(1));
    bus.append_then(tenant(), vec![text("x")], None, |_| panic!("a bad caller"));
    assert_eq!(bus.append(tenant(), vec![text("y")], None).unwrap().offset, Offset(3));
}

#[test]
fn a_waiting_reader_wakes_when_data_comes() {
    let world = World::new();
    let bus = Arc::new(world.open());
    assert!(!bus.wait(tenant(), Offset(0), Duration::from_millis(1)));
    let waiting = Arc::clone(&bus);
    let reader = thread::spawn(move || waiting.wait(tenant(), Offset(0), Duration::from_mins(1)));
    bus.append(tenant(), vec![text("x")], None).unwrap();
    assert!(reader.join().unwrap());
}

#[test]
fn a_repeated_number_of_a_producer_is_stored_once() {
    let world = World::with(small());
    let bus = world.open();
    let send = |bus: &Bus, number: u64, raw: &str| {
        bus.append(tenant(), vec![text(raw), text(raw)], Some(("shipper".into(), number))).unwrap()
    };
    let first = send(&bus, 1, "one");
    let again = send(&bus, 1, "one");
    assert_eq!((again.duplicate, again.first, again.last, again.count), (true, first.first, first.last, 2));
    send(&bus, 5, "five");
    let old = send(&bus, 1, "one");
    assert_eq!((old.duplicate, old.first, old.count), (true, None, 0));
    assert!(!bus.append(tenant(), vec![text("else")], Some(("other".into(), 1))).unwrap().duplicate);
    assert_eq!(raws(&bus), ["one", "one", "five", "five", "else"]);
    assert_eq!(bus.stats(tenant()).duplicates, 2);
    for reopening in 0..3 {
        let bus = world.open();
        assert_eq!((bus.last_number(tenant(), "shipper"), bus.last_number(tenant(), "nobody")), (Some(5), None));
        assert!(send(&bus, 5, "five").duplicate, "reopening {reopening}");
        assert_eq!(raws(&bus).len(), 5);
        if reopening == 1 {
            bus.drain().unwrap();
        }
    }
}

#[test]
fn ids_grow_over_a_reopening_with_a_clock_that_stepped_back() {
    let world = World::new();
    let before = world.open().append(tenant(), vec![text("x")], None).unwrap();
    world.clock.set(START.minus(Duration::from_hours(1)));
    let after = world.open().append(tenant(), vec![text("y")], None).unwrap();
    assert!(after.first > before.last);
}

#[test]
fn after_a_drain_nothing_is_taken_and_every_event_is_in_a_sealed_segment() {
    let world = World::new();
    let bus = world.open();
    bus.append(tenant(), vec![text("x"), text("y")], None).unwrap();
    bus.drain().unwrap();
    assert!(matches!(bus.append(tenant(), vec![text("z")], None), Err(Error::Closed)));
    let sealed = bus.sealed_segments(tenant(), None);
    assert_eq!((sealed.len(), sealed[0].count, sealed[0].offset), (1, 2, Offset(0)));
    assert_eq!(bus.stats(tenant()).unsealed_events, 0);
    drop(bus);
    assert_eq!(world.open().sealed_segments(tenant(), None), sealed);
}

#[test]
fn a_segment_is_sealed_by_age_even_when_nothing_more_comes() {
    let world = World::new();
    let bus = world.open();
    bus.append(tenant(), vec![text("x")], None).unwrap();
    bus.seal_due().unwrap();
    assert_eq!(bus.sealed_segments(tenant(), None), vec![]);
    drop(bus);
    let bus = world.open();
    world.clock.advance(Duration::from_mins(10));
    bus.seal_due().unwrap();
    let sealed = bus.sealed_segments(tenant(), None);
    assert_eq!(sealed.len(), 1);
    assert_eq!(bus.sealed_segments(tenant(), Some(sealed[0].id)), vec![]);
    bus.append(tenant(), vec![text("y")], None).unwrap();
    assert_eq!(raws(&bus), ["x", "y"]);
}

#[test]
fn nothing_of_an_event_is_on_disk_in_the_clear() {
    let world = World::new();
    let bus = world.open();
    let marker = NewEvent { source: "markersource".into(), ..text("marker-in-raw 5") };
    bus.append(tenant(), vec![marker], Some(("markerproducer".into(), 1))).unwrap();
    bus.drain().unwrap();
    for path in world.disk.paths() {
        let bytes = world.disk.bytes(&path);
        assert!(!bytes.windows(6).any(|window| window == b"marker"), "{}", path.display());
    }
}

#[test]
fn a_removed_tenant_leaves_no_file() {
    let world = World::new();
    let bus = world.open();
    bus.append(tenant(), vec![text("x")], None).unwrap();
    bus.seal(tenant()).unwrap();
    bus.remove_tenant(tenant()).unwrap();
    assert_eq!(world.disk.paths(), Vec::<std::path::PathBuf>::new());
    assert_eq!((bus.end(tenant()), bus.tenants()), (Offset(0), vec![]));
}

#[test]
fn the_log_works_on_a_real_file_system() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::new();
    let parts = || Parts::new(Arc::new(TenantKeys(1)), Arc::new(world.clock.clone()), Arc::new(keys_of));
    let path = dir.path().join("bus");
    let bus = Bus::open(&path, small(), parts()).unwrap();
    for n in 0..50 {
        bus.append(tenant(), vec![text(&format!("event {n}")); 3], None).unwrap();
    }
    bus.drain().unwrap();
    drop(bus);
    let bus = Bus::open(&path, small(), parts()).unwrap();
    assert_eq!(raws(&bus).len(), 150);
    let sealed = bus.sealed_segments(tenant(), None);
    let files = crate::list_segments(&path).unwrap();
    assert_eq!(
        files.iter().map(|file| file.id).collect::<Vec<_>>(),
        sealed.iter().map(|segment| segment.id).collect::<Vec<_>>()
    );
    for segment in sealed {
        let verified = crate::verify_segment(&segment.path, Some(&segment.root)).unwrap();
        assert_eq!((verified.count, verified.bytes), (segment.count, segment.bytes));
    }
}
