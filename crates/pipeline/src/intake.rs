//! The one door for events: prepare, append durably, answer line by line; what is refused is kept as a dead letter.

use std::sync::Arc;

use bytes::Bytes;
use shieldops_bus::{Appended, Bus, NewEvent};
use shieldops_ingest::{
    Hints, Limits, LineError, Prepared, prepare,
    sources::{Mark, Sink, SinkError},
};
use shieldops_model::{DeadLetterId, TenantId, Timestamp, id};
use shieldops_store::{Job, Store, bookkeeping, dead_letters};
use tokio::sync::oneshot;

use crate::{PipelineError, Result, arrivals::Arrivals, budget::Budget};

/// Bytes of a body that are taken apart at once.
const SHORT_BODY: usize = 64 * 1024;

/// What events leave free on the disk, for the ledger and for undo.
const RESERVE_BYTES: u64 = 64 * 1024 * 1024;

/// What the sender is told.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    pub accepted: u64,
    pub rejected: u64,
    pub errors: Vec<RefusedLine>,
}

#[derive(Debug, Clone)]
pub struct RefusedLine {
    pub line: u64,
    pub code: &'static str,
    pub detail: String,
}

#[derive(Clone)]
pub struct Intake {
    pub store: Store,
    pub(crate) bus: Option<Arc<Bus>>,
    pub limits: Limits,
    /// How many refused lines are kept.
    pub(crate) keep: dead_letters::Keep,
    /// Memory of bodies on their way in.
    pub bodies: Budget,
    pub(crate) arrivals: Arc<Arrivals>,
}

impl Intake {
    /// Takes a body of lines for a tenant. An answer means: the accepted ones are durable.
    ///
    /// # Errors
    /// The bus's own (`is_pressure` tells overload apart), and `NoLog` where there is none; nothing of the body was
    /// stored then.
    pub async fn accept(
        &self,
        tenant: TenantId,
        body: Bytes,
        source: Option<&str>,
        content_type: Option<&str>,
        demo: bool,
    ) -> Result<Answer> {
        self.bus()?;
        let received = self.store.clock().now();
        let prepared = self.prepare(body, source, content_type, received).await?;
        self.take(tenant, prepared, demo, received).await
    }

    /// Splits and recognises the lines; a long body beside the runtime, so that it holds nobody up.
    async fn prepare(
        &self,
        body: Bytes,
        source: Option<&str>,
        content_type: Option<&str>,
        received: Timestamp,
    ) -> Result<Prepared> {
        if body.len() <= SHORT_BODY {
            return Ok(prepare(&body, Hints { source, content_type }, received, &self.limits));
        }
        let limits = self.limits.clone();
        let (source, content_type) = (source.map(str::to_owned), content_type.map(str::to_owned));
        let work = move || {
            let hints = Hints { source: source.as_deref(), content_type: content_type.as_deref() };
            prepare(&body, hints, received, &limits)
        };
        tokio::task::spawn_blocking(work).await.map_err(|_ended| PipelineError::Stopped)
    }

    /// Takes a demonstration's body; the same producer and number again stores nothing.
    pub async fn accept_once(&self, tenant: TenantId, body: Bytes, producer: (&str, u64)) -> Result<Answer> {
        let received = self.store.clock().now();
        let prepared = prepare(&body, Hints::default(), received, &self.limits);
        let answer = Answer { accepted: prepared.accepted_lines, rejected: prepared.rejected, errors: Vec::new() };
        let demonstration = Stamp { demo: true, unchecked: false };
        let events = prepared.events.into_iter().map(|event| new_event(event, demonstration)).collect();
        let appended = self.append(tenant, events, Some((producer.0.to_owned(), producer.1))).await?;
        Ok(if appended.duplicate { Answer::default() } else { answer })
    }

    /// Takes what another protocol's parser prepared.
    pub async fn take(&self, tenant: TenantId, prepared: Prepared, demo: bool, received: Timestamp) -> Result<Answer> {
        self.bus()?;
        self.take_marked(tenant, prepared, (Stamp { demo, unchecked: false }, received), None).await
    }

    /// The same under a producer's number; a repeated number stores nothing.
    async fn take_marked(
        &self,
        tenant: TenantId,
        prepared: Prepared,
        (stamp, received): (Stamp, Timestamp),
        mark: Option<(String, u64)>,
    ) -> Result<Answer> {
        if prepared.overflow {
            return Err(PipelineError::TooManyEvents { limit: self.limits.events });
        }
        let events: Vec<NewEvent> = prepared.events.into_iter().map(|event| new_event(event, stamp)).collect();
        let stores = !events.is_empty();
        if stores && self.append(tenant, events, mark).await?.duplicate {
            return Ok(Answer::default());
        }
        if prepared.rejected > 0 {
            let kept = self.keep_refused(tenant, prepared.rejected, &prepared.errors, received).await;
            match kept {
                // What is stored is acknowledged: after an error it would come again. The answer names the refused lines.
                Err(error) if stores => {
                    tracing::error!(tenant.id = %tenant, error = &error as &dyn std::error::Error, lines = prepared.rejected, "refused lines could not be kept as dead letters");
                }
                kept => kept?,
            }
        }
        let refused = |error: LineError| RefusedLine { line: error.line, code: error.code, detail: error.detail };
        let errors = prepared.errors.into_iter().map(refused).collect();
        Ok(Answer { accepted: prepared.accepted_lines, rejected: prepared.rejected, errors })
    }

