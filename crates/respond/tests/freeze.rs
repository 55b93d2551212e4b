//! A change freeze: it holds what changes, never what contains, and a person who may approve sets it aside with a reason. And
//! what a plan says of what it reaches.

#![expect(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shieldops_model::{
    Action, ControlPath, Environment, Estimate, FixedClock, Id, Override, Plan, PlanState, ProposedAction, Target,
    Timestamp,
};
use shieldops_policy::{Facts, Freeze, GateSettings, Policy};
use shieldops_respond::{
    Capability, Class, CrashPoints, Dependant, Description, Engine, EngineOptions, Fault, Journal as _, Observed,
    Permit, Person, PlanRequest, Purpose, Registry, Requester, RequesterKind, Site, Surroundings, Twin, Typed,
    memory::MemoryJournal, plan_hash, stand_in,
};
use tokio_util::task::TaskTracker;

/// A switch, thrown for one purpose or the other.
struct Switch {
    on: Arc<AtomicBool>,
    purpose: Purpose,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    range: Option<IpNet>,
}

#[async_trait]
impl Capability for Switch {
    type Params = Params;
    type State = bool;

    fn describe(&self) -> Description {
        Description {
            name: if self.purpose == Purpose::Change { "test.change" } else { "test.contain" },
            title: "Throw a switch",
            target_kind: "linux_host",
            params_schema: json!({}),
            class: Class::Reversible,
            purpose: self.purpose,
            effects: &["switch.throw"],
            settle_ms: 700,
            base_risk: 1,
            twin: Twin::Network,
            docs: "",
        }
    }

    async fn observe(&self, _target: &Target, _params: &Params) -> Result<Observed<bool>, Fault> {
        let lamp = Dependant { kind: "service".to_owned(), name: "lamp".to_owned(), detail: "goes out".to_owned() };
        let facts = Facts {
            resources: vec!["user:ann".to_owned(), "user:bea".to_owned()],
            dependants: vec![lamp],
            not_checkable: vec!["the fuse".to_owned()],
            ..Facts::default()
        };
        Ok(Observed { state: self.on.load(Ordering::SeqCst), facts })
    }

    fn desired(&self, _state: &bool, _params: &Params) -> bool {
        true
    }

    async fn apply(&self, _site: Site<'_>, _from: &bool, to: &bool, _permit: Permit) -> Result<(), Fault> {
        self.on.store(*to, Ordering::SeqCst);
        Ok(())
    }

    fn undo_text(&self, _params: &Params) -> String {
        "Throws it back.".to_owned()
    }

    fn control_path(&self, _target: &Target, _params: &Params) -> ControlPath {
        ControlPath { via: "wire".to_owned(), at_risk: false, why: "no way leads through a switch".to_owned() }
    }

    fn reach(&self, params: &Params) -> Vec<IpNet> {
        params.range.into_iter().collect()
    }
}

struct World {
    engine: Arc<Engine>,
    journal: Arc<MemoryJournal>,
    clock: FixedClock,
    on: Arc<AtomicBool>,
}

/// Production, in a freeze.
fn world() -> World {
    world_in(Environment::Production)
}

fn world_in(environment: Environment) -> World {
    let (on, clock) = (Arc::new(AtomicBool::new(false)), FixedClock::at(Timestamp::from_secs(1_795_000_000)));
    let frozen = json!({"name": "close of the year", "reason": "the books", "environments": ["production"],
        "when": {"kind": "dates", "from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"}});
    let freeze: Freeze = serde_json::from_value(frozen).unwrap();
    let settings = GateSettings { freezes: vec![freeze], ..GateSettings::default() };
    let target = Target { environment, ..stand_in("sim/a") };
    let journal = Arc::new(MemoryJournal::with_targets([target]));
    journal.put_surroundings(Surroundings { settings, ..Surroundings::default() });
    let switch = |purpose| Arc::new(Typed::new(Switch { on: Arc::clone(&on), purpose })) as _;
    let engine = Engine::new(EngineOptions {
        tenant: Id::from_bits(1),
        journal: Arc::clone(&journal) as _,
        registry: Arc::new(Registry::new(vec![switch(Purpose::Change), switch(Purpose::Containment)]).unwrap()),
        policy: Arc::new(Policy::built_in().unwrap()),
        clock: Arc::new(clock.clone()),
        tracker: TaskTracker::new(),
        crash: CrashPoints::none(),
        findings: None,
        rescue: None,
    });
    World { engine, journal, clock, on }
}

