//! The worker of one tenant's partition: wait, read, detect, commit, move on.
//!
//! A batch that fails though the state takes writes, and though all is well without it, holds the fault itself: it is tried in smaller parts, and at last the
//! one event that cannot be processed becomes a dead letter and the worker goes on behind it.

use std::{sync::Arc, time::Duration};

use shieldops_bus::{Bus, Frame, Offset};
use shieldops_model::{DeadLetterId, Event, TenantId, Timestamp, id};
use shieldops_store::{Job, Tx, dead_letters, fenced};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Pipeline, PipelineError, Result,
    batch::{self, Outcome, Workers},
    care::{Care, Next},
    correlation::raise,
    covered,
    enabled::{Enabled, TenantRules},
    growing::Growing,
    incidents::{self, Found},
    indicators,
    place::{self, Place},
    seen,
};

/// The name under which this consumer's place is kept.
pub(crate) const CONSUMER: &str = "detect";
/// New events wake the worker; this only bounds what a lost wake-up could cost.
const WAIT: Duration = Duration::from_secs(5);
const RETRY: Duration = Duration::from_secs(1);

/// What a worker goes on with from batch to batch. After a failure it takes new ones: what they remember may not have
/// been committed.
#[derive(Default)]
struct Hands {
    workers: Workers,
    growing: Growing,
    enabled: Enabled,
    /// It has waited for the first tables of indicators.
    waited: bool,
    /// The place was seen to be one of this log.
    placed: bool,
    /// Events of the last batch that were taken, when not all were.
    fitted: Option<usize>,
}

/// A step that failed.
#[derive(Debug)]
enum Failed {
    /// With no batch in hand, before one or after it: what the tenant has set or what correlations remember cannot be had.
    Before(PipelineError),
    /// With a batch, whose fault it may be.
    Batch(PipelineError),
}

impl From<PipelineError> for Failed {
    fn from(error: PipelineError) -> Self {
        Self::Batch(error)
    }
}

/// Events read at once, and the place behind them.
struct Batch {
    events: Vec<Event>,
    /// The place of each event.
    places: Vec<Offset>,
    damaged: Vec<Frame>,
    next: Offset,
}

impl Batch {
    /// Leaves all but the first so many events for the next batch.
    fn keep(&mut self, events: usize) {
        let Some(next) = self.places.get(events).copied() else { return };
        self.next = next;
        self.damaged.retain(|frame| frame.offset <= next);
    }
}

pub(crate) async fn run(pipeline: Pipeline, bus: Arc<Bus>, tenant: TenantId, stop: CancellationToken) {
    let mut hands = Hands::default();
    let mut care = Care::default();
    let tasks = TaskTracker::new();
    while !stop.is_cancelled() {
        // A task of its own: a panic in it is an error here, and not the end of the partition. It is fenced as this one is.
        let (with, log, until, take) = (pipeline.clone(), Arc::clone(&bus), stop.clone(), care.take());
        let stepping = async move { step(&with, &log, tenant, hands, take, &until).await };
        match tasks.spawn(fenced(stepping)).await.map_err(|ended| Failed::Batch(stopped(ended))).flatten() {
            Ok(used) => {
                hands = used;
                match hands.fitted.take() {
                    Some(events) => care.fits(events),
                    None => care.succeeded(),
                }
            }
            Err(Failed::Before(error)) => {
                tracing::error!(tenant.id = %tenant, error = &error as &dyn std::error::Error, "detection cannot begin and will be tried again: no event is given up for it");
                hands = Hands::default();
                tokio::select! { () = tokio::time::sleep(RETRY) => {}, () = stop.cancelled() => {} }
            }
            Err(Failed::Batch(error)) => {
                tracing::error!(tenant.id = %tenant, error = &error as &dyn std::error::Error, "a batch failed and will be tried again");
                hands = Hands::default();
                if let Err(error) = after_failure(&pipeline, &bus, tenant, &mut care, &error).await {
                    tracing::error!(tenant.id = %tenant, error = &error as &dyn std::error::Error, "the state does not take writes");
                }
                tokio::select! { () = tokio::time::sleep(RETRY) => {}, () = stop.cancelled() => {} }
            }
        }
    }
}

