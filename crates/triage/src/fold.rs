//! Deduplication: findings into alerts, one alert for a rule, a fingerprint and a window.
//!
//! The caller loads the open alerts of the findings' keys, folds and writes the changes, all in one transaction with the
//! consumer's offset. A window opens with the first finding that is folded and its start never changes, because it is part
//! of the alert's key; a late finding joins the window as long as the alert still spans less than one window.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use shieldops_model::{Alert, AlertId, AlertKey, AlertStatus, Attack, EventId, TenantId, Timestamp};

use crate::{
    entities::{ALERT_PER_KIND, union},
    finding::Finding,
    fingerprint::fingerprint,
    risk,
};

/// How long matches of one fingerprint stay one alert, from the first.
pub const WINDOW: Duration = Duration::from_mins(5);
/// Events that an alert names; `count` counts all.
pub const MAX_EVENT_IDS: usize = 50;

/// Under what open alerts are looked up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FoldKey {
    pub rule_id: String,
    pub fingerprint: [u8; 32],
}

/// An alert after a fold.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertChange {
    /// To insert, else to update.
    pub is_new: bool,
    /// The whole row.
    pub alert: Alert,
    /// The events that this fold added to `alert.event_ids`.
    pub added: Vec<EventId>,
}

/// Alerts that findings may fold into: those of a key whose windows begin between the two times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    pub key: FoldKey,
    pub after: Timestamp,
    pub before: Timestamp,
}

/// What alerts to load for the findings, sorted. A key has a span for each time at which it was found: what lies between an
/// old finding and a new one is none of theirs.
pub fn spans(tenant: TenantId, findings: &[Finding], window: Duration) -> Vec<Span> {
    let mut found: BTreeMap<FoldKey, Vec<Timestamp>> = BTreeMap::new();
    for finding in findings {
        found.entry(key_of(tenant, finding)).or_default().push(finding.window_time);
    }
    let of_key = |(key, found): (FoldKey, Vec<Timestamp>)| {
        let spans = times(found.into_iter().map(|time| (time, time)), window);
        spans.into_iter().map(move |(after, before)| Span { key: key.clone(), after, before }).collect::<Vec<_>>()
    };
    found.into_iter().flat_map(of_key).collect()
}

/// Times widened by `reach` on either side and joined where they then meet, oldest first.
pub fn times(of: impl Iterator<Item = (Timestamp, Timestamp)>, reach: Duration) -> Vec<(Timestamp, Timestamp)> {
    let mut wide: Vec<_> = of.map(|(from, to)| (from.minus(reach), to.plus(reach))).collect();
    wide.sort_unstable();
    let mut joined: Vec<(Timestamp, Timestamp)> = Vec::new();
    for (from, to) in wide {
        match joined.last_mut().filter(|(_, until)| from <= *until) {
            Some((_, until)) => *until = (*until).max(to),
            None => joined.push((from, to)),
        }
    }
    joined
}

/// The unique key of an alert; `None` when its fingerprint is not 32 bytes of hex.
pub fn key(tenant: TenantId, alert: &Alert) -> Option<AlertKey> {
    let bytes = hex::decode(&alert.fingerprint).ok()?;
    Some(AlertKey {
        tenant,
        rule_id: alert.rule_id.clone(),
        rule_version: alert.rule_version.clone(),
        fingerprint: bytes.try_into().ok()?,
        window_start: alert.window_start,
    })
}

/// Folds findings into alerts. `open` are the alerts of [`spans`] in any status: a closed alert still takes the matches of
/// its window, so that nothing starts anew. The order of `findings` and `open` does not matter. Changes come out in the
/// order of window start, rule and fingerprint, one for an alert.
pub fn fold(
    tenant: TenantId,
    open: &[Alert],
    findings: &[Finding],
    window: Duration,
    now: Timestamp,
    mut mint: impl FnMut() -> AlertId,
) -> Vec<AlertChange> {
    let mut windows = Windows::of(open);
    for (key, finding) in in_order(tenant, findings) {
        let fingerprint = hex::encode(key.fingerprint);
        match windows.find(&key.rule_id, &fingerprint, finding, window) {
            Some(slot) => slot.take(finding),
            None => windows.open(Slot::open(fingerprint, finding, now, mint())),
        }
    }
    windows.changes(now)
}

fn key_of(tenant: TenantId, finding: &Finding) -> FoldKey {
    let fingerprint = fingerprint(tenant, &finding.rule.id, &finding.grouping);
    FoldKey { rule_id: finding.rule.id.clone(), fingerprint }
}

/// Findings by time and event, each event once for a key.
fn in_order(tenant: TenantId, findings: &[Finding]) -> Vec<(FoldKey, &Finding)> {
    let mut seen = BTreeSet::new();
    let mut ordered: Vec<&Finding> = findings.iter().collect();
    ordered.sort_by(|one, other| {
        let place = |finding: &Finding| (finding.window_time, finding.event_id);
        place(one).cmp(&place(other)).then_with(|| one.rule.id.cmp(&other.rule.id))
    });
    ordered
        .into_iter()
        .map(|finding| (key_of(tenant, finding), finding))
        .filter(|(key, finding)| seen.insert((key.clone(), finding.event_id)))
        .collect()
}

/// The alerts at hand, by rule and fingerprint.
struct Windows(BTreeMap<(String, String), Vec<Slot>>);

