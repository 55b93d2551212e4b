//! Lists of indicators: imports that count as a whole or not at all, what was seen, and tenants apart.

use std::time::Duration;

use shieldops_model::{Clock as _, Entity, EntityKind, EventId, IndicatorListId, Severity, Timestamp, id};
use shieldops_store::{
    Access as _, PageRequest, StoreError, Tx,
    indicators::{
        self, About, Imported, IndicatorList, blocks,
        hits::{self, Filter, Provenance, Seen, Sighting},
    },
    ledger,
};

use crate::{
    support::{World, now, world},
    tenancy::tenant,
};

const WHOLE: Imported = Imported { append: false, refused: 1 };
const MORE: Imported = Imported { append: true, refused: 0 };

fn about(name: &str) -> About {
    About {
        name: name.to_owned(),
        description: String::new(),
        source: "https://feed.example".to_owned(),
        confidence: Some(70),
        severity: Severity::High,
        valid_days: None,
        enabled: true,
    }
}

async fn begin(world: &World) -> Tx {
    world.scope().begin().await.unwrap()
}

async fn commit(world: &World, tx: Tx) {
    world.clock.advance(Duration::from_millis(1));
    tx.commit(world.clock.now()).await.unwrap();
}

async fn made(world: &World, name: &str) -> IndicatorList {
    let id: IndicatorListId = id::mint(now(), &mut rand::rng());
    let mut tx = begin(world).await;
    let list = indicators::create(&mut tx, id, about(name), false, now()).await.unwrap();
    commit(world, tx).await;
    list
}

/// Stages a block of these bytes, and puts it to use unless told.
async fn import(world: &World, list: &IndicatorList, block: (u8, &[u8]), how: Option<Imported>) {
    let mut tx = begin(world).await;
    let mut list = indicators::get(&mut tx, list.id).await.unwrap();
    indicators::stage(&mut tx, &mut list).await.unwrap();
    blocks::add(&mut tx, list.id, list.staged, [block.0; 16], (block.1, 2)).await.unwrap();
    if let Some(how) = how {
        indicators::put_to_use(&mut tx, list, how, now()).await.unwrap();
    }
    commit(world, tx).await;
}

async fn holds(world: &World, list: &IndicatorList) -> (u64, Vec<Vec<u8>>) {
    let mut reader = world.scope().read().await.unwrap();
    let list = indicators::get(&mut reader, list.id).await.unwrap();
    let mut found = Vec::new();
    for id in blocks::ids(&mut reader, list.id, list.revision).await.unwrap() {
        found.push(blocks::get(&mut reader, list.id, id).await.unwrap().unwrap());
    }
    (list.entries, found)
}

#[tokio::test]
async fn an_import_takes_the_place_of_what_was_there_when_it_is_whole_and_not_before() {
    let Some(world) = world().await else { return };
    let list = made(&world, "feed").await;
    import(&world, &list, (1, b"one"), Some(WHOLE)).await;
    assert_eq!(holds(&world, &list).await, (2, vec![b"one".to_vec()]));
    // This one ends half-way: its process is killed, or nobody sends the rest.
    import(&world, &list, (2, b"two"), None).await;
    assert_eq!(holds(&world, &list).await, (2, vec![b"one".to_vec()]));
    import(&world, &list, (3, b"three"), Some(MORE)).await;
    assert_eq!(holds(&world, &list).await, (4, vec![b"one".to_vec(), b"three".to_vec()]));
    import(&world, &list, (4, b"four"), Some(WHOLE)).await;
    assert_eq!(holds(&world, &list).await, (2, vec![b"four".to_vec()]));
    let mut reader = world.scope().read().await.unwrap();
    assert_eq!(blocks::get(&mut reader, list.id, [2; 16]).await.unwrap(), None);
    let found = ledger::list(&mut reader, &ledger::Filter::default(), &PageRequest::default()).await.unwrap();
    let imports = found.items.iter().filter(|entry| entry.kind == "indicators.imported").count();
    assert_eq!((imports, indicators::stamp(&mut reader).await.unwrap()), (3, 3));
}

#[tokio::test]
async fn an_import_that_goes_on_has_a_place_that_no_other_has_and_counts_as_waiting() {
    let Some(world) = world().await else { return };
    let list = made(&world, "feed").await;
    import(&world, &list, (1, b"one"), Some(WHOLE)).await;
    import(&world, &list, (2, b"two"), None).await;
    let mut tx = begin(&world).await;
    let first = indicators::place(&mut tx, &list).await.unwrap();
    let staged = indicators::get(&mut tx, list.id).await.unwrap().staged;
    assert_eq!((blocks::staged(&mut tx).await.unwrap(), first.as_str()), (2, "2-1"), "what is in use does not wait");
    blocks::add(&mut tx, list.id, staged, [3; 16], (b"three", 3)).await.unwrap();
    assert_eq!(
        (indicators::place(&mut tx, &list).await.unwrap(), blocks::staged(&mut tx).await.unwrap()),
        ("2-2".to_owned(), 5)
    );
    commit(&world, tx).await;
    import(&world, &list, (4, b"four"), None).await;
    let mut tx = begin(&world).await;
    assert_eq!(indicators::place(&mut tx, &list).await.unwrap(), "3-1", "another import of as many blocks");
}

