//! The workers from the bus to the store: detect, triage, investigate, with offsets and hot reload.
//!
//! A worker reads a batch, and its output and its new place are committed in one transaction, so a crash between two
//! batches repeats nothing and forgets nothing. No business rules here: they live in the pure crates.

pub mod backtest;
pub mod content;
pub mod events;
pub mod indicators;
pub mod intake;
pub mod samples;
pub mod turns;

mod arrivals;
mod batch;
mod budget;
mod care;
mod cores;
mod correlation;
mod covered;
mod enabled;
mod error;
mod fields;
mod fit;
mod growing;
mod housekeeping;
mod incidents;
mod investigator;
mod peers;
mod place;
mod seen;
mod silent;
#[cfg(test)]
mod testing;
mod throttle;
mod watermark;
mod worker;

pub use budget::{Budget, Share};
pub use content::{BuiltIn, Case, Content, CorrelationEntry, RuleBook, RuleEntry, story_lines};
pub use enabled::{NeededBy, Neighbours, OwnCorrelation, OwnRule, excepted_by, values};
pub use error::{PipelineError, Result};
pub use events::{EventQuery, EventSearch};
pub use incidents::SUBJECTS;
pub use indicators::IndicatorTables;
pub use intake::{Answer, Intake, RefusedLine, TenantSink};
pub use watermark::{LATENESS, SILENT_AFTER};

use std::{sync::Arc, time::Duration};

use shieldops_bus::{Bus, Stats};
use shieldops_detect::Counters;
use shieldops_model::{IncidentId, TenantId, Timestamp};
use shieldops_store::{Access, Store, Tx, dead_letters::Keep, fenced};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use arrivals::Arrivals;

/// What the workers share.
#[derive(Clone)]
pub struct Pipeline {
    pub store: Store,
    bus: Option<Arc<Bus>>,
    pub content: Arc<Content>,
    pub indicators: Arc<IndicatorTables>,
    pub settings: Settings,
    arrivals: Arc<Arrivals>,
    correlations: Arc<correlation::Watched>,
}

#[derive(Debug, Clone)]
pub struct Settings {
    /// The window in which matches of one fingerprint are one alert.
    pub dedupe_window: Duration,
    /// How many dead letters are kept.
    pub dead_letters: Keep,
    /// Bytes of events in one transaction.
    pub batch_bytes: usize,
    /// Files of indicators for every tenant.
    pub indicator_files: Vec<std::path::PathBuf>,
    /// How often directories of rules and files of indicators are looked at.
    pub reload_every: Duration,
    /// A later revision waits this long after the last change,
    pub revise_after: Duration,
    /// and no longer than this after the first one.
    pub revise_within: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            dedupe_window: shieldops_triage::WINDOW,
            dead_letters: Keep::default(),
            batch_bytes: 2 * 1024 * 1024,
            indicator_files: Vec::new(),
            reload_every: Duration::from_secs(5),
            revise_after: Duration::from_secs(5),
            revise_within: Duration::from_secs(30),
        }
    }
}

impl Pipeline {
    /// Without a bus in a process that has neither the role `ingest` nor `detect`.
    pub fn new(store: Store, bus: Option<Arc<Bus>>, content: Arc<Content>, settings: Settings) -> Self {
        let indicators = Arc::new(IndicatorTables::new(settings.indicator_files.clone()));
        Self { store, bus, content, indicators, settings, arrivals: Arc::default(), correlations: Arc::default() }
    }

    /// The log of events.
    ///
    /// # Errors
    /// `NoLog` in a process that owns none.
    pub fn bus(&self) -> Result<&Arc<Bus>> {
        self.bus.as_ref().ok_or(PipelineError::NoLog)
    }

    /// A tenant's log in numbers; all nought in a process that owns no log.
    pub fn stats(&self, tenant: TenantId) -> Stats {
        self.bus.as_ref().map(|bus| bus.stats(tenant)).unwrap_or_default()
    }

    /// What a tenant's correlations remember; all nought in a process that does not run them.
    pub fn correlation_counters(&self, tenant: TenantId) -> Counters {
        self.correlations.of(tenant)
    }

    /// How far the event time of a tenant has come; it never goes back.
    pub async fn watermark(&self, access: &mut impl Access) -> Result<Option<Timestamp>> {
        seen::watermark(access, self.store.clock().now()).await
    }

    /// The door for events of this pipeline.
    pub fn intake(&self, limits: shieldops_ingest::Limits) -> Intake {
        let (bodies, arrivals) = (Budget::new(limits.memory_bytes), Arc::clone(&self.arrivals));
        let keep = self.settings.dead_letters;
        Intake { store: self.store.clone(), bus: self.bus.clone(), limits, keep, bodies, arrivals }
    }

    /// Writes the ledger entries of sealed segments now: the last step of a drain.
    pub async fn record_segments(&self) -> Result<()> {
        let Some(bus) = &self.bus else { return Ok(()) };
        for tenant in bus.tenants() {
            // One tenant's ledger that takes no writes holds up no other's.
            if let Err(error) = housekeeping::record_segments(self, bus, tenant).await {
                tracing::error!(tenant.id = %tenant, error = &error as &dyn std::error::Error, "sealed segments have no ledger entry yet");
            }
        }
        Ok(())
    }

    /// Deletes a tenant's log, processed or not. Its workers have ended before.
    pub fn remove_tenant(&self, tenant: TenantId) -> Result<()> {
        self.arrivals.forget(tenant);
        self.indicators.forget(tenant);
        self.correlations.forget(tenant);
        self.bus.as_ref().map_or(Ok(()), |bus| Ok(bus.remove_tenant(tenant)?))
    }

    /// Merges an incident into another, for a person who gives a reason: the alerts move, and a revision is due.
    pub async fn merge(&self, tx: &mut Tx, into: IncidentId, from: IncidentId, reason: &str) -> Result<()> {
        let now = self.store.clock().now();
        incidents::merge(tx, into, from, Some(reason), now).await?;
        incidents::refresh(tx, into, &self.settings, now).await
    }

    /// Starts the workers of one tenant; they end when `stop` is cancelled.
    ///
    /// # Errors
    /// `NoLog` in a process that owns none.
    pub fn start_tenant(&self, tenant: TenantId, tasks: &TaskTracker, stop: &CancellationToken) -> Result<()> {
        let bus = self.bus()?;
        self.indicators.want(tenant);
        tasks.spawn(fenced(worker::run(self.clone(), Arc::clone(bus), tenant, stop.clone())));
        tasks.spawn(fenced(investigator::run(self.clone(), Arc::clone(bus), tenant, stop.clone())));
        tasks.spawn(fenced(housekeeping::segments(self.clone(), Arc::clone(bus), tenant, stop.clone())));
        Ok(())
    }

    /// Starts what serves all tenants: the reload of rules, and retention where the log is.
    pub fn start_shared(&self, tasks: &TaskTracker, stop: &CancellationToken) {
        tasks.spawn(content::watch(self.clone(), stop.clone()));
        tasks.spawn(indicators::run(self.clone(), stop.clone()));
        if let Some(bus) = &self.bus {
            tasks.spawn(housekeeping::retention(self.clone(), Arc::clone(bus), stop.clone()));
        }
    }
}
