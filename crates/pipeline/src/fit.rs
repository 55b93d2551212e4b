//! How much of a batch one transaction takes. On SQLite all tenants share one writer: a flood of alerts is written in pieces,
//! so that the others' writes get between.

use std::{collections::HashMap, time::Duration};

use shieldops_model::{Event, EventId};
use shieldops_triage::{Finding, MAX_EVENT_IDS, fingerprint};

/// Statements for alerts in one transaction, about: 250 alerts of one event each.
const STATEMENTS: usize = 2_000;
/// An alert is looked for, written, given an incident and written again, each time with its entities.
const FOR_AN_ALERT: usize = 6;
/// An event that an alert names is linked and copied.
const FOR_AN_EVENT: usize = 2;

/// How many of the events, from the first, make no more alerts than one transaction is to write; one at least.
pub(crate) fn fit<'f>(
    events: &[Event],
    findings: impl Iterator<Item = &'f Finding> + Clone,
    window: Duration,
) -> usize {
    if findings.clone().count().saturating_mul(FOR_AN_ALERT + FOR_AN_EVENT) <= STATEMENTS {
        return events.len();
    }
    let mut of: HashMap<EventId, Vec<&Finding>> = HashMap::new();
    for finding in findings {
        of.entry(finding.event_id).or_default().push(finding);
    }
    let window_us = i64::try_from(window.as_micros()).unwrap_or(i64::MAX).max(1);
    let mut alerts: HashMap<([u8; 32], i64), usize> = HashMap::new();
    let mut statements = 0_usize;
    for (place, event) in events.iter().enumerate() {
        for finding in of.get(&event.id).into_iter().flatten() {
            let name = fingerprint(event.tenant, &finding.rule.id, &finding.grouping);
            let slot = finding.window_time.as_micros().div_euclid(window_us);
            let named = alerts.entry((name, slot)).or_insert_with(|| {
                statements = statements.saturating_add(FOR_AN_ALERT);
                0
            });
            if *named < MAX_EVENT_IDS {
                *named = named.saturating_add(1);
                statements = statements.saturating_add(FOR_AN_EVENT);
            }
        }
        if statements > STATEMENTS && place > 0 {
            return place;
        }
    }
    events.len()
}
