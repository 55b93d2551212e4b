//! A host that is away: it is asked once in a look, and holds up no other host and no shutdown.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shieldops_model::{Action, ActionState, ControlPath, FixedClock, Id, Plan, PlanState, ProposedAction, Target};
use shieldops_policy::{Facts, Policy};
use shieldops_respond::{
    By, Capability, Class, CrashPoints, Description, Engine, EngineOptions, Error, Fault, Journal as _, Observed,
    Permit, PlanRequest, Prospect, Purpose, Registry, Site, Surroundings, Twin, Typed, UndoScope,
    memory::MemoryJournal, stand_in,
};
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::switch::{CHANGE, START, person, request};

pub(crate) const NAME: &str = "test.lamp";
/// How long a look at a host that is away takes: as an SSH connection does.
const IN_VAIN: Duration = Duration::from_secs(20);
const AT_MOST: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Hosts {
    lamps: Mutex<BTreeMap<(String, u32), bool>>,
    away: AtomicBool,
    /// The host that is away is another node's.
    anothers: AtomicBool,
    /// How often the host that is away was looked at.
    asked: AtomicUsize,
    /// A look that was in vain never ends by itself.
    for_ever: AtomicBool,
    /// The lamp that does not light, whatever is done.
    broken: AtomicU32,
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
        if target.name == "sim/away" && self.0.anothers.load(Ordering::SeqCst) {
            return Err(Fault::Elsewhere("it is the host of another node".to_owned()));
        }
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
        if to.lamp == self.0.broken.load(Ordering::SeqCst) {
            return Ok(());
        }
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

fn begin(
    journal: &Arc<MemoryJournal>,
    hosts: &Arc<Hosts>,
    (clock, runs): (&FixedClock, &TaskTracker),
    crash: CrashPoints,
) -> Arc<Engine> {
    let registry = Registry::new(vec![Arc::new(Typed::new(Lamp(Arc::clone(hosts)))) as _]).unwrap();
    Engine::new(EngineOptions {
        tenant: Id::from_bits(1),
        journal: Arc::clone(journal) as _,
        registry: Arc::new(registry),
        policy: Arc::new(Policy::built_in().unwrap()),
        clock: Arc::new(clock.clone()),
        tracker: runs.clone(),
        crash,
        findings: None,
        rescue: None,
    })
}

pub(crate) fn lighting(host: &str, lamps: Range<u32>) -> Vec<ProposedAction> {
    let target = stand_in(host).reference();
    let lit =
        |lamp| ProposedAction { capability: NAME.to_owned(), target: target.clone(), params: json!({"lamp": lamp}) };
    lamps.map(lit).collect()
}

pub(crate) struct World {
    pub(crate) engine: Arc<Engine>,
    pub(crate) journal: Arc<MemoryJournal>,
    pub(crate) clock: FixedClock,
    runs: TaskTracker,
    hosts: Arc<Hosts>,
}

impl World {
    pub(crate) fn new() -> Self {
        let (hosts, clock) = (Arc::new(Hosts::default()), FixedClock::at(START));
        hosts.broken.store(u32::MAX, Ordering::SeqCst);
        let row = |name: &str, id| Target { id: Id::from_bits(id), ..stand_in(name) };
        let journal = Arc::new(MemoryJournal::with_targets([row("sim/away", 1), row("sim/well", 2)]));
        journal.put_surroundings(Surroundings::default());
        let runs = TaskTracker::new();
        let engine = begin(&journal, &hosts, (&clock, &runs), CrashPoints::none());
        Self { engine, journal, clock, runs, hosts }
    }

    /// The process is lost, and another begins.
    pub(crate) fn restart(&mut self, crash: CrashPoints) {
        self.engine = begin(&self.journal, &self.hosts, (&self.clock, &self.runs), crash);
    }

    /// Whether this process is on another node than the host `sim/away`.
    pub(crate) fn is_elsewhere(&self, elsewhere: bool) {
        self.hosts.anothers.store(elsewhere, Ordering::SeqCst);
    }

    pub(crate) fn break_lamp(&self, lamp: u32) {
        self.hosts.broken.store(lamp, Ordering::SeqCst);
    }

    /// The host `sim/away` answers no more, or again.
    pub(crate) fn go_away(&self, away: bool) {
        self.hosts.away.store(away, Ordering::SeqCst);
    }

    /// The process is lost at a point of what recovery does, and another begins.
    pub(crate) async fn lose_recovery_at(&mut self, point: &str) {
        self.restart(CrashPoints::give_up_at(point));
        let lost = self.engine.recover().await;
        self.idle().await;
        assert!(matches!(lost, Err(Error::Crashed(name)) if name == point), "{point}: {lost:?}");
        self.restart(CrashPoints::none());
    }

    /// How many entries of a kind the ledger has.
    pub(crate) fn told(&self, kind: &str) -> usize {
        self.journal.entries().iter().filter(|entry| entry.kind == kind).count()
    }

    pub(crate) fn lit_lamps(&self) -> usize {
        self.hosts.lamps.lock().unwrap().values().filter(|lit| **lit).count()
    }

    /// Until no run is under way.
    pub(crate) async fn idle(&self) {
        self.runs.close();
        self.runs.wait().await;
        self.runs.reopen();
    }

    /// A plan of person 9 that lights these, one after the other.
    pub(crate) async fn planned(&self, host: &str, lamps: Range<u32>) -> Plan {
        self.engine.propose(PlanRequest { actions: lighting(host, lamps), ..request(CHANGE, None) }).await.unwrap()
    }

    /// Begun, by whoever has to say yes.
    pub(crate) async fn go(&self, plan: &Plan) {
        if plan.decision.approvals_needed > 0 {
            self.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
        } else {
            self.engine.execute(plan.id, &person(1)).await.unwrap();
        }
    }

    pub(crate) async fn plan(&self, plan: &Plan) -> Plan {
        self.journal.plan(plan.id).await.unwrap().unwrap()
    }

    pub(crate) async fn lit(&self, host: &str, lamp: u32) -> Action {
        let plan = self.planned(host, lamp..lamp + 1).await;
        self.go(&plan).await;
        let done = self.engine.wait(plan.id, AT_MOST).await.unwrap().actions.remove(0);
        assert_eq!(done.state, ActionState::Verified, "{:?}", plan.decision);
        done
    }

    pub(crate) async fn state(&self, action: &Action) -> ActionState {
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

pub(crate) fn person_9s() -> UndoScope {
    UndoScope::Time { by: By::User(person(9).user), from: START, to: START.plus(Duration::from_mins(1)) }
}

/// Three effects on the host that is away, and an older one on the host that answers.
pub(crate) async fn one_well_and_three_away(for_ever: bool) -> (World, Action, Vec<Action>) {
    let world = World::new();
    let (well, mut there) = (world.lit("sim/well", 0).await, Vec::new());
    for lamp in 0..3 {
        world.clock.advance(Duration::from_secs(1));
        there.push(world.lit("sim/away", lamp).await);
    }
    world.hosts.away.store(true, Ordering::SeqCst);
    world.hosts.for_ever.store(for_ever, Ordering::SeqCst);
    (world, well, there)
}

#[tokio::test(start_paused = true)]
async fn an_undo_of_a_time_asks_a_host_that_is_away_once_and_undoes_the_others_first() {
    let (world, well, there) = one_well_and_three_away(false).await;
    let began = tokio::time::Instant::now();
    let preview = world.engine.preview_undo(&person_9s(), &person(9)).await.unwrap();
    assert_eq!((preview.undoable, preview.not_read, world.hosts.asked.load(Ordering::SeqCst)), (1, 3, 1));
    assert!(began.elapsed() <= IN_VAIN, "{:?}", began.elapsed());
    assert_eq!(preview.items[0].prospect, Prospect::Unknown, "the newest stands first all the same");
    let report = world.engine.undo_many(person_9s(), &person(9), "an exercise").await.unwrap();
    assert_eq!((report.undone, report.goes_on, world.hosts.asked.load(Ordering::SeqCst)), (1, false, 3));
    assert_eq!(world.state(&well).await, ActionState::Undone);
    let left: Vec<_> = report.items.iter().filter(|item| item.done == Some(false)).map(|item| item.action_id).collect();
    assert_eq!(left, [there[2].id, there[1].id, there[0].id]);
    world.hosts.away.store(false, Ordering::SeqCst);
    let report = world.engine.undo_many(person_9s(), &person(9), "it is back").await.unwrap();
    assert_eq!(report.undone, 3);
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_takes_too_long_is_answered_as_far_as_it_came_and_goes_on() {
    let (world, well, there) = one_well_and_three_away(true).await;
    let began = tokio::time::Instant::now();
    let report = world.engine.undo_many(person_9s(), &person(9), "an exercise").await.unwrap();
    assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
    assert_eq!((report.goes_on, report.undone, world.state(&well).await), (true, 1, ActionState::Undone));
    let open = report.items.iter().filter(|item| item.done.is_none()).count();
    assert_eq!(open, there.len(), "their turn is to come");
}

#[tokio::test]
async fn a_target_that_was_removed_keeps_no_undo_of_a_time() {
    let world = World::new();
    let (gone, well) = (world.lit("sim/away", 0).await, world.lit("sim/well", 0).await);
    world.journal.remove_target(gone.target_id);
    let report = world.engine.undo_many(person_9s(), &person(9), "an exercise").await.unwrap();
    assert_eq!((report.undone, world.state(&well).await), (1, ActionState::Undone));
    let item = report.items.iter().find(|item| item.action_id == gone.id).unwrap();
    assert_eq!((item.prospect, item.done), (Prospect::Nothing, None));
}

#[tokio::test]
async fn an_effect_is_lifted_for_all_who_want_it_at_once() {
    let world = World::new();
    let (one, other, apart) =
        (world.lit("sim/well", 0).await, world.lit("sim/well", 0).await, world.lit("sim/well", 1).await);
    let scope = || UndoScope::Effect(one.id);
    let preview = world.engine.preview_undo(&scope(), &person(9)).await.unwrap();
    assert_eq!((preview.items.len(), preview.items.iter().find_map(|item| item.why.clone())), (2, None));
    let alone = world.engine.preview_undo(&UndoScope::Plan(one.plan_id), &person(9)).await.unwrap();
    assert!(alone.items[0].why.as_deref().unwrap().contains("1 other"), "{alone:?}");
    let report = world.engine.undo_many(scope(), &person(9), "an exercise").await.unwrap();
    assert_eq!((report.undone, world.lit_lamps()), (2, 1));
    assert_eq!((world.state(&other).await, world.state(&apart).await), (ActionState::Undone, ActionState::Verified));
    let again = world.engine.undo_many(scope(), &person(9), "once more").await;
    assert!(matches!(&again, Err(why) if why.to_string().contains("nobody wants")), "{again:?}");
}

#[tokio::test]
async fn an_undo_of_many_that_lost_its_process_goes_on_at_the_next_start() {
    for point in ["before_undo_planned", "after_undo_planned", "before_run_ended"] {
        an_undo_of_many_is_lost_at(point).await;
    }
}

async fn an_undo_of_many_is_lost_at(point: &str) {
    let mut world = World::new();
    let mut lit = Vec::new();
    for lamp in 0..3 {
        lit.push(world.lit("sim/well", lamp).await);
    }
    world.restart(CrashPoints::give_up_at(point));
    world.engine.undo_many(person_9s(), &person(9), "an exercise").await.unwrap_err();
    let mut undone = 0;
    for action in &lit {
        undone += usize::from(world.state(action).await == ActionState::Undone);
    }
    assert!(undone < 3, "{point}: the process was lost in the middle");
    world.restart(CrashPoints::none());
    world.engine.recover().await.unwrap();
    world.idle().await;
    for action in &lit {
        assert_eq!(world.state(action).await, ActionState::Undone, "{point}");
        assert_eq!(world.journal.plans_of_undo(action.plan_id).len(), 1, "{point}");
    }
    let journal = Arc::clone(&world.journal);
    let of = |kind: &str| journal.entries().into_iter().filter(|entry| entry.kind == kind).collect::<Vec<_>>();
    let (begun, ended) = (of("undo.begun"), of("undo.ended"));
    assert_eq!((begun.len(), ended.len(), &ended[0].payload["of"]), (1, 1, &json!(3)), "{ended:?}");
    assert_eq!((&ended[0].payload["undo"], &ended[0].actor), (&begun[0].payload["undo"], &begun[0].actor));
    world.restart(CrashPoints::none());
    world.engine.recover().await.unwrap();
    world.idle().await;
    assert_eq!(of("undo.ended").len(), 1, "what has ended is not taken up again");
}

#[tokio::test]
async fn an_undo_of_many_of_somebody_who_may_undo_no_more_does_not_go_on() {
    let mut world = World::new();
    let lit = world.lit("sim/well", 0).await;
    world.restart(CrashPoints::give_up_at("after_intent"));
    drop(world.engine.undo_many(person_9s(), &person(9), "an exercise").await);
    let before = world.state(&lit).await;
    world.journal.put_gone(person(9).user);
    world.restart(CrashPoints::none());
    world.engine.recover().await.unwrap();
    world.idle().await;
    let ended = world.journal.entries().into_iter().find(|entry| entry.kind == "undo.ended").unwrap();
    assert!(ended.payload["why"].as_str().unwrap().contains("may not undo any more"), "{before:?} {ended:?}");
}

#[tokio::test]
async fn a_run_that_finds_the_database_away_is_taken_up_again() {
    let world = World::new();
    let plan = world.planned("sim/well", 0..1).await;
    world.journal.fail_target();
    world.go(&plan).await;
    world.idle().await;
    assert_eq!(world.plan(&plan).await.state, PlanState::Approved);
    world.clock.advance(Duration::from_mins(3));
    world.engine.expire_due().await.unwrap();
    assert_eq!(world.engine.wait(plan.id, AT_MOST).await.unwrap().actions[0].state, ActionState::Verified);
}

#[tokio::test(start_paused = true)]
async fn an_effect_whose_undo_failed_is_still_looked_at_and_keeps_its_state() {
    let world = World::new();
    let action = world.lit("sim/away", 0).await;
    world.hosts.away.store(true, Ordering::SeqCst);
    world.clock.advance(Duration::from_mins(10));
    world.engine.expire_due().await.unwrap();
    world.hosts.away.store(false, Ordering::SeqCst);
    let told = async |effect: &str| {
        world.engine.reobserve().await.unwrap();
        let now = world.journal.action(action.id).await.unwrap().unwrap();
        let said = now.detail.unwrap_or_default();
        assert!(said.starts_with("its time is over") && said.ends_with(effect), "{said}");
        assert_eq!((now.state, said.matches("read again").count()), (ActionState::UndoFailed, 1));
        world.journal.entries().iter().filter(|entry| entry.kind == "action.observed").count()
    };
    assert_eq!(told("its effect is in force").await, 1);
    assert_eq!(told("its effect is in force").await, 1, "said once");
    world.hosts.lamps.lock().unwrap().clear();
    assert_eq!(told("its effect is not as planned").await, 2);
}
