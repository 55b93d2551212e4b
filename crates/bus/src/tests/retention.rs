//! What may be deleted, and what is remembered of it.

use super::*;

fn filled(world: &World, batches: usize) -> Bus {
    let bus = world.open();
    for n in 0..batches {
        bus.append(tenant(), vec![text(&format!("event {n} {}", "x".repeat(800)))], Some(("shipper".into(), n as u64)))
            .unwrap();
    }
    bus
}

/// What one pass deleted of the one tenant of these tests.
fn pass(bus: &Bus, now: Timestamp) -> crate::Deleted {
    bus.apply_retention(now).remove(&tenant()).unwrap_or_default()
}

#[test]
fn unprocessed_or_unsealed_events_are_never_deleted() {
    let world = World::with(Limits { segment_bytes: 3_500, ..small() });
    let bus = filled(&world, 20);
    let later = START.plus(Duration::from_hours(24 * 365));
    assert_eq!(pass(&bus, later).segments, 0);
    bus.set_processed(tenant(), Offset(7));
    bus.apply_retention(later);
    assert_eq!(
        raws(&bus).iter().filter(|raw| raw.starts_with("event")).count(),
        14,
        "whole segments before offset 7 are gone"
    );
    assert_eq!(bus.read(tenant(), Offset(0), 1).unwrap()[0].offset, Offset(6));
    bus.set_processed(tenant(), Offset(20));
    bus.apply_retention(later);
    let left = bus.stats(tenant());
    assert_eq!(left.unsealed_events, bus.stats(tenant()).accepted - all(&bus)[0].offset.0, "the active segment stays");
}

#[test]
fn what_may_not_go_stays_and_nothing_behind_it_goes() {
    let world = World::with(Limits { segment_bytes: 3_500, ..small() });
    let bus = filled(&world, 20);
    bus.set_processed(tenant(), Offset(20));
    let later = START.plus(Duration::from_hours(24 * 365));
    let second = bus.sealed_segments(tenant(), None)[1].id;
    assert!(bus.apply_retention_where(later, &|_, _| false).is_empty());
    let deleted = bus.apply_retention_where(later, &|_, segment| segment < second);
    assert_eq!(deleted[&tenant()].segments, 1);
    assert_eq!(bus.sealed_segments(tenant(), None)[0].id, second);
}

#[test]
fn only_what_is_older_than_the_retention_is_deleted() {
    let world = World::with(small());
    let bus = filled(&world, 10);
    world.clock.advance(Duration::from_hours(24 * 5));
    bus.append(tenant(), vec![text("young"); 5], None).unwrap();
    bus.seal(tenant()).unwrap();
    bus.set_processed(tenant(), bus.end(tenant()));
    assert_eq!(pass(&bus, START.plus(Duration::from_hours(24 * 6))), crate::Deleted::default());
    let deleted = pass(&bus, START.plus(Duration::from_hours(24 * 8)));
    assert_eq!(deleted.events, 10);
    assert_eq!(raws(&bus), ["young"; 5]);
}

#[test]
fn what_was_deleted_is_said_of_each_tenant_apart() {
    let world = World::with(small());
    let bus = filled(&world, 10);
    let other = TenantId::from_bits(77);
    bus.append(other, vec![text("theirs"); 3], None).unwrap();
    for tenant in bus.tenants() {
        bus.seal(tenant).unwrap();
        bus.set_processed(tenant, bus.end(tenant));
    }
    let deleted = bus.apply_retention(START.plus(Duration::from_hours(24 * 30)));
    assert_eq!(deleted.iter().map(|(tenant, deleted)| (*tenant, deleted.events)).collect::<Vec<_>>().len(), 2);
    assert_eq!((deleted[&tenant()].events, deleted[&other].events), (10, 3));
}

#[test]
fn what_cannot_be_deleted_of_one_tenant_keeps_no_other_tenants_events_and_no_count() {
    let world = World::with(Limits { segment_bytes: 3_500, ..small() });
    let bus = filled(&world, 20);
    let others = [TenantId::from_bits(1), TenantId::from_bits(77)];
    for other in others {
        bus.append(other, vec![text("theirs"); 3], None).unwrap();
    }
    for tenant in bus.tenants() {
        bus.seal(tenant).unwrap();
        bus.set_processed(tenant, bus.end(tenant));
    }
    let segments = bus.sealed_segments(tenant(), None);
    let name = crate::segment::Segment::name(segments[1].id, "seg");
    let path = world.disk.paths().into_iter().find(|path| path.ends_with(&name)).unwrap();
    world.disk.keep(&path, true);
    let later = START.plus(Duration::from_hours(24 * 30));
    let deleted = bus.apply_retention(later);
    assert_eq!(others.map(|other| deleted[&other].events), [3, 3], "before it and after it");
    assert_eq!(deleted[&tenant()].segments, 2, "what nobody reads any more is counted, though its file is still there");
    assert_eq!(bus.sealed_segments(tenant(), None)[0].id, segments[2].id, "the rest is for the next round");
    assert_eq!(pass(&bus, later).segments, u64::try_from(segments.len()).unwrap() - 2);
}

#[test]
fn size_deletes_the_oldest_first_until_the_limit_holds() {
    let world = World::with(Limits { max_bytes: 8_000, ..small() });
    let bus = world.open();
    for n in 0..30 {
        bus.append(tenant(), vec![event(vec![n; 800])], None).unwrap();
        bus.set_processed(tenant(), bus.end(tenant()));
    }
    let deleted = pass(&bus, START);
    assert!(deleted.segments > 0 && bus.stats(tenant()).bytes <= 8_000);
    assert_eq!(all(&bus).last().unwrap().events[0].raw[0], 29);
}

#[test]
fn when_all_is_deleted_offsets_ids_and_counts_go_on() {
    let world = World::with(small());
    let bus = filled(&world, 10);
    bus.seal(tenant()).unwrap();
    let last = bus.stats(tenant()).newest;
    bus.set_processed(tenant(), Offset(10));
    assert_eq!(pass(&bus, START.plus(Duration::from_hours(24 * 30))).events, 10);
    let files = world.disk.paths();
    assert_eq!(files.len(), 1, "{files:?}");
    drop(bus);
    world.clock.set(START.minus(Duration::from_hours(1)));
    let bus = world.open();
    assert_eq!((bus.stats(tenant()).accepted, bus.end(tenant())), (10, Offset(10)));
    let appended = bus.append(tenant(), vec![text("next")], None).unwrap();
    assert_eq!(appended.offset, Offset(11));
    assert!(appended.first > last);
    assert_eq!(bus.damage(tenant()), vec![]);
}

#[test]
fn an_interrupted_deletion_is_finished_at_the_next_open() {
    for operations in 0..40 {
        let world = World::with(small());
        let bus = filled(&world, 10);
        bus.seal(tenant()).unwrap();
        bus.set_processed(tenant(), Offset(10));
        drop(bus);
        let bus = world.open();
        bus.set_processed(tenant(), Offset(10));
        world.disk.fail_after(operations);
        drop(bus.apply_retention(START.plus(Duration::from_hours(24 * 30))));
        world.disk.fail_after(0);
        drop(bus);
        world.disk.lose_power(&mut rand::rng());
        let bus = world.open();
        assert_eq!(bus.damage(tenant()), vec![], "after {operations} operations");
        assert_eq!(bus.end(tenant()), Offset(10));
        assert_sound(&bus);
    }
}
