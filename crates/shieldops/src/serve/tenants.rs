//! The tenants of this process: each one's engine, workers and watch. They begin when a tenant appears, whoever made it,
//! and end when it is gone; a tenant that is suspended, locked or being deleted keeps all but new automation.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use shieldops_api::NoEngine;
use shieldops_model::{TenantId, TenantState};
use shieldops_pipeline::Pipeline;
use shieldops_respond::{CrashPoints, Engine, Lifelines, Registry};
use shieldops_store::{Change, Duty, Store, people::Tenant, shred};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{notices, outbound::Outbound, response};
use crate::config::{Role, Roles};

/// How long another node's new tenant may wait; one that is made here is told at once.
const EVERY: Duration = Duration::from_secs(1);

/// How often it is looked for tenants whose time of grace is over.
const SHRED_EVERY: Duration = Duration::from_mins(1);

/// What every tenant's work is made of.
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) pipeline: Pipeline,
    pub(crate) registry: Arc<Registry>,
    /// Syslog is taken from senders that prove nothing.
    pub(crate) open_syslog: bool,
    /// What this server itself lives by.
    pub(crate) lifelines: Arc<Lifelines>,
    pub(crate) roles: Roles,
    pub(crate) crash_at: Option<String>,
    pub(crate) outbound: Arc<Outbound>,
    pub(crate) stop: CancellationToken,
    /// Cancelled once recovery and watching may begin: the demonstration's twin is up.
    pub(crate) targets_ready: CancellationToken,
}

pub(crate) struct Tenants {
    with: Parts,
    running: Mutex<HashMap<TenantId, Running>>,
}

/// One tenant's work here.
struct Running {
    engine: Option<Arc<Engine>>,
    /// Whose it is to reach the tenant's targets, among the processes with the role `respond`.
    duty: Duty,
    stop: CancellationToken,
    tasks: TaskTracker,
    /// Workers and watch were started.
    works: bool,
    /// Present while new plans are made without a person.
    automation: Option<CancellationToken>,
    /// What went wrong at the last try: said once.
    fault: Option<String>,
}

impl Tenants {
    pub(crate) fn new(with: Parts) -> Arc<Self> {
        Arc::new(Self { with, running: Mutex::default() })
    }

    /// Follows the tenants until told to stop.
    pub(crate) async fn follow(self: Arc<Self>) {
        let mut changes = self.with.store.watch();
        let mut shredding = tokio::time::interval(SHRED_EVERY);
        loop {
            tokio::select! {
                // A time of grace may be over at once.
                () = changed(&mut changes) => self.clear().await,
                () = tokio::time::sleep(EVERY) => {}
                _ = shredding.tick() => self.clear().await,
                () = self.with.stop.cancelled() => return,
            }
            if let Err(error) = self.reconcile().await {
                tracing::error!(error = format!("{error:#}"), "the tenants could not be read and will be tried again");
            }
        }
    }

    /// Starts what is there and does not run yet, and ends what is gone.
    pub(crate) async fn reconcile(&self) -> anyhow::Result<()> {
        let known = self.with.store.tenants().await?;
        for tenant in &known {
            self.keep(tenant);
        }
        let gone: Vec<_> =
            self.running().into_iter().filter(|id| known.iter().all(|tenant| tenant.id != *id)).collect();
        for tenant in gone {
            self.end(tenant).await;
        }
        Ok(())
    }

    /// Ends tenants whose time of grace is over, and what is left in this data directory of any that is gone.
    async fn clear(&self) {
        if self.with.roles.owns_bus() {
            self.shred().await;
        }
        if let Err(error) = self.forget_simulated().await {
            tracing::error!(
                error = format!("{error:#}"),
                "simulated targets of a deleted tenant are left and will be tried again"
            );
        }
    }