/// Looks where the fault is. While the state takes no writes, or what is there without the batch fails already, it is not
/// the batch's.
async fn after_failure(
    pipeline: &Pipeline,
    bus: &Arc<Bus>,
    tenant: TenantId,
    care: &mut Care,
    error: &PipelineError,
) -> Result<()> {
    let place = place::of(pipeline, tenant).await?;
    probe(pipeline, tenant, place).await?;
    idle(pipeline, bus, tenant).await?;
    let (bytes, take) = (pipeline.settings.batch_bytes, care.take());
    let log = Arc::clone(bus);
    let batch =
        tokio::task::spawn_blocking(move || read(&log, tenant, place.at, bytes, take)).await.map_err(stopped)??;
    if care.failed(batch.events.len()) == Next::GiveUp {
        let next = batch.next;
        give_up(pipeline, tenant, (place, batch), error).await?;
        bus.set_processed(tenant, next);
        care.succeeded();
    }
    Ok(())
}

/// Writes the place as it is.
async fn probe(pipeline: &Pipeline, tenant: TenantId, place: Place) -> Result<()> {
    let mut tx = pipeline.store.job(tenant, Job::Pipeline)?.begin().await?;
    place.keep(&mut tx).await?;
    Ok(tx.commit(pipeline.store.clock().now()).await?)
}

/// All that a commit does without an event. Nothing of it is kept.
async fn idle(pipeline: &Pipeline, bus: &Arc<Bus>, tenant: TenantId) -> Result<()> {
    let (with, log) = (pipeline.clone(), Arc::clone(bus));
    let alone = async move {
        let mut hands = Hands::default();
        begin(&with, &log, tenant, &mut hands).await?;
        let rules = ready(&with, tenant, &mut hands).await?;
        let mut tx = with.store.job(tenant, Job::Pipeline)?.begin().await?;
        incidents::context(&mut tx).await?;
        let now = with.store.clock().now();
        due(&with, &log, (&mut hands, &rules), &mut tx, now).await
    };
    TaskTracker::new().spawn(fenced(alone)).await.map_err(stopped)?
}

/// The one event of the batch becomes a dead letter, with its entry, and the place moves behind it.
async fn give_up(
    pipeline: &Pipeline,
    tenant: TenantId,
    (place, batch): (Place, Batch),
    error: &PipelineError,
) -> Result<()> {
    let now = pipeline.store.clock().now();
    let mut tx = pipeline.store.job(tenant, Job::Pipeline)?.begin().await?;
    let counts = seen::count(&mut tx, &batch.events, now).await?;
    for event in &batch.events {
        let detail = format!("no rule was run on it: {error}");
        tracing::error!(tenant.id = %tenant, event.id = %event.id, "an event cannot be processed and becomes a dead letter");
        let letter = letter(event, "detect", "unprocessable", detail.clone(), now);
        dead_letters::insert(&mut tx, &[letter], pipeline.settings.dead_letters).await?;
        let body = serde_json::json!({"source": event.source, "format": event.format, "why": detail});
        tx.record("event.unprocessable", &[&event.id], body)?;
    }
    covered::skipped(&mut tx, &batch.events, &counts, now).await?;
    covered::unreadable(&mut tx, &batch.damaged, now).await?;
    record_damage(&mut tx, tenant, &batch.damaged)?;
    place.after(batch.next, batch.events.iter().map(|event| event.id)).keep(&mut tx).await?;
    tx.commit(now).await?;
    Ok(())
}

async fn step(
    pipeline: &Pipeline,
    bus: &Arc<Bus>,
    tenant: TenantId,
    mut hands: Hands,
    take: usize,
    stop: &CancellationToken,
) -> std::result::Result<Hands, Failed> {
    let place = begin(pipeline, bus, tenant, &mut hands).await.map_err(Failed::Before)?;
    if !arrived(pipeline, bus, tenant, place.at, stop).await {
        tick(pipeline, bus, tenant, &mut hands).await.map_err(Failed::Before)?;
        rest(pipeline, bus, tenant, (&mut hands, stop)).await?;
        return Ok(hands);
    }
    let rules = ready(pipeline, tenant, &mut hands).await.map_err(Failed::Before)?;
    let first = !std::mem::replace(&mut hands.waited, true);
    let indicators = indicators::for_batch(pipeline, tenant, first).await.map_err(Failed::Before)?;
    let log = Arc::clone(bus);
    let (bytes, window) = (pipeline.settings.batch_bytes, pipeline.settings.dedupe_window);
    let workers = hands.workers;
    let work = move || -> Result<(Outcome, Batch, Workers)> {
        let mut workers = workers;
        let mut batch = read(&log, tenant, place.at, bytes, take)?;
        let events = std::mem::take(&mut batch.events);
        let outcome = batch::run(events, rules, indicators.as_ref(), &mut workers, window);
        batch.keep(outcome.events.len());
        Ok((outcome, batch, workers))
    };
    let (outcome, batch, workers) = tokio::task::spawn_blocking(work).await.map_err(stopped)??;
    hands.workers = workers;
    let taken = outcome.events.len();
    hands.fitted = (taken < batch.places.len()).then_some(taken);
    commit(pipeline, bus, &mut hands, (place, &outcome, &batch), tenant).await?;
    bus.set_processed(tenant, batch.next);
    rest(pipeline, bus, tenant, (&mut hands, stop)).await?;
    Ok(hands)
}

