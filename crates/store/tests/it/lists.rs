//! Pages: a cursor walks every item once, newest first.

use std::collections::BTreeSet;

use shieldops_model::Clock as _;
use shieldops_store::{Job, PageRequest, StoreError, ledger, targets};

use crate::support::{target, world};

#[tokio::test]
async fn a_cursor_walks_all_items_exactly_once() {
    let Some(world) = world().await else { return };
    let mut tx = world.scope().begin().await.unwrap();
    let mut made = BTreeSet::new();
    for number in 0..23 {
        let target = target(&format!("sim/{number}"));
        targets::insert(&mut tx, &target).await.unwrap();
        tx.record("target.created", &[&target.id], ()).unwrap();
        made.insert(target.id);
    }
    tx.commit(world.clock.now()).await.unwrap();
    let mut reader = world.scope().read().await.unwrap();
    for limit in [1, 5, 22, 23, 24] {
        let (mut cursor, mut walked) = (None, Vec::new());
        loop {
            let page = targets::list(&mut reader, &PageRequest { limit: Some(limit), cursor }).await.unwrap();
            walked.extend(page.items.iter().map(|target| target.id));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert!(walked.is_sorted_by(|newer, older| newer > older), "newest first, none twice");
        assert_eq!(walked.into_iter().collect::<BTreeSet<_>>(), made);
    }
    let (mut cursor, mut walked) = (None, Vec::new());
    loop {
        let page = ledger::list(&mut reader, &ledger::Filter::default(), &PageRequest { limit: Some(4), cursor })
            .await
            .unwrap();
        walked.extend(page.items.iter().map(|entry| entry.seq));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(walked, (0..23).rev().collect::<Vec<u64>>());
}

#[tokio::test]
async fn a_cursor_of_another_list_is_refused() {
    let Some(world) = world().await else { return };
    let mut reader = world.scope().read().await.unwrap();
    for cursor in ["", "x", "inc_01h455vb4pex5vsknk084sn02q"] {
        let request = PageRequest { limit: None, cursor: Some(cursor.into()) };
        assert!(matches!(targets::list(&mut reader, &request).await, Err(StoreError::InvalidCursor)), "{cursor}");
    }
}

#[tokio::test]
async fn a_cursor_opens_only_for_its_own_query_and_tenant() {
    let Some(world) = world().await else { return };
    let scope = world.scope();
    let sealed = scope.seal_cursor("/alerts?status=new", "alt_1");
    assert_ne!(sealed, scope.seal_cursor("/alerts?status=new", "alt_2"));
    assert_eq!(scope.open_cursor("/alerts?status=new", &sealed).unwrap(), "alt_1");
    for (query, text) in [
        ("/alerts?status=closed", sealed.as_str()),
        ("/alerts?status=new", "alt_1"),
        ("/alerts?status=new", ""),
        ("/alerts?status=new", sealed.get(..20).unwrap()),
    ] {
        assert!(matches!(scope.open_cursor(query, text), Err(StoreError::InvalidCursor)), "{query} {text}");
    }
}

#[tokio::test]
async fn what_an_actor_did_is_found_behind_what_others_did() {
    let Some(world) = world().await else { return };
    world.commit(&["mine.first"]).await.unwrap();
    let other = world.store.job(world.tenant, Job::Pipeline).unwrap();
    for _ in 0..30 {
        let mut tx = other.begin().await.unwrap();
        for _ in 0..20 {
            tx.record("theirs", &[], ()).unwrap();
        }
        tx.commit(world.clock.now()).await.unwrap();
    }
    world.commit(&["mine.last"]).await.unwrap();
    let mut reader = world.scope().read().await.unwrap();
    let (mut cursor, mut kinds, mut looked) = (None, Vec::new(), 0);
    loop {
        let page = PageRequest { limit: Some(1), cursor };
        let found = ledger::by_actor(&mut reader, &ledger::Filter::default(), "system:cli", &page).await.unwrap();
        kinds.extend(found.page.items.into_iter().map(|entry| entry.kind));
        looked += found.looked;
        cursor = found.page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(kinds, ["mine.last", "mine.first"]);
    assert_eq!(looked, 602);
}

#[tokio::test]
async fn entries_since_a_place_come_in_order_with_what_they_are_about() {
    let Some(world) = world().await else { return };
    world.commit(&["one", "two", "three"]).await.unwrap();
    let mut reader = world.scope().read().await.unwrap();
    let found = ledger::since(&mut reader, 1, 10).await.unwrap();
    let told: Vec<_> = found.iter().map(|trace| (trace.seq, trace.kind.as_str(), trace.subjects.len())).collect();
    assert_eq!(told, [(1, "two", 2), (2, "three", 2)]);
    assert_eq!(ledger::since(&mut reader, 3, 10).await.unwrap(), []);
}
