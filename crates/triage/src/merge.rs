//! Merging one incident into another: both rows after it. The alerts are repointed by the caller, who then refreshes.

use shieldops_model::{Incident, IncidentStatus, Timestamp, Verdict};

use crate::{
    entities::{INCIDENT_PER_KIND, union},
    fold::join_attack,
};

/// Both incidents after a merge.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// Holds all entities, times and counts; its title, status and assignee stay.
    pub into: Incident,
    /// Closed as a duplicate that points to the other.
    pub from: Incident,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    #[error("an incident cannot be merged into itself")]
    Same,
    #[error("one of the two was merged already: use the incident it was merged into")]
    AlreadyMerged,
    #[error("demonstration data and real data are not merged")]
    DemoMix,
}

/// Merges `from` into `into`.
pub fn merge(into: &Incident, from: &Incident, now: Timestamp) -> Result<Merged, MergeError> {
    if into.id == from.id {
        return Err(MergeError::Same);
    }
    if into.merged_into.is_some() || from.merged_into.is_some() {
        return Err(MergeError::AlreadyMerged);
    }
    if into.demo != from.demo {
        return Err(MergeError::DemoMix);
    }
    let mut attack = into.attack.clone();
    join_attack(&mut attack, &from.attack);
    let merged = Incident {
        severity: into.severity.max(from.severity),
        alert_count: into.alert_count.saturating_add(from.alert_count),
        event_count: into.event_count.saturating_add(from.event_count),
        entities: union(&into.entities, &from.entities, &[], INCIDENT_PER_KIND),
        attack,
        first_seen: into.first_seen.min(from.first_seen),
        last_seen: into.last_seen.max(from.last_seen),
        assignee: into.assignee.or(from.assignee),
        updated_at: now,
        version: into.version.saturating_add(1),
        ..into.clone()
    };
    let closed = Incident {
        status: IncidentStatus::Closed,
        verdict: Some(Verdict::Duplicate),
        verdict_reason: Some(format!("merged into {}", into.id)),
        merged_into: Some(into.id),
        updated_at: now,
        version: from.version.saturating_add(1),
        ..from.clone()
    };
    Ok(Merged { into: merged, from: closed })
}

#[cfg(test)]
mod tests {
    use shieldops_model::{IncidentId, Severity};

    use super::*;
    use crate::{
        risk::Context,
        rollup::open,
        testing::{START, alert, host, with},
    };

    const NOW: Timestamp = Timestamp::from_secs(START + 900);

    fn incident(number: u128, severity: Severity, second: i64) -> Incident {
        let alert = with(alert("r", severity, second), &["execution"], &[], &[host(&format!("h{number}"))]);
        open(IncidentId::from_bits(number), &[alert], &Context::default(), NOW).unwrap()
    }

    #[test]
    fn a_merge_loses_nothing_and_closes_the_other() {
        let (one, other) = (incident(1, Severity::Low, 60), incident(2, Severity::High, 0));
        let Merged { into, from } = merge(&one, &other, NOW).unwrap();
        assert_eq!((into.alert_count, into.event_count, into.severity), (2, 2, Severity::High));
        assert_eq!((into.first_seen, into.last_seen), (other.first_seen, one.last_seen));
        assert_eq!(into.entities, [host("h1"), host("h2")]);
        assert_eq!(
            (from.status, from.merged_into, from.verdict),
            (IncidentStatus::Closed, Some(one.id), Some(Verdict::Duplicate))
        );
        assert_eq!((into.version, from.version), (2, 2));
    }

    #[test]
    fn a_merge_that_makes_no_sense_is_refused() {
        let (one, other) = (incident(1, Severity::Low, 60), incident(2, Severity::High, 0));
        assert_eq!(merge(&one, &one, NOW), Err(MergeError::Same));
        let merged = merge(&one, &other, NOW).unwrap().from;
        assert_eq!(merge(&one, &merged, NOW), Err(MergeError::AlreadyMerged));
        let demo = Incident { demo: true, ..other };
        assert_eq!(merge(&one, &demo, NOW), Err(MergeError::DemoMix));
    }
}
