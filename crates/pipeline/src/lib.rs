//! The workers from the bus to the store: detect, triage, investigate, with offsets and hot reload.
//!
//! A worker reads a batch, and its output and its new place are committed in one transaction, so a crash between two
//! batches repeats nothing and forgets nothing. No business rules here: they live in the pure crates.

pub mod content;
pub mod events;
pub mod intake;

mod batch;
mod care;
mod error;
mod housekeeping;
mod incidents;
mod investigator;
mod seen;
mod worker;

pub use content::{BuiltIn, Content, RuleBook, RuleEntry};
pub use error::{PipelineError, Result};
pub use events::{EventQuery, EventSearch};
pub use intake::{Answer, Intake, RefusedLine, TenantSink};

use std::{sync::Arc, time::Duration};

use shieldops_bus::Bus;
use shieldops_model::IncidentId;
use shieldops_store::{Store, Tx};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// What the workers share.
#[derive(Clone)]
pub struct Pipeline {
    pub store: Store,
    pub bus: Arc<Bus>,
    pub content: Arc<Content>,
    pub settings: Settings,
}

#[derive(Debug, Clone)]
pub struct Settings {
    /// The window in which matches of one fingerprint are one alert.
    pub dedupe_window: Duration,
    /// Bytes of events in one transaction.
    pub batch_bytes: usize,
    /// How often directories of rules are looked at.
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
            batch_bytes: 2 * 1024 * 1024,
            reload_every: Duration::from_secs(5),
            revise_after: Duration::from_secs(5),
            revise_within: Duration::from_secs(30),
        }
    }
}

impl Pipeline {
    /// Writes the ledger entries of sealed segments now: the last step of a drain.
    pub async fn record_segments(&self) -> Result<()> {
        for tenant in self.store.tenants().await? {
            housekeeping::record_segments(self, tenant.id).await?;
        }
        Ok(())
    }

    /// Merges an incident into another, for a person who gives a reason: the alerts move, and a revision is due.
    pub async fn merge(&self, tx: &mut Tx, into: IncidentId, from: IncidentId, reason: &str) -> Result<()> {
        let now = self.store.clock().now();
        incidents::merge(tx, into, from, Some(reason), now).await?;
        incidents::refresh(tx, into, &self.settings, now).await
    }

    /// Starts the workers of every tenant; they end when `stop` is cancelled.
    pub async fn start(&self, tasks: &TaskTracker, stop: &CancellationToken) -> Result<()> {
        for tenant in self.store.tenants().await? {
            tasks.spawn(worker::run(self.clone(), tenant.id, stop.clone()));
            tasks.spawn(investigator::run(self.clone(), tenant.id, stop.clone()));
            tasks.spawn(housekeeping::run(self.clone(), tenant.id, stop.clone()));
        }
        tasks.spawn(content::watch(self.clone(), stop.clone()));
        Ok(())
    }
}