impl Windows {
    fn of(open: &[Alert]) -> Self {
        let mut windows = Self(BTreeMap::new());
        let mut alerts: Vec<&Alert> = open.iter().collect();
        alerts.sort_by_key(|alert| (alert.window_start, alert.id));
        alerts.dedup_by_key(|alert| alert.id);
        for alert in alerts {
            windows.open(Slot { is_new: false, changed: false, alert: alert.clone(), added: Vec::new() });
        }
        windows
    }

    fn open(&mut self, slot: Slot) {
        let key = (slot.alert.rule_id.clone(), slot.alert.fingerprint.clone());
        self.0.entry(key).or_default().push(slot);
    }

    /// The alert whose window holds the finding, else the earliest that it can still extend backwards.
    fn find(&mut self, rule_id: &str, fingerprint: &str, finding: &Finding, window: Duration) -> Option<&mut Slot> {
        let slots = self.0.get_mut(&(rule_id.to_owned(), fingerprint.to_owned()))?;
        let time = finding.window_time;
        let alike = |slot: &Slot| slot.alert.demo == finding.demo;
        let holds = |slot: &Slot| slot.alert.window_start <= time && time < slot.alert.window_start.plus(window);
        let extends = |slot: &Slot| time < slot.alert.window_start && slot.alert.last_seen.since(time) < window;
        let start = |place: &usize| slots.get(*place).map(|slot| slot.alert.window_start);
        let places = |wanted: &dyn Fn(&Slot) -> bool| -> Vec<usize> {
            slots.iter().enumerate().filter(|(_, slot)| alike(slot) && wanted(slot)).map(|(place, _)| place).collect()
        };
        let latest = places(&holds).into_iter().max_by_key(start);
        let place = latest.or_else(|| places(&extends).into_iter().min_by_key(start))?;
        slots.get_mut(place)
    }

    fn changes(self, now: Timestamp) -> Vec<AlertChange> {
        let changed = self.0.into_values().flatten().filter(|slot| slot.changed);
        let mut changes: Vec<AlertChange> = changed.map(|slot| slot.finish(now)).collect();
        changes.sort_by(|one, other| place(&one.alert).cmp(&place(&other.alert)));
        changes
    }
}

fn place(alert: &Alert) -> (Timestamp, &str, &str, AlertId) {
    (alert.window_start, &alert.rule_id, &alert.fingerprint, alert.id)
}

struct Slot {
    is_new: bool,
    changed: bool,
    alert: Alert,
    added: Vec<EventId>,
}

impl Slot {
    fn open(fingerprint: String, finding: &Finding, now: Timestamp, id: AlertId) -> Self {
        let mut slot =
            Self { is_new: true, changed: true, alert: empty(fingerprint, finding, now, id), added: Vec::new() };
        slot.take(finding);
        slot
    }

    /// Counts the finding, once: an event that the alert already names changes nothing.
    fn take(&mut self, finding: &Finding) {
        let alert = &mut self.alert;
        if alert.event_ids.contains(&finding.event_id) {
            return;
        }
        self.changed = true;
        alert.count = alert.count.saturating_add(1);
        alert.first_seen = alert.first_seen.min(finding.window_time);
        alert.last_seen = alert.last_seen.max(finding.window_time);
        alert.severity = alert.severity.max(finding.rule.level);
        join_attack(&mut alert.attack, &finding.rule.attack);
        alert.entities = union(&alert.entities, &finding.entities, &finding.grouping, ALERT_PER_KIND);
        keep_event(&mut alert.event_ids, finding.event_id);
        self.added.push(finding.event_id);
    }

    fn finish(mut self, now: Timestamp) -> AlertChange {
        self.added.retain(|event| self.alert.event_ids.contains(event));
        self.added.sort();
        let score = risk::alert(&self.alert, &risk::Context::default());
        self.alert.risk_score = score.score;
        self.alert.risk_terms = score.terms;
        self.alert.updated_at = now;
        self.alert.version = if self.is_new { 1 } else { self.alert.version.saturating_add(1) };
        AlertChange { is_new: self.is_new, alert: self.alert, added: self.added }
    }
}

fn empty(fingerprint: String, finding: &Finding, now: Timestamp, id: AlertId) -> Alert {
    Alert {
        id,
        rule_id: finding.rule.id.clone(),
        rule_title: finding.rule.title.clone(),
        rule_version: finding.rule.version.clone(),
        severity: finding.rule.level,
        status: AlertStatus::New,
        verdict: None,
        verdict_reason: None,
        fingerprint,
        window_start: finding.window_time,
        first_seen: finding.window_time,
        last_seen: finding.window_time,
        count: 0,
        entities: Vec::new(),
        attack: Attack::default(),
        event_ids: Vec::new(),
        incident_id: None,
        assignee: None,
        risk_score: 0,
        risk_terms: Vec::new(),
        demo: finding.demo,
        superseded: false,
        created_at: now,
        updated_at: now,
        version: 0,
    }
}

/// Keeps the earliest ids: ids grow as events are accepted, so the outcome does not depend on the order of folding.
fn keep_event(event_ids: &mut Vec<EventId>, event: EventId) {
    if let Err(place) = event_ids.binary_search(&event) {
        event_ids.insert(place, event);
        event_ids.truncate(MAX_EVENT_IDS);
    }
}

pub(crate) fn join_attack(into: &mut Attack, more: &Attack) {
    for (list, new) in [(&mut into.tactics, &more.tactics), (&mut into.techniques, &more.techniques)] {
        list.extend(new.iter().cloned());
        list.sort();
        list.dedup();
    }
    into.tactics.sort_by_key(|tactic| shieldops_model::attack::rank(tactic).unwrap_or(usize::MAX));
}

#[cfg(test)]
mod tests;
