//! The public record of automated response (`docs/why.md`), turned against a capability that lies: it accepts and does
//! nothing, it says that it undid, it cannot be read any more, the effect goes away by itself. What the engine says of it
//! must be what is true.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shieldops_model::{
    ActionState, Clock as _, ControlPath, FixedClock, Id, NoticeKind, Plan, PlanState, ProposedAction, Target,
    TargetRef, Timestamp,
};
use shieldops_policy::Policy;
use shieldops_respond::{
    Capability, Class, CrashPoints, Description, Engine, EngineOptions, Facts, Fault, Journal, Observed, Permit,
    PlanRequest, Purpose, Registry, Site, StoreJournal, Twin, Typed, memory::MemoryJournal,
};
use shieldops_store::{Job, Options, Store, outbox, targets};
use tokio_util::task::TaskTracker;

use crate::support::{person, request_on, target, unlimited};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lie {
    None,
    /// The provider accepts and nothing changes.
    Accepts,
    /// Once it acted, the target answers no more.
    Silent,
    /// The undo reports success and does nothing.
    Keeps,
}

/// One switch on one host.
#[derive(Clone)]
struct Switch {
    on: Arc<Mutex<bool>>,
    lie: Arc<Mutex<Lie>>,
    applied: Arc<AtomicUsize>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoParams {}

#[async_trait]
impl Capability for Switch {
    type Params = NoParams;
    type State = bool;

    fn describe(&self) -> Description {
        Description {
            name: "test.switch",
            title: "Turn a switch on",
            target_kind: "linux_host",
            params_schema: json!({"type": "object", "additionalProperties": false}),
            class: Class::Reversible,
            purpose: Purpose::Containment,
            effects: &["network.deny"],
            settle_ms: 0,
            base_risk: 1,
            twin: Twin::Network,
            docs: "A switch.",
        }
    }

    async fn observe(&self, _target: &Target, _params: &NoParams) -> Result<Observed<bool>, Fault> {
        if *self.lie.lock().unwrap() == Lie::Silent && self.applied.load(Ordering::SeqCst) > 0 {
            return Err(Fault::Unavailable("no answer within 10 s".to_owned()));
        }
        Ok(Observed { state: *self.on.lock().unwrap(), facts: Facts::default() })
    }

    fn desired(&self, _state: &bool, _params: &NoParams) -> bool {
        true
    }

    async fn apply(&self, _site: Site<'_>, _from: &bool, to: &bool, _permit: Permit) -> Result<(), Fault> {
        self.applied.fetch_add(1, Ordering::SeqCst);
        let lie = *self.lie.lock().unwrap();
        if lie != Lie::Accepts && (*to || lie != Lie::Keeps) {
            *self.on.lock().unwrap() = *to;
        }
        Ok(())
    }

    fn undo_text(&self, _params: &NoParams) -> String {
        "Turns it off.".to_owned()
    }

    fn control_path(&self, _target: &Target, _params: &NoParams) -> ControlPath {
        ControlPath { via: "this process".to_owned(), at_risk: false, why: "it is a switch in memory".to_owned() }
    }
}

struct Lab {
    engine: Arc<Engine>,
    journal: Arc<MemoryJournal>,
    switch: Switch,
    clock: FixedClock,
}

fn lab(lie: Lie) -> Lab {
    let switch = Switch { on: Arc::default(), lie: Arc::new(Mutex::new(lie)), applied: Arc::default() };
    let journal = Arc::new(MemoryJournal::with_targets([target("sim/test")]));
    journal.put_surroundings(unlimited());
    let clock = FixedClock::at(Timestamp::from_secs(1_795_000_000));
    let engine = engine(&switch, Arc::clone(&journal) as Arc<dyn Journal>, &clock);
    Lab { engine, journal, switch, clock }
}

fn engine(switch: &Switch, journal: Arc<dyn Journal>, clock: &FixedClock) -> Arc<Engine> {
    Engine::new(EngineOptions {
        tenant: Id::from_bits(1),
        journal,
        registry: Arc::new(Registry::new(vec![Arc::new(Typed::new(switch.clone()))]).unwrap()),
        policy: Arc::new(Policy::built_in().unwrap()),
        clock: Arc::new(clock.clone()),
        tracker: TaskTracker::new(),
        crash: CrashPoints::none(),
        findings: None,
        rescue: None,
    })
}

fn request() -> PlanRequest {
    let target = TargetRef { kind: "linux_host".to_owned(), name: "sim/test".to_owned() };
    let action = ProposedAction { capability: "test.switch".to_owned(), target, params: json!({}) };
    PlanRequest { actions: vec![action], ..request_on("sim/test", json!({})) }
}

impl Lab {
    async fn propose(&self) -> Plan {
        let plan = self.engine.propose(request()).await.unwrap();
        assert_eq!(plan.state, PlanState::Proposed, "{:?}", plan.decision);
        plan
    }

    async fn run(&self) -> Plan {
        let plan = self.propose().await;
        self.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
        self.engine.wait(plan.id, Duration::from_mins(2)).await.unwrap()
    }

