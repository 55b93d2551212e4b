//! Several nodes on one database: one schema, one first tenant, each its own checkpoints, and each hears of the others.

use std::{path::Path, sync::Arc, time::Duration};

use shieldops_model::{Clock as _, FixedClock};
use shieldops_store::{
    Job, Options, Store,
    jobs::{self, BulkJob},
    ledger::verify_database,
    targets,
};

use crate::{
    database::Server,
    support::{commit, directory, now, target},
};

async fn node(server: &Server, dir: &Path, keys: &Path, clock: &FixedClock) -> Store {
    let options = Options {
        data_dir: dir.to_owned(),
        database_url: Some(server.url.clone()),
        keys_dir: Some(keys.to_owned()),
        ..Options::default()
    };
    Store::open(&options, Arc::new(clock.clone())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_that_open_a_new_database_at_once_agree() {
    let Some(server) = Server::new().await else { return };
    let server = Arc::new(server);
    let keys = Arc::new(directory());
    let clock = FixedClock::at(now());
    let opening: Vec<_> = (0..4)
        .map(|_| {
            let (server, keys, clock) = (Arc::clone(&server), Arc::clone(&keys), clock.clone());
            tokio::task::spawn(async move {
                let dir = directory();
                let store = node(&server, dir.path(), keys.path(), &clock).await;
                let agreed = (store.installation().to_owned(), store.first().await.unwrap().id);
                assert!(store.job(agreed.1, Job::Cli).is_ok());
                store.close().await;
                agreed
            })
        })
        .collect();
    let mut agreed = Vec::new();
    for one in opening {
        agreed.push(one.await.unwrap());
    }
    assert!(agreed.windows(2).all(|pair| pair[0] == pair[1]), "{agreed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn jobs_of_a_node_are_its_own_until_it_was_not_heard_of_for_half_a_minute() {
    let Some(server) = Server::new().await else { return };
    let (one_dir, other_dir, keys, clock) = (directory(), directory(), directory(), FixedClock::at(now()));
    let one = node(&server, one_dir.path(), keys.path(), &clock).await;
    let other = node(&server, other_dir.path(), keys.path(), &clock).await;
    one.come().await.unwrap();
    other.come().await.unwrap();
    let tenant = one.first().await.unwrap().id;
    let scope = one.job(tenant, Job::Server).unwrap();
    let id = shieldops_model::id::mint(now(), &mut rand::rng());
    let job = BulkJob::begun(id, "alerts.update", 2, "usr_x", now());
    let mut tx = scope.begin().await.unwrap();
    jobs::create(&mut tx, &job).await.unwrap();
    tx.commit(clock.now()).await.unwrap();
    let there = other.job(tenant, Job::Server).unwrap();
    clock.advance(Duration::from_secs(29));
    assert_eq!(jobs::abandoned(&there).await.unwrap(), []);
    clock.advance(Duration::from_secs(1));
    assert_eq!(jobs::abandoned(&there).await.unwrap(), [job], "its lease is over");
    one.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_commit_beside_each_other_hear_of_each_other_and_stay_sound() {
    let Some(server) = Server::new().await else { return };
    let (one_dir, other_dir, keys, clock) = (directory(), directory(), directory(), FixedClock::at(now()));
    let one = node(&server, one_dir.path(), keys.path(), &clock).await;
    let other = node(&server, other_dir.path(), keys.path(), &clock).await;
    let tenant = one.first().await.unwrap().id;
    let mut heard = other.watch();
    let target = target("sim/one");
    let scope = one.job(tenant, Job::Cli).unwrap();
    let mut tx = scope.begin().await.unwrap();
    targets::insert(&mut tx, &target).await.unwrap();
    tx.record("target.created", &[&target.id], ()).unwrap();
    tx.commit(clock.now()).await.unwrap();
    let change = tokio::time::timeout(Duration::from_secs(10), heard.recv()).await.unwrap().unwrap();
    assert_eq!((change.kind, change.id, change.seq), ("target", target.id.to_string(), 1));
    assert_eq!(change.tenant, tenant);

    let writers = [one.clone(), other.clone()].map(|store| {
        let clock = clock.clone();
        tokio::task::spawn(async move {
            let scope = store.job(tenant, Job::Cli).unwrap();
            for _ in 0..20 {
                clock.advance(Duration::from_micros(1));
                commit(&scope, &["some.thing"], clock.now()).await.unwrap();
            }
        })
    });
    for writer in writers {
        writer.await.unwrap();
    }
    let apart = verify_database(one_dir.path(), &server.url, &[]).await.unwrap();
    assert!(apart.ok && apart.logs[0].entries == 41, "{apart:?}");

    // With the files of both in one place, none may be missing.
    for entry in std::fs::read_dir(other_dir.path().join("checkpoints")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), one_dir.path().join("checkpoints").join(entry.file_name())).unwrap();
    }
    let both = verify_database(one_dir.path(), &server.url, &[]).await.unwrap();
    assert!(both.ok, "{both:?}");
    assert_eq!((both.logs[0].checkpoints, both.logs[0].checkpoint_size, both.logs[0].uncovered_commits), (41, 41, 0));
    for name in [&one, &other].map(|store| format!("{tenant}.{}", store.node())) {
        let path = one_dir.path().join("checkpoints").join(name);
        let length = std::fs::metadata(&path).unwrap().len();
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length / 40).unwrap();
    }
    assert!(!verify_database(one_dir.path(), &server.url, &[]).await.unwrap().ok, "checkpoints were removed");
    one.close().await;
    other.close().await;
}

#[tokio::test]
async fn a_directory_whose_state_is_in_postgresql_does_not_begin_another_in_a_file() {
    let Some(server) = Server::new().await else { return };
    let (dir, clock) = (directory(), FixedClock::at(now()));
    node(&server, dir.path(), &dir.path().join("keys"), &clock).await.close().await;
    let without = Options { data_dir: dir.path().to_owned(), ..Options::default() };
    let refused = Store::open(&without, Arc::new(clock.clone())).await.err().unwrap().to_string();
    assert!(refused.contains(&server.name) && refused.contains("database.url"), "{refused}");
    assert!(!dir.path().join("state.db").exists());
    node(&server, dir.path(), &dir.path().join("keys"), &clock).await.close().await;
}
