//! What a batch holds of what is listed: findings that become alerts, and sightings that keep where an indicator comes from.

use std::{collections::BTreeMap, sync::Arc};

use sha2::{Digest as _, Sha256};
use shieldops_detect::{IndicatorEntry, IndicatorHit, Indicators, ListFacts};
use shieldops_model::{Attack, Event, Normalised, TenantId, Timestamp};
use shieldops_store::{
    Tx,
    indicators::hits::{self, Provenance, Seen, Sighting},
};
use shieldops_triage::{Finding, RuleFacts, fingerprint};

use crate::Result;

/// Sightings of one batch that are kept; a batch in which everything is listed is a mistake in a list.
const MAX_SIGHTINGS: usize = 2_000;

/// What was seen in a batch.
#[derive(Default)]
pub(crate) struct Sightings {
    seen: BTreeMap<[u8; 32], Seen>,
    pub(crate) findings: Vec<Finding>,
}

impl Sightings {
    pub(crate) async fn write(&self, tx: &mut Tx) -> Result<()> {
        let seen: Vec<Seen> = self.seen.values().cloned().collect();
        Ok(hits::note(tx, &seen).await?)
    }
}

/// Looks up the entities of all events at once.
pub(crate) fn sightings(events: &[Event], normalised: &[Normalised], indicators: &Indicators) -> Sightings {
    let mut sightings = Sightings::default();
    let owners: Vec<usize> =
        normalised.iter().enumerate().flat_map(|(place, one)| one.entities.iter().map(move |_| place)).collect();
    // An entry counts until it expires, for each event by its own time of arrival: however long a batch waited.
    let at = |index: usize| owners.get(index).and_then(|place| events.get(*place)).map(|event| event.ingested_at);
    let at = |index| at(index).unwrap_or_default();
    for hit in indicators.find(normalised.iter().flat_map(|one| &one.entities), at) {
        let Some(place) = owners.get(hit.index) else { continue };
        let (Some(event), Some(one)) = (events.get(*place), normalised.get(*place)) else { continue };
        if hit.allowed_by.is_none() {
            let mut finding = Finding::new(Arc::new(rule(&hit.list)), event, one);
            finding.grouping = vec![hit.entity.clone()];
            sightings.findings.push(finding);
        }
        sightings.note(&hit, event);
    }
    sightings
}

impl Sightings {
    fn note(&mut self, hit: &IndicatorHit, event: &Event) {
        let seen = seen(hit, event);
        if let Some(known) = self.seen.get_mut(&seen.id) {
            known.count = known.count.saturating_add(1);
            known.first_seen = known.first_seen.min(seen.first_seen);
            known.last_seen = known.last_seen.max(seen.last_seen);
            known.sighting = seen.sighting;
        } else if self.seen.len() < MAX_SIGHTINGS {
            self.seen.insert(seen.id, seen);
        }
    }
}

fn seen(hit: &IndicatorHit, event: &Event) -> Seen {
    let indicator = hit.entry.value.to_string();
    let mut id = Sha256::new();
    for part in [hit.list.id.as_str(), &indicator, hit.entity.kind.as_str(), &hit.entity.value] {
        id.update(part);
        id.update([0]);
    }
    let at = event.window_time();
    Seen {
        id: id.finalize().into(),
        fingerprint: fingerprint_of(event.tenant, hit),
        sighting: Sighting {
            entity: hit.entity.clone(),
            kind: hit.entry.value.kind().as_str().to_owned(),
            indicator,
            provenance: provenance(&hit.list, &hit.entry),
            severity: hit.list.severity,
            allowed_by: hit.allowed_by.as_ref().map(|by| provenance(&by.list, &by.entry)),
            event_id: event.id,
        },
        first_seen: at,
        last_seen: at,
        count: 1,
    }
}

fn fingerprint_of(tenant: TenantId, hit: &IndicatorHit) -> [u8; 32] {
    fingerprint(tenant, &rule_id(&hit.list), std::slice::from_ref(&hit.entity))
}

fn rule_id(list: &ListFacts) -> String {
    format!("indicator:{}", list.id)
}

fn rule(list: &ListFacts) -> RuleFacts {
    RuleFacts {
        id: rule_id(list),
        title: format!("Listed indicator seen ({})", list.name),
        version: "list".to_owned(),
        level: list.severity,
        attack: Attack::default(),
        group_by: Vec::new(),
    }
}

/// Where an entry of a list comes from, as every surface says it.
pub fn provenance(list: &ListFacts, entry: &IndicatorEntry) -> Provenance {
    let time = |seconds: Option<u32>| seconds.map(|seconds| Timestamp::from_secs(i64::from(seconds)));
    Provenance {
        list_id: list.id.clone(),
        list: list.name.clone(),
        source: list.source.clone(),
        line: entry.line,
        reference: entry.reference.clone(),
        confidence: entry.confidence.or(list.confidence),
        added_at: time(entry.added),
        expires_at: time(entry.expires),
    }
}

#[cfg(test)]
mod tests {
    use shieldops_detect::{BlockWriter, HashKey, IndicatorTable, IndicatorValue, ListBlocks};
    use shieldops_ingest::normalise_checked;
    use shieldops_model::{EventId, Severity, TimeQuality};

    use super::*;

    #[test]
    fn a_batch_that_waited_counts_an_entry_for_the_events_that_came_before_it_expired() {
        let list = ListFacts {
            id: "feed".to_owned(),
            name: "feed".to_owned(),
            source: String::new(),
            allow: false,
            confidence: None,
            severity: Severity::High,
            shared: false,
        };
        let mut entry = IndicatorEntry::new(IndicatorValue::parse("203.0.113.77").unwrap(), 1);
        entry.expires = Some(1_000);
        let blocks = vec![ListBlocks { list: Arc::new(list), blocks: BlockWriter::blocks(&[entry]) }];
        let table = IndicatorTable::build(blocks, HashKey([7, 11]), 1).unwrap();
        let event = |number: u32| Event {
            id: EventId::from_bits(number.into()),
            tenant: TenantId::from_bits(1),
            source: "sshd".to_owned(),
            format: "json/1".to_owned(),
            time: Timestamp::from_secs(1),
            ingested_at: Timestamp::from_secs(number.into()),
            time_quality: TimeQuality::Good,
            demo: false,
            unchecked: false,
            raw: br#"{"SourceIp": "203.0.113.77"}"#.as_slice().into(),
        };
        let events = [999, 1_000, 998].map(event);
        let seen = events.each_ref().map(|event| normalise_checked(event).0);
        let found = sightings(&events, &seen, &Indicators::new([Arc::new(table)]));
        let counts: Vec<u64> = found.seen.values().map(|seen| seen.count).collect();
        assert_eq!((found.findings.len(), counts), (2, vec![2]));
    }
}