    fn told(&self, kind: &str) -> usize {
        self.journal.entries().iter().filter(|entry| entry.kind == kind).count()
    }
}

#[tokio::test]
async fn what_the_target_accepted_and_did_not_do_is_never_verified() {
    let lab = lab(Lie::Accepts);
    let action = lab.run().await.actions.remove(0);
    assert_eq!(lab.switch.applied.load(Ordering::SeqCst), 1, "it was applied, and said that it worked");
    assert!(matches!(action.state, ActionState::Unverified | ActionState::Failed), "{:?}", action.state);
    assert_eq!((lab.told("action.verified"), action.verified_at), (0, None));
}

#[tokio::test]
async fn a_target_that_answers_no_more_is_unverified_and_says_why() {
    let lab = lab(Lie::Silent);
    let action = lab.run().await.actions.remove(0);
    assert_eq!(action.state, ActionState::Unverified, "{:?}", action.detail);
    assert!(action.detail.unwrap_or_default().contains("no answer within 10 s"));
    assert_eq!(lab.told("action.verified"), 0);
}

#[tokio::test]
async fn an_undo_that_only_says_so_is_a_failed_undo() {
    let lab = lab(Lie::Keeps);
    let action = lab.run().await.actions.remove(0);
    assert_eq!(action.state, ActionState::Verified, "{:?}", action.detail);
    let _ended = lab.engine.undo(action.id, &person(2), "a false alarm").await;
    let after = lab.journal.action(action.id).await.unwrap().unwrap();
    assert_eq!((after.state, lab.told("action.undone")), (ActionState::UndoFailed, 0));
    // Once the target does what it says, the same undo is taken again.
    *lab.switch.lie.lock().unwrap() = Lie::None;
    lab.engine.undo(action.id, &person(2), "again").await.unwrap();
    let undone = lab.journal.action(action.id).await.unwrap().unwrap();
    assert_eq!((undone.state, *lab.switch.on.lock().unwrap()), (ActionState::Undone, false));
}

#[tokio::test]
async fn an_effect_that_went_away_by_itself_is_seen_and_not_shown_as_in_force() {
    let lab = lab(Lie::None);
    let action = lab.run().await.actions.remove(0);
    *lab.switch.on.lock().unwrap() = false;
    lab.clock.advance(Duration::from_secs(61));
    let found = lab.engine.reobserve().await.unwrap();
    assert_eq!(found.len(), 1);
    let after = lab.journal.action(action.id).await.unwrap().unwrap();
    assert_eq!((after.state, lab.told("action.drifted")), (ActionState::Drifted, 1));
}

#[tokio::test]
async fn a_plan_is_made_and_looked_at_without_touching_anything() {
    let lab = lab(Lie::None);
    let waiting = lab.propose().await;
    for _ in 0..3 {
        lab.propose().await;
        lab.engine.reobserve().await.unwrap();
    }
    assert_eq!((lab.switch.applied.load(Ordering::SeqCst), *lab.switch.on.lock().unwrap()), (0, false));
    assert_eq!(lab.told("run.started"), 0);
    let plan = lab.journal.plan(waiting.id).await.unwrap().unwrap();
    assert_eq!((plan.state, &plan.hash), (PlanState::Proposed, &waiting.hash), "another plan changes nothing of it");
    assert!(lab.clock.now() < plan.expires_at);
}

#[tokio::test]
async fn a_run_that_is_asked_for_twice_applies_once() {
    let lab = lab(Lie::None);
    let plan = lab.run().await;
    for _ in 0..3 {
        lab.engine.execute(plan.id, &person(1)).await.unwrap();
        lab.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
    }
    lab.engine.wait(plan.id, Duration::from_mins(2)).await.unwrap();
    lab.engine.recover().await.unwrap();
    assert_eq!((lab.switch.applied.load(Ordering::SeqCst), lab.told("run.started")), (1, 1));
}

#[tokio::test]
async fn what_is_in_force_already_is_not_done_again() {
    let lab = lab(Lie::None);
    *lab.switch.on.lock().unwrap() = true;
    let plan = lab.propose().await;
    assert!(!plan.actions[0].changed && plan.actions[0].diff.is_empty(), "the plan says that nothing would change");
}

#[tokio::test]
async fn what_went_wrong_is_told_in_the_transaction_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { data_dir: folder.path().to_owned(), demo: false, ..Options::default() };
    let clock = FixedClock::at(Timestamp::from_secs(1_795_000_000));
    let store = Store::open(&options, Arc::new(clock.clone())).await.unwrap();
    let tenant = store.first().await.unwrap().id;
    let scope = store.job(tenant, Job::Response).unwrap();
    let mut tx = scope.begin().await.unwrap();
    let row = target("sim/test");
    targets::insert(&mut tx, &row).await.unwrap();
    tx.record("target.created", &[&row.id], json!({})).unwrap();
    tx.commit(clock.now()).await.unwrap();
    let switch = Switch { on: Arc::default(), lie: Arc::new(Mutex::new(Lie::Keeps)), applied: Arc::default() };
    let engine = engine(&switch, Arc::new(StoreJournal::new(scope.clone(), false)), &clock);

    let plan = engine.propose(request()).await.unwrap();
    engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
    let action = engine.wait(plan.id, Duration::from_mins(2)).await.unwrap().actions.remove(0);
    let _failed = engine.undo(action.id, &person(2), "a false alarm").await;
    let waiting = outbox::waiting(&mut scope.read().await.unwrap(), clock.now(), 50).await.unwrap();
    let asked = waiting.iter().filter(|one| one.notice.kind == NoticeKind::ApprovalRequest);
    assert_eq!(asked.map(|one| one.notice.plan).collect::<Vec<_>>(), [Some(plan.id)]);
    let failed: Vec<_> = waiting.iter().filter(|one| one.notice.kind == NoticeKind::UndoFailed).collect();
    assert_eq!((failed.len(), failed[0].notice.action), (1, Some(action.id)));
    assert!(failed[0].notice.simulated, "{:?}", failed[0].notice);
}
