//! The same journey with the state database as the journal: what a restart of the server goes through.

use std::{path::Path, sync::Arc, time::Duration};

use serde_json::json;
use shieldops_connectors::linux::{Linux, LinuxOptions};
use shieldops_model::{
    ActionState, Alert, AlertId, Attack, Clock, Event, IncidentId, Plan, PlanState, SystemClock, Target, TenantChange,
    TenantId, TimeQuality, id,
};
use shieldops_policy::{AddressSource, Policy};
use shieldops_respond::{
    CrashPoints, Engine, EngineOptions, Journal as _, PLAN_LIFE, PlanRequest, Registry, StoreJournal,
};
use shieldops_store::{
    Duty, Job, Options, Store, TenantScope, actions, alerts, cited,
    gate::{self, refused, void},
    plans, targets, tenants,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::support::{ATTACKER, person, request_on, target};

async fn open(folder: &Path) -> Store {
    Store::open(&Options { data_dir: folder.to_owned(), demo: false, ..Options::default() }, Arc::new(SystemClock))
        .await
        .unwrap()
}

/// What a process has in memory: it is lost with it.
async fn begin(store: &Store, folder: &Path, crash: CrashPoints, tracker: &TaskTracker) -> Arc<Engine> {
    let scope = store.job(store.first().await.unwrap().id, Job::Response).unwrap();
    begin_with(StoreJournal::new(scope.clone(), false), (&scope, folder), crash, tracker)
}

fn begin_with(
    journal: StoreJournal,
    (scope, folder): (&TenantScope, &Path),
    crash: CrashPoints,
    tracker: &TaskTracker,
) -> Arc<Engine> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let linux = Linux::new(LinuxOptions {
        data_dir: folder.to_owned(),
        installation: "test".to_owned(),
        clock: Arc::clone(&clock),
    })
    .unwrap();
    linux.be_node(scope.store().node());
    Engine::new(EngineOptions {
        tenant: scope.tenant(),
        journal: Arc::new(journal),
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
    let first = approved(&engine, Duration::from_mins(2)).await.actions.remove(0);
    let second = approved(&engine, Duration::from_mins(2)).await.actions.remove(0);
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
        let plan = engine.wait(lost.id, Duration::from_mins(2)).await.unwrap();
        assert_eq!(plan.actions[0].state, ActionState::Verified, "{point}: {:?}", plan.actions[0].detail);
        let mut reader = store.job(store.first().await.unwrap().id, Job::Cli).unwrap().read().await.unwrap();
        assert_eq!(plans::get(&mut reader, lost.id).await.unwrap().hash, lost.hash);
        assert_eq!(actions::owners(&mut reader, &plan.actions[0].state_key).await.unwrap().len(), 1, "{point}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_whose_duty_went_to_another_begins_nothing_and_the_other_does() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (open(folder.path()).await, open(folder.path()).await);
    register(&old).await;
    let name = "response.watch/test";
    let begin_on = async |store: &Store| {
        let (duty, stop) = (Duty::default(), CancellationToken::new());
        store.on_duty(&duty, name, &stop, |_| async { stop.cancel() }).await;
        let scope = store.job(store.first().await.unwrap().id, Job::Response).unwrap();
        let journal = StoreJournal::new(scope.clone(), false).on_duty(duty);
        begin_with(journal, (&scope, folder.path()), CrashPoints::none(), &TaskTracker::new())
    };
    let before = begin_on(&old).await;
    assert_eq!(approved(&before, Duration::from_mins(2)).await.actions[0].state, ActionState::Verified);
    let after = begin_on(&new).await;
    let left = approved(&before, Duration::from_secs(1)).await;
    assert_eq!((left.state, left.actions[0].state), (PlanState::Approved, ActionState::Planned));
    let scope = old.job(old.first().await.unwrap().id, Job::Cli).unwrap();
    let steps = actions::journal_of(&mut scope.read().await.unwrap(), left.actions[0].id).await.unwrap();
    assert!(steps.is_empty(), "without an intent there is no effect: {steps:?}");
    after.recover().await.unwrap();
    let done = after.wait(left.id, Duration::from_mins(2)).await.unwrap();
    assert_eq!(done.actions[0].state, ActionState::Verified);
}

/// Says whose host the target is.
async fn bind(scope: &TenantScope, node: &str) {
    let mut tx = scope.begin().await.unwrap();
    let row = targets::get(&mut tx, target("sim/test").id).await.unwrap();
    targets::bind(&mut tx, &Target { node: Some(node.to_owned()), ..row }).await.unwrap();
    tx.commit(SystemClock.now()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_the_host_of_another_node_is_out_of_reach_and_its_undo_waits_for_that_node() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    register(&store).await;
    let (duty, stop) = (Duty::default(), CancellationToken::new());
    store.on_duty(&duty, "response.watch/test", &stop, |_| async { stop.cancel() }).await;
    let scope = store.job(store.first().await.unwrap().id, Job::Response).unwrap();
    let journal = StoreJournal::new(scope.clone(), false).on_duty(duty);
    let engine = begin_with(journal, (&scope, folder.path()), CrashPoints::none(), &TaskTracker::new());
    let done = approved(&engine, Duration::from_mins(2)).await.actions.remove(0);
    assert_eq!(done.state, ActionState::Verified);
    let row = async || targets::get(&mut scope.read().await.unwrap(), done.target_id).await.unwrap();
    assert_eq!((row().await.node.as_deref(), row().await.version), (Some(store.node()), 1));
    let state = async || actions::get(&mut scope.read().await.unwrap(), done.id).await.unwrap().state;

    // As it is for the process that takes over on another machine, where nothing was done.
    bind(&scope, "0123").await;
    let refused = engine.undo(done.id, &person(1), "it is over").await.unwrap_err().to_string();
    assert!(refused.contains("the host of node 0123"), "{refused}");
    engine.reobserve().await.unwrap();
    assert_eq!(state().await, ActionState::Unverified);
    let plan = engine.propose(request_on("sim/test", json!({"address": ATTACKER}))).await;
    assert!(plan.is_err(), "{plan:?}");

    bind(&scope, store.node()).await;
    engine.undo(done.id, &person(1), "it is over").await.unwrap();
    assert_eq!(state().await, ActionState::Undone);
}

async fn how_it_ended(scope: &TenantScope, plan: &Plan) -> (ActionState, String) {
    let action = actions::get(&mut scope.read().await.unwrap(), plan.actions[0].id).await.unwrap();
    (action.state, action.detail.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_ends_without_a_run_ends_its_stored_actions_and_a_no_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    register(&store).await;
    let engine = begin(&store, folder.path(), CrashPoints::none(), &TaskTracker::new()).await;
    let scope = store.job(store.first().await.unwrap().id, Job::Cli).unwrap();
    let propose = || async { engine.propose(request_on("sim/test", json!({"address": ATTACKER}))).await.unwrap() };
    let skipped = |why: &str| (ActionState::Skipped, why.to_owned());

    let (plan, now) = (propose().await, SystemClock.now());
    let keys = [plan.actions[0].state_key.clone(), "another".to_owned()];
    let (before, later) = (now.minus(Duration::from_mins(1)), now.plus(Duration::from_mins(1)));
    assert!(refused::since(&mut scope.read().await.unwrap(), &keys, before, PLAN_LIFE).await.unwrap().is_empty());
    engine.reject(plan.id, "ours", &person(1)).await.unwrap();
    assert_eq!(how_it_ended(&scope, &plan).await, skipped("the plan was rejected: ours"));
    let mut reader = scope.read().await.unwrap();
    let known = refused::since(&mut reader, &keys, before, PLAN_LIFE).await.unwrap();
    assert_eq!(known.into_keys().collect::<Vec<_>>(), [keys[0].clone()]);
    assert!(refused::since(&mut reader, &keys, later, PLAN_LIFE).await.unwrap().is_empty(), "its time is over");

    let plan = propose().await;
    let mut tx = scope.begin().await.unwrap();
    void::plans_on(&mut tx, target("sim/test").id, "the target was lowered", SystemClock.now()).await.unwrap();
    tx.commit(SystemClock.now()).await.unwrap();
    assert_eq!(how_it_ended(&scope, &plan).await, skipped("the plan was superseded: the target was lowered"));

    // As an earlier version left it.
    let plan = propose().await;
    let mut tx = scope.begin().await.unwrap();
    let mut old = Plan { state: PlanState::Expired, ..plan.clone() };
    plans::update(&mut tx, &mut old).await.unwrap();
    tx.record("plan.expired", &[&old.id], json!({})).unwrap();
    tx.commit(SystemClock.now()).await.unwrap();
    assert_eq!(how_it_ended(&scope, &plan).await.0, ActionState::Planned);
    engine.expire_due().await.unwrap();
    assert_eq!(how_it_ended(&scope, &plan).await, skipped("the plan expired before it began"));
}

/// An alert of an incident on one event that came so.
async fn alerted(scope: &TenantScope, format: &str, unchecked: bool) -> IncidentId {
    let now = SystemClock.now();
    let (incident, event) = (id::mint(now, &mut rand::rng()), id::mint(now, &mut rand::rng()));
    let event = Event {
        id: event,
        tenant: scope.tenant(),
        source: "nginx".to_owned(),
        format: format.to_owned(),
        time: now,
        ingested_at: now,
        time_quality: TimeQuality::Good,
        demo: false,
        unchecked,
        raw: b"203.0.113.66 - - [22/Nov/2026:12:00:00 +0000] \"GET / HTTP/1.1\" 200 1".to_vec().into(),
    };
    let mut alert = json!({
        "id": id::mint::<id::AlertKind>(now, &mut rand::rng()), "rule_id": "r", "rule_title": "t", "rule_version": "0", "severity": "high",
        "status": "new", "fingerprint": "00".repeat(32), "window_start": now, "first_seen": now, "last_seen": now, "count": 1,
        "entities": [], "attack": Attack::default(), "event_ids": [event.id], "incident_id": incident, "risk_score": 50,
    });
    let rest = json!({"risk_terms": [], "demo": false, "superseded": false, "created_at": now, "updated_at": now, "version": 1,
        "verdict": null, "verdict_reason": null, "assignee": null});
    alert.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    let alert: Alert = serde_json::from_value(alert).unwrap();
    let mut tx = scope.begin().await.unwrap();
    cited::keep(&mut tx, &event).await.unwrap();
    alerts::insert(&mut tx, &Alert { fingerprint: hash_of(alert.id), ..alert.clone() }).await.unwrap();
    tx.record("alert.created", &[&alert.id], json!({})).unwrap();
    tx.commit(now).await.unwrap();
    incident
}

/// Any 32 bytes that are its own.
fn hash_of(id: AlertId) -> String {
    hex::encode(id.to_bytes()).repeat(2).chars().take(64).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_open_listener_took_is_untrusted_whatever_it_looks_like() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    register(&store).await;
    let engine = begin(&store, folder.path(), CrashPoints::none(), &TaskTracker::new()).await;
    let scope = store.job(store.first().await.unwrap().id, Job::Response).unwrap();
    let journal = StoreJournal::new(scope.clone(), true);
    for (format, unchecked, source) in [
        ("access/1", true, AddressSource::Untrusted),
        ("json/1", true, AddressSource::Untrusted),
        ("syslog/1", false, AddressSource::Untrusted),
        ("access/1", false, AddressSource::Authenticated),
        ("json/1", false, AddressSource::Authenticated),
    ] {
        let incident = alerted(&scope, format, unchecked).await;
        let request =
            PlanRequest { incident_id: Some(incident), ..request_on("sim/test", json!({"address": ATTACKER})) };
        let plan = engine.propose(request).await.unwrap();
        let around = journal.surroundings(&plan, SystemClock.now(), SystemClock.now()).await.unwrap();
        assert_eq!(around.address_source, source, "{format}, unchecked {unchecked}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drift_counts_although_the_effect_came_back_or_was_undone() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    register(&store).await;
    let engine = begin(&store, folder.path(), CrashPoints::none(), &TaskTracker::new()).await;
    let action = approved(&engine, Duration::from_mins(2)).await.actions.remove(0);
    let (file, scope) =
        (folder.path().join("sim/test.json"), store.job(store.first().await.unwrap().id, Job::Response).unwrap());
    let blocked = std::fs::read(&file).unwrap();
    let drifted = async || {
        let mut reader = scope.read().await.unwrap();
        let now = SystemClock.now();
        gate::outcomes::of(&mut reader, "linux.block_ip", action.target_id, now).await.unwrap().drifted
    };
    for times in 1..=2 {
        std::fs::remove_file(&file).unwrap();
        engine.reobserve().await.unwrap();
        std::fs::write(&file, &blocked).unwrap();
        engine.reobserve().await.unwrap();
        assert_eq!(drifted().await, times, "and it is in force again");
    }
    assert_eq!(engine.undo(action.id, &person(2), "no longer").await.unwrap().state, ActionState::Undone);
    assert_eq!(drifted().await, 2);
}

#[tokio::test]
async fn a_suspended_tenant_is_not_open_to_anything_new() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let tenant = store.first().await.unwrap().id;
    let journal = StoreJournal::new(store.job(tenant, Job::Response).unwrap(), false);
    for (change, is_open) in [(TenantChange::Suspend, false), (TenantChange::Resume, true), (TenantChange::Lock, false)]
    {
        let mut tx = store.job(TenantId::INSTALLATION, Job::Cli).unwrap().begin().await.unwrap();
        let now = SystemClock.now();
        tenants::change_state(&mut tx, tenant, change, "unpaid", None, None, now).await.unwrap();
        tx.commit(now).await.unwrap();
        assert_eq!(journal.is_open().await.unwrap(), is_open, "{change:?}");
    }
}
