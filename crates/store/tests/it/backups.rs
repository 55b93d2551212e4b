//! A database that is in use is copied before it is migrated.

use shieldops_model::FixedClock;

use crate::{
    support::{Database, directory, now, open},
    upgrade::to_first_version,
};

#[tokio::test]
async fn a_database_is_copied_before_its_migration_and_a_new_one_is_not() {
    let (dir, clock) = (directory(), FixedClock::at(now()));
    let store = open(dir.path(), &clock, &Database::new(false).await.unwrap()).await.unwrap();
    let tenant = store.first().await.unwrap();
    assert!(store.backups().unwrap().is_empty());
    store.close().await;
    drop(store);
    to_first_version(dir.path()).await;
    let store = open(dir.path(), &clock, &Database::File).await.unwrap();
    assert_eq!(store.first().await.unwrap(), tenant);
    let backups = store.backups().unwrap();
    assert!(backups.len() == 1 && backups[0].to_string_lossy().ends_with("-from-1"), "{backups:?}");
    store.close().await;

    // The copy is the database as it was.
    let old = directory();
    std::fs::copy(&backups[0], old.path().join("state.db")).unwrap();
    let mut db = Database::File.connect(old.path()).await;
    let versions: Vec<i64> =
        sqlx::query_scalar("SELECT version FROM _sqlx_migrations").fetch_all(&mut db).await.unwrap();
    assert_eq!(versions, [1]);
}

#[tokio::test]
async fn the_file_that_stepped_aside_for_another_database_is_a_copy_too() {
    let (dir, clock) = (directory(), FixedClock::at(now()));
    let store = open(dir.path(), &clock, &Database::new(false).await.unwrap()).await.unwrap();
    let aside = dir.path().join("state.db.moved");
    std::fs::write(&aside, "what was shredded since").unwrap();
    assert_eq!(store.backups().unwrap(), [aside]);
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let (dir, clock) = (directory(), FixedClock::at(now()));
    let database = Database::new(false).await.unwrap();
    open(dir.path(), &clock, &database).await.unwrap().close().await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'x', 1, X'00', 0)";
    database.sql(dir.path(), newer).await;
    let refused = open(dir.path(), &clock, &database).await.err().unwrap();
    assert!(matches!(refused, shieldops_store::StoreError::SchemaTooNew { found: 9999, .. }), "{refused}");
}