#[tokio::test]
async fn lists_have_names_of_their_own_and_are_changed_at_the_version_that_was_read() {
    let Some(world) = world().await else { return };
    let list = made(&world, "feed").await;
    let mut tx = begin(&world).await;
    let again = indicators::create(&mut tx, id::mint(now(), &mut rand::rng()), about("feed"), true, now()).await;
    assert!(matches!(again, Err(StoreError::AlreadyExists { .. })));
    drop(tx);
    let mut tx = begin(&world).await;
    let changed =
        indicators::update(&mut tx, list.clone(), About { enabled: false, ..about("other") }, now()).await.unwrap();
    commit(&world, tx).await;
    assert_eq!((changed.version, changed.about.enabled), (2, false));
    let mut tx = begin(&world).await;
    assert!(matches!(indicators::update(&mut tx, list.clone(), about("x"), now()).await, Err(StoreError::Conflict)));
    assert!(matches!(indicators::delete(&mut tx, &list).await, Err(StoreError::Conflict)));
    drop(tx);
    let mut tx = begin(&world).await;
    indicators::delete(&mut tx, &changed).await.unwrap();
    commit(&world, tx).await;
    assert_eq!(indicators::find(&mut world.scope().read().await.unwrap(), list.id).await.unwrap(), None);
}

fn seen(entity: &str, at: i64) -> Seen {
    let provenance = Provenance {
        list_id: "ilt_1".to_owned(),
        list: "feed".to_owned(),
        source: String::new(),
        line: 7,
        reference: "a report".to_owned(),
        confidence: Some(70),
        added_at: None,
        expires_at: None,
    };
    let at = Timestamp::from_secs(at);
    let mut id = [0; 32];
    id[0] = entity.as_bytes()[0];
    let sighting = Sighting {
        entity: Entity::new(EntityKind::Ip, entity),
        kind: "ip".to_owned(),
        indicator: entity.to_owned(),
        provenance,
        severity: Severity::High,
        allowed_by: None,
        event_id: EventId::from_bits(1),
    };
    Seen { id, fingerprint: [id[0]; 32], sighting, first_seen: at, last_seen: at, count: 1 }
}

#[tokio::test]
async fn what_was_seen_is_counted_once_an_entity_and_listed_by_when_it_was_last_seen() {
    let Some(world) = world().await else { return };
    let mut tx = begin(&world).await;
    hits::note(&mut tx, &[seen("a", 10), seen("b", 20), seen("c", 5)]).await.unwrap();
    hits::note(&mut tx, &[seen("a", 30), seen("b", 15)]).await.unwrap();
    commit(&world, tx).await;
    let mut reader = world.scope().read().await.unwrap();
    let first = PageRequest { limit: Some(2), cursor: None };
    let page = hits::list(&mut reader, &Filter::default(), &first).await.unwrap();
    let shown: Vec<_> = page.items.iter().map(|hit| (hit.sighting.indicator.as_str(), hit.count)).collect();
    assert_eq!(shown, [("a", 2), ("b", 2)]);
    let next = PageRequest { limit: Some(2), cursor: page.next_cursor };
    let page = hits::list(&mut reader, &Filter::default(), &next).await.unwrap();
    assert_eq!(page.items.iter().map(|hit| hit.sighting.indicator.as_str()).collect::<Vec<_>>(), ["c"]);
    assert_eq!(page.next_cursor, None);
    let of_b = hits::of_fingerprint(&mut reader, &[b'b'; 32]).await.unwrap();
    assert_eq!(
        (of_b.len(), of_b[0].first_seen, of_b[0].last_seen),
        (1, Timestamp::from_secs(15), Timestamp::from_secs(20))
    );
}

#[tokio::test]
async fn a_tenant_sees_nothing_of_the_lists_and_hits_of_another() {
    let Some(world) = world().await else { return };
    let other = tenant(&world, "other", None).await;
    let list = made(&world, "feed").await;
    import(&world, &list, (1, b"one"), Some(WHOLE)).await;
    let mut tx = begin(&world).await;
    hits::note(&mut tx, &[seen("a", 10)]).await.unwrap();
    commit(&world, tx).await;
    let mut reader = other.read().await.unwrap();
    assert_ne!(reader.tenant(), world.scope().tenant());
    assert_eq!(indicators::find(&mut reader, list.id).await.unwrap(), None);
    assert_eq!(blocks::get(&mut reader, list.id, [1; 16]).await.unwrap(), None);
    assert!(hits::list(&mut reader, &Filter::default(), &PageRequest::default()).await.unwrap().items.is_empty());
    assert_eq!(indicators::stamp(&mut reader).await.unwrap(), 0);
}
