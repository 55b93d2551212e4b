//! One life of a process that is killed: it goes on with what an earlier life left, blocks or disables or moves one thing,
//! and undoes it. What it knows is in the state database of its own folder, as a server's is.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Value, json};
use shieldops_connectors::linux::{Linux, LinuxOptions};
use shieldops_model::{Action, ActionState, Clock, PlanState, ProposedAction, SystemClock, UserId};
use shieldops_policy::{Policy, Requester, RequesterKind};
use shieldops_respond::{
    CrashPoints, Engine, EngineOptions, Journal as _, Person, PlanRequest, Registry, RescueFolder, StoreJournal,
    stand_in,
};
use shieldops_store::{Job, Options, Store, TenantScope, targets};
use tokio_util::task::TaskTracker;

use crate::{
    cli::{Outcome, block_on},
    output,
};

const AT_MOST: Duration = Duration::from_secs(100);
const ENDED: &[PlanState] = &[PlanState::Executed, PlanState::Denied, PlanState::Rejected, PlanState::Expired];

#[derive(Debug, Args)]
pub(crate) struct LifeArgs {
    #[arg(long)]
    dir: PathBuf,
    #[arg(long)]
    capability: String,
    #[arg(long)]
    params: String,
}

/// The hidden command of one life. Prints how the action stands at its end.
pub(crate) fn run(args: &LifeArgs) -> Outcome {
    let action = block_on(live(args))?;
    output::json(&json!({"state": action.state, "detail": action.detail, "owners": action.owners.len()}))?;
    Ok(std::process::ExitCode::SUCCESS)
}

async fn live(args: &LifeArgs) -> anyhow::Result<Action> {
    let options = Options { data_dir: args.dir.clone(), demo: false, database_url: None, keys_dir: None };
    let store = Store::open(&options, Arc::new(SystemClock)).await?;
    let tenant = store.first().await?.id;
    let scope = store.job(tenant, Job::Response)?;
    register(&scope, store.clock().as_ref()).await?;
    let journal = Arc::new(StoreJournal::new(scope, false));
    let linux = Linux::new(LinuxOptions {
        data_dir: args.dir.clone(),
        installation: "proof".to_owned(),
        clock: Arc::clone(store.clock()),
    })?;
    let key = store.keys().data_key(tenant)?;
    let tracker = TaskTracker::new();
    let engine = Engine::new(EngineOptions {
        tenant,
        journal: Arc::clone(&journal) as _,
        registry: Arc::new(Registry::new(shieldops_connectors::capabilities(linux))?),
        policy: Arc::new(Policy::built_in()?),
        clock: Arc::clone(store.clock()),
        tracker: tracker.clone(),
        crash: CrashPoints::none(),
        findings: None,
        rescue: Some(RescueFolder::new(&args.dir, "proof".to_owned(), key)?),
    });
    engine.recover().await?;
    tracker.close();
    tracker.wait().await;
    tracker.reopen();
    let action = applied(&engine, &journal, args).await?;
    undone(&engine, action).await
}

async fn register(scope: &TenantScope, clock: &dyn Clock) -> anyhow::Result<()> {
    let row = stand_in("sim/proof");
    let mut tx = scope.begin().await?;
    if targets::find_named(&mut tx, &row.reference()).await?.is_none() {
        targets::insert(&mut tx, &row).await?;
        tx.record("target.created", &[&row.id], json!({"name": row.name}))?;
        tx.commit(clock.now()).await?;
    }
    Ok(())
}

/// The action, in force: planned now, or by an earlier life.
async fn applied(engine: &Arc<Engine>, journal: &StoreJournal, args: &LifeArgs) -> anyhow::Result<Action> {
    let mut known = journal.plans_in(&[PlanState::Proposed, PlanState::Approved, PlanState::Executing]).await?;
    known.extend(journal.plans_in(ENDED).await?);
    known.retain(|plan| plan.undo_of.is_none());
    if known.len() > 1 {
        bail!("{} plans where one was asked for", known.len());
    }
    let plan = match known.pop() {
        Some(plan) => plan,
        None => engine.propose(request(args)?).await?,
    };
    if plan.state == PlanState::Proposed {
        for number in 1..=u128::from(plan.decision.approvals_needed) {
            engine.approve(plan.id, &plan.hash, &person(number + 1)).await?;
        }
        if plan.decision.approvals_needed == 0 {
            engine.execute(plan.id, &person(1)).await?;
        }
    }
    let plan = engine.wait(plan.id, AT_MOST).await?;
    let action = plan.actions.into_iter().next().context("a plan without actions")?;
    match action.state {
        ActionState::Verified | ActionState::Undoing | ActionState::Undone => Ok(action),
        other => bail!("the action is {other:?}: {}", action.detail.unwrap_or_default()),
    }
}

async fn undone(engine: &Arc<Engine>, action: Action) -> anyhow::Result<Action> {
    if action.class != "reversible" {
        return Ok(action);
    }
    Ok(engine.undo(action.id, &person(1), "it was proved").await?)
}

fn request(args: &LifeArgs) -> anyhow::Result<PlanRequest> {
    let params: Value = serde_json::from_str(&args.params).context("--params: want JSON")?;
    let target = stand_in("sim/proof").reference();
    Ok(PlanRequest {
        title: "Proof".to_owned(),
        why: "it is proved".to_owned(),
        actions: vec![ProposedAction { capability: args.capability.clone(), target, params }],
        requester: Requester { id: person(1).user.to_string(), kind: RequesterKind::User },
        requester_addr: person(1).client_addr,
        incident_id: None,
        not_checkable: Vec::new(),
        demo: false,
        confidence: None,
    })
}

fn person(number: u128) -> Person {
    let (name, client_addr) = (format!("person {number}"), Some("192.0.2.250".to_owned()));
    Person { user: UserId::from_bits(number), name, client_addr, strong: true }
}
