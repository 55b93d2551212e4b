//! Pages: a cursor walks every item once, newest first.

use std::collections::BTreeSet;

use shieldops_model::Clock as _;
use shieldops_store::{PageRequest, StoreError, ledger, targets};

use crate::support::{target, world};

#[tokio::test]
async fn a_cursor_walks_all_items_exactly_once() {
    let world = world().await;
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
    let world = world().await;
    let mut reader = world.scope().read().await.unwrap();
    for cursor in ["", "x", "inc_01h455vb4pex5vsknk084sn02q"] {
        let request = PageRequest { limit: None, cursor: Some(cursor.into()) };
        assert!(matches!(targets::list(&mut reader, &request).await, Err(StoreError::InvalidCursor)), "{cursor}");
    }
}
