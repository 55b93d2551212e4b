//! A database that an earlier version left, with people and credentials in it, and what this version makes of it.

use std::path::Path;

use shieldops_model::{Clock as _, FixedClock, TenantId, UserId};
use shieldops_store::{PrincipalKind, RoleRef, Store, people};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};

use crate::support::{Database, directory, now, open};

const FIRST: &str = include_str!("../../migrations/sqlite/0001_first.sql");

/// Takes a directory that was just made back to what the first version knew. Its keys and its one tenant stay.
pub(crate) async fn to_first_version(dir: &Path) {
    let aside = dir.join("newer.db");
    std::fs::rename(dir.join("state.db"), &aside).unwrap();
    let url = format!("sqlite://{}?mode=rwc", dir.join("state.db").display());
    let mut db = AnyConnection::connect(&url).await.unwrap();
    let text = format!(
        "{FIRST}; ATTACH '{}' AS newer; CREATE TABLE _sqlx_migrations AS SELECT * FROM newer._sqlx_migrations WHERE version=1; \
         INSERT INTO installation SELECT * FROM newer.installation; \
         INSERT INTO tenants SELECT tenant, slug, name, demo, created_at FROM newer.tenants; DETACH newer",
        aside.display()
    );
    sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    std::fs::remove_file(aside).unwrap();
}

async fn upgraded(fill: impl FnOnce(TenantId) -> String) -> (tempfile::TempDir, FixedClock, Store) {
    let (dir, clock) = (directory(), FixedClock::at(now()));
    let database = Database::new(false).await.unwrap();
    let store = open(dir.path(), &clock, &database).await.unwrap();
    let tenant = store.first().await.unwrap().id;
    store.close().await;
    drop(store);
    to_first_version(dir.path()).await;
    database.sql(dir.path(), &fill(tenant)).await;
    let store = open(dir.path(), &clock, &database).await.unwrap();
    (dir, clock, store)
}

fn blob(bytes: &[u8]) -> String {
    format!("X'{}'", hex::encode(bytes))
}

#[tokio::test]
async fn people_and_credentials_of_an_earlier_version_work_on() {
    let (root, gone): (UserId, UserId) = (UserId::from_bits(1 << 64), UserId::from_bits(2 << 64));
    let (session, ingest) = (blob(&[1; 32]), blob(&[2; 32]));
    let (_dir, clock, store) = upgraded(|tenant| {
        let (tenant, root, gone) = (blob(&tenant.to_bytes()), blob(&root.to_bytes()), blob(&gone.to_bytes()));
        format!(
            "INSERT INTO users VALUES ({root},'root','h',NULL,7,NULL),({gone},'gone','h',8,7,NULL); \
             INSERT INTO memberships VALUES ({root},{tenant},'admin'),({gone},{tenant},'viewer'); \
             INSERT INTO tokens VALUES ({tenant},{root},'ingest','shipper',NULL,'sshd',7,NULL); \
             INSERT INTO principal_index (hash, kind, id, principal, tenant, created_at) VALUES \
             ({session},'session',{root},{root},{tenant},7),({ingest},'ingest',{root},NULL,{tenant},7)"
        )
    })
    .await;
    let now = clock.now();
    let found = store.authenticate(&[1; 32], Some("main"), now).await.unwrap().principal().unwrap();
    assert_eq!((found.kind, found.user, &found.role), (PrincipalKind::Session, Some(root), &RoleRef::parse("admin")));
    assert!(found.operator, "who administered the only tenant runs the installation");
    let shipper = store.authenticate(&[2; 32], None, now).await.unwrap().principal().unwrap();
    assert_eq!((shipper.user_name.as_str(), shipper.source.as_deref()), ("shipper", Some("sshd")));
    let scope = store.scope(&found).unwrap();
    let users = people::users(&mut scope.read().await.unwrap()).await.unwrap();
    assert_eq!(
        users.iter().map(|user| (user.name.as_str(), user.disabled)).collect::<Vec<_>>(),
        [("gone", true), ("root", false)]
    );
    assert_eq!(store.backups().unwrap().len(), 1);
    assert_eq!(store.tenants().await.unwrap()[0].version, 1);
}
