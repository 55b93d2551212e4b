//! Correlations over everything that was scanned, by the times of the events: the order of files and lines does not count.

use std::collections::HashMap;

use shieldops_detect::{FieldHit, Limits};
use shieldops_model::{EventId, Timestamp};

use super::{
    find::{Finding, Found, Place, RuleName},
    rules::Loaded,
};

impl Found {
    /// Adds a finding for each match of a correlation.
    pub(super) fn correlate(&mut self, rules: &Loaded) {
        let (sightings, places): (Vec<_>, HashMap<EventId, (Timestamp, Place)>) = std::mem::take(&mut self.sightings)
            .into_iter()
            .map(|(sighting, place)| {
                let (event, time) = (sighting.observed.event, sighting.observed.time);
                (sighting, (event, (time, place)))
            })
            .unzip();
        if sightings.is_empty() {
            return;
        }
        let replayed = rules.correlations.replay(sightings, Limits::default());
        self.problems.extend(replayed.let_go());
        for found in replayed.found {
            let Some(correlation) = rules.correlations.get(found.correlation) else { continue };
            // The event that completed it.
            let seen = found.events.iter().filter_map(|event| places.get(event));
            let place = seen.max_by_key(|(time, _)| *time).map(|(_, place)| place);
            let values = correlation.group_by.iter().zip(found.group);
            self.findings.push(Finding {
                time: Some(found.last_seen),
                rule: RuleName {
                    id: correlation.header.id.clone(),
                    title: correlation.header.title.clone(),
                    level: correlation.header.level,
                    techniques: correlation.header.attack.techniques.clone(),
                },
                source: place.cloned().unwrap_or(Place { file: String::new(), record: 0 }),
                host: None,
                user: None,
                src_ip: None,
                fields: values.map(|(field, value)| grouped(field, value, found.count)).collect(),
            });
        }
    }
}

fn grouped(field: &str, value: String, count: u64) -> FieldHit {
    let pattern = if count == 1 { "1 event".to_owned() } else { format!("{count} events") };
    FieldHit { selection: "group-by".to_owned(), field: field.to_owned(), value, ranges: Vec::new(), pattern }
}
