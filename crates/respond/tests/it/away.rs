//! A host that is away: it is asked once in a look, and holds up no other host and no shutdown.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shieldops_model::{Action, ActionState, ControlPath, FixedClock, Id, ProposedAction, Target};
use shieldops_policy::{Facts, Policy};
use shieldops_respond::{
    Capability, Class, CrashPoints, Description, Engine, EngineOptions, Fault, Journal as _, Observed, Permit,
    PlanRequest, Purpose, Registry, Site, Surroundings, Twin, Typed, memory::MemoryJournal, stand_in,
};
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::switch::{CHANGE, START, person, request};

const NAME: &str = "test.lamp";
/// How long a look at a host that is away takes: as an SSH connection does.
const IN_VAIN: Duration = Duration::from_secs(20);
const AT_MOST: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Hosts {
    lamps: Mutex<BTreeMap<(String, u32), bool>>,
    away: AtomicBool,
    /// How often the host that is away was looked at.
    asked: AtomicUsize,
    /// A look that was in vain never ends by itself.
    for_ever: AtomicBool,
    went_out: Notify,
}

struct Lamp(Arc<Hosts>);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    lamp: u32,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct State {
    lamp: u32,
    lit: bool,
}

#[async_trait]
impl Capability for Lamp {
    type Params = Params;
    type State = State;

    fn describe(&self) -> Description {
        Description {
            name: NAME,
            title: "Light a lamp",
            target_kind: "linux_host",
            params_schema: json!({}),
            class: Class::Reversible,
            purpose: Purpose::Containment,
            effects: &["lamp.light"],
            settle_ms: 0,
            base_risk: 1,
            twin: Twin::Network,
            docs: "",
        }
    }

    async fn observe(&self, target: &Target, params: &Params) -> Result<Observed<State>, Fault> {
        if target.name == "sim/away" && self.0.away.load(Ordering::SeqCst) {
            self.0.asked.fetch_add(1, Ordering::SeqCst);
            if self.0.for_ever.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(IN_VAIN).await;
            return Err(Fault::Unavailable("no answer".to_owned()));
        }
        let lit = self.0.lamps.lock().unwrap().get(&(target.name.clone(), params.lamp)).copied().unwrap_or_default();
        Ok(Observed { state: State { lamp: params.lamp, lit }, facts: Facts::default() })
    }

    fn desired(&self, state: &State, _params: &Params) -> State {
        State { lit: true, ..state.clone() }
    }

    async fn apply(&self, site: Site<'_>, _from: &State, to: &State, _permit: Permit) -> Result<(), Fault> {
        self.0.lamps.lock().unwrap().insert((site.target.name.clone(), to.lamp), to.lit);
        if !to.lit {
            self.0.went_out.notify_one();
        }
        Ok(())
    }

    fn undo_text(&self, _params: &Params) -> String {
        "Puts it out.".to_owned()
    }

    fn control_path(&self, _target: &Target, _params: &Params) -> ControlPath {
        ControlPath { via: "wire".to_owned(), at_risk: false, why: "no way leads through a lamp".to_owned() }
    }

    fn lasts(&self, _params: &Params) -> Option<Duration> {
        Some(Duration::from_mins(10))
    }
}

struct World {
    engine: Arc<Engine>,
    journal: Arc<MemoryJournal>,
    clock: FixedClock,
    hosts: Arc<Hosts>,
}

impl World {
    fn new() -> Self {
        let (hosts, clock) = (Arc::new(Hosts::default()), FixedClock::at(START));
        let row = |name: &str, id| Target { id: Id::from_bits(id), ..stand_in(name) };
        let journal = Arc::new(MemoryJournal::with_targets([row("sim/away", 1), row("sim/well", 2)]));
        journal.put_surroundings(Surroundings::default());
        let registry = Registry::new(vec![Arc::new(Typed::new(Lamp(Arc::clone(&hosts)))) as _]).unwrap();
        let engine = Engine::new(EngineOptions {
            tenant: Id::from_bits(1),
            journal: Arc::clone(&journal) as _,
            registry: Arc::new(registry),
            policy: Arc::new(Policy::built_in().unwrap()),
            clock: Arc::new(clock.clone()),
            tracker: TaskTracker::new(),
            crash: CrashPoints::none(),
            findings: None,
            rescue: None,
        });
        Self { engine, journal, clock, hosts }
    }