/// Where the worker goes on.
async fn begin(pipeline: &Pipeline, bus: &Arc<Bus>, tenant: TenantId, hands: &mut Hands) -> Result<Place> {
    let place =
        if hands.placed { place::of(pipeline, tenant).await? } else { place::check(pipeline, bus, tenant).await? };
    hands.placed = true;
    bus.set_processed(tenant, place.at);
    ready(pipeline, tenant, hands).await?;
    Ok(place)
}

/// The tenant's rules as they are now, and what its correlations remember.
async fn ready(pipeline: &Pipeline, tenant: TenantId, hands: &mut Hands) -> Result<Arc<TenantRules>> {
    let rules = hands.enabled.of(pipeline, tenant, &pipeline.content.book()).await?;
    hands.workers.correlation.ready(pipeline, tenant, rules.correlation_set()).await?;
    Ok(rules)
}

/// What came due and was more than one transaction is to write, each piece in one of its own: others write in between.
async fn rest(
    pipeline: &Pipeline,
    bus: &Arc<Bus>,
    tenant: TenantId,
    (hands, stop): (&mut Hands, &CancellationToken),
) -> std::result::Result<(), Failed> {
    while hands.workers.correlation.is_behind() && !stop.is_cancelled() {
        if !tick(pipeline, bus, tenant, hands).await.map_err(Failed::Before)? {
            break;
        }
    }
    Ok(())
}

/// Nothing came: what waits for event time may have its time all the same. Whether anything had.
async fn tick(pipeline: &Pipeline, bus: &Arc<Bus>, tenant: TenantId, hands: &mut Hands) -> Result<bool> {
    if !hands.workers.correlation.is_due(pipeline, tenant).await? {
        return Ok(false);
    }
    let rules = ready(pipeline, tenant, hands).await?;
    let now = pipeline.store.clock().now();
    let mut tx = pipeline.store.job(tenant, Job::Pipeline)?.begin().await?;
    due(pipeline, bus, (hands, &rules), &mut tx, now).await?;
    tx.commit(now).await?;
    pipeline.correlations.note(tenant, hands.workers.correlation.counters());
    Ok(true)
}

/// Writes what has its time now, without an event.
async fn due(
    pipeline: &Pipeline,
    bus: &Arc<Bus>,
    (hands, rules): (&mut Hands, &TenantRules),
    tx: &mut Tx,
    now: Timestamp,
) -> Result<()> {
    hands.workers.correlation.begin(&rules.correlations);
    let told = hands.workers.correlation.advance(tx, now).await?;
    let raised = raise::prepare(tx, told, rules).await?;
    let throttles = &rules.throttles;
    let found = Found { findings: &[], events: &[], raised: &raised, log: Some(bus), throttles };
    incidents::apply(tx, &mut hands.growing, found, &pipeline.settings, now).await
}

/// Waits until there is something at or after `place`; false when there is nothing for now, or the worker is to end.
async fn arrived(pipeline: &Pipeline, bus: &Bus, tenant: TenantId, place: Offset, stop: &CancellationToken) -> bool {
    if stop.is_cancelled() || bus.end(tenant) > place {
        return !stop.is_cancelled();
    }
    let bell = pipeline.arrivals.bell(tenant);
    tokio::select! { () = bell.notified() => {}, () = tokio::time::sleep(WAIT) => {}, () = stop.cancelled() => return false }
    bus.end(tenant) > place
}

fn stopped(ended: tokio::task::JoinError) -> PipelineError {
    if ended.is_panic() { PipelineError::Panicked } else { PipelineError::Stopped }
}

/// Reads on, at most `take` events of at most about `bytes`.
fn read(bus: &Bus, tenant: TenantId, from: Offset, bytes: usize, take: usize) -> Result<Batch> {
    let mut batch = Batch { events: Vec::new(), places: Vec::new(), damaged: Vec::new(), next: from };
    for mut frame in bus.read(tenant, from, bytes)? {
        let room = take.saturating_sub(batch.events.len());
        if room == 0 {
            break;
        }
        if frame.damage.is_some() {
            batch.next = frame.next;
            batch.damaged.push(frame);
            continue;
        }
        // An event's place is its number: the rest of a frame is read from within it.
        let before = |events: usize| Offset(frame.next.0.saturating_sub(u64::try_from(events).unwrap_or(0)));
        let all = frame.events.len();
        batch.next = before(all.saturating_sub(room));
        batch.places.extend((0..all.min(room)).map(|place| before(all.saturating_sub(place))));
        frame.events.truncate(room);
        batch.events.append(&mut frame.events);
    }
    Ok(batch)
}