    async fn append(
        &self,
        tenant: TenantId,
        events: Vec<NewEvent>,
        producer: Option<(String, u64)>,
    ) -> Result<Appended> {
        self.leave_reserve()?;
        let (tell, told) = oneshot::channel();
        let arrivals = Arc::clone(&self.arrivals);
        self.bus()?.append_then(tenant, events, producer, move |result| {
            arrivals.ring(tenant);
            // The request may have ended meanwhile; the events are durable all the same.
            drop(tell.send(result));
        });
        Ok(told.await.map_err(|_closed| PipelineError::Stopped)??)
    }

    fn bus(&self) -> Result<&Arc<Bus>> {
        self.bus.as_ref().ok_or(PipelineError::NoLog)
    }

    /// Refuses events while the disk has only its reserve left, so that the ledger, and with it undo, can still be written.
    fn leave_reserve(&self) -> Result<()> {
        let path = self.store.data_dir();
        // What cannot be told is left to the write itself.
        let Ok(disk) = rustix::fs::statvfs(path) else { return Ok(()) };
        let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
        if bytes(disk.f_bavail) < reserve(bytes(disk.f_blocks)) {
            return Err(shieldops_bus::Error::NoSpace { path: path.to_owned() }.into());
        }
        Ok(())
    }

    async fn keep_refused(&self, tenant: TenantId, rejected: u64, errors: &[LineError], at: Timestamp) -> Result<()> {
        let mut tx = self.store.job(tenant, Job::Pipeline)?.begin().await?;
        bookkeeping::count(&mut tx, "rejected", i64::try_from(rejected).unwrap_or(i64::MAX)).await?;
        let letters: Vec<_> = errors.iter().map(|error| letter(error, at)).collect();
        dead_letters::insert(&mut tx, &letters, self.keep).await?;
        tx.commit(at).await?;
        Ok(())
    }
}

/// Bytes of a disk that events leave free: 64 MiB, or an eighth of a smaller disk than that makes sense for.
fn reserve(disk_bytes: u64) -> u64 {
    RESERVE_BYTES.min(disk_bytes / 8)
}

/// What an event does not say of itself.
#[derive(Debug, Clone, Copy, Default)]
struct Stamp {
    demo: bool,
    /// Nobody checked who sent it.
    unchecked: bool,
}

fn new_event(event: shieldops_ingest::PreparedEvent, stamp: Stamp) -> NewEvent {
    NewEvent {
        source: event.source,
        format: event.format.to_owned(),
        time: event.time,
        time_quality: event.time_quality,
        demo: stamp.demo,
        unchecked: stamp.unchecked,
        raw: event.raw,
    }
}

fn letter(error: &LineError, at: Timestamp) -> dead_letters::DeadLetter {
    let id: DeadLetterId = id::mint(at, &mut rand::rng());
    dead_letters::DeadLetter {
        id,
        at,
        source: String::new(),
        stage: "intake".to_owned(),
        code: error.code.to_owned(),
        detail: format!("line {}: {}", error.line, error.detail),
        sample: String::from_utf8_lossy(&error.sample).into_owned(),
        size: error.size,
        event_id: None,
    }
}

/// The sink that listeners and tailers push into.
#[derive(Clone)]
pub struct TenantSink {
    pub intake: Intake,
    pub tenant: TenantId,
    /// Whoever reaches it may push into it.
    pub unchecked: bool,
}

#[async_trait::async_trait]
impl Sink for TenantSink {
    async fn accept(
        &self,
        hint: Option<&str>,
        bytes: Bytes,
        mark: Option<Mark<'_>>,
    ) -> std::result::Result<(), SinkError> {
        let mark = mark.map(|mark| (mark.producer.to_owned(), mark.number));
        let received = self.intake.store.clock().now();
        let taken = async {
            let prepared = self.intake.prepare(bytes, hint, Some("text/plain"), received).await?;
            let stamp = Stamp { demo: false, unchecked: self.unchecked };
            self.intake.take_marked(self.tenant, prepared, (stamp, received), mark).await
        };
        match taken.await {
            Ok(_answer) => Ok(()),
            Err(PipelineError::Bus(error)) if error.is_pressure() => Err(SinkError::Full),
            Err(PipelineError::Stopped | PipelineError::Bus(shieldops_bus::Error::Closed)) => Err(SinkError::Closed),
            Err(PipelineError::Bus(error)) if error.is_refusal() => Err(SinkError::Refused(error.to_string())),
            Err(error @ PipelineError::TooManyEvents { .. }) => Err(SinkError::Refused(error.to_string())),
            // A full or failing disk is no fault of the bytes: their source keeps them, and they come again.
            Err(error) => Err(SinkError::Unavailable(error.to_string())),
        }
    }

    fn last(&self, producer: &str) -> Option<u64> {
        self.intake.bus.as_ref()?.last_number(self.tenant, producer)
    }
}
