//! What an incident says of itself, computed from its alerts.

use shieldops_model::{Alert, Attack, Entity, Incident, IncidentId, IncidentStatus, Severity, Timestamp};

use crate::{
    entities::{INCIDENT_PER_KIND, most_named},
    fold::join_attack,
    risk::{self, Context, Score},
    stage, story,
};

/// The facts of an incident that follow from its alerts.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollup {
    pub title: String,
    pub severity: Severity,
    pub score: Score,
    pub alert_count: u64,
    /// Matches over all its alerts.
    pub event_count: u64,
    pub entities: Vec<Entity>,
    pub attack: Attack,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    pub demo: bool,
}

/// Rolls alerts up; the order does not matter. `None` when there are none.
pub fn rollup(alerts: &[Alert], context: &Context) -> Option<Rollup> {
    let mut attack = Attack::default();
    for alert in alerts {
        join_attack(&mut attack, &alert.attack);
    }
    Some(Rollup {
        title: story::title(alerts),
        severity: severity(alerts)?,
        score: risk::incident(alerts, context),
        alert_count: u64::try_from(alerts.len()).unwrap_or(u64::MAX),
        event_count: alerts.iter().map(|alert| alert.count).fold(0, u64::saturating_add),
        entities: most_named(alerts.iter().map(|alert| alert.entities.as_slice()), INCIDENT_PER_KIND),
        attack,
        first_seen: alerts.iter().map(|alert| alert.first_seen).min()?,
        last_seen: alerts.iter().map(|alert| alert.last_seen).max()?,
        demo: alerts.iter().any(|alert| alert.demo),
    })
}

/// The worst alert; a sign-in that follows guessed passwords is at least high, and critical once someone acts inside.
fn severity(alerts: &[Alert]) -> Option<Severity> {
    let worst = alerts.iter().map(|alert| alert.severity).max()?;
    if story::success_after_failures(alerts).is_none() {
        return Some(worst);
    }
    let acts = |alert: &Alert| alert.severity >= Severity::Medium && stage::is_inside(&alert.attack);
    let floor = if alerts.iter().any(acts) { Severity::Critical } else { Severity::High };
    Some(worst.max(floor))
}

/// A new incident of these alerts, before its first investigation.
pub fn open(id: IncidentId, alerts: &[Alert], context: &Context, now: Timestamp) -> Option<Incident> {
    let rollup = rollup(alerts, context)?;
    Some(Incident {
        id,
        title: rollup.title,
        title_by_person: false,
        severity: rollup.severity,
        status: IncidentStatus::New,
        verdict: None,
        verdict_reason: None,
        risk_score: rollup.score.score,
        risk_terms: rollup.score.terms,
        alert_count: rollup.alert_count,
        event_count: rollup.event_count,
        entities: rollup.entities,
        attack: rollup.attack,
        first_seen: rollup.first_seen,
        last_seen: rollup.last_seen,
        assignee: None,
        merged_into: None,
        revision: 0,
        demo: rollup.demo,
        created_at: now,
        updated_at: now,
        version: 1,
    })
}

/// The incident after its alerts changed. Status, verdict, assignee and revision stay; so does a title that a person
/// wrote. Severity never falls here: only a person lowers it, with a reason.
pub fn refresh(incident: &Incident, alerts: &[Alert], context: &Context, now: Timestamp) -> Incident {
    let Some(rollup) = rollup(alerts, context) else {
        return incident.clone();
    };
    Incident {
        title: if incident.title_by_person { incident.title.clone() } else { rollup.title },
        severity: incident.severity.max(rollup.severity),
        risk_score: rollup.score.score,
        risk_terms: rollup.score.terms,
        alert_count: rollup.alert_count,
        event_count: rollup.event_count,
        entities: rollup.entities,
        attack: rollup.attack,
        first_seen: rollup.first_seen,
        last_seen: rollup.last_seen,
        demo: incident.demo || rollup.demo,
        updated_at: now,
        version: incident.version.saturating_add(1),
        ..incident.clone()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{START, alert, attack_alerts};

    const NOW: Timestamp = Timestamp::from_secs(START + 900);

    fn id() -> IncidentId {
        IncidentId::from_bits(7)
    }

    #[test]
    fn the_recorded_attack_is_one_critical_incident() {
        let incident = open(id(), &attack_alerts(), &Context::default(), NOW).unwrap();
        insta::assert_json_snapshot!(incident);
    }

    #[test]
    fn severity_never_falls_and_a_title_of_a_person_stays() {
        let mut incident = open(id(), &[alert("a", Severity::High, 0)], &Context::default(), NOW).unwrap();
        incident.title = "Ours".into();
        incident.title_by_person = true;
        let calmer = refresh(&incident, &[alert("b", Severity::Low, 5)], &Context::default(), NOW);
        assert_eq!((calmer.severity, calmer.title.as_str(), calmer.version), (Severity::High, "Ours", 2));
        assert_eq!(refresh(&incident, &[], &Context::default(), NOW), incident);
    }

    proptest! {
        #[test]
        fn the_order_of_the_alerts_does_not_matter(alerts in Just(attack_alerts()).prop_shuffle()) {
            prop_assert_eq!(rollup(&alerts, &Context::default()), rollup(&attack_alerts(), &Context::default()));
        }
    }
}