async fn commit(
    pipeline: &Pipeline,
    bus: &Arc<Bus>,
    hands: &mut Hands,
    (place, outcome, Batch { damaged, next, .. }): (Place, &Outcome, &Batch),
    tenant: TenantId,
) -> Result<()> {
    let now = pipeline.store.clock().now();
    let mut tx = pipeline.store.job(tenant, Job::Pipeline)?.begin().await?;
    let counts = seen::count(&mut tx, &outcome.events, now).await?;
    covered::evaluated(&mut tx, outcome, &counts, now).await?;
    outcome.silent.write(&mut tx).await?;
    outcome.sightings.write(&mut tx).await?;
    hands.workers.fields.write(&mut tx, now).await?;
    hands.workers.peers.write(&mut tx, now).await?;
    letters(&mut tx, outcome, pipeline.settings.dead_letters, now).await?;
    record_damage(&mut tx, tenant, damaged)?;
    covered::unreadable(&mut tx, damaged, now).await?;
    let told = hands.workers.correlation.advance(&mut tx, now).await?;
    let raised = raise::prepare(&mut tx, told, &outcome.rules).await?;
    let batch = Found {
        findings: &outcome.findings,
        events: &outcome.events,
        raised: &raised,
        log: Some(bus),
        throttles: &outcome.rules.throttles,
    };
    incidents::apply(&mut tx, &mut hands.growing, batch, &pipeline.settings, now).await?;
    place.after(*next, outcome.events.iter().map(|event| event.id)).keep(&mut tx).await?;
    tx.announce("ingest", "stats");
    tx.commit(now).await?;
    pipeline.correlations.note(tenant, hands.workers.correlation.counters());
    Ok(())
}

fn record_damage(tx: &mut Tx, tenant: TenantId, damaged: &[Frame]) -> Result<()> {
    for frame in damaged {
        let detail = frame.damage.as_ref().map(|damage| damage.why.clone());
        tracing::error!(tenant.id = %tenant, offset = frame.offset.0, ?detail, "stored events are unreadable");
        let events = frame.next.0.saturating_sub(frame.offset.0);
        let body = serde_json::json!({"offset": frame.offset.0, "events": events, "why": detail});
        tx.record("bus.damaged", &[], body)?;
    }
    Ok(())
}

async fn letters(tx: &mut Tx, outcome: &Outcome, keep: dead_letters::Keep, now: Timestamp) -> Result<()> {
    let one = |(event, problem): &(Event, shieldops_ingest::Problem)| {
        letter(event, "normalise", problem.code, problem.detail.clone(), now)
    };
    let letters: Vec<_> = outcome.problems.iter().map(one).collect();
    dead_letters::insert(tx, &letters, keep).await?;
    Ok(())
}

fn letter(event: &Event, stage: &str, code: &str, detail: String, now: Timestamp) -> dead_letters::DeadLetter {
    let id: DeadLetterId = id::mint(now, &mut rand::rng());
    let sample = event.raw.get(..dead_letters::SAMPLE_BYTES).unwrap_or(&event.raw);
    dead_letters::DeadLetter {
        id,
        at: now,
        source: event.source.clone(),
        stage: stage.to_owned(),
        code: code.to_owned(),
        detail,
        sample: String::from_utf8_lossy(sample).into_owned(),
        size: u64::try_from(event.raw.len()).unwrap_or(u64::MAX),
        event_id: Some(event.id),
    }
}

/// All that is in the log, and what is due without it.
#[cfg(test)]
pub(crate) async fn catch_up(pipeline: &Pipeline, bus: &Arc<Bus>, tenant: TenantId, stop: &CancellationToken) {
    // Nothing here loads tables of indicators, so nothing waits for them.
    let mut hands = Hands { waited: true, ..Hands::default() };
    loop {
        // A step is taken also where nothing seems to have come: what it checks at first comes before that.
        pipeline.arrivals.ring(tenant);
        hands = step(pipeline, bus, tenant, hands, usize::MAX, stop).await.unwrap();
        if bus.end(tenant) <= place::of(pipeline, tenant).await.unwrap().at {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
