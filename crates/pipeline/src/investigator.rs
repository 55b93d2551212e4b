//! The investigator of one tenant: pulls the events around each due incident and writes the next revision.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use shieldops_bus::{Bus, Query};
use shieldops_ingest::normalise;
use shieldops_investigate::{
    CaseEvent, CaseFile, LiveBlock, MAX_EVENTS, Searched, Unseen, UnseenBy, investigate, pull, window,
};
use shieldops_model::{ActionState, Alert, Event, EventId, Incident, IncidentId, Investigation, TenantId, Timestamp};
use shieldops_store::{
    Access, Job, TenantScope, actions, alerts, bookkeeping, cited, coverage, incidents, investigations, targets,
};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::{
    Pipeline, PipelineError, Result,
    events::{Stored, stored},
};

const RETRY: Duration = Duration::from_secs(1);
/// Events looked at for one entity.
const LOOK: u64 = 200_000;
/// Minutes of the log of coverage that are looked at, the newest.
const GAPS: u32 = 10_000;
/// Events taken for one entity.
const PER_ENTITY: usize = 1_000;

pub(crate) async fn run(pipeline: Pipeline, bus: Arc<Bus>, tenant: TenantId, stop: CancellationToken) {
    let mut changes = pipeline.store.watch();
    let mut failing = Failing::new();
    while !stop.is_cancelled() {
        let pause = match round(&pipeline, &bus, tenant, &mut failing, &stop).await {
            Ok(pause) => pause,
            Err(_ending) if stop.is_cancelled() => return,
            Err(error) => {
                tracing::error!(tenant.id = %tenant, error = &error as &dyn std::error::Error, "an investigation failed and will be tried again");
                RETRY
            }
        };
        let woken = async {
            loop {
                match changes.recv().await {
                    Ok(change) if change.tenant == tenant && change.kind == "incident" => return,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_) | RecvError::Closed) => return,
                }
            }
        };
        tokio::select! { () = tokio::time::sleep(pause) => {}, () = woken => {}, () = stop.cancelled() => return }
    }
}

/// Incidents whose last investigation failed: how often, and when it is tried again.
type Failing = BTreeMap<IncidentId, (u32, Timestamp)>;

/// Investigates all that is due; says how long until the next is. One that fails holds up no other.
async fn round(
    pipeline: &Pipeline,
    bus: &Arc<Bus>,
    tenant: TenantId,
    failing: &mut Failing,
    stop: &CancellationToken,
) -> Result<Duration> {
    let scope = pipeline.store.job(tenant, Job::Investigation)?;
    let now = pipeline.store.clock().now();
    let due = incidents::due(&mut scope.read().await?, now).await?;
    failing.retain(|incident, _| due.contains(incident));
    for incident in due {
        if failing.get(&incident).is_some_and(|(_, again)| *again > now) {
            continue;
        }
        match revise(pipeline, bus, &scope, incident).await {
            Ok(()) => drop(failing.remove(&incident)),
            // The process is ending: the next start investigates what is due.
            Err(_ending) if stop.is_cancelled() => return Ok(RETRY),
            Err(error) => {
                tracing::error!(incident.id = %incident, error = &error as &dyn std::error::Error, "an investigation failed and will be tried again");
                let times = failing.get(&incident).map_or(1, |(times, _)| times.saturating_add(1));
                failing.insert(incident, (times, now.plus(RETRY * (1 << times.min(8)))));
            }
        }
    }
    let next = incidents::next_due(&mut scope.read().await?).await?;
    let now = pipeline.store.clock().now();
    if !failing.is_empty() {
        return Ok(RETRY);
    }
    Ok(next.map_or(Duration::from_secs(10), |next| next.since(now).min(Duration::from_secs(10))))
}

async fn revise(pipeline: &Pipeline, bus: &Arc<Bus>, scope: &TenantScope, id: IncidentId) -> Result<()> {
    let (case, events) = case_file(pipeline, bus, scope, id).await?;
    let (case, revision) = blocking(move || {
        let revision = investigate(&case);
        (case, revision)
    })
    .await?;
    write(scope, &case.incident, &revision, &events).await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_ended| PipelineError::Stopped)
}