    /// Deletes the state of simulated targets whose tenant is gone: a tenant chose the names of its files.
    async fn forget_simulated(&self) -> anyhow::Result<()> {
        let folder = self.with.store.data_dir().join("sim");
        let mut found = Vec::new();
        let mut entries = match tokio::fs::read_dir(&folder).await {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        while let Some(entry) = entries.next_entry().await? {
            let tenant: Option<TenantId> = entry.file_name().to_str().and_then(|name| name.parse().ok());
            found.extend(tenant.map(|tenant| (tenant, entry.path())));
        }
        if found.is_empty() {
            return Ok(());
        }
        // Read after the folder: a tenant is there before its targets are.
        let known = self.with.store.tenants().await?;
        for (_, path) in found.iter().filter(|(of, _)| known.iter().all(|tenant| tenant.id != *of)) {
            tokio::fs::remove_dir_all(path).await?;
        }
        Ok(())
    }

    /// Their work, then their events, key and rows. The process that holds the log does it.
    async fn shred(&self) {
        let (store, now) = (&self.with.store, self.with.store.clock().now());
        let due = store.due_for_shredding(now).await.unwrap_or_else(|error| {
            tracing::error!(%error, "tenants to be deleted could not be read and will be tried again");
            Vec::new()
        });
        for tenant in due {
            self.end(tenant.id).await;
            let pipeline = self.with.pipeline.clone();
            let drop_events = move |id| pipeline.remove_tenant(id).map_err(|error| error.to_string());
            match shred::shred(store, tenant.id, now, drop_events).await {
                Ok(done) => {
                    tracing::info!(tenant.id = %tenant.id, rows = done.rows.values().sum::<u64>(), "the tenant is deleted");
                }
                // What it had goes on at the next look.
                Err(error) => {
                    tracing::error!(tenant.id = %tenant.id, %error, "the tenant could not be deleted and will be tried again");
                }
            }
        }
    }

    /// Brings one tenant's work to what its state asks for.
    fn keep(&self, tenant: &Tenant) {
        let mut all = self.lock();
        let running = all.entry(tenant.id).or_insert_with(|| self.fresh());
        match self.start(tenant, running) {
            Ok(()) => running.fault = None,
            // Its key may not be there yet: another node made it. One that cannot start holds up no other.
            Err(error) => {
                let fault = format!("{error:#}");
                if running.fault.as_ref() != Some(&fault) {
                    tracing::error!(tenant.id = %tenant.id, error = fault, "a tenant's work could not start and will be tried again");
                }
                running.fault = Some(fault);
            }
        }
    }

    fn start(&self, tenant: &Tenant, running: &mut Running) -> anyhow::Result<()> {
        let responds = self.with.roles.has(Role::Respond);
        if responds {
            self.engine_of(tenant.id, running)?;
        }
        if !running.works {
            if self.with.roles.has(Role::Detect) {
                self.with.pipeline.bus()?;
                running.tasks.spawn(detect(self.with.pipeline.clone(), tenant.id, running.stop.clone()));
            }
            if let Some(engine) = running.engine.as_ref().filter(|_| responds) {
                let (store, ready) = (self.with.store.clone(), self.with.targets_ready.clone());
                let (outbound, stop) = (Arc::clone(&self.with.outbound), running.stop.clone());
                running.tasks.spawn(notices::run(store.clone(), tenant.id, Arc::clone(engine), outbound, stop));
                let duty = running.duty.clone();
                running.tasks.spawn(watch((store, duty), tenant.id, Arc::clone(engine), ready, running.stop.clone()));
            }
            running.works = true;
            tracing::info!(tenant.id = %tenant.id, tenant.slug = tenant.slug, "the tenant's work begins");
        }
        match (&running.automation, automates(tenant) && responds) {
            (None, true) => {
                let stop = running.stop.child_token();
                let engine = self.engine_of(tenant.id, running)?;
                let scope = response::scope(&self.with.store, tenant.id)?;
                running.automation = Some(stop.clone());
                running.tasks.spawn(response::propose(scope, engine, running.duty.clone(), stop));
            }
            (Some(automation), false) => {
                automation.cancel();
                running.automation = None;
            }
            _ => {}
        }
        Ok(())
    }

    fn engine_of(&self, tenant: TenantId, running: &mut Running) -> anyhow::Result<Arc<Engine>> {
        if let Some(engine) = &running.engine {
            return Ok(Arc::clone(engine));
        }
        let crash = self.with.crash_at.clone().map_or_else(CrashPoints::none, CrashPoints::abort_at);
        let (registry, lifelines) = (Arc::clone(&self.with.registry), Arc::clone(&self.with.lifelines));
        let with = (registry, self.with.open_syslog, lifelines, running.duty.clone());
        let engine = response::start(&self.with.store, tenant, with, crash, &running.tasks, &running.stop)?;
        running.engine = Some(Arc::clone(&engine));
        Ok(engine)
    }

    /// Ends one tenant's work and waits for it.
    async fn end(&self, tenant: TenantId) {
        let Some(running) = self.lock().remove(&tenant) else { return };
        running.stop.cancel();
        running.tasks.close();
        running.tasks.wait().await;
        tracing::info!(tenant.id = %tenant, "the tenant's work ended");
    }

    /// Waits for all of it, once `stop` was cancelled.
    pub(crate) async fn ended(&self) {
        let tasks: Vec<_> = self.lock().values().map(|running| running.tasks.clone()).collect();
        for tasks in tasks {
            tasks.close();
            tasks.wait().await;
        }
    }

    fn fresh(&self) -> Running {
        Running {
            engine: None,
            duty: Duty::default(),
            stop: self.with.stop.child_token(),
            tasks: TaskTracker::new(),
            works: false,
            automation: None,
            fault: None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl shieldops_api::Tenants for Tenants {
    fn engine(&self, tenant: TenantId) -> Result<Arc<Engine>, NoEngine> {
        if !self.with.roles.has(Role::Respond) {
            return Err(NoEngine::NotHere);
        }
        if self.lock().get(&tenant).is_some_and(|running| running.duty.is_anothers()) {
            return Err(NoEngine::Elsewhere);
        }
        self.desk(tenant)
    }

    fn desk(&self, tenant: TenantId) -> Result<Arc<Engine>, NoEngine> {
        let mut all = self.lock();
        if let Some(engine) = all.get(&tenant).and_then(|running| running.engine.clone()) {
            return Ok(engine);
        }
        // A tenant of this very moment: its first request may be before the next look.
        let mut fresh = self.fresh();
        let made = self.engine_of(tenant, all.get_mut(&tenant).unwrap_or(&mut fresh));
        if made.is_ok() {
            all.entry(tenant).or_insert(fresh);
        }
        made.map_err(|_no_key| NoEngine::Unknown)
    }

    fn running(&self) -> Vec<TenantId> {
        Tenants::running(self)
    }
}

impl Tenants {
    fn running(&self) -> Vec<TenantId> {
        self.lock().keys().copied().collect()
    }
}

/// Whether plans may be made for the tenant without a person. Detection goes on in every state: events that nobody
/// processes would hold the log against all tenants.
fn automates(tenant: &Tenant) -> bool {
    tenant.state == TenantState::Active
}

/// Detects and investigates what this process's log holds. The places in the log are rows of the database: a second log
/// on it waits.
async fn detect(pipeline: Pipeline, tenant: TenantId, stop: CancellationToken) {
    let work = |stop: CancellationToken| {
        let pipeline = pipeline.clone();
        async move {
            let tasks = TaskTracker::new();
            if let Err(error) = pipeline.start_tenant(tenant, &tasks, &stop) {
                tracing::error!(tenant.id = %tenant, %error, "detection could not start");
            }
            tasks.close();
            tasks.wait().await;
        }
    };
    pipeline.store.while_leased(&format!("detect/{tenant}"), &stop, work).await;
}

/// Recovery first, then expiry and observation: in one process of all that share the database. It alone reaches the
/// tenant's targets.
async fn watch(
    (store, duty): (Store, Duty),
    tenant: TenantId,
    engine: Arc<Engine>,
    ready: CancellationToken,
    stop: CancellationToken,
) {
    let work = |stop: CancellationToken| {
        let (engine, ready) = (Arc::clone(&engine), ready.clone());
        async move {
            tokio::select! { () = ready.cancelled() => {}, () = stop.cancelled() => return }
            if let Err(error) = engine.recover().await {
                tracing::error!(%error, "recovery failed");
            }
            engine.watch(stop).await;
        }
    };
    store.on_duty(&duty, &format!("response.watch/{tenant}"), &stop, work).await;
}

/// Ends when a tenant changed, or when what changed is not known.
async fn changed(changes: &mut Receiver<Change>) {
    loop {
        match changes.recv().await {
            Ok(change) if change.kind == "tenant" => return,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
