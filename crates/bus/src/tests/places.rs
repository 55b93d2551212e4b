//! A place that was kept elsewhere is known to be of this log, or not.

use super::*;
use crate::{Before, testing::LossyDisk};

fn log(world: &World, names: &[&str]) -> Vec<shieldops_model::EventId> {
    let bus = world.open();
    for name in names {
        bus.append(tenant(), vec![text(name)], None).unwrap();
        world.clock.advance(Duration::from_secs(1));
    }
    all(&bus).into_iter().flat_map(|frame| frame.events).map(|event| event.id).collect()
}

#[test]
fn the_event_before_a_place_tells_the_log_it_is_of() {
    let world = World::with(small());
    let ids = log(&world, &["a", "b", "c"]);
    let bus = world.open();
    assert_eq!(bus.before(tenant(), Offset(0)).unwrap(), Before::Start);
    assert_eq!(bus.before(tenant(), Offset(2)).unwrap(), Before::Event(ids[1]));
    assert_eq!(bus.before(tenant(), Offset(3)).unwrap(), Before::Event(ids[2]));
    assert_eq!(bus.before(tenant(), Offset(9)).unwrap(), Before::Beyond { end: Offset(3) });
    assert_eq!(bus.before(TenantId::from_bits(5), Offset(9)).unwrap(), Before::Beyond { end: Offset(0) });
    bus.seal(tenant()).unwrap();
    bus.set_processed(tenant(), Offset(3));
    bus.apply_retention(START.plus(Duration::from_hours(24 * 30)));
    assert_eq!(bus.before(tenant(), Offset(2)).unwrap(), Before::Deleted { until: Offset(3) });
    assert_eq!(bus.before(tenant(), Offset(3)).unwrap(), Before::Event(ids[2]), "deleted, and remembered");
}

#[test]
fn the_place_behind_an_id_is_found_in_this_log_and_in_one_that_follows_it() {
    let world = World::with(small());
    let ids = log(&world, &["a", "b", "c", "d", "e"]);
    let bus = world.open();
    for (place, id) in (1..).zip(&ids) {
        assert_eq!(bus.behind(tenant(), *id).unwrap(), Offset(place));
    }
    let later = World { disk: LossyDisk::default(), clock: world.clock.clone(), limits: small() };
    log(&later, &["f", "g"]);
    assert_eq!(later.open().behind(tenant(), ids[4]).unwrap(), Offset(0), "nothing of it was looked at");
}
