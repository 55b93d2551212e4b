//! What an incident says of itself, computed from its alerts.

use std::collections::BTreeSet;

use shieldops_model::{Alert, AlertId, Attack, Entity, Incident, IncidentId, IncidentStatus, Severity, Timestamp};

use crate::{
    entities::{INCIDENT_PER_KIND, grow, most_named},
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

/// What an incident gained since its row was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Growth {
    /// Alerts that joined it.
    pub joined: BTreeSet<AlertId>,
    /// How many of them its count does not hold yet.
    pub alerts: u64,
    /// Matches, of those that joined and of those that were there.
    pub events: u64,
}

/// The incident after it grew. `alerts` are those at hand: all of a small incident, the gravest and the first of a large
/// one, so that the work does not grow with what is there already; counts go on from the row.
///
/// Status, verdict, assignee and revision stay; so does a title that a person wrote. Severity never falls here: only a
/// person lowers it, with a reason, and what was known then does not raise it again; a graver alert that joins does.
pub fn refresh(incident: &Incident, alerts: &[Alert], growth: &Growth, context: &Context, now: Timestamp) -> Incident {
    let Some(rollup) = rollup(alerts, context) else {
        return incident.clone();
    };
    let mut attack = incident.attack.clone();
    join_attack(&mut attack, &rollup.attack);
    let event_count = incident.event_count.saturating_add(growth.events);
    let score = risk::sampled(alerts, event_count, &attack, context);
    let mut entities = rollup.entities;
    grow(&mut entities, &incident.entities, INCIDENT_PER_KIND);
    let joined = alerts.iter().filter(|alert| growth.joined.contains(&alert.id));
    joined.for_each(|alert| grow(&mut entities, &alert.entities, INCIDENT_PER_KIND));
    Incident {
        title: if incident.title_by_person { incident.title.clone() } else { rollup.title },
        severity: incident.severity.max(raised(alerts, growth, rollup.severity).unwrap_or(incident.severity)),
        risk_score: score.score,
        risk_terms: score.terms,
        alert_count: incident.alert_count.saturating_add(growth.alerts),
        event_count,
        entities,
        attack,
        first_seen: incident.first_seen.min(rollup.first_seen),
        last_seen: incident.last_seen.max(rollup.last_seen),
        demo: incident.demo || rollup.demo,
        updated_at: now,
        version: incident.version.saturating_add(1),
        ..incident.clone()
    }
}

/// The severity of all, where those that joined make it graver than it was without them.
fn raised(alerts: &[Alert], growth: &Growth, all: Severity) -> Option<Severity> {
    let before: Vec<Alert> = alerts.iter().filter(|alert| !growth.joined.contains(&alert.id)).cloned().collect();
    (severity(&before) < Some(all)).then_some(all)
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

    fn joined(alerts: &[&Alert]) -> Growth {
        let events = alerts.iter().map(|alert| alert.count).sum();
        let ids: BTreeSet<AlertId> = alerts.iter().map(|alert| alert.id).collect();
        Growth { alerts: u64::try_from(ids.len()).unwrap(), joined: ids, events }
    }

    #[test]
    fn severity_never_falls_and_a_title_of_a_person_stays() {
        let mut incident = open(id(), &[alert("a", Severity::High, 0)], &Context::default(), NOW).unwrap();
        incident.title = "Ours".into();
        incident.title_by_person = true;
        let low = alert("b", Severity::Low, 5);
        let calmer = refresh(&incident, std::slice::from_ref(&low), &joined(&[&low]), &Context::default(), NOW);
        assert_eq!((calmer.severity, calmer.title.as_str(), calmer.version), (Severity::High, "Ours", 2));
        assert_eq!(refresh(&incident, &[], &Growth::default(), &Context::default(), NOW), incident);
    }

    #[test]
    fn what_a_person_lowered_stays_lowered_until_something_graver_joins() {
        let first = alert("a", Severity::High, 0);
        let mut incident = open(id(), std::slice::from_ref(&first), &Context::default(), NOW).unwrap();
        incident.severity = Severity::Low;
        let (alike, grave) = (alert("b", Severity::High, 5), alert("c", Severity::Critical, 9));
        let more = [first.clone(), alike.clone()];
        let same = refresh(&incident, &more, &joined(&[&alike]), &Context::default(), NOW);
        assert_eq!(same.severity, Severity::Low);
        let more = [first, alike, grave.clone()];
        let raised = refresh(&incident, &more, &joined(&[&grave]), &Context::default(), NOW);
        assert_eq!(raised.severity, Severity::Critical);
    }

    #[test]
    fn counts_go_on_from_the_row_though_only_some_alerts_are_at_hand() {
        let mut incident = open(id(), &attack_alerts(), &Context::default(), NOW).unwrap();
        (incident.alert_count, incident.event_count) = (4_000, 90_000);
        let next = alert("b", Severity::Low, 5_000);
        let sample = [alert("a", Severity::High, 0), next.clone()];
        let grown = refresh(&incident, &sample, &joined(&[&next]), &Context::default(), NOW);
        assert_eq!((grown.alert_count, grown.event_count), (4_001, 90_001));
        assert_eq!(grown.last_seen, next.last_seen);
        assert!(incident.entities.iter().all(|entity| grown.entities.contains(entity)), "{:?}", grown.entities);
        assert!(incident.attack.tactics.iter().all(|tactic| grown.attack.tactics.contains(tactic)));
        assert!(grown.risk_terms.iter().any(|term| term.why == "90001 matches"), "{:?}", grown.risk_terms);
    }

    proptest! {
        #[test]
        fn the_order_of_the_alerts_does_not_matter(alerts in Just(attack_alerts()).prop_shuffle()) {
            prop_assert_eq!(rollup(&alerts, &Context::default()), rollup(&attack_alerts(), &Context::default()));
        }
    }
}