    async fn lit(&self, host: &str, lamp: u32) -> Action {
        let target = stand_in(host).reference();
        let action = ProposedAction { capability: NAME.to_owned(), target, params: json!({"lamp": lamp}) };
        let wish = PlanRequest { actions: vec![action], ..request(CHANGE, None) };
        let plan = self.engine.propose(wish).await.unwrap();
        if plan.decision.approvals_needed > 0 {
            self.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
        } else {
            self.engine.execute(plan.id, &person(1)).await.unwrap();
        }
        let done = self.engine.wait(plan.id, AT_MOST).await.unwrap().actions.remove(0);
        assert_eq!(done.state, ActionState::Verified, "{:?}", plan.decision);
        done
    }

    async fn state(&self, action: &Action) -> ActionState {
        self.journal.action(action.id).await.unwrap().unwrap().state
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_away_is_asked_once_in_a_look_and_all_its_effects_are_unverified() {
    let world = World::new();
    let mut there = Vec::new();
    for lamp in 0..3 {
        there.push(world.lit("sim/away", lamp).await);
    }
    let well = world.lit("sim/well", 0).await;
    world.hosts.away.store(true, Ordering::SeqCst);
    let began = tokio::time::Instant::now();
    let findings = world.engine.reobserve().await.unwrap();
    assert_eq!((findings.len(), world.hosts.asked.load(Ordering::SeqCst)), (3, 1));
    assert!(began.elapsed() < IN_VAIN * 2, "{:?}", began.elapsed());
    for action in &there {
        assert_eq!(world.state(action).await, ActionState::Unverified);
    }
    assert_eq!(world.state(&well).await, ActionState::Verified);
    world.hosts.away.store(false, Ordering::SeqCst);
    world.engine.reobserve().await.unwrap();
    assert_eq!(world.state(&there[2]).await, ActionState::Verified, "it is back");
}

#[tokio::test(start_paused = true)]
async fn what_is_over_its_time_on_a_host_that_is_away_is_tried_once_a_minute() {
    let world = World::new();
    for lamp in 0..3 {
        world.lit("sim/away", lamp).await;
    }
    let well = world.lit("sim/well", 0).await;
    world.hosts.away.store(true, Ordering::SeqCst);
    world.clock.advance(Duration::from_mins(10));
    world.engine.expire_due().await.unwrap();
    assert_eq!((world.state(&well).await, world.hosts.asked.load(Ordering::SeqCst)), (ActionState::Expired, 1));
    world.clock.advance(Duration::from_secs(30));
    world.engine.expire_due().await.unwrap();
    assert_eq!(world.hosts.asked.load(Ordering::SeqCst), 1, "it is not asked again so soon");
    world.hosts.away.store(false, Ordering::SeqCst);
    world.clock.advance(Duration::from_secs(30));
    world.engine.expire_due().await.unwrap();
    assert!(world.hosts.lamps.lock().unwrap().values().all(|lit| !lit), "all of them end when it is back");
}

#[tokio::test]
async fn a_look_that_never_ends_holds_up_no_expiry_of_another_host_and_no_shutdown() {
    let world = World::new();
    for lamp in 0..3 {
        world.lit("sim/away", lamp).await;
    }
    let well = world.lit("sim/well", 0).await;
    world.hosts.away.store(true, Ordering::SeqCst);
    world.hosts.for_ever.store(true, Ordering::SeqCst);
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let watch = tasks.spawn(Arc::clone(&world.engine).watch(stop.clone()));
    world.clock.advance(Duration::from_mins(10));
    tokio::time::timeout(AT_MOST, world.hosts.went_out.notified()).await.expect("the other host's effect ends");
    stop.cancel();
    // What is being undone is waited for, and that look never ends.
    watch.abort();
    assert_eq!(world.hosts.lamps.lock().unwrap().get(&("sim/well".to_owned(), 0)), Some(&false));
    assert!(world.state(&well).await != ActionState::Verified);
}

#[tokio::test]
async fn a_look_at_a_host_that_is_away_holds_up_no_shutdown() {
    let world = World::new();
    world.lit("sim/away", 0).await;
    world.hosts.away.store(true, Ordering::SeqCst);
    world.hosts.for_ever.store(true, Ordering::SeqCst);
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let watch = tasks.spawn(Arc::clone(&world.engine).watch(stop.clone()));
    while world.hosts.asked.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    tokio::time::timeout(AT_MOST, watch).await.expect("it ends at once").unwrap();
}
