//! Findings of a batch to alerts and incidents, inside the batch's transaction.

use std::collections::{BTreeMap, BTreeSet};

use shieldops_model::{Alert, AlertId, Event, EventId, Incident, IncidentId, IncidentStatus, Timestamp, id};
use shieldops_store::{Tx, alerts, cited, incidents, targets};
use shieldops_triage::{self as triage, Correlation, Finding, IncidentSummary};

use crate::{Result, Settings};

/// Applies findings; records one ledger entry for all that changed.
pub(crate) async fn apply(
    tx: &mut Tx,
    findings: &[Finding],
    events: &[Event],
    settings: &Settings,
    now: Timestamp,
) -> Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    let changed = fold(tx, findings, events, settings, now).await?;
    let touched = correlate(tx, &changed, now).await?;
    for id in &touched {
        refresh(tx, *id, settings, now).await?;
    }
    record(tx, &changed, &touched)
}

async fn fold(
    tx: &mut Tx,
    findings: &[Finding],
    events: &[Event],
    settings: &Settings,
    now: Timestamp,
) -> Result<Vec<Alert>> {
    let tenant = tx.scope().tenant();
    let Some((since, _until)) = triage::reach(findings, settings.dedupe_window) else { return Ok(Vec::new()) };
    let mut open = Vec::new();
    for key in triage::keys(tenant, findings) {
        open.extend(alerts::of_fingerprint(tx, key.fingerprint, since).await?);
    }
    let context = context(tx).await?;
    let by_id: BTreeMap<EventId, &Event> = events.iter().map(|event| (event.id, event)).collect();
    let mint = || -> AlertId { id::mint(now, &mut rand::rng()) };
    let mut changed = Vec::new();
    for change in triage::fold(tenant, &open, findings, settings.dedupe_window, now, mint) {
        let mut alert = change.alert;
        let score = triage::risk::alert(&alert, &context);
        (alert.risk_score, alert.risk_terms) = (score.score, score.terms);
        if change.is_new {
            alerts::insert(tx, &alert).await?;
        } else {
            alert.version -= 1;
            alerts::update(tx, &mut alert).await?;
        }
        for event in &change.added {
            alerts::link_event(tx, *event, alert.id).await?;
            if let Some(event) = by_id.get(event).filter(|event| alert.event_ids.contains(&event.id)) {
                cited::keep(tx, event).await?;
            }
        }
        changed.push(alert);
    }
    changed.sort_by_key(|alert| (alert.first_seen, alert.id));
    Ok(changed)
}

/// What risk scores need to know beyond the alerts.
pub(crate) async fn context(tx: &mut Tx) -> Result<triage::risk::Context> {
    let criticality = targets::all(tx).await?.into_iter().map(|target| target.criticality).max();
    Ok(triage::risk::Context { criticality, ..triage::risk::Context::default() })
}

/// Finds an incident for each alert that has none, and says which incidents changed.
async fn correlate(tx: &mut Tx, changed: &[Alert], now: Timestamp) -> Result<BTreeSet<IncidentId>> {
    let mut touched = BTreeSet::new();
    let Some(first) = changed.iter().map(|alert| alert.first_seen).min() else { return Ok(touched) };
    let known = incidents::candidates(tx, first.minus(triage::GAP)).await?;
    let mut summaries: Vec<IncidentSummary> = known.iter().map(IncidentSummary::from).collect();
    for alert in changed {
        if let Some(incident) = alert.incident_id {
            touched.insert(incident);
            continue;
        }
        match triage::correlate(alert, &summaries) {
            Correlation::Alone => {}
            Correlation::Join { id, also, .. } => {
                join(tx, alert, id).await?;
                touched.insert(id);
                for other in also {
                    absorb(tx, id, other, now).await?;
                }
                update_summary(tx, &mut summaries, id, now).await?;
            }
            Correlation::Open => {
                let id: IncidentId = id::mint(now, &mut rand::rng());
                join(tx, alert, id).await?;
                open(tx, id, alert, now).await?;
                touched.insert(id);
                update_summary(tx, &mut summaries, id, now).await?;
            }
        }
    }
    Ok(touched)
}

async fn join(tx: &mut Tx, alert: &Alert, incident: IncidentId) -> Result<()> {
    let mut alert = alerts::get(tx, alert.id).await?;
    alert.incident_id = Some(incident);
    alerts::update(tx, &mut alert).await?;
    Ok(())
}

