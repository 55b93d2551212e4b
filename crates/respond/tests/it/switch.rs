//! A switch, thrown for one purpose or another, and the engine and the people around it.

use std::{
    ops::RangeInclusive,
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
    Action, Confirmation, ConfirmedWith, ControlPath, Environment, FixedClock, Id, Plan, ProposedAction, Target,
    Timestamp,
};
use shieldops_policy::{Facts, GateSettings, Policy};
use shieldops_respond::{
    Capability, Class, CrashPoints, Dependant, Description, Engine, EngineOptions, Fault, Journal as _, Observed,
    Permit, Person, PlanRequest, Purpose, Registry, Requester, RequesterKind, Site, Surroundings, Twin, Typed,
    memory::MemoryJournal, stand_in,
};
use tokio_util::task::TaskTracker;

pub(crate) const CHANGE: &str = "test.change";
pub(crate) const CONTAIN: &str = "test.contain";
pub(crate) const LOOK: &str = "test.look";
pub(crate) const START: Timestamp = Timestamp::from_secs(1_795_000_000);
/// The longest that a run of a switch may take.
const AT_MOST: Duration = Duration::from_mins(2);

struct Switch {
    name: &'static str,
    on: Arc<AtomicBool>,
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
            name: self.name,
            title: "Throw a switch",
            target_kind: "linux_host",
            params_schema: json!({}),
            class: if self.name == LOOK { Class::ReadOnly } else { Class::Reversible },
            purpose: if self.name == CHANGE { Purpose::Change } else { Purpose::Containment },
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

    fn desired(&self, state: &bool, _params: &Params) -> bool {
        *state || self.name != LOOK
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

pub(crate) struct World {
    pub(crate) engine: Arc<Engine>,
    pub(crate) journal: Arc<MemoryJournal>,
    pub(crate) clock: FixedClock,
    on: Arc<AtomicBool>,
    runs: TaskTracker,
}

impl World {
    pub(crate) fn new(environment: Environment, settings: GateSettings) -> Self {
        let (on, clock) = (Arc::new(AtomicBool::new(false)), FixedClock::at(START));
        let journal = Arc::new(MemoryJournal::with_targets([Target { environment, ..stand_in("sim/a") }]));
        journal.put_surroundings(Surroundings { settings, ..Surroundings::default() });
        let switch = |name| Arc::new(Typed::new(Switch { on: Arc::clone(&on), name })) as _;
        let runs = TaskTracker::new();
        let engine = Engine::new(EngineOptions {
            tenant: Id::from_bits(1),
            journal: Arc::clone(&journal) as _,
            registry: Arc::new(Registry::new(Vec::from([CHANGE, CONTAIN, LOOK].map(switch))).unwrap()),
            policy: Arc::new(Policy::built_in().unwrap()),
            clock: Arc::new(clock.clone()),
            tracker: runs.clone(),
            crash: CrashPoints::none(),
            findings: None,
            rescue: None,
        });
        Self { engine, journal, clock, on, runs }
    }

    /// Until no run is under way.
    pub(crate) async fn idle(&self) {
        self.runs.close();
        self.runs.wait().await;
        self.runs.reopen();
    }

    pub(crate) fn staging() -> Self {
        Self::new(Environment::Staging, GateSettings::default())
    }

    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::SeqCst)
    }

    pub(crate) async fn planned(&self, capability: &str, range: Option<&str>) -> Plan {
        self.engine.propose(request(capability, range)).await.unwrap()
    }

    /// Approved by another person, and run.
    pub(crate) async fn approved(&self, plan: &Plan) -> Plan {
        self.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
        self.ended(plan).await
    }

    pub(crate) async fn ended(&self, plan: &Plan) -> Plan {
        self.engine.wait(plan.id, AT_MOST).await.unwrap()
    }

    pub(crate) async fn action(&self, action: &Action) -> Action {
        self.journal.action(action.id).await.unwrap().unwrap()
    }

    /// Events speak of these now: the last numbers of 203.0.113.0/24.
    pub(crate) fn seen(&self, last: RangeInclusive<u8>) {
        use shieldops_model::Clock as _;
        self.journal.put_peers(self.clock.now(), last.map(|last| [203, 0, 113, last].into()).collect());
    }
}

pub(crate) fn person(n: u128) -> Person {
    Person {
        user: Id::from_bits(n),
        name: format!("person {n}"),
        client_addr: Some("192.0.2.7".to_owned()),
        // No clock of these tests outlives it.
        confirmed: Some(Confirmation::new(ConfirmedWith::Passkey, Timestamp::from_secs(4_000_000_000))),
    }
}

/// What person 9 asks for.
pub(crate) fn request(capability: &str, range: Option<&str>) -> PlanRequest {
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
        on_failure: shieldops_model::OnFailure::Keep,
        freeze_override: None,
    }
}

pub(crate) fn codes(plan: &Plan) -> Vec<&str> {
    plan.decision.denies.iter().map(|deny| deny.code.as_str()).collect()
}
