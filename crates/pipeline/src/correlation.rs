//! The correlations of one tenant from batch to batch. What they remember is committed with the place of the worker, and read
//! again where the worker begins anew, so a crash forgets nothing and tells nothing twice.

pub(crate) mod raise;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use shieldops_detect::{
    CorrelationMatch, CorrelationSet, Correlator, Counters, FieldReader, Limits, Observed, RuleSet, Stored,
};
use shieldops_model::{Event, Normalised, TenantId, Timestamp};
use shieldops_store::{
    Access, Job, Tx, bookkeeping,
    correlations::{self, Part},
    rule_states::State,
};

use crate::{
    Pipeline, Result,
    watermark::{LATENESS, SILENT_AFTER},
};

/// Groups that waited for event time and become alerts in one transaction, about.
const AT_ONCE: usize = 250;

/// How a tenant has set its correlations.
#[derive(Debug, Default)]
pub(crate) struct States {
    off: BTreeSet<String>,
    shadow: BTreeSet<String>,
}

impl States {
    pub(crate) fn of(set: &CorrelationSet, state: impl Fn(&str) -> State) -> Self {
        let ids = |wanted: &dyn Fn(State) -> bool| -> BTreeSet<String> {
            let all = set.correlations().iter().map(|one| &one.header.id);
            all.filter(|id| wanted(state(id))).cloned().collect()
        };
        Self { off: ids(&|state| !state.runs()), shadow: ids(&|state| state == State::Shadow) }
    }

    pub(crate) fn is_shadow(&self, id: &str) -> bool {
        self.shadow.contains(id)
    }
}

/// What a worker's correlations need.
#[derive(Default)]
pub(crate) struct Correlation {
    correlator: Option<Correlator>,
    reader: FieldReader,
    /// The event that the reader has, by its place in the batch; whether it could read it.
    read: Option<(usize, bool)>,
    /// More came due than one transaction is to write.
    behind: bool,
}

impl Correlation {
    /// Reads what was remembered, where that was not done yet, and goes on with these correlations.
    pub(crate) async fn ready(
        &mut self,
        pipeline: &Pipeline,
        tenant: TenantId,
        set: &Arc<CorrelationSet>,
    ) -> Result<()> {
        if let Some(correlator) = &mut self.correlator {
            correlator.adopt(Arc::clone(set));
            return Ok(());
        }
        let mut reader = pipeline.store.job(tenant, Job::Pipeline)?.read().await?;
        let mut stored = Stored::default();
        for Part { bucket, step, bytes } in correlations::all(&mut reader).await? {
            match bucket {
                Some(bucket) => stored.buckets.push((bucket, step, bytes)),
                None => stored.logs.push((step, bytes)),
            }
        }
        drop(reader);
        let set = Arc::clone(set);
        let restore = move || Correlator::restore(set, Limits::default(), stored);
        let (correlator, problems) =
            tokio::task::spawn_blocking(restore).await.map_err(|_ended| crate::PipelineError::Stopped)?;
        for problem in problems {
            tracing::error!(tenant.id = %tenant, problem, "a part of what correlations remembered is lost");
        }
        self.correlator = Some(correlator);
        Ok(())
    }

    /// Before a batch.
    pub(crate) fn begin(&mut self, states: &States) {
        self.read = None;
        if let Some(correlator) = &mut self.correlator {
            correlator.switch_off(&states.off);
        }
    }

    /// Takes a match of the rule at `rule` of the set on the event at `place` of the batch.
    pub(crate) fn observe(&mut self, set: &RuleSet, rule: usize, place: usize, (event, seen): (&Event, &Normalised)) {
        let Some(correlator) = self.correlator.as_mut().filter(|correlator| correlator.set().wants(rule)) else {
            return;
        };
        let readable = match self.read {
            Some((at, readable)) if at == place => readable,
            _ => self.reader.read(seen.flat.as_bytes()),
        };
        self.read = Some((place, readable));
        if readable {
            let observed = Observed { rule, event: event.id, time: event.window_time(), apart: event.demo };
            let reader = &mut self.reader;
            correlator.observe(&observed, &mut |field| reader.values(set, &seen.log_source, field));
        }
    }

    /// Behind a batch: evaluates what came, so that little is left to do in its transaction.
    pub(crate) fn settle(&mut self) {
        if let Some(correlator) = &mut self.correlator {
            correlator.settle();
        }
    }

    /// Event time moves on to where the sources are; gives what is to be told and stores what is to be remembered.
    pub(crate) async fn advance(&mut self, tx: &mut Tx, now: Timestamp) -> Result<Vec<CorrelationMatch>> {
        let Some(correlator) = &mut self.correlator else { return Ok(Vec::new()) };
        correlator.hold_back(now.minus(LATENESS));
        self.behind = !correlator.advance_some(watermark(tx, now).await?, AT_ONCE);
        let told = correlator.take();
        if let Some(saved) = correlator.save() {
            let log = Part { bucket: None, step: saved.step, bytes: saved.log };
            let bucket = Part { bucket: Some(saved.bucket), step: saved.step, bytes: saved.groups };
            correlations::save(tx, &log, &bucket, saved.forget).await?;
        }
        Ok(told)
    }

    /// Whether event time has come to something that waits for it, though no events come.
    pub(crate) async fn is_due(&self, pipeline: &Pipeline, tenant: TenantId) -> Result<bool> {
        let Some(waits) = self.correlator.as_ref().and_then(Correlator::waits_for) else { return Ok(false) };
        let mut reader = pipeline.store.job(tenant, Job::Pipeline)?.read().await?;
        let watermark = watermark(&mut reader, pipeline.store.clock().now()).await?;
        Ok(watermark.is_some_and(|watermark| watermark > waits))
    }

    pub(crate) fn is_behind(&self) -> bool {
        self.behind
    }

    pub(crate) fn counters(&self) -> Counters {
        self.correlator.as_ref().map(Correlator::counters).unwrap_or_default()
    }
}

/// What correlations wait for: the least of the sources that sent lately. A source that is silent holds nothing up.
async fn watermark(access: &mut impl Access, now: Timestamp) -> Result<Option<Timestamp>> {
    Ok(bookkeeping::active_watermark(access, now.minus(SILENT_AFTER), now.minus(LATENESS)).await?)
}

/// What the correlations of each tenant remember, for whoever watches the process.
#[derive(Debug, Default)]
pub(crate) struct Watched(Mutex<HashMap<TenantId, Counters>>);

impl Watched {
    pub(crate) fn note(&self, tenant: TenantId, counters: Counters) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant, counters);
    }

    pub(crate) fn of(&self, tenant: TenantId) -> Counters {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&tenant).copied().unwrap_or_default()
    }

    pub(crate) fn forget(&self, tenant: TenantId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&tenant);
    }
}
