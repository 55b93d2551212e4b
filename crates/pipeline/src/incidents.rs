//! Findings of a batch to alerts and incidents, inside the batch's transaction.

use std::{collections::BTreeMap, sync::Arc};

use shieldops_bus::Bus;
use shieldops_model::{Alert, AlertId, Event, EventId, Incident, IncidentId, IncidentStatus, Timestamp, id};
use shieldops_store::{Tx, alerts, cited, incidents, targets, throttles::Limit};
use shieldops_triage::{self as triage, Correlation, Finding, Growth, IncidentSummary, Raised};

use crate::{
    Result, Settings,
    correlation::raise::{self, Evidence},
    growing::Growing,
    throttle::Throttle,
};

/// Alerts that the entry of a batch names as its subjects; its payload names all.
pub const SUBJECTS: usize = 200;

/// Applies findings; records one ledger entry for all that changed. What it reads grows with the findings, not with the
/// incidents that they join.
pub(crate) async fn apply(
    tx: &mut Tx,
    growing: &mut Growing,
    batch: Found<'_>,
    settings: &Settings,
    now: Timestamp,
) -> Result<()> {
    if batch.findings.is_empty() && batch.raised.is_empty() {
        return Ok(());
    }
    let context = context(tx).await?;
    let mut changed = fold(tx, batch, settings, &context, now).await?;
    let mut evidence = Evidence::new(batch.events, batch.log);
    raise::fold(tx, (&batch, &mut evidence), &mut changed, &context, now).await?;
    if changed.is_empty() {
        return Ok(());
    }
    changed.sort_by_key(|folded| (folded.alert.first_seen, folded.alert.id));
    let touched = correlate(tx, &mut changed, &context, now).await?;
    for (id, touch) in &touched {
        let refresh = Refresh { touch, context: &context, settings, now };
        refresh.run(tx, growing, *id).await?;
    }
    record(tx, &changed, touched.keys())
}

/// What a batch found, and its events.
#[derive(Clone, Copy)]
pub(crate) struct Found<'a> {
    pub(crate) findings: &'a [Finding],
    pub(crate) events: &'a [Event],
    /// What correlations found, and whether it was not told before.
    pub(crate) raised: &'a [(Raised, bool)],
    /// Where the events of earlier batches are.
    pub(crate) log: Option<&'a Arc<Bus>>,
    /// How many alerts of a rule the tenant wants.
    pub(crate) throttles: &'a BTreeMap<String, Limit>,
}

/// An alert that a batch made or changed, with the matches that this added.
pub(crate) struct Folded {
    pub(crate) alert: Alert,
    pub(crate) matches: u64,
}

impl Folded {
    /// Matches that raise no alert of their own.
    pub(crate) fn take(&mut self, matches: u64, last_seen: Timestamp, now: Timestamp) {
        self.matches = self.matches.saturating_add(matches);
        self.alert.count = self.alert.count.saturating_add(matches);
        self.alert.last_seen = self.alert.last_seen.max(last_seen);
        self.alert.updated_at = now;
    }
}

async fn fold(
    tx: &mut Tx,
    batch: Found<'_>,
    settings: &Settings,
    context: &triage::risk::Context,
    now: Timestamp,
) -> Result<Vec<Folded>> {
    let (tenant, findings) = (tx.scope().tenant(), batch.findings);
    let mut open = Vec::new();
    for span in triage::spans(tenant, findings, settings.dedupe_window) {
        open.extend(alerts::of_fingerprint(tx, span.key.fingerprint, (span.after, span.before)).await?);
    }
    let counted: BTreeMap<AlertId, u64> = open.iter().map(|alert| (alert.id, alert.count)).collect();
    let by_id: BTreeMap<EventId, &Event> = batch.events.iter().map(|event| (event.id, event)).collect();
    let mint = || -> AlertId { id::mint(now, &mut rand::rng()) };
    let mut changed = Vec::new();
    let changes = triage::fold(tenant, &open, findings, settings.dedupe_window, now, mint);
    let mut throttle = Throttle::new(batch.throttles, changes.iter().map(|change| change.alert.first_seen));
    for change in changes {
        if !throttle.allows(tx, &change, change.alert.count).await? {
            continue;
        }
        let mut alert = change.alert;
        let score = triage::risk::alert(&alert, context);
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
        let matches = alert.count.saturating_sub(counted.get(&alert.id).copied().unwrap_or(0));
        changed.push(Folded { alert, matches });
    }
    throttle.finish(tx, &mut changed, now).await?;
    Ok(changed)
}

