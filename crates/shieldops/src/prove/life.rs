//! One life of a process that is killed: it goes on with what an earlier life left, blocks or disables or moves one thing,
//! and undoes it. What it knows is in the state database of its own folder, as a server's is.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde_json::{Value, json};
use shieldops_connectors::linux::{Attached, Linux, LinuxOptions};
use shieldops_model::{
    Action, ActionState, Clock, Confirmation, ConfirmedWith, Plan, PlanState, ProposedAction, SystemClock, Timestamp,
    UserId,
};
use shieldops_policy::Policy;
use shieldops_respond::{
    CrashPoints, Engine, EngineOptions, Journal as _, Person, PlanRequest, Registry, RescueFolder, StoreJournal,
    stand_in,
};
use shieldops_store::{Job, Options, Store, TenantScope, targets};
use tokio_util::task::TaskTracker;

use super::kills::SIMULATOR;
use crate::{
    cli::{Outcome, block_on},
    output,
};

/// How a life says that policy did not allow it.
pub(super) const DENIED: &str = "denied";
/// Waits of one step: a run, and what it is undone by.
const MOST_WAITS: u32 = 8;
const ENDED: &[PlanState] = &[PlanState::Executed, PlanState::Denied, PlanState::Rejected, PlanState::Expired];

#[derive(Debug, Args)]
pub(crate) struct LifeArgs {
    #[arg(long)]
    dir: PathBuf,
    #[arg(long)]
    capability: String,
    #[arg(long)]
    params: String,
    /// `network/PID` or `rooted/PID`: the twin that another process holds. A simulator otherwise.
    #[arg(long, value_parser = read)]
    twin: Option<(String, u32)>,
}

/// How a life is told of a twin.
pub(super) fn named(name: &str, twin: Attached) -> String {
    let (Attached::Network(pid) | Attached::Rooted(pid)) = twin;
    format!("{name}/{pid}")
}

fn read(text: &str) -> Result<(String, u32), String> {
    let read = text.split_once('/').and_then(|(name, pid)| Some((name.to_owned(), pid.parse().ok()?)));
    read.ok_or_else(|| "want network/PID or rooted/PID".to_owned())
}

impl LifeArgs {
    fn target(&self) -> String {
        self.twin.as_ref().map_or_else(|| SIMULATOR.to_owned(), |(name, _)| format!("twin/{name}"))
    }

    fn attach(&self, linux: &Linux) {
        if let Some((name, pid)) = &self.twin {
            let twin = if name == "network" { Attached::Network(*pid) } else { Attached::Rooted(*pid) };
            linux.attach(name, twin);
        }
    }
}

/// The system's clock, moved on where an effect only takes its time. The next life goes on from there.
pub(super) struct Moved {
    by_us: AtomicU64,
    file: PathBuf,
}

impl Moved {
    pub(super) fn of(folder: &Path) -> Self {
        let file = folder.join("moved");
        let by_us = fs::read_to_string(&file).ok().and_then(|text| text.parse().ok()).unwrap_or_default();
        Self { by_us: AtomicU64::new(by_us), file }
    }

    fn by(&self) -> Duration {
        Duration::from_micros(self.by_us.load(Ordering::SeqCst))
    }

    fn advance(&self, span: Duration) -> anyhow::Result<()> {
        let by_us = u64::try_from((self.by() + span).as_micros())?;
        let fresh = self.file.with_extension("new");
        fs::write(&fresh, by_us.to_string())?;
        fs::rename(fresh, &self.file)?;
        self.by_us.store(by_us, Ordering::SeqCst);
        Ok(())
    }
}

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus(self.by())
    }

    fn boot(&self) -> Duration {
        SystemClock.boot() + self.by()
    }
}

/// The hidden command of one life. Prints how the action stands at its end.
pub(crate) fn run(args: &LifeArgs) -> Outcome {
    let said = match block_on(live(args))? {
        Some(action) => json!({"state": action.state, "detail": action.detail, "owners": action.owners.len()}),
        None => json!({"state": DENIED, "detail": null, "owners": 0}),
    };
    output::json(&said)?;
    Ok(std::process::ExitCode::SUCCESS)
}

struct Life<'a> {
    args: &'a LifeArgs,
    clock: Arc<Moved>,
    journal: Arc<StoreJournal>,
    tracker: TaskTracker,
    engine: Arc<Engine>,
}