async fn case_file(
    pipeline: &Pipeline,
    bus: &Arc<Bus>,
    scope: &TenantScope,
    id: IncidentId,
) -> Result<(CaseFile, BTreeMap<EventId, Event>)> {
    let mut reader = scope.read().await?;
    let incident = incidents::get(&mut reader, id).await?;
    let alerts = alerts::of_incident(&mut reader, id).await?;
    let targets = targets::all(&mut reader).await?;
    let live_blocks = live_blocks(&mut reader).await?;
    let sources = bookkeeping::sources(&mut reader).await?.into_iter().map(|source| source.source).collect();
    let unseen = unseen(&mut reader, window(&incident)).await?;
    drop(reader);
    let (bus, tenant, around, cites) = (Arc::clone(bus), scope.tenant(), incident.clone(), cites(&alerts));
    let Gathered { mut events, mut searched, gone, damaged } =
        blocking(move || gather(&bus, tenant, &around, &cites)).await??;
    // Copies were kept of what alerts cite.
    let gone = gone.into_iter().take(MAX_EVENTS.saturating_sub(events.len())).collect::<Vec<_>>();
    for event in cited::all(&mut scope.read().await?, &gone).await? {
        events.insert(event.id, event);
    }
    let lost = damaged.iter().filter(|id| !events.contains_key(id)).count();
    searched.unreadable = searched.unreadable.max(u64::try_from(lost).unwrap_or(u64::MAX));
    let case_events = events.values().map(|event| CaseEvent::new(event, &normalise(event), &alerts)).collect();
    let intel_configured = pipeline.indicators.of(tenant).is_some_and(|indicators| !indicators.is_empty());
    let revision = incident.revision + 1;
    let case = CaseFile {
        incident,
        alerts,
        events: case_events,
        targets,
        live_blocks,
        revision,
        searched,
        sources,
        intel_configured,
        unseen,
    };
    Ok((case, events))
}

/// What the log of coverage has of events that detection did not look at, most events first.
async fn unseen(access: &mut impl Access, (from, to): (Timestamp, Timestamp)) -> Result<Vec<Unseen>> {
    let asked = coverage::Window { sources: &[], from, to, gaps: true, limit: GAPS };
    let mut counts: BTreeMap<UnseenBy, (u64, u64)> = BTreeMap::new();
    for minute in coverage::minutes(access, &asked).await? {
        let what = match (minute.source.as_str(), minute.rules.as_str()) {
            (coverage::UNREADABLE, _) => UnseenBy::Unreadable,
            (coverage::REPLACED, _) => UnseenBy::Replaced,
            (_, coverage::INDICATORS) => UnseenBy::Lists(minute.source),
            _ => UnseenBy::Rules(minute.source),
        };
        let (events, minutes) = counts.entry(what).or_default();
        (*events, *minutes) = (events.saturating_add(minute.skipped), minutes.saturating_add(1));
    }
    let unseen = |(what, (events, minutes))| Unseen { what, events, minutes };
    let mut unseen: Vec<Unseen> = counts.into_iter().map(unseen).collect();
    unseen.sort_by_key(|one| std::cmp::Reverse(one.events));
    Ok(unseen)
}

fn cites(alerts: &[Alert]) -> Vec<EventId> {
    alerts.iter().flat_map(|alert| alert.event_ids.iter().copied()).collect()
}

async fn live_blocks(access: &mut impl Access) -> Result<Vec<LiveBlock>> {
    let live = actions::owning(
        access,
        &[ActionState::Verified, ActionState::Settling, ActionState::Unverified, ActionState::Drifted],
    )
    .await?;
    let block = |action: &shieldops_model::Action| {
        let address = action.params.get("address")?.as_str()?.to_owned();
        Some(LiveBlock { target: action.target.clone(), address, action_id: action.id })
    };
    Ok(live.iter().filter(|action| action.capability == "linux.block_ip").filter_map(block).collect())
}

