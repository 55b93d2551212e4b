//! Opening a directory: by many at once, of a newer version, with damaged keys.

use shieldops_model::FixedClock;
use shieldops_store::{Job, StoreError};

use crate::support::{Database, now, open, world};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_that_open_a_new_directory_at_once_agree_on_keys_and_first_tenant() {
    let dir = tempfile::tempdir().unwrap();
    let clock = FixedClock::at(now());
    let opening: Vec<_> = (0..8)
        .map(|_| {
            let (dir, clock) = (dir.path().to_owned(), clock.clone());
            tokio::task::spawn(async move { open(&dir, &clock, &Database::File).await.unwrap() })
        })
        .collect();
    let mut agreed = Vec::new();
    for one in opening {
        let store = one.await.unwrap();
        let tenants = store.tenants().await.unwrap();
        assert_eq!(tenants.len(), 1);
        assert!(store.job(tenants[0].id, Job::Cli).is_ok());
        agreed.push((store.installation().to_owned(), tenants[0].id, *store.keys().signing_seed()));
    }
    assert!(agreed.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test]
async fn a_directory_of_a_newer_version_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("FORMAT"), "999\n").unwrap();
    let refused = open(dir.path(), &FixedClock::at(now()), &Database::File).await;
    assert!(matches!(refused, Err(StoreError::TooNew { found: 999, .. })));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    std::fs::write(dir.path().join("FORMAT"), "").unwrap();
    let damaged = open(dir.path(), &FixedClock::at(now()), &Database::File).await.err().unwrap();
    assert!(damaged.to_string().contains("FORMAT"), "{damaged}");
}

#[tokio::test]
async fn a_damaged_key_file_is_named() {
    let stopped = world().await.unwrap().stop().await;
    let tenant = stopped.tenant;
    for name in ["keys/installation.key".to_owned(), "keys/ledger.key".to_owned(), format!("keys/tenants/{tenant}.key")]
    {
        let path = stopped.dir.path().join(&name);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[1..]).unwrap();
        let error = match open(stopped.dir.path(), &stopped.clock, &stopped.database).await {
            Err(error) => error,
            Ok(store) => store.job(tenant, Job::Cli).err().unwrap(),
        };
        assert!(matches!(&error, StoreError::Key { path, .. } if path.ends_with(&name)), "{name}: {error}");
        std::fs::write(&path, &whole).unwrap();
    }
    assert!(open(stopped.dir.path(), &stopped.clock, &stopped.database).await.unwrap().job(tenant, Job::Cli).is_ok());
}

#[tokio::test]
async fn a_second_server_on_the_same_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let held = shieldops_store::Store::lock(dir.path()).unwrap();
    assert!(matches!(shieldops_store::Store::lock(dir.path()), Err(StoreError::InUse { .. })));
    drop(held);
    assert!(shieldops_store::Store::lock(dir.path()).is_ok());
}
