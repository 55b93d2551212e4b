//! Damage on disk is found, named and counted, and costs no more than the frames it is in.

use std::path::PathBuf;

use super::*;
use crate::{Error, verify_on};

fn five_frames(world: &World) -> (Vec<PathBuf>, Vec<String>) {
    let bus = world.open();
    for n in 0..5 {
        bus.append(tenant(), vec![text(&format!("event {n}")), text(&format!("more {n}"))], None).unwrap();
    }
    bus.drain().unwrap();
    let paths = bus.sealed_segments(tenant(), None).into_iter().map(|segment| segment.path).collect();
    (paths, raws(&bus))
}

#[test]
fn any_changed_byte_of_a_sealed_segment_is_named_and_nothing_damaged_is_served() {
    let world = World::new();
    let (paths, want) = five_frames(&world);
    let root = world.open().sealed_segments(tenant(), None)[0].root;
    let whole = world.disk.bytes(&paths[0]);
    verify_on(&world.disk, &paths[0], Some(&root)).unwrap();
    for at in 0..whole.len() {
        world.disk.tamper(&paths[0], |bytes| bytes[at] ^= 0x41);
        let verified = verify_on(&world.disk, &paths[0], Some(&root));
        assert!(matches!(verified, Err(Error::Damaged { .. } | Error::Newer { .. })), "byte {at}");
        let bus = world.open();
        let got = raws(&bus);
        assert!(got.iter().all(|raw| want.contains(raw)), "byte {at}");
        if at >= 72 {
            assert_eq!(got.len(), 8, "byte {at}: one frame is lost, the others are read");
            let lost: Vec<_> = all(&bus).into_iter().filter_map(|frame| frame.damage).collect();
            assert_eq!((lost.len(), lost[0].events, &lost[0].path), (1, 2, &paths[0]), "byte {at}");
            assert_eq!(bus.stats(tenant()).damaged_events, 2);
        }
        world.disk.tamper(&paths[0], |bytes| bytes.clone_from(&whole));
    }
}

#[test]
fn damage_inside_the_last_segment_is_named_and_only_its_torn_tail_is_cut() {
    let world = World::new();
    let bus = world.open();
    for n in 0..3 {
        bus.append(tenant(), vec![text(&format!("event {n}"))], None).unwrap();
    }
    drop(bus);
    let path = world
        .disk
        .paths()
        .into_iter()
        .find(|path| path.extension().is_some_and(|extension| extension == "seg"))
        .unwrap();
    world.disk.tamper(&path, |bytes| {
        bytes[80] ^= 1;
        bytes.extend_from_slice(&[1, 2, 3]);
    });
    let bus = world.open();
    assert_eq!(raws(&bus), ["event 1", "event 2"]);
    let damage = bus.damage(tenant());
    assert_eq!((damage.len(), damage[0].events, damage[0].position), (1, 1, 72));
    assert_eq!(bus.stats(tenant()).truncated_bytes, 3);
    bus.append(tenant(), vec![text("event 3")], None).unwrap();
    assert_eq!(raws(&world.open()), ["event 1", "event 2", "event 3"]);
}

