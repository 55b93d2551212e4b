//! From SQLite to PostgreSQL, with every row and the proof, and never back.

use std::{path::Path, sync::Arc};

use shieldops_model::{Clock as _, FixedClock};
use shieldops_store::{Job, Options, PageRequest, Store, StoreError, alerts, facts, incidents, ledger, notes, targets};

use sqlx::{AnyConnection, Connection as _};

use crate::{
    database::Server,
    support::{alert, commit, directory, incident, note, now, target},
};

async fn open(dir: &Path, url: Option<&str>, clock: &FixedClock) -> Result<Store, StoreError> {
    let options = Options { data_dir: dir.to_owned(), database_url: url.map(str::to_owned), ..Options::default() };
    Store::open(&options, Arc::new(clock.clone())).await
}

/// Some of everything, and more rows than one statement takes.
async fn fill(store: &Store, clock: &FixedClock) {
    let scope = store.job(store.first().await.unwrap().id, Job::Cli).unwrap();
    let incident = incident();
    let mut tx = scope.begin().await.unwrap();
    incidents::insert(&mut tx, &incident, incident.created_at, None).await.unwrap();
    notes::insert(&mut tx, incident.id, &note("a note")).await.unwrap();
    facts::set(&mut tx, "fact", &7).await.unwrap();
    for number in 0..=255 {
        alerts::insert(&mut tx, &alert(number)).await.unwrap();
    }
    targets::insert(&mut tx, &target("sim/one")).await.unwrap();
    tx.record("incident.opened", &[&incident.id], ()).unwrap();
    tx.commit(clock.now()).await.unwrap();
    for _ in 0..120 {
        clock.advance(std::time::Duration::from_millis(1));
        commit(&scope, &["some.thing"], clock.now()).await.unwrap();
    }
}

#[tokio::test]
async fn an_installation_moves_with_all_its_rows_and_never_serves_from_the_file_again() {
    let Some(server) = Server::new().await else { return };
    let (dir, clock) = (directory(), FixedClock::at(now()));
    let store = open(dir.path(), None, &clock).await.unwrap();
    fill(&store, &clock).await;
    let (installation, tenant) = (store.installation().to_owned(), store.first().await.unwrap());
    let status = Store::status(&Options { data_dir: dir.path().to_owned(), ..Options::default() }).await.unwrap();
    assert_eq!((status.kind, status.tenants, status.pending.len()), ("sqlite", 1, 0));
    store.close().await;
    drop(store);

    let early = open(dir.path(), Some(&server.url), &clock).await.err().unwrap();
    assert!(early.to_string().contains("db copy"), "{early}");
    let running = Store::lock(dir.path()).unwrap();
    assert!(matches!(Store::copy_to(dir.path(), &server.url).await, Err(StoreError::InUse { .. })));
    drop(running);
    let copied = Store::copy_to(dir.path(), &server.url).await.unwrap();
    assert!(copied.ledger.ok && copied.ledger.logs[0].entries == 121, "{copied:?}");
    assert_eq!((copied.rows["alerts"], copied.rows["ledger_entries"], copied.rows["tenants"]), (256, 121, 1));
    assert!(!copied.to.contains("peerpw") && copied.to.contains(&server.name), "{}", copied.to);
    assert!(!dir.path().join("state.db").exists() && dir.path().join("state.db.moved").exists());

    let refused = open(dir.path(), None, &clock).await.err().unwrap().to_string();
    assert!(refused.contains(&server.name) && !refused.contains("peerpw"), "{refused}");
    let again = Store::copy_to(dir.path(), &server.url).await.err().unwrap().to_string();
    assert!(again.contains("was moved to"), "{again}");

    let store = open(dir.path(), Some(&server.url), &clock).await.unwrap();
    assert_eq!((store.installation(), store.first().await.unwrap()), (installation.as_str(), tenant.clone()));
    let scope = store.job(tenant.id, Job::Cli).unwrap();
    let mut reader = scope.read().await.unwrap();
    assert_eq!(facts::find::<i32>(&mut reader, "fact").await.unwrap(), Some(7));
    let list = ledger::list(&mut reader, &ledger::Filter::default(), &PageRequest::default()).await.unwrap();
    assert_eq!(list.items[0].seq, 120);
    drop(reader);
    clock.advance(std::time::Duration::from_millis(1));
    commit(&scope, &["after"], clock.now()).await.unwrap();
    store.close().await;
    let report = ledger::verify_database(dir.path(), &server.url, &[]).await.unwrap();
    assert!(report.ok && report.logs[0].checkpoints == 122 && report.logs[0].entries == 122, "{report:?}");
    // What was signed before the move is wanted after it.
    std::fs::remove_file(dir.path().join("checkpoints").join(tenant.id.to_string())).unwrap();
    let mut db = AnyConnection::connect(&server.url).await.unwrap();
    sqlx::query("DELETE FROM ledger_entries WHERE seq=3").execute(&mut db).await.unwrap();
    assert!(!ledger::verify_database(dir.path(), &server.url, &[]).await.unwrap().ok);
}

#[tokio::test]
async fn a_database_in_use_is_no_target_and_the_source_stays() {
    let Some(server) = Server::new().await else { return };
    let (dir, other, clock) = (directory(), directory(), FixedClock::at(now()));
    open(other.path(), Some(&server.url), &clock).await.unwrap().close().await;
    open(dir.path(), None, &clock).await.unwrap().close().await;
    let refused = Store::copy_to(dir.path(), &server.url).await.err().unwrap();
    assert!(refused.to_string().contains("holds an installation already"), "{refused}");
    assert!(open(dir.path(), None, &clock).await.is_ok(), "it serves as before");
    let status =
        Options { data_dir: other.path().to_owned(), database_url: Some(server.url.clone()), ..Options::default() };
    let status = Store::status(&status).await.unwrap();
    assert_eq!((status.kind, status.tenants, status.nodes), ("postgres", 1, 1));
    assert!(status.bytes > 0 && status.pending.is_empty() && !status.place.contains("peerpw"), "{status:?}");
}
