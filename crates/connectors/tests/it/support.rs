//! An engine over a journal in memory, and the people around it.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use serde_json::{Value, json};
use shieldops_connectors::linux::{Linux, LinuxOptions, TwinOptions};
use shieldops_model::{
    Action, Confirmation, ConfirmedWith, Criticality, Environment, FixedClock, Id, Plan, PlanState, ProposedAction,
    Target, TargetKind, TargetRef, Timestamp,
};
use shieldops_policy::Policy;
use shieldops_respond::{
    CrashPoints, Engine, EngineOptions, Error, Person, PlanRequest, Registry, Requester, RequesterKind, Surroundings,
    memory::MemoryJournal,
};
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

pub(crate) const ATTACKER: &str = "203.0.113.66";

pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) clock: FixedClock,
    pub(crate) linux: Arc<Linux>,
    pub(crate) journal: Arc<MemoryJournal>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) target: String,
    tracker: TaskTracker,
}

pub(crate) fn target(name: &str) -> Target {
    Target {
        id: Id::from_bits(77),
        kind: TargetKind::LinuxHost,
        name: name.to_owned(),
        host: None,
        environment: Environment::Production,
        criticality: Criticality::Medium,
        labels: BTreeMap::new(),
        owner: None,
        simulated: name.starts_with("sim/"),
        realm: None,
        node: None,
        ssh: None,
        protected: false,
        demo: false,
        created_at: Timestamp::from_secs(0),
        version: 1,
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

/// Numbers that no test comes to: rates and caps have tests of their own.
pub(crate) fn unlimited() -> Surroundings {
    let mut around = Surroundings::default();
    for environment in [Environment::Development, Environment::Staging, Environment::Production] {
        let limits = around.settings.numbers.limits.of_mut(environment);
        (limits.per_minute, limits.per_hour, limits.per_team_hour) = (100_000, 100_000, 100_000);
        (limits.blast_radius, limits.resources_per_hour) = (100_000, 100_000);
    }
    around
}

/// The example that is built beside the tests: our binary's stand-in.
pub(crate) fn exe() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let exe = own.parent().and_then(|deps| deps.parent()).unwrap().join("examples/twin");
    assert!(exe.exists(), "build the examples first: cargo build --examples -p shieldops-connectors");
    exe
}

pub(crate) fn request_on(target: &str, params: Value) -> PlanRequest {
    PlanRequest {
        title: "Block the attacker".to_owned(),
        why: "it attacks".to_owned(),
        actions: vec![ProposedAction {
            capability: "linux.block_ip".to_owned(),
            target: TargetRef { kind: "linux_host".to_owned(), name: target.to_owned() },
            params,
        }],
        requester: Requester { id: person(90).user.to_string(), kind: RequesterKind::User },
        requester_addr: person(90).client_addr,
        incident_id: None,
        not_checkable: Vec::new(),
        demo: false,
        confidence: None,
        on_failure: shieldops_model::OnFailure::Keep,
        freeze_override: None,
    }
}

impl World {
    pub(crate) fn new(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = FixedClock::at(Timestamp::from_secs(1_795_000_000));
        let options = LinuxOptions {
            data_dir: folder.path().to_owned(),
            installation: "test".to_owned(),
            clock: Arc::new(clock.clone()),
        };
        let linux = Linux::new(options).unwrap();
        let journal = Arc::new(MemoryJournal::with_targets([target(name)]));
        journal.put_surroundings(unlimited());
        let tracker = TaskTracker::new();
        let engine = engine(&linux, &journal, &clock, CrashPoints::none(), &tracker);
        Self { folder, clock, linux, journal, engine, target: name.to_owned(), tracker }
    }

    /// One more target beside the first.
    pub(crate) fn another(&self, number: u128) -> String {
        let name = format!("sim/another-{number}");
        self.journal.put_target(Target { id: Id::from_bits(1_000 + number), ..target(&name) });
        name
    }

    pub(crate) fn tracker(&self) -> TaskTracker {
        self.tracker.clone()
    }

    /// On a real twin; `None`, loudly, where none can run.
    pub(crate) async fn live() -> Option<Self> {
        let world = Self::new("twin/test");
        match world.start_twin().await {
            Ok(()) => Some(world),
            Err(error) => {
                // A kernel that forbids it is a reason to skip; a twin that does not work is not.
                assert!(
                    error.why.contains("do not work here") || error.why.contains("does not work in a twin here"),
                    "{error}"
                );
                eprintln!("SKIPPED: no twin can run here: {error}");
                None
            }
        }
    }

    pub(crate) async fn start_twin(&self) -> Result<(), shieldops_connectors::linux::Unavailable> {
        let options = TwinOptions {
            name: "test".to_owned(),
            attacker: ATTACKER.parse().unwrap(),
            victim: "203.0.113.10".parse().unwrap(),
            exe: exe(),
        };
        self.linux.start_twin(options).await.map(|_| ())
    }

    /// The same world after its process ended and another began.
    pub(crate) fn restart(&mut self, crash: CrashPoints) {
        self.engine = engine(&self.linux, &self.journal, &self.clock, crash, &self.tracker);
    }

    /// The same host under a database that knows nothing of what was done there.
    pub(crate) fn forget(&mut self) {
        self.journal = Arc::new(MemoryJournal::with_targets([target(&self.target)]));
        self.journal.put_surroundings(unlimited());
        self.restart(CrashPoints::none());
    }

    /// Returns when nothing that was started runs any more: ended, or given up at a crash point.
    pub(crate) async fn idle(&self) {
        self.tracker.close();
        self.tracker.wait().await;
        self.tracker.reopen();
    }

    pub(crate) fn request(&self, params: Value) -> PlanRequest {
        request_on(&self.target, params)
    }

    pub(crate) async fn propose(&self, params: Value) -> Plan {
        self.engine.propose(self.request(params)).await.unwrap()
    }

    /// Proposes, approves and waits for the end of the run.
    pub(crate) async fn done(&self, params: Value) -> Action {
        let plan = self.propose(params).await;
        assert_eq!(plan.state, PlanState::Proposed, "{:?}", plan.decision);
        self.approved(&plan).await
    }

    pub(crate) async fn approved(&self, plan: &Plan) -> Action {
        self.engine.approve(plan.id, &plan.hash, &person(1)).await.unwrap();
        let plan = self.engine.wait(plan.id, Duration::from_mins(2)).await.unwrap();
        plan.actions[0].clone()
    }

    pub(crate) async fn block(&self, address: &str) -> Action {
        self.done(json!({"address": address})).await
    }

    pub(crate) async fn undo(&self, action: &Action) -> Result<Action, Error> {
        let done = self.engine.undo(action.id, &person(2), "a false alarm").await?;
        if done.state == shieldops_model::ActionState::Undoing {
            self.settled().await;
            return Ok(self.action(action).await);
        }
        Ok(done)
    }

    /// Lets the time pass that effects take to begin.
    pub(crate) async fn settled(&self) {
        self.idle().await;
        while let Some(left) = self.engine.settling() {
            self.clock.advance(left);
            self.engine.settle_due().await.unwrap();
            self.idle().await;
        }
    }

    pub(crate) async fn action(&self, action: &Action) -> Action {
        use shieldops_respond::Journal as _;
        self.journal.action(action.id).await.unwrap().unwrap()
    }

    /// Whether the attacker gets through, asked of the prober or the simulator and of nothing that the engine said.
    pub(crate) async fn reaches(&self, from: &str) -> bool {
        let from: std::net::IpAddr = from.parse().unwrap();
        if let Some(twin) = self.linux.twin("test") {
            let probe = tokio::task::spawn_blocking(move || twin.probe_from(from)).await.unwrap();
            return probe.result == shieldops_respond::ProbeResult::Reachable;
        }
        let text = std::fs::read_to_string(self.folder.path().join("sim/test.json")).unwrap_or_default();
        let host: Value = serde_json::from_str(&text).unwrap_or_default();
        let set = if from.is_ipv4() { "blocked_v4" } else { "blocked_v6" };
        host["table"]["sets"][set]["elements"].get(from.to_string()).is_none()
    }
}

fn engine(
    linux: &Arc<Linux>,
    journal: &Arc<MemoryJournal>,
    clock: &FixedClock,
    crash: CrashPoints,
    tracker: &TaskTracker,
) -> Arc<Engine> {
    let registry = Registry::new(shieldops_connectors::capabilities(Arc::clone(linux))).unwrap();
    Engine::new(EngineOptions {
        tenant: Id::from_bits(1),
        journal: Arc::clone(journal) as Arc<dyn shieldops_respond::Journal>,
        registry: Arc::new(registry),
        policy: Arc::new(Policy::built_in().unwrap()),
        clock: Arc::new(clock.clone()),
        tracker: tracker.clone(),
        crash,
        findings: None,
        rescue: None,
    })
}