async fn open(tx: &mut Tx, id: IncidentId, alert: &Alert, now: Timestamp) -> Result<()> {
    let context = context(tx).await?;
    if let Some(incident) = triage::open(id, std::slice::from_ref(alert), &context, now) {
        // Revision 1 is due at once: until it is there the incident is not listed.
        incidents::insert(tx, &incident, now, Some(now)).await?;
    }
    Ok(())
}

/// An alert bridges two incidents: the other one is merged when nobody has touched it.
async fn absorb(tx: &mut Tx, into: IncidentId, other: IncidentId, now: Timestamp) -> Result<()> {
    let from = incidents::get(tx, other).await?;
    let untouched = from.status == IncidentStatus::New && from.assignee.is_none();
    if untouched && into != other {
        merge(tx, into, other, None, now).await?;
    }
    Ok(())
}

/// Merges `from` into `into`: its alerts move, and it closes.
pub(crate) async fn merge(
    tx: &mut Tx,
    into: IncidentId,
    from: IncidentId,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    let (target, source) = (incidents::get(tx, into).await?, incidents::get(tx, from).await?);
    let Ok(merged) = triage::merge(&target, &source, now) else { return Ok(()) };
    for mut alert in alerts::of_incident(tx, from).await? {
        alert.incident_id = Some(into);
        alerts::update(tx, &mut alert).await?;
    }
    let mut closed = Incident { version: source.version, ..merged.from };
    incidents::update(tx, &mut closed).await?;
    incidents::schedule(tx, from, now, None).await?;
    let mut open = Incident { version: target.version, ..merged.into };
    incidents::update(tx, &mut open).await?;
    tx.record("incident.merged", &[&into, &from], serde_json::json!({"into": into, "from": from, "reason": reason}))?;
    Ok(())
}

async fn update_summary(
    tx: &mut Tx,
    summaries: &mut Vec<IncidentSummary>,
    id: IncidentId,
    now: Timestamp,
) -> Result<()> {
    let Some(incident) = incidents::find(tx, id).await? else { return Ok(()) };
    let alerts = alerts::of_incident(tx, id).await?;
    let fresh = triage::refresh(&incident, &alerts, &triage::risk::Context::default(), now);
    summaries.retain(|summary| summary.id != id);
    summaries.push(IncidentSummary::from(&fresh));
    Ok(())
}

/// Rolls the alerts of an incident up into it and schedules its next revision.
pub(crate) async fn refresh(tx: &mut Tx, id: IncidentId, settings: &Settings, now: Timestamp) -> Result<()> {
    let Some(incident) = incidents::find(tx, id).await? else { return Ok(()) };
    let alerts = alerts::of_incident(tx, id).await?;
    let context = context(tx).await?;
    let mut fresh = triage::refresh(&incident, &alerts, &context, now);
    fresh.version = incident.version;
    incidents::update(tx, &mut fresh).await?;
    let (changed_at, due) = next_revision(tx, &incident, settings, now).await?;
    incidents::schedule(tx, id, changed_at, Some(due)).await?;
    Ok(())
}

/// The first revision is due at once; a later one after a quiet spell, but within a bound from the first change.
async fn next_revision(
    tx: &mut Tx,
    incident: &Incident,
    settings: &Settings,
    now: Timestamp,
) -> Result<(Timestamp, Timestamp)> {
    if incident.revision == 0 {
        return Ok((now, now));
    }
    let pending = incidents::pending_since(tx, incident.id).await?;
    let changed_at = pending.unwrap_or(now);
    let due = now.plus(settings.revise_after).min(changed_at.plus(settings.revise_within));
    Ok((changed_at, due))
}

fn record(tx: &mut Tx, changed: &[Alert], touched: &BTreeSet<IncidentId>) -> Result<()> {
    let rows: Vec<_> = changed
        .iter()
        .map(|alert| serde_json::json!({"id": alert.id, "rule": alert.rule_id, "title": alert.rule_title, "count": alert.count, "version": alert.version}))
        .collect();
    let mut subjects: Vec<&dyn std::fmt::Display> = Vec::with_capacity(changed.len() + touched.len());
    subjects.extend(changed.iter().take(200).map(|alert| &alert.id as &dyn std::fmt::Display));
    subjects.extend(touched.iter().map(|id| id as &dyn std::fmt::Display));
    tx.record("detection.committed", &subjects, serde_json::json!({"alerts": rows, "incidents": touched}))?;
    Ok(())
}