fn person(n: u128) -> Person {
    Person {
        user: Id::from_bits(n),
        name: format!("person {n}"),
        client_addr: Some("192.0.2.7".to_owned()),
        strong: true,
    }
}

fn request(capability: &str, range: Option<&str>) -> PlanRequest {
    PlanRequest {
        title: "Throw the switch".to_owned(),
        why: "it is time".to_owned(),
        actions: vec![ProposedAction {
            capability: capability.to_owned(),
            target: stand_in("sim/a").reference(),
            params: json!({"range": range}),
        }],
        requester: Requester { id: person(9).user.to_string(), kind: RequesterKind::User },
        requester_addr: person(9).client_addr,
        incident_id: None,
        not_checkable: Vec::new(),
        demo: false,
        confidence: None,
        freeze_override: None,
    }
}

fn told(reason: &str) -> Override {
    let Person { user: by, name, client_addr, .. } = person(9);
    Override { by, name, reason: reason.to_owned(), at: Timestamp::from_secs(1_795_000_000), client_addr }
}

fn codes(plan: &Plan) -> Vec<&str> {
    plan.decision.denies.iter().map(|deny| deny.code.as_str()).collect()
}

#[tokio::test]
async fn a_freeze_holds_a_change_until_a_person_sets_it_aside_and_approvals_are_still_needed() {
    let world = world();
    let frozen = world.engine.propose(request("test.change", None)).await.unwrap();
    assert_eq!((frozen.state, codes(&frozen)), (PlanState::Denied, vec!["change_freeze"]));
    let requester = request("test.change", None).requester;
    let again =
        world.engine.replan(frozen.id, requester, person(9).client_addr, Some(told("the outage is worse"))).await;
    let plan = again.unwrap();
    assert_eq!((plan.state, codes(&plan)), (PlanState::Proposed, Vec::new()));
    assert_eq!(plan.freeze_override.as_ref().map(|told| told.reason.as_str()), Some("the outage is worse"));
    assert!(plan.decision.obligations.notify.contains(&"everyone".to_owned()), "{:?}", plan.decision.obligations);
    let entry = world.journal.entries().pop().unwrap();
    assert_eq!(
        (entry.kind, &entry.payload["freeze_override"]["reason"]),
        ("plan.freeze_overridden", &json!("the outage is worse"))
    );
    if plan.decision.approvals_needed > 0 {
        let early = world.engine.execute(plan.id, &person(9)).await.unwrap_err().to_string();
        assert!(early.contains("approvals"), "{early}");
        world.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
    } else {
        world.engine.execute(plan.id, &person(9)).await.unwrap();
    }
    let done = world.engine.wait(plan.id, Duration::from_secs(5)).await.unwrap();
    assert_eq!((done.state, world.on.load(Ordering::SeqCst)), (PlanState::Executed, true), "{done:?}");
}

#[tokio::test]
async fn containment_needs_no_override_and_one_that_nothing_needs_is_not_kept() {
    let world = world();
    let plan = world
        .engine
        .propose(PlanRequest { freeze_override: Some(told("just in case")), ..request("test.contain", None) });
    let plan = plan.await.unwrap();
    assert_eq!((plan.state, plan.freeze_override), (PlanState::Proposed, None), "nobody is alerted for nothing");
    assert_eq!(world.journal.entries().pop().unwrap().kind, "plan.proposed");
}

#[tokio::test]
async fn an_override_lifts_nothing_but_the_freeze() {
    let world = world();
    let wide = PlanRequest {
        freeze_override: Some(told("the outage is worse")),
        ..request("test.change", Some("127.0.0.0/30"))
    };
    let plan = world.engine.propose(wide).await.unwrap();
    assert_eq!((plan.state, codes(&plan)), (PlanState::Denied, vec!["loopback_address"]));
    assert_eq!(world.journal.entries().pop().unwrap().kind, "plan.denied");
}

