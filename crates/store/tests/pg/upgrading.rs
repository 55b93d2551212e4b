//! A filled database of an earlier version, brought up to date by a plain owner, whom row-level security holds as well.

use std::sync::Arc;

use shieldops_model::FixedClock;
use shieldops_store::{Options, Store};
use sqlx::{
    AnyConnection, Connection as _, SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
};

use crate::{
    database::Server,
    support::{directory, now},
};

const FIRST: &str = include_str!("../../migrations/postgres/0001_first.sql");
const SECOND: &str = include_str!("../../migrations/postgres/0002_leases.sql");

/// What the second version left behind: a tenant with an administrator, and an ingest token with a source.
const ROWS: &str = "BEGIN; SELECT set_config('app.tenant', repeat('01', 16), true);
    INSERT INTO installation VALUES (1, 'abc', 1);
    INSERT INTO tenants VALUES (decode(repeat('01', 16), 'hex'), 'main', 'Main', 0, 1);
    INSERT INTO users (id, name, created_at) VALUES (decode(repeat('02', 16), 'hex'), 'ada', 5);
    INSERT INTO memberships VALUES (decode(repeat('02', 16), 'hex'), decode(repeat('01', 16), 'hex'), 'admin');
    INSERT INTO principal_index (hash, kind, id, tenant, created_at)
      VALUES (decode(repeat('03', 32), 'hex'), 'ingest', decode(repeat('04', 16), 'hex'), decode(repeat('01', 16), 'hex'), 1);
    INSERT INTO tokens (tenant_id, id, kind, name, source, created_at)
      VALUES (decode(repeat('01', 16), 'hex'), decode(repeat('04', 16), 'hex'), 'ingest', 'shipper', 'linux', 1);
    COMMIT";

async fn filled(url: &str) {
    let mut db = AnyConnection::connect(url).await.unwrap();
    let step = |version, name: &'static str, text: &'static str| {
        Migration::new(version, name.into(), MigrationType::Simple, text.into_sql_str(), false)
    };
    let steps = Migrator::with_migrations(vec![step(1, "first", FIRST), step(2, "leases", SECOND)]);
    steps.run(&mut db).await.unwrap();
    let walls = "ALTER TABLE tokens ENABLE ROW LEVEL SECURITY; ALTER TABLE tokens FORCE ROW LEVEL SECURITY; CREATE POLICY tenant ON tokens \
        USING (tenant_id = decode(nullif(current_setting('app.tenant', true), ''), 'hex'))";
    sqlx::raw_sql(walls).execute(&mut db).await.unwrap();
    sqlx::raw_sql(ROWS).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
}

#[tokio::test]
async fn a_filled_database_of_an_earlier_version_keeps_its_rows_when_a_plain_owner_migrates_it() {
    let Some(server) = Server::new().await else { return };
    let login = super::logins::owner(&server, "").await;
    let url = super::logins::url_of(&server, &login);
    filled(&url).await;
    let dir = directory();
    let options = Options { data_dir: dir.path().to_owned(), database_url: Some(url), ..Options::default() };
    let before = Store::status(&options).await.unwrap();
    assert!(before.schema == Some(2) && before.pending.first() == Some(&"tenancy"), "{before:?}");
    let store = Store::open(&options, Arc::new(FixedClock::at(now()))).await.unwrap();
    let known = store.authenticate(&[3; 32], None, now()).await.unwrap();
    let token = known.principal().unwrap();
    assert_eq!((token.user_name.as_str(), token.source.as_deref()), ("shipper", Some("linux")));
    assert_eq!(store.first().await.unwrap().slug, "main");
    store.close().await;
    drop(store);
    assert!(Store::status(&options).await.unwrap().pending.is_empty());
    super::logins::forget(&server, &login).await;
}
