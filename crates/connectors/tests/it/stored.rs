//! The same journey with the state database as the journal: what a restart of the server goes through.

use std::{path::Path, sync::Arc, time::Duration};

use serde_json::json;
use shieldops_connectors::linux::{Linux, LinuxOptions};
use shieldops_model::{ActionState, Clock, Plan, SystemClock};
use shieldops_policy::Policy;
use shieldops_respond::{CrashPoints, Engine, EngineOptions, Registry, StoreJournal};
use shieldops_store::{Job, Options, Store, actions, plans, targets};
use tokio_util::task::TaskTracker;

use crate::support::{ATTACKER, person, request_on, target};

async fn open(folder: &Path) -> Store {
    Store::open(&Options { data_dir: folder.to_owned(), demo: false, ..Options::default() }, Arc::new(SystemClock))
        .await
        .unwrap()
}

/// What a process has in memory: it is lost with it.
async fn begin(store: &Store, folder: &Path, crash: CrashPoints, tracker: &TaskTracker) -> Arc<Engine> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let tenant = store.first().await.unwrap().id;
    let scope = store.job(tenant, Job::Response).unwrap();
    let linux = Linux::new(LinuxOptions {
        data_dir: folder.to_owned(),
        installation: "test".to_owned(),
        clock: Arc::clone(&clock),
    })
    .unwrap();
    Engine::new(EngineOptions {
        tenant,
        journal: Arc::new(StoreJournal::new(scope, false)),
        registry: Arc::new(Registry::new(shieldops_connectors::capabilities(linux)).unwrap()),
        policy: Arc::new(Policy::built_in().unwrap()),
        clock,
        tracker: tracker.clone(),
        crash,
        findings: None,
        rescue: None,
    })
}

async fn register(store: &Store) {
    let scope = store.job(store.first().await.unwrap().id, Job::Cli).unwrap();
    let mut tx = scope.begin().await.unwrap();
    let row = target("sim/test");
    targets::insert(&mut tx, &row).await.unwrap();
    tx.record("target.created", &[&row.id], json!({})).unwrap();
    tx.commit(SystemClock.now()).await.unwrap();
}

async fn approved(engine: &Arc<Engine>, within: Duration) -> Plan {
    let plan = engine.propose(request_on("sim/test", json!({"address": ATTACKER}))).await.unwrap();
    engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
    engine.wait(plan.id, within).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_owners_an_undo_and_their_entries_are_stored() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let engine = begin(&store, folder.path(), CrashPoints::none(), &TaskTracker::new()).await;
    register(&store).await;
    let first = approved(&engine, Duration::from_secs(10)).await.actions.remove(0);
    let second = approved(&engine, Duration::from_secs(10)).await.actions.remove(0);
    assert_eq!((first.state, second.state, second.owners.len()), (ActionState::Verified, ActionState::Verified, 2));
    let undone = engine.undo(first.id, &person(2), "no longer").await.unwrap();
    assert!(undone.detail.unwrap().contains("1 other live action"));
    assert_eq!(engine.undo(second.id, &person(2), "no longer").await.unwrap().state, ActionState::Undone);

    let mut reader = store.job(store.first().await.unwrap().id, Job::Cli).unwrap().read().await.unwrap();
    assert!(actions::owners(&mut reader, &first.state_key).await.unwrap().is_empty());
    assert_eq!(actions::baseline(&mut reader, &first.state_key).await.unwrap(), None);
    let steps: Vec<_> =
        actions::journal_of(&mut reader, first.id).await.unwrap().into_iter().map(|step| step.kind).collect();
    assert_eq!(steps, ["run_started", "intent", "observed", "outcome", "action.undone"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_process_is_recovered_from_the_database_at_every_point() {
    for point in CrashPoints::NAMES.iter().filter(|point| !point.contains("child") && !point.contains("settling")) {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path()).await;
        register(&store).await;
        let tracker = TaskTracker::new();
        let engine = begin(&store, folder.path(), CrashPoints::give_up_at(*point), &tracker).await;
        let lost = approved(&engine, Duration::ZERO).await;
        tracker.close();
        tracker.wait().await;
        let engine = begin(&store, folder.path(), CrashPoints::none(), &TaskTracker::new()).await;
        engine.recover().await.unwrap();
        let plan = engine.wait(lost.id, Duration::from_secs(10)).await.unwrap();
        assert_eq!(plan.actions[0].state, ActionState::Verified, "{point}: {:?}", plan.actions[0].detail);
        let mut reader = store.job(store.first().await.unwrap().id, Job::Cli).unwrap().read().await.unwrap();
        assert_eq!(plans::get(&mut reader, lost.id).await.unwrap().hash, lost.hash);
        assert_eq!(actions::owners(&mut reader, &plan.actions[0].state_key).await.unwrap().len(), 1, "{point}");
    }
}