/// Nothing when policy denied the plan.
async fn live(args: &LifeArgs) -> anyhow::Result<Option<Action>> {
    let clock = Arc::new(Moved::of(&args.dir));
    let options = Options { data_dir: args.dir.clone(), demo: false, database_url: None, keys_dir: None };
    let store = Store::open(&options, Arc::clone(&clock) as _).await?;
    let tenant = store.first().await?.id;
    let scope = store.job(tenant, Job::Response)?;
    register(&scope, &args.target(), clock.as_ref()).await?;
    let journal = Arc::new(StoreJournal::new(scope, false));
    let linux = Linux::new(LinuxOptions {
        data_dir: args.dir.clone(),
        installation: "proof".to_owned(),
        clock: Arc::clone(&clock) as _,
    })?;
    args.attach(&linux);
    let key = store.keys().data_key(tenant)?;
    let tracker = TaskTracker::new();
    let engine = Engine::new(EngineOptions {
        tenant,
        journal: Arc::clone(&journal) as _,
        registry: Arc::new(Registry::new(shieldops_connectors::capabilities(linux))?),
        policy: Arc::new(Policy::built_in()?),
        clock: Arc::clone(&clock) as _,
        tracker: tracker.clone(),
        crash: CrashPoints::none(),
        findings: None,
        rescue: Some(RescueFolder::new(&args.dir, "proof".to_owned(), key)?),
    });
    let life = Life { args, clock, journal, tracker, engine };
    life.engine.recover().await?;
    life.settled().await?;
    match life.applied().await? {
        Some(action) => life.undone(action).await.map(Some),
        None => Ok(None),
    }
}

async fn register(scope: &TenantScope, name: &str, clock: &dyn Clock) -> anyhow::Result<()> {
    let row = stand_in(name);
    let mut tx = scope.begin().await?;
    if targets::find_named(&mut tx, &row.reference()).await?.is_none() {
        targets::insert(&mut tx, &row).await?;
        tx.record("target.created", &[&row.id], json!({"name": row.name}))?;
        tx.commit(clock.now()).await?;
    }
    Ok(())
}

impl Life<'_> {
    /// Until nothing runs and nothing settles.
    async fn settled(&self) -> anyhow::Result<()> {
        for _ in 0..MOST_WAITS {
            self.tracker.close();
            self.tracker.wait().await;
            self.tracker.reopen();
            let Some(left) = self.engine.settling() else { return Ok(()) };
            self.clock.advance(left)?;
            self.engine.settle_due().await?;
        }
        bail!("what settles does not come to an end")
    }

    /// The action, in force: planned now, or by an earlier life.
    async fn applied(&self) -> anyhow::Result<Option<Action>> {
        let engine = &self.engine;
        let mut known =
            self.journal.plans_in(&[PlanState::Proposed, PlanState::Approved, PlanState::Executing]).await?;
        known.extend(self.journal.plans_in(ENDED).await?);
        known.retain(|plan| plan.undo_of.is_none());
        ensure!(known.len() <= 1, "{} plans where one was asked for", known.len());
        let plan = match known.pop() {
            Some(plan) => plan,
            None => engine.propose(self.request()?).await?,
        };
        if plan.state == PlanState::Proposed {
            for number in 1..=u128::from(plan.decision.approvals_needed) {
                let confirmed = Some(Confirmation::new(ConfirmedWith::Totp, SystemClock.now()));
                engine.approve(plan.id, &plan.hash, &Person { confirmed, ..person(number + 1) }).await?;
            }
            if plan.decision.approvals_needed == 0 {
                engine.execute(plan.id, &person(1)).await?;
            }
        }
        self.settled().await?;
        let plan = self.plan(&plan).await?;
        if plan.state == PlanState::Denied {
            return Ok(None);
        }
        let state = plan.state;
        let action = plan.actions.into_iter().next().context("a plan without actions")?;
        match action.state {
            ActionState::Verified => self.reported_truly(action).await.map(Some),
            ActionState::Undoing | ActionState::Undone => Ok(Some(action)),
            other => {
                bail!("the action is {other:?} of a plan that is {state:?}: {}", action.detail.unwrap_or_default())
            }
        }
    }

    /// What is called verified is there when it is read again.
    async fn reported_truly(&self, action: Action) -> anyhow::Result<Action> {
        let findings = self.engine.reobserve().await?;
        match findings.first() {
            Some(finding) => bail!("it is verified, and {:?}: {}", finding.kind, finding.detail),
            None => self.action(&action).await,
        }
    }

    async fn undone(&self, action: Action) -> anyhow::Result<Action> {
        if action.class != "reversible" {
            return Ok(action);
        }
        self.engine.undo(action.id, &person(1), "it was proved").await?;
        self.settled().await?;
        self.action(&action).await
    }

    async fn plan(&self, plan: &Plan) -> anyhow::Result<Plan> {
        self.journal.plan(plan.id).await?.context("the plan is gone")
    }

    async fn action(&self, action: &Action) -> anyhow::Result<Action> {
        self.journal.action(action.id).await?.context("the action is gone")
    }

    fn request(&self) -> anyhow::Result<PlanRequest> {
        let params: Value = serde_json::from_str(&self.args.params).context("--params: want JSON")?;
        let (capability, target) = (self.args.capability.clone(), stand_in(&self.args.target()).reference());
        let actions = vec![ProposedAction { capability, target, params }];
        Ok(PlanRequest::of_person(&person(1), "Proof", "it is proved", actions))
    }
}

fn person(number: u128) -> Person {
    let (name, client_addr) = (format!("person {number}"), Some("192.0.2.250".to_owned()));
    Person { user: UserId::from_bits(number), name, client_addr, confirmed: None }
}