/// What the log has of a case.
struct Gathered {
    events: BTreeMap<EventId, Event>,
    searched: Searched,
    /// Cited events that it has no more, the damaged ones among them.
    gone: Vec<EventId>,
    damaged: Vec<EventId>,
}

/// The cited events and those around each entity, by id. One that cannot be read costs no other.
fn gather(bus: &Bus, tenant: TenantId, incident: &Incident, cites: &[EventId]) -> Result<Gathered> {
    let (from, to) = window(incident);
    let (mut events, mut gone, mut damaged) = (BTreeMap::new(), Vec::new(), Vec::new());
    for id in cites {
        match stored(bus, tenant, *id)? {
            Stored::Event(event) => drop(events.insert(*id, event)),
            Stored::Gone => gone.push(*id),
            Stored::Damaged => {
                gone.push(*id);
                damaged.push(*id);
            }
        }
    }
    let (mut looked, mut complete, mut unreadable) = (0, true, 0);
    for entity in pull(incident) {
        let query = Query { from: Some(from), to: Some(to), limit: PER_ENTITY, max_events: LOOK, ..Query::default() };
        let page = bus.find_by_key(tenant, entity.key(), &query, &mut |_event| true)?;
        looked += page.looked.events;
        complete &= page.looked.complete && page.next.is_none();
        unreadable = page.looked.damaged_events.max(unreadable);
        for event in page.events {
            if events.len() < MAX_EVENTS {
                events.insert(event.id, event);
            } else {
                complete = false;
            }
        }
    }
    let oldest_kept = bus.stats(tenant).oldest.map(shieldops_model::Id::time);
    let searched = Searched { from, to, events: looked, complete, oldest_kept, unreadable };
    Ok(Gathered { events, searched, gone, damaged })
}

async fn write(
    scope: &TenantScope,
    incident: &Incident,
    revision: &Investigation,
    events: &BTreeMap<EventId, Event>,
) -> Result<()> {
    let now = scope.store().clock().now();
    let mut tx = scope.begin().await?;
    let mut current = incidents::get(&mut tx, incident.id).await?;
    for id in cited_by(revision) {
        if let Some(event) = events.get(&id) {
            cited::keep(&mut tx, event).await?;
        }
    }
    investigations::insert(&mut tx, incident.id, revision, now).await?;
    // Alerts that came in meanwhile keep their own appointment.
    let changed_meanwhile = current.version != incident.version;
    current.revision = revision.revision;
    current.updated_at = now;
    incidents::update(&mut tx, &mut current).await?;
    let again: Option<Timestamp> = changed_meanwhile.then(|| now.plus(Duration::from_secs(5)));
    incidents::schedule(&mut tx, incident.id, now, again).await?;
    let summary = serde_json::json!({"revision": revision.revision, "hypotheses": revision.hypotheses.iter().map(|hypothesis| serde_json::json!({"title": hypothesis.title, "confidence": hypothesis.confidence})).collect::<Vec<_>>(), "proposed_plans": revision.proposed_plans.len(), "not_checked": revision.not_checked.len(), "steps": revision.steps});
    tx.record("investigation.revised", &[&incident.id], summary)?;
    tx.commit(now).await?;
    Ok(())
}

fn cited_by(revision: &Investigation) -> std::collections::BTreeSet<EventId> {
    let evidence =
        revision.hypotheses.iter().flat_map(|hypothesis| hypothesis.evidence.iter().map(|evidence| evidence.event_id));
    let timeline = revision.timeline.iter().map(|entry| entry.event_id);
    let stages = revision.attack_path.iter().flat_map(|stage| stage.event_ids.iter().copied());
    let tree = revision.process_tree.iter().map(|node| node.event_id);
    let edges = revision.graph.edges.iter().flat_map(|edge| edge.event_ids.iter().copied());
    evidence.chain(timeline).chain(stages).chain(tree).chain(edges).collect()
}

#[cfg(test)]
mod tests;
