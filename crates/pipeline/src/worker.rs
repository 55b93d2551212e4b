//! The worker of one tenant's partition: wait, read, detect, commit, move on.

use std::{sync::Arc, time::Duration};

use shieldops_bus::{Bus, Frame, Offset};
use shieldops_detect::Worker;
use shieldops_model::{DeadLetterId, Event, TenantId, id};
use shieldops_store::{Job, Tx, bookkeeping, dead_letters};
use tokio_util::sync::CancellationToken;

use crate::{
    Pipeline, PipelineError, Result,
    batch::{self, Outcome},
    incidents, seen,
};

/// The name under which this consumer's place is kept.
pub(crate) const CONSUMER: &str = "detect";
const WAIT: Duration = Duration::from_millis(500);
const RETRY: Duration = Duration::from_secs(1);

pub(crate) async fn run(pipeline: Pipeline, tenant: TenantId, stop: CancellationToken) {
    let mut worker = Worker::new();
    while !stop.is_cancelled() {
        match step(&pipeline, tenant, worker, &stop).await {
            Ok(used) => worker = used,
            Err(error) => {
                tracing::error!(tenant.id = %tenant, error = &error as &dyn std::error::Error, "a batch failed and will be tried again");
                worker = Worker::new();
                tokio::select! { () = tokio::time::sleep(RETRY) => {}, () = stop.cancelled() => {} }
            }
        }
    }
}

async fn step(pipeline: &Pipeline, tenant: TenantId, worker: Worker, stop: &CancellationToken) -> Result<Worker> {
    let place = place(pipeline, tenant).await?;
    pipeline.bus.set_processed(tenant, place);
    let bus = Arc::clone(&pipeline.bus);
    let ready = tokio::task::spawn_blocking(move || bus.wait(tenant, place, WAIT)).await.map_err(stopped)?;
    if !ready || stop.is_cancelled() {
        return Ok(worker);
    }
    let book = pipeline.content.book();
    let bus = Arc::clone(&pipeline.bus);
    let bytes = pipeline.settings.batch_bytes;
    let work = move || -> Result<(Outcome, Offset, Vec<Frame>, Worker)> {
        let mut worker = worker;
        let (events, next, damaged) = read(&bus, tenant, place, bytes)?;
        Ok((batch::run(events, &book, &mut worker), next, damaged, worker))
    };
    let (outcome, next, damaged, worker) = tokio::task::spawn_blocking(work).await.map_err(stopped)??;
    commit(pipeline, tenant, &outcome, &damaged, next).await?;
    pipeline.bus.set_processed(tenant, next);
    Ok(worker)
}

fn stopped(_ended: tokio::task::JoinError) -> PipelineError {
    PipelineError::Stopped
}

/// Where this tenant's worker goes on.
pub(crate) async fn place(pipeline: &Pipeline, tenant: TenantId) -> Result<Offset> {
    let mut reader = pipeline.store.job(tenant, Job::Pipeline)?.read().await?;
    let kept = bookkeeping::offset(&mut reader, CONSUMER).await?;
    let number = kept.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes);
    Ok(Offset(number))
}

fn read(bus: &Bus, tenant: TenantId, from: Offset, bytes: usize) -> Result<(Vec<Event>, Offset, Vec<Frame>)> {
    let mut events = Vec::new();
    let mut damaged = Vec::new();
    let mut next = from;
    for mut frame in bus.read(tenant, from, bytes)? {
        next = frame.next;
        if frame.damage.is_some() {
            damaged.push(frame);
        } else {
            events.append(&mut frame.events);
        }
    }
    Ok((events, next, damaged))
}

async fn commit(
    pipeline: &Pipeline,
    tenant: TenantId,
    outcome: &Outcome,
    damaged: &[Frame],
    next: Offset,
) -> Result<()> {
    let now = pipeline.store.clock().now();
    let mut tx = pipeline.store.job(tenant, Job::Pipeline)?.begin().await?;
    seen::count(&mut tx, &outcome.events, now).await?;
    letters(&mut tx, outcome, now).await?;
    for frame in damaged {
        let detail = frame.damage.as_ref().map(|damage| damage.why.clone());
        tracing::error!(tenant.id = %tenant, offset = frame.offset.0, ?detail, "stored events are unreadable");
        tx.record(
            "bus.damaged",
            &[],
            serde_json::json!({"offset": frame.offset.0, "events": frame.next.0 - frame.offset.0, "why": detail}),
        )?;
    }
    incidents::apply(&mut tx, &outcome.findings, &outcome.events, &pipeline.settings, now).await?;
    bookkeeping::set_offset(&mut tx, CONSUMER, &next.0.to_be_bytes()).await?;
    tx.announce("ingest", "stats");
    tx.commit(now).await?;
    Ok(())
}

async fn letters(tx: &mut Tx, outcome: &Outcome, now: shieldops_model::Timestamp) -> Result<()> {
    let letter = |(event, problem): &(Event, shieldops_ingest::Problem)| {
        let id: DeadLetterId = id::mint(now, &mut rand::rng());
        dead_letters::DeadLetter {
            id,
            at: now,
            source: event.source.clone(),
            stage: "normalise".to_owned(),
            code: problem.code.to_owned(),
            detail: problem.detail.clone(),
            sample: String::from_utf8_lossy(event.raw.get(..dead_letters::SAMPLE_BYTES).unwrap_or(&event.raw))
                .into_owned(),
            size: u64::try_from(event.raw.len()).unwrap_or(u64::MAX),
            event_id: Some(event.id),
        }
    };
    let letters: Vec<_> = outcome.problems.iter().map(letter).collect();
    dead_letters::insert(tx, &letters).await?;
    Ok(())
}