/// What risk scores need to know beyond the alerts.
pub(crate) async fn context(tx: &mut Tx) -> Result<triage::risk::Context> {
    let criticality = targets::whole(tx).await?.into_iter().map(|target| target.criticality).max();
    Ok(triage::risk::Context { criticality, ..triage::risk::Context::default() })
}

/// What a batch did to one incident.
#[derive(Default)]
pub(crate) struct Touch {
    alerts: Vec<Alert>,
    growth: Growth,
}

type Touched = BTreeMap<IncidentId, Touch>;

/// Finds an incident for each alert that has none, and says which incidents changed.
async fn correlate(
    tx: &mut Tx,
    changed: &mut [Folded],
    context: &triage::risk::Context,
    now: Timestamp,
) -> Result<Touched> {
    let mut touched = Touched::new();
    let alone = changed.iter().map(|folded| &folded.alert).filter(|alert| alert.incident_id.is_none());
    let mut known = BTreeMap::new();
    for time in triage::times(alone.map(|alert| (alert.first_seen, alert.last_seen)), triage::GAP) {
        known.extend(incidents::candidates(tx, time).await?.into_iter().map(|incident| (incident.id, incident)));
    }
    let mut summaries: Vec<IncidentSummary> = known.values().map(IncidentSummary::from).collect();
    for Folded { alert, matches } in changed {
        if let Some(incident) = alert.incident_id {
            let touch = touched.entry(incident).or_default();
            touch.growth.events = touch.growth.events.saturating_add(*matches);
            touch.alerts.push(alert.clone());
            continue;
        }
        let mut counted = alert.count;
        let id = match triage::correlate(alert, &summaries) {
            Correlation::Alone => continue,
            Correlation::Join { id, also, .. } => {
                join(tx, alert, id).await?;
                for other in also {
                    absorb(tx, &mut touched, &mut summaries, (id, other), now).await?;
                }
                summaries.iter_mut().filter(|known| known.id == id).for_each(|known| known.take(alert));
                touched.entry(id).or_default().growth.alerts += 1;
                id
            }
            Correlation::Open => {
                let id: IncidentId = id::mint(now, &mut rand::rng());
                join(tx, alert, id).await?;
                summaries.extend(open(tx, id, alert, context, now).await?);
                // Its row counts this alert already.
                counted = 0;
                id
            }
        };
        let touch = touched.entry(id).or_default();
        touch.growth.events = touch.growth.events.saturating_add(counted);
        touch.growth.joined.insert(alert.id);
        touch.alerts.push(alert.clone());
    }
    Ok(touched)
}

async fn join(tx: &mut Tx, alert: &mut Alert, incident: IncidentId) -> Result<()> {
    alert.incident_id = Some(incident);
    Ok(alerts::update(tx, alert).await?)
}

async fn open(
    tx: &mut Tx,
    id: IncidentId,
    alert: &Alert,
    context: &triage::risk::Context,
    now: Timestamp,
) -> Result<Option<IncidentSummary>> {
    let Some(incident) = triage::open(id, std::slice::from_ref(alert), context, now) else { return Ok(None) };
    // Revision 1 is due at once: until it is there the incident is not listed.
    incidents::insert(tx, &incident, now, Some(now)).await?;
    Ok(Some(IncidentSummary::from(&incident)))
}

