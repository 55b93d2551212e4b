//! Full and failing disks.

use super::*;
use crate::Error;

#[test]
fn a_full_disk_fails_the_append_and_later_ones_work_when_space_returns() {
    let world = World::with(small());
    let bus = world.open();
    bus.append(tenant(), vec![text("before")], None).unwrap();
    for space in [0, 1, 40, 100, 150] {
        world.disk.set_space(Some(space));
        let failed = bus.append(tenant(), vec![text("lost"); 2], Some(("shipper".into(), 1)));
        assert!(matches!(failed, Err(Error::NoSpace { .. })), "{space}: {failed:?}");
        assert_eq!(raws(&bus), ["before"]);
    }
    world.disk.set_space(None);
    let retried = bus.append(tenant(), vec![text("after")], Some(("shipper".into(), 1))).unwrap();
    assert!(!retried.duplicate, "a failed batch leaves no mark");
    assert_eq!(raws(&bus), ["before", "after"]);
    drop(bus);
    assert_eq!(raws(&world.open()), ["before", "after"]);
}

#[test]
fn a_disk_that_is_full_at_the_first_append_leaves_nothing_behind() {
    let world = World::new();
    let bus = world.open();
    for space in [0, 30, 80] {
        world.disk.set_space(Some(space));
        assert!(bus.append(tenant(), vec![text("lost")], None).is_err());
    }
    world.disk.set_space(None);
    bus.append(tenant(), vec![text("stored")], None).unwrap();
    assert_eq!(raws(&bus), ["stored"]);
    assert_eq!(raws(&world.open()), ["stored"]);
}

#[test]
fn a_segment_that_cannot_be_sealed_now_is_sealed_later() {
    let world = World::new();
    let bus = world.open();
    bus.append(tenant(), vec![text("x")], None).unwrap();
    world.disk.set_space(Some(10));
    assert!(matches!(bus.seal(tenant()), Err(Error::NoSpace { .. })));
    assert_eq!(bus.sealed_segments(tenant(), None), vec![]);
    world.disk.set_space(None);
    bus.append(tenant(), vec![text("y")], None).unwrap();
    bus.seal(tenant()).unwrap();
    assert_eq!(bus.sealed_segments(tenant(), None).len(), 2);
    assert_eq!(raws(&world.open()), ["x", "y"]);
}

#[test]
fn after_a_failed_sync_nothing_of_the_batch_is_ever_seen() {
    let world = World::new();
    let bus = world.open();
    bus.append(tenant(), vec![text("one")], None).unwrap();
    // The sync fails, and so does that of cutting the file back.
    world.disk.fail_syncs(2);
    assert!(bus.append(tenant(), vec![text("lost")], None).is_err());
    assert_eq!(raws(&bus), ["one"]);
    bus.append(tenant(), vec![text("two")], None).unwrap();
    assert_eq!(raws(&bus), ["one", "two"]);
    drop(bus);
    assert_eq!(raws(&world.open()), ["one", "two"]);
}

#[test]
fn appends_are_refused_while_too_much_is_unprocessed() {
    let world = World::with(Limits { max_bytes: 20_000, ..small() });
    let bus = world.open();
    let mut appended = 0;
    let full = loop {
        match bus.append(tenant(), vec![event(vec![b'x'; 500])], None) {
            Ok(_) => appended += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(full, Error::Full { unprocessed_bytes: 18_000.., max_bytes: 20_000 }) && full.is_pressure());
    assert!(appended > 20);
    bus.set_processed(tenant(), bus.end(tenant()));
    bus.append(tenant(), vec![text("x")], None).unwrap();
    assert_eq!(bus.stats(tenant()).lag_events, 1);
    drop(bus);
    let bus = world.open();
    assert!(bus.append(tenant(), vec![text("x")], None).is_err(), "until told, nothing counts as processed");
    bus.set_processed(tenant(), bus.end(tenant()));
    assert_eq!(bus.stats(tenant()).unprocessed_bytes, 0);
}
