//! A disk that cannot give some bytes back costs the frames that are there, and no other tenant anything.

use std::path::PathBuf;

use super::*;
use crate::Error;

fn segments(world: &World, of: TenantId) -> Vec<PathBuf> {
    let ours = |path: &PathBuf| path.starts_with(Path::new(DIR).join(of.to_string()));
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "seg");
    world.disk.paths().into_iter().filter(|path| ours(path) && is_segment(path)).collect()
}

/// Ten events of 4 KiB, a frame each, and where they are.
fn ten(world: &World, seal: bool) -> PathBuf {
    let bus = world.open();
    for n in 0..10 {
        bus.append(tenant(), vec![text(&format!("{n} {}", "x".repeat(4096)))], None).unwrap();
    }
    if seal {
        bus.drain().unwrap();
    }
    segments(world, tenant()).remove(0)
}

fn numbers(bus: &Bus) -> Vec<String> {
    raws(bus).iter().map(|raw| raw.chars().take(1).collect()).collect()
}

#[test]
fn a_bad_sector_costs_the_frames_in_it_and_reading_goes_on_behind() {
    for seal in [true, false] {
        let world = World::new();
        let path = ten(&world, seal);
        let bus = world.open();
        world.disk.spoil(&path, Some(20_000..20_001));
        let left = numbers(&bus);
        assert!(left.len() >= 8 && left.contains(&"0".into()) && left.contains(&"9".into()), "{left:?}");
        let lost: Vec<_> = all(&bus).into_iter().filter_map(|frame| frame.damage).collect();
        assert_eq!(lost.iter().map(|damage| damage.events).sum::<u64>(), 10 - left.len() as u64);
        assert!(lost.iter().all(|damage| damage.why.contains("cannot read")), "{lost:?}");
        for key in ["9", "4"] {
            bus.find_by_key(tenant(), key.parse().unwrap(), &crate::Query::default(), &mut |_| true).unwrap();
        }
        world.disk.spoil(&path, None);
        let found = bus.find_by_key(tenant(), 4, &crate::Query::default(), &mut |_| true).unwrap();
        assert_eq!(found.events.len(), usize::from(seal), "no index of it was kept: the next start looks again");
        assert_eq!(
            world.open().find_by_key(tenant(), 4, &crate::Query::default(), &mut |_| true).unwrap().events.len(),
            1
        );
    }
}

#[test]
fn what_cannot_be_read_at_the_start_is_not_cut_off() {
    let world = World::new();
    let path = ten(&world, false);
    let whole = world.disk.bytes(&path);
    world.disk.spoil(&path, Some(whole.len() - 10..whole.len()));
    let bus = world.open();
    bus.append(tenant(), vec![text("n new")], None).unwrap();
    assert_eq!(bus.stats(tenant()).truncated_bytes, 0);
    assert_eq!(world.disk.bytes(&path), whole);
    assert!(!bus.damage(tenant()).is_empty());
    assert_eq!(numbers(&bus).last().unwrap(), "n");
}

#[test]
fn one_tenants_damaged_files_stop_neither_the_start_nor_the_others() {
    let world = World::with(small());
    let other = TenantId::from_bits(77);
    let bus = world.open();
    for tenant in [tenant(), other] {
        for n in 0..4 {
            bus.append(tenant, vec![text(&format!("{n} {}", "x".repeat(900)))], None).unwrap();
        }
        bus.seal(tenant).unwrap();
        bus.set_processed(tenant, Offset(2));
    }
    bus.apply_retention(START.plus(Duration::from_hours(24 * 30)));
    drop(bus);
    let begins = Path::new(DIR).join(tenant().to_string()).join("0/retired.json");
    assert!(!world.disk.bytes(&begins).is_empty());
    world.disk.tamper(&begins, |bytes| bytes.truncate(7));
    let bus = world.open();
    assert_eq!(numbers(&bus), ["2", "3"]);
    assert_eq!(bus.damage(tenant()), vec![], "where it begins is seen from its first segment");
    assert_eq!(bus.before(tenant(), Offset(1)).unwrap(), crate::Before::Deleted { until: Offset(2) });
    bus.append(other, vec![text("goes on")], None).unwrap();
}

#[test]
fn a_log_that_cannot_be_opened_refuses_its_tenant_only_and_opens_when_it_can() {
    let world = World::new();
    let other = TenantId::from_bits(77);
    let bus = world.open();
    bus.append(tenant(), vec![text("mine")], None).unwrap();
    bus.append(other, vec![text("theirs")], None).unwrap();
    drop(bus);
    let path = segments(&world, tenant()).remove(0);
    world.disk.forbid(&path, true);
    let bus = world.open();
    bus.append(other, vec![text("more")], None).unwrap();
    assert!(matches!(bus.append(tenant(), vec![text("lost?")], None), Err(Error::Io { .. })));
    assert!(
        matches!(bus.read(tenant(), Offset(0), 100), Err(Error::Io { .. })),
        "an empty log would be a wrong answer"
    );
    assert!(bus.before(tenant(), Offset(1)).is_err());
    world.disk.forbid(&path, false);
    bus.apply_retention(START);
    assert_eq!(raws(&bus), ["mine"]);
    bus.append(tenant(), vec![text("again")], None).unwrap();
    world.disk.forbid(&path, true);
    drop(bus);
    let bus = world.open();
    bus.remove_tenant(tenant()).unwrap();
    assert_eq!(segments(&world, tenant()), Vec::<PathBuf>::new(), "what cannot be opened can be destroyed");
    bus.append(tenant(), vec![text("a new log")], None).unwrap();
}
