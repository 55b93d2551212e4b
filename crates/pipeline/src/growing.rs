//! The incidents that grow now, with the alerts that tell their story, kept from batch to batch.
//!
//! A flood brings one incident thousands of alerts in hundreds of batches. Were its alerts read for each batch, reading
//! would grow with the square of the flood; so the worker keeps what it read. Only a memory: it is dropped when anybody
//! else wrote the incident, after a failed batch and at the end of the process, and read again from the rows.

use std::collections::BTreeMap;

use shieldops_model::{Alert, AlertId, Incident, IncidentId};
use shieldops_store::{Tx, alerts};

use crate::Result;

/// Alerts that an incident's title, score and severity are made of: the gravest, then the first.
const SAMPLE: usize = 300;
/// Incidents at once; one more and all are forgotten.
const INCIDENTS: usize = 32;

#[derive(Debug, Default)]
pub(crate) struct Growing {
    kept: BTreeMap<IncidentId, Kept>,
}

#[derive(Debug)]
struct Kept {
    /// The incident's row as this worker wrote it.
    version: i64,
    alerts: Vec<Alert>,
}

impl Growing {
    /// The alerts of an incident that a batch changed, after the batch, oldest first.
    pub(crate) async fn sample(&mut self, tx: &mut Tx, incident: &Incident, changed: &[Alert]) -> Result<Vec<Alert>> {
        let known = match self.kept.remove(&incident.id) {
            Some(kept) if kept.version == incident.version => kept.alerts,
            // The rows hold what the batch changed, too.
            _ => alerts::of_incident(tx, incident.id).await?,
        };
        Ok(select(known, changed))
    }

    pub(crate) fn keep(&mut self, id: IncidentId, version: i64, alerts: Vec<Alert>) {
        if self.kept.len() >= INCIDENTS {
            self.kept.clear();
        }
        self.kept.insert(id, Kept { version, alerts });
    }
}

/// Both together, the later form of each, at most [`SAMPLE`].
fn select(known: Vec<Alert>, changed: &[Alert]) -> Vec<Alert> {
    let mut all: BTreeMap<AlertId, Alert> = known.into_iter().map(|alert| (alert.id, slim(alert))).collect();
    all.extend(changed.iter().map(|alert| (alert.id, slim(alert.clone()))));
    let mut alerts: Vec<Alert> = all.into_values().collect();
    if alerts.len() > SAMPLE {
        alerts.sort_by_key(|alert| (std::cmp::Reverse(alert.severity), alert.id));
        alerts.truncate(SAMPLE);
        alerts.sort_by_key(|alert| alert.id);
    }
    alerts
}

/// Without what no title and no score is made of.
fn slim(alert: Alert) -> Alert {
    Alert { event_ids: Vec::new(), risk_terms: Vec::new(), verdict_reason: None, ..alert }
}
