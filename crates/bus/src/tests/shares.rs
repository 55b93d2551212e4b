//! Tenants share one disk: what one of them lets wait costs the others neither what they keep nor what they send.

use super::*;
use crate::Error;

const B: TenantId = TenantId::from_bits(77);
const LIMIT: u64 = 100_000;

/// Appends events of 500 bytes until the tenant's log has so many bytes; false when it was told to wait before.
fn fill(bus: &Bus, tenant: TenantId, bytes: u64) -> bool {
    while bus.stats(tenant).bytes < bytes {
        match bus.append(tenant, vec![event(vec![b'x'; 500])], None) {
            Ok(_) => {}
            Err(Error::Full { .. }) => return false,
            Err(error) => panic!("{error}"),
        }
    }
    bus.seal(tenant).unwrap();
    true
}

fn world() -> World {
    World::with(Limits { max_bytes: LIMIT, ..small() })
}

#[test]
fn a_backlog_empties_no_other_tenants_log_and_closes_no_other_tenants_door() {
    let world = world();
    let bus = world.open();
    assert!(fill(&bus, tenant(), LIMIT / 10 * 8));
    assert!(fill(&bus, B, LIMIT / 10 * 3));
    bus.set_processed(B, bus.end(B));
    let kept = bus.stats(B);
    assert_eq!(bus.apply_retention(START), std::collections::BTreeMap::new(), "A has nothing that may go");
    assert_eq!(bus.stats(B), kept);
    let full = bus.append(tenant(), vec![text("more")], None);
    let Err(Error::Full { unprocessed_bytes, max_bytes }) = full else { panic!("{full:?}") };
    assert_eq!(unprocessed_bytes, bus.stats(tenant()).unprocessed_bytes, "its own bytes, and nobody else's");
    assert!((LIMIT / 10 * 6..LIMIT / 10 * 7).contains(&max_bytes), "{max_bytes}");
    bus.append(B, vec![text("taken")], None).unwrap();
}

#[test]
fn below_its_part_a_tenant_is_taken_though_the_others_filled_the_disk() {
    let world = world();
    let bus = world.open();
    assert!(!fill(&bus, tenant(), LIMIT), "alone it may fill all but a tenth");
    assert!(bus.stats(tenant()).unprocessed_bytes >= LIMIT / 10 * 9);
    assert!(fill(&bus, B, LIMIT / 10 * 4));
    assert!(!fill(&bus, B, LIMIT / 10 * 6), "above its part it waits like the other");
    bus.set_processed(tenant(), bus.end(tenant()));
    bus.apply_retention(START);
    assert!(bus.stats(tenant()).bytes <= LIMIT / 10 * 6, "what is processed makes room");
    assert!(bus.stats(B).bytes >= LIMIT / 10 * 4);
}

#[test]
fn who_holds_more_than_its_share_gives_up_its_oldest_first() {
    let world = world();
    let bus = world.open();
    for (tenant, tenths) in [(tenant(), 7), (B, 2), (TenantId::from_bits(78), 3)] {
        assert!(fill(&bus, tenant, LIMIT / 10 * tenths));
        bus.set_processed(tenant, bus.end(tenant));
    }
    let deleted = bus.apply_retention(START);
    assert_eq!(deleted.keys().collect::<Vec<_>>(), [&tenant()]);
    let all: u64 = bus.tenants().into_iter().map(|tenant| bus.stats(tenant).bytes).sum();
    assert!(all <= LIMIT && all > LIMIT / 10 * 9, "{all}");
}

#[test]
fn the_bytes_of_a_log_are_counted_as_its_files_are() {
    let world = world();
    let bus = world.open();
    fill(&bus, tenant(), LIMIT / 2);
    bus.append(tenant(), vec![text("one more")], None).unwrap();
    let counted = |bus: &Bus| {
        let files = world.disk.paths().into_iter().filter(|path| path.extension().is_some_and(|end| end == "seg"));
        let on_disk: usize = files.map(|path| world.disk.bytes(&path).len()).sum();
        assert_eq!(bus.stats(tenant()).bytes, on_disk as u64);
        assert_eq!(bus.stored_bytes(tenant()), on_disk as u64);
    };
    counted(&bus);
    bus.set_processed(tenant(), Offset(20));
    bus.apply_retention(START.plus(Duration::from_hours(24 * 365)));
    counted(&bus);
    drop(bus);
    counted(&world.open());
}
