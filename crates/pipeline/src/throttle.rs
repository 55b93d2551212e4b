//! Throttles: a tenant wants at most so many alerts of a rule, or of a rule for each entity, in a time. What would raise one
//! more is counted on the last of them. The alerts that count stand in the store with the batch, so a restart begins no new
//! time.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use sha2::{Digest as _, Sha256};
use shieldops_model::{Alert, AlertId, EventId, Timestamp};
use shieldops_store::{
    Tx, alerts,
    shadow::{self, Counts},
    throttles::{self, Limit, Slot},
};
use shieldops_triage::AlertChange;

use crate::{Result, incidents::Folded};

type Subject = [u8; 32];

/// The throttles of a tenant while one batch is applied.
pub(crate) struct Throttle<'l> {
    limits: &'l BTreeMap<String, Limit>,
    /// Alerts that count, in the order of time, as far as the batch reaches.
    slots: HashMap<(String, Subject), Vec<Slot>>,
    /// The time that the batch spans.
    span: (Timestamp, Timestamp),
    held: Vec<Held>,
}

/// Matches that are counted on another alert.
struct Held {
    rule_id: String,
    subject: Subject,
    slot: Slot,
    matches: u64,
    last_seen: Timestamp,
    events: Vec<EventId>,
}

impl<'l> Throttle<'l> {
    pub(crate) fn new(limits: &'l BTreeMap<String, Limit>, seen: impl Iterator<Item = Timestamp> + Clone) -> Self {
        let first = seen.clone().min().unwrap_or_default();
        let last = seen.max().unwrap_or_default();
        Self { limits, slots: HashMap::new(), span: (first, last), held: Vec::new() }
    }

    /// Whether a new alert may be raised; it counts from now on. One that may not is remembered, to be counted by `finish`:
    /// with so many matches.
    pub(crate) async fn allows(&mut self, tx: &mut Tx, change: &AlertChange, matches: u64) -> Result<bool> {
        let alert = &change.alert;
        let Some(limit) = self.limits.get(&alert.rule_id).copied().filter(|_| change.is_new) else { return Ok(true) };
        let subject = subject(alert, &limit);
        let key = (alert.rule_id.clone(), subject);
        if !self.slots.contains_key(&key) {
            let around = (self.span.0.minus(limit.window()), self.span.1.plus(limit.window()));
            let known = throttles::slots(tx, &alert.rule_id, &subject, around).await?;
            self.slots.insert(key.clone(), known);
        }
        let slots = self.slots.entry(key).or_default();
        let slot = Slot { at: alert.first_seen, alert: alert.id };
        if is_room(slots, slot.at, limit) {
            throttles::take(tx, &alert.rule_id, &subject, slot).await?;
            let place = slots.partition_point(|other| other.at <= slot.at);
            slots.insert(place, slot);
            return Ok(true);
        }
        let place = slots.partition_point(|other| other.at <= slot.at).saturating_sub(1);
        if let Some(slot) = slots.get(place).copied() {
            let (rule_id, events) = (alert.rule_id.clone(), change.added.clone());
            self.held.push(Held { rule_id, subject, slot, matches, last_seen: alert.last_seen, events });
        }
        Ok(false)
    }

    /// Counts what was withheld on the alerts that it belongs to. Blind to those that are gone.
    pub(crate) async fn finish(self, tx: &mut Tx, changed: &mut Vec<Folded>, now: Timestamp) -> Result<()> {
        let mut grown: BTreeMap<AlertId, (u64, Timestamp)> = BTreeMap::new();
        for held in self.held.into_iter().filter(|held| held.matches > 0) {
            let (matches, last_seen) = grown.entry(held.slot.alert).or_insert((0, held.last_seen));
            *matches = matches.saturating_add(held.matches);
            *last_seen = (*last_seen).max(held.last_seen);
            throttles::withheld(tx, &held.rule_id, &held.subject, held.slot, held.matches).await?;
            let counts = Counts { throttled: held.matches, ..Counts::default() };
            shadow::count(tx, &held.rule_id, held.last_seen, counts).await?;
            for event in held.events {
                alerts::link_event(tx, event, held.slot.alert).await?;
            }
        }
        for (id, (matches, last_seen)) in grown {
            let known = changed.iter().position(|folded| folded.alert.id == id);
            let place = match (known, alerts::find(tx, id).await?) {
                (Some(place), _) => place,
                (None, Some(alert)) => {
                    changed.push(Folded { alert, matches: 0 });
                    changed.len().saturating_sub(1)
                }
                (None, None) => continue,
            };
            if let Some(folded) = changed.get_mut(place) {
                folded.take(matches, last_seen, now);
                alerts::update(tx, &mut folded.alert).await?;
            }
        }
        Ok(())
    }
}

/// Whether one more alert at that time leaves every window with as many as are wanted.
fn is_room(slots: &[Slot], at: Timestamp, limit: Limit) -> bool {
    let most = usize::try_from(limit.alerts).unwrap_or(usize::MAX);
    let mut times: Vec<Timestamp> = slots.iter().map(|slot| slot.at).collect();
    times.insert(times.partition_point(|other| *other <= at), at);
    let window: Duration = limit.window();
    let mut ends = times.iter().skip(most);
    !times.iter().zip(&mut ends).any(|(first, last)| *first <= at && at <= *last && last.since(*first) < window)
}

/// What an alert is counted for. Demonstrations count for themselves.
fn subject(alert: &Alert, limit: &Limit) -> Subject {
    let mut hash = Sha256::new();
    hash.update([u8::from(alert.demo)]);
    if let Some(kind) = limit.per {
        let entity = alert.entities.iter().filter(|entity| entity.kind == kind).map(|entity| &entity.value).min();
        hash.update(kind.as_str());
        hash.update([u8::from(entity.is_some())]);
        hash.update(entity.map(String::as_str).unwrap_or_default());
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(second: i64) -> Slot {
        Slot { at: Timestamp::from_secs(second), alert: AlertId::from_bits(u128::try_from(second).unwrap_or(0)) }
    }

    #[test]
    fn no_window_holds_more_than_are_wanted_whatever_comes_late() {
        let limit = Limit { alerts: 2, window_s: 60, per: None };
        let room = |known: &[i64], at: i64| {
            is_room(&known.iter().map(|second| slot(*second)).collect::<Vec<_>>(), Timestamp::from_secs(at), limit)
        };
        assert!(room(&[], 0) && room(&[0], 1), "two at once are wanted");
        assert!(!room(&[0, 1], 59), "and no third");
        assert!(room(&[0, 1], 60), "but after the window");
        assert!(!room(&[100, 101], 90), "a late one neither");
        assert!(room(&[100, 200], 150), "between two windows there is room");
        assert!(!room(&[100, 140], 120));
    }
}