#[test]
fn segments_cut_short_taken_away_or_swapped_are_named() {
    let world = World::with(Limits { segment_bytes: 1, ..Limits::default() });
    let (paths, want) = five_frames(&world);
    let whole: Vec<_> = paths.iter().map(|path| world.disk.bytes(path)).collect();
    let lost =
        |bus: &Bus| all(bus).into_iter().filter_map(|frame| frame.damage).map(|damage| damage.events).sum::<u64>();

    world.disk.tamper(&paths[1], |bytes| bytes.truncate(100));
    let bus = world.open();
    assert_eq!((raws(&bus).len(), lost(&bus)), (8, 2));
    assert!(!bus.damage(tenant()).is_empty());
    drop(bus);

    world.disk.tamper(&paths[1], |bytes| bytes.clone_from(&whole[3]));
    world.disk.tamper(&paths[3], |bytes| bytes.clone_from(&whole[1]));
    let root = world.open().sealed_segments(tenant(), None)[1].root;
    assert!(verify_on(&world.disk, &paths[1], Some(&root)).is_err());
    world.disk.tamper(&paths[1], |bytes| bytes.clone_from(&whole[1]));
    world.disk.tamper(&paths[3], |bytes| bytes.clone_from(&whole[3]));
    assert_eq!(raws(&world.open()), want);

    crate::Disk::remove(&world.disk, &paths[2]).unwrap();
    let bus = world.open();
    assert_eq!((raws(&bus).len(), lost(&bus)), (8, 2));
    drop(bus);
    crate::Disk::remove(&world.disk, &paths[2].with_extension("sealed")).unwrap();
    let bus = world.open();
    assert_eq!(raws(&bus).len(), 8);
    assert_eq!(bus.stats(tenant()).damaged_events, 2, "the gap is named: {:?}", bus.damage(tenant()));
}

#[test]
fn missing_or_damaged_metadata_and_indexes_are_built_again() {
    let world = World::with(small());
    let (_, want) = five_frames(&world);
    let sealed = world.open().sealed_segments(tenant(), None);
    for path in world.disk.paths() {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("sealed") => world.disk.tamper(&path, |bytes| bytes[50] ^= 1),
            Some("idx") => world.disk.tamper(&path, |bytes| bytes.truncate(70)),
            _ => {}
        }
    }
    // The last segment has no metadata any more: it goes on as the active one.
    let bus = world.open();
    assert_eq!(raws(&bus), want);
    bus.drain().unwrap();
    assert_eq!(bus.sealed_segments(tenant(), None), sealed);
    let found = bus.find_by_key(tenant(), 3, &crate::Query::default(), &mut |_| true).unwrap();
    assert_eq!(found.events.len(), 2);
    assert_eq!(bus.damage(tenant()), vec![]);
}

#[test]
fn a_wrong_key_is_an_error_and_not_taken_for_damage() {
    let world = World::new();
    world.open().append(tenant(), vec![text("x")], None).unwrap();
    let bus = world.try_open(8).unwrap();
    assert!(matches!(bus.read(tenant(), Offset(0), 1000), Err(Error::Damaged { .. })));
    assert_eq!(raws(&world.open()), ["x"]);
}

#[test]
fn a_frame_of_another_tenant_does_not_open() {
    let world = World::new();
    let other = TenantId::from_bits(tenant().bits() + 1);
    let bus = world.open();
    bus.append(other, vec![text("secret")], None).unwrap();
    let path = world
        .disk
        .paths()
        .into_iter()
        .find(|path| path.extension().is_some_and(|extension| extension == "seg"))
        .unwrap();
    bus.append(tenant(), vec![text("own")], None).unwrap();
    drop(bus);
    let stolen = world.disk.bytes(&path)[72..].to_vec();
    let own = world
        .disk
        .paths()
        .into_iter()
        .find(|own| own != &path && own.extension().is_some_and(|extension| extension == "seg"));
    world.disk.tamper(&own.unwrap(), |bytes| bytes.extend_from_slice(&stolen));
    let bus = world.open();
    assert_eq!(raws(&bus), ["own"]);
}

#[test]
fn a_segment_of_a_newer_version_is_refused_at_open() {
    let world = World::new();
    world.open().append(tenant(), vec![text("x")], None).unwrap();
    let path = world
        .disk
        .paths()
        .into_iter()
        .find(|path| path.extension().is_some_and(|extension| extension == "seg"))
        .unwrap();
    world.disk.tamper(&path, |bytes| {
        bytes[8] = 9;
        bytes[12..16].fill(0);
        let crc = crc32fast::hash(&bytes[..72]);
        bytes[12..16].copy_from_slice(&crc.to_be_bytes());
    });
    assert!(matches!(world.try_open(7), Err(Error::Newer { version: 9, .. })));
}