#[tokio::test]
async fn a_plan_says_what_it_reaches_what_hangs_on_it_and_how_long_it_takes_and_its_hash_binds_it() {
    let world = world();
    let plan = world.engine.propose(request("test.contain", None)).await.unwrap();
    let action = &plan.actions[0];
    let target = format!("target:{}", action.target_id);
    assert_eq!(action.resources, [target.as_str(), "user:ann", "user:bea"]);
    assert_eq!((plan.blast_radius, action.dependants[0].name.as_str()), (Some(3), "lamp"));
    assert_eq!((plan.estimated_ms, action.estimate), (Some(1_000), Some(Estimate { ms: 1_000, measured: 0 })));
    assert_eq!(plan.not_checkable, ["the fuse"]);
    let row = Target { environment: Environment::Production, ..stand_in("sim/a") };
    let rows = BTreeMap::from([(row.id, row)]);
    assert_eq!(plan_hash(&plan, &rows).unwrap(), plan.hash);
    let changes: [fn(&mut Action); 3] =
        [|action| action.resources.truncate(1), |action| action.dependants.clear(), |action| action.estimate = None];
    for change in changes {
        let mut other = plan.clone();
        change(&mut other.actions[0]);
        assert_ne!(plan_hash(&other, &rows).unwrap(), plan.hash);
    }
    for other in [Plan { blast_radius: Some(1), ..plan.clone() }, Plan { estimated_ms: Some(1), ..plan.clone() }] {
        assert_ne!(plan_hash(&other, &rows).unwrap(), plan.hash);
    }
    let stored = world.journal.plan(plan.id).await.unwrap().unwrap();
    assert_eq!((stored.blast_radius, &stored.actions[0].resources), (Some(3), &action.resources));
}

#[tokio::test]
async fn what_was_measured_is_the_estimate_of_the_next_plan() {
    let world = world();
    let plan = world.engine.propose(request("test.contain", None)).await.unwrap();
    world.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
    world.engine.wait(plan.id, Duration::from_secs(5)).await.unwrap();
    world.clock.advance(Duration::from_mins(2));
    let next = world.engine.propose(request("test.contain", None)).await.unwrap();
    assert_eq!(next.actions[0].estimate, Some(Estimate { ms: 0, measured: 1 }), "the clock stood still meanwhile");
}

#[tokio::test]
async fn the_peers_that_events_named_in_a_range_are_its_blast_radius() {
    let world = world_in(Environment::Staging);
    let count = |plan: &Plan| (plan.blast_radius.unwrap(), codes(plan).join(","));
    let alone = world.engine.propose(request("test.contain", Some("203.0.113.0/24"))).await.unwrap();
    assert_eq!(count(&alone), (4, String::new()), "a range in which nobody was seen is one");
    world.journal.put_peers((1..=15).map(|last| format!("203.0.113.{last}").parse().unwrap()).collect());
    let seen = world.engine.propose(request("test.contain", Some("203.0.113.0/24"))).await.unwrap();
    assert_eq!(count(&seen), (18, String::new()));
    world.journal.put_peers((1..=30).map(|last| format!("203.0.113.{last}").parse().unwrap()).collect());
    let over = world.engine.propose(request("test.contain", Some("203.0.113.0/24"))).await.unwrap();
    assert_eq!(count(&over), (33, "blast_radius,blast_radius_hour".to_owned()));
    assert!(over.actions[0].resources.contains(&"peer:203.0.113.30".to_owned()));
}

#[tokio::test]
async fn a_plan_that_grew_since_it_was_agreed_to_goes_back_to_those_who_agreed() {
    let world = world_in(Environment::Staging);
    let plan = world.engine.propose(request("test.contain", Some("203.0.113.0/24"))).await.unwrap();
    world.journal.put_peers((1..=12).map(|last| format!("203.0.113.{last}").parse().unwrap()).collect());
    world.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
    let back = world.engine.wait(plan.id, Duration::from_secs(5)).await.unwrap();
    assert_eq!((back.state, back.approvals.len(), world.on.load(Ordering::SeqCst)), (PlanState::Proposed, 0, false));
    assert!(back.risk > plan.risk && back.hash != plan.hash && back.blast_radius == Some(15), "{back:?}");
    let entry = world.journal.entries().pop().unwrap();
    assert_eq!((entry.kind, &entry.payload["replaces"]), ("plan.returned", &json!(plan.hash)));
    world.engine.approve(back.id, &plan.hash, &person(1)).await.unwrap_err();
    world.engine.approve(back.id, &back.hash, &person(1)).await.unwrap();
    let done = world.engine.wait(plan.id, Duration::from_secs(5)).await.unwrap();
    assert_eq!((done.state, world.on.load(Ordering::SeqCst)), (PlanState::Executed, true), "{done:?}");
}