/// An alert bridges two incidents: the other one is merged when nobody has touched it.
async fn absorb(
    tx: &mut Tx,
    touched: &mut Touched,
    summaries: &mut Vec<IncidentSummary>,
    (into, other): (IncidentId, IncidentId),
    now: Timestamp,
) -> Result<()> {
    let from = incidents::get(tx, other).await?;
    let untouched = from.status == IncidentStatus::New && from.assignee.is_none();
    if !untouched || into == other || !merge(tx, into, other, None, now).await? {
        return Ok(());
    }
    let gone: Vec<IncidentSummary> = summaries.extract_if(.., |summary| summary.id == other).collect();
    for (summary, gone) in summaries.iter_mut().filter(|summary| summary.id == into).zip(&gone) {
        summary.absorb(gone);
    }
    // What this batch gave to the other one is the first one's now.
    let Touch { alerts, growth } = touched.remove(&other).unwrap_or_default();
    let touch = touched.entry(into).or_default();
    touch.alerts.extend(alerts.into_iter().map(|alert| Alert { incident_id: Some(into), ..alert }));
    touch.growth.joined.extend(growth.joined);
    touch.growth.alerts = touch.growth.alerts.saturating_add(growth.alerts);
    touch.growth.events = touch.growth.events.saturating_add(growth.events);
    Ok(())
}

/// Merges `from` into `into`: its alerts move, and it closes. False when they cannot be merged.
pub(crate) async fn merge(
    tx: &mut Tx,
    into: IncidentId,
    from: IncidentId,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<bool> {
    let (target, source) = (incidents::get(tx, into).await?, incidents::get(tx, from).await?);
    let Ok(merged) = triage::merge(&target, &source, now) else { return Ok(false) };
    // A reading has an end: what it left is read again, until none is left.
    loop {
        let moving = alerts::of_incident(tx, from).await?;
        if moving.is_empty() {
            break;
        }
        for mut alert in moving {
            alert.incident_id = Some(into);
            alerts::update(tx, &mut alert).await?;
        }
    }
    let mut closed = Incident { version: source.version, ..merged.from };
    incidents::update(tx, &mut closed).await?;
    incidents::schedule(tx, from, now, None).await?;
    let mut open = Incident { version: target.version, ..merged.into };
    incidents::update(tx, &mut open).await?;
    tx.record("incident.merged", &[&into, &from], serde_json::json!({"into": into, "from": from, "reason": reason}))?;
    Ok(true)
}

/// What an incident is written again with.
struct Refresh<'a> {
    touch: &'a Touch,
    context: &'a triage::risk::Context,
    settings: &'a Settings,
    now: Timestamp,
}

impl Refresh<'_> {
    /// Rolls what the incident gained up into it and schedules its next revision.
    async fn run(&self, tx: &mut Tx, growing: &mut Growing, id: IncidentId) -> Result<()> {
        let Some(incident) = incidents::find(tx, id).await? else { return Ok(()) };
        let sample = growing.sample(tx, &incident, &self.touch.alerts).await?;
        let mut fresh = triage::refresh(&incident, &sample, &self.touch.growth, self.context, self.now);
        fresh.version = incident.version;
        incidents::update(tx, &mut fresh).await?;
        growing.keep(id, fresh.version, sample);
        let (changed_at, due) = next_revision(tx, &incident, self.settings, self.now).await?;
        incidents::schedule(tx, id, changed_at, Some(due)).await?;
        Ok(())
    }
}

/// Rolls an incident up from its rows, after something other than a batch changed them.
pub(crate) async fn refresh(tx: &mut Tx, id: IncidentId, settings: &Settings, now: Timestamp) -> Result<()> {
    let context = context(tx).await?;
    let refresh = Refresh { touch: &Touch::default(), context: &context, settings, now };
    refresh.run(tx, &mut Growing::default(), id).await
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

fn record<'a>(
    tx: &mut Tx,
    changed: &[Folded],
    touched: impl ExactSizeIterator<Item = &'a IncidentId> + Clone,
) -> Result<()> {
    let alerts = || changed.iter().map(|folded| &folded.alert);
    let rows: Vec<_> = alerts()
        .map(|alert| serde_json::json!({"id": alert.id, "rule": alert.rule_id, "title": alert.rule_title, "count": alert.count, "version": alert.version}))
        .collect();
    let mut subjects: Vec<&dyn std::fmt::Display> = Vec::with_capacity(changed.len() + touched.len());
    subjects.extend(alerts().take(SUBJECTS).map(|alert| &alert.id as &dyn std::fmt::Display));
    subjects.extend(touched.clone().map(|id| id as &dyn std::fmt::Display));
    let touched: Vec<&IncidentId> = touched.collect();
    tx.record("detection.committed", &subjects, serde_json::json!({"alerts": rows, "incidents": touched}))?;
    Ok(())
}

#[cfg(test)]
mod tests;
