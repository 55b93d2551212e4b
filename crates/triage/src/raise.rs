//! Matches of correlations into alerts: one alert for a match, under the match's own name, as long as it grows.

use sha2::{Digest as _, Sha256};
use shieldops_model::{Alert, AlertId, AlertKey, AlertStatus, Attack, Entity, EventId, TenantId, Timestamp};

use crate::{
    RuleFacts,
    entities::{ALERT_PER_KIND, union},
    fold::{AlertChange, MAX_EVENT_IDS, join_attack},
    risk,
};

/// Names what is hashed. The bytes are on disk and in keys: the encoding is final.
const DOMAIN: &[u8] = b"shieldops/correlation-fingerprint/1";

/// A match of a correlation as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    pub rule: std::sync::Arc<RuleFacts>,
    /// The values of its group.
    pub group: Vec<String>,
    /// Its name within the group.
    pub opened: Timestamp,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    pub count: u64,
    /// Matches of others that a throttle has counted on its alert.
    pub withheld: u64,
    /// Events that show it.
    pub events: Vec<EventId>,
    pub demo: bool,
    pub superseded: bool,
}

impl Raised {
    /// What its alert is found by.
    pub fn key(&self, tenant: TenantId) -> AlertKey {
        AlertKey {
            tenant,
            rule_id: self.rule.id.clone(),
            rule_version: self.rule.version.clone(),
            fingerprint: self.fingerprint(tenant),
            window_start: self.opened,
        }
    }

    /// SHA-256 over the domain, the tenant, the rule, the mark of a demonstration, and the values of the group in order,
    /// each text behind its length.
    fn fingerprint(&self, tenant: TenantId) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(DOMAIN);
        hash.update(tenant.to_bytes());
        hash.update([u8::from(self.demo)]);
        for text in std::iter::once(&self.rule.id).chain(&self.group) {
            hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(text);
        }
        hash.finalize().into()
    }
}

/// The alert of a match, from the one that there is, or a new one; nothing when nothing is different. `entities` are those
/// of the events that the alert does not name yet; those that are a value of the group stay whatever comes.
pub fn raise(
    tenant: TenantId,
    known: Option<&Alert>,
    raised: &Raised,
    entities: &[Entity],
    now: Timestamp,
    mint: impl FnOnce() -> AlertId,
) -> Option<AlertChange> {
    if raised.superseded && known.is_none_or(|alert| alert.superseded) {
        return None;
    }
    let is_new = known.is_none();
    let before = known.cloned().unwrap_or_else(|| empty(tenant, raised, now, mint()));
    let mut alert = before.clone();
    alert.superseded = raised.superseded;
    if !raised.superseded {
        (alert.first_seen, alert.count) = (raised.first_seen, raised.count.saturating_add(raised.withheld));
        // What was withheld may have come behind the match itself.
        let seen = if raised.withheld > 0 { before.last_seen } else { raised.last_seen };
        alert.last_seen = raised.last_seen.max(seen);
        let own: Vec<Entity> = entities.iter().filter(|entity| is_of(entity, &raised.group)).cloned().collect();
        alert.entities = union(&before.entities, entities, &own, ALERT_PER_KIND);
        alert.event_ids = evidence(&before.event_ids, &raised.events);
    }
    if !is_new && alert == before {
        return None;
    }
    let mut added: Vec<EventId> = alert.event_ids.clone();
    added.retain(|event| is_new || !before.event_ids.contains(event));
    let score = risk::alert(&alert, &risk::Context::default());
    (alert.risk_score, alert.risk_terms) = (score.score, score.terms);
    alert.updated_at = now;
    alert.version = before.version.saturating_add(1);
    Some(AlertChange { is_new, alert, added })
}

fn is_of(entity: &Entity, group: &[String]) -> bool {
    group.iter().any(|value| value.eq_ignore_ascii_case(&entity.value))
}

/// What the match shows now, and of what it showed before as much as there is room for.
fn evidence(before: &[EventId], now: &[EventId]) -> Vec<EventId> {
    let mut events: Vec<EventId> = now.iter().copied().take(MAX_EVENT_IDS).collect();
    for event in before {
        if events.len() < MAX_EVENT_IDS && !events.contains(event) {
            events.push(*event);
        }
    }
    events.sort();
    events
}

fn empty(tenant: TenantId, raised: &Raised, now: Timestamp, id: AlertId) -> Alert {
    let mut attack = Attack::default();
    join_attack(&mut attack, &raised.rule.attack);
    Alert {
        id,
        rule_id: raised.rule.id.clone(),
        rule_title: raised.rule.title.clone(),
        rule_version: raised.rule.version.clone(),
        severity: raised.rule.level,
        status: AlertStatus::New,
        verdict: None,
        verdict_reason: None,
        fingerprint: hex::encode(raised.fingerprint(tenant)),
        window_start: raised.opened,
        first_seen: raised.first_seen,
        last_seen: raised.last_seen,
        count: 0,
        entities: Vec::new(),
        attack,
        event_ids: Vec::new(),
        incident_id: None,
        assignee: None,
        risk_score: 0,
        risk_terms: Vec::new(),
        demo: raised.demo,
        superseded: false,
        created_at: now,
        updated_at: now,
        version: 0,
    }
}

#[cfg(test)]
mod tests {
    use shieldops_model::{EntityKind, Severity};

    use super::*;
    use crate::testing::START;

    const TENANT: TenantId = TenantId::from_bits(0x0190_0000_0000_7000_8000_0000_0000_0001);

    fn raised(count: u64, events: impl IntoIterator<Item = u128>) -> Raised {
        let rule = RuleFacts {
            id: "rule".into(),
            title: "Guessing".into(),
            version: "0123456789ab".into(),
            level: Severity::High,
            attack: Attack::default(),
            group_by: Vec::new(),
        };
        let at = |second| Timestamp::from_secs(START + second);
        Raised {
            rule: rule.into(),
            group: vec!["198.51.100.7".into()],
            opened: at(4),
            first_seen: at(0),
            last_seen: at(9),
            count,
            withheld: 0,
            events: events.into_iter().map(EventId::from_bits).collect(),
            demo: false,
            superseded: false,
        }
    }

    fn change(known: Option<&Alert>, raised: &Raised) -> Option<AlertChange> {
        let entities = (0..40).map(|number| Entity::new(EntityKind::Ip, format!("10.0.0.{number}")));
        let entities: Vec<Entity> = entities.chain([Entity::new(EntityKind::Ip, "198.51.100.7")]).collect();
        raise(TENANT, known, raised, &entities, Timestamp::from_secs(START + 60), || AlertId::from_bits(7))
    }

    #[test]
    fn a_match_is_one_alert_as_long_as_it_grows() {
        let first = change(None, &raised(5, [3, 1])).unwrap();
        assert!(first.is_new && first.alert.version == 1 && first.alert.count == 5);
        assert!(first.alert.entities.iter().any(|entity| entity.value == "198.51.100.7"), "its group is among them");
        assert_eq!(change(Some(&first.alert), &raised(5, [3, 1])), None, "the same again changes nothing");
        let more = change(Some(&first.alert), &raised(6, [9])).unwrap();
        assert_eq!((more.is_new, more.alert.id, more.alert.count), (false, first.alert.id, 6));
        assert_eq!(more.alert.event_ids, [1, 3, 9].map(EventId::from_bits));
        assert_eq!(more.added, [EventId::from_bits(9)]);
    }

    #[test]
    fn what_a_throttle_counted_on_its_alert_stays_as_it_grows() {
        let mut first = change(None, &raised(5, [1])).unwrap().alert;
        (first.count, first.last_seen) = (8, Timestamp::from_secs(START + 30));
        let withheld = |count| Raised { withheld: 3, ..raised(count, [1]) };
        assert_eq!(change(Some(&first), &withheld(5)), None);
        let grown = change(Some(&first), &withheld(6)).unwrap().alert;
        assert_eq!((grown.count, grown.last_seen), (9, first.last_seen));
    }

    #[test]
    fn a_superseded_match_keeps_its_alert_and_marks_it() {
        let first = change(None, &raised(5, [1])).unwrap().alert;
        let gone = Raised { superseded: true, ..raised(5, []) };
        assert_eq!(change(None, &gone), None, "nobody heard of it");
        let marked = change(Some(&first), &gone).unwrap().alert;
        assert!(marked.superseded && marked.count == 5 && marked.event_ids == first.event_ids);
        assert!(!change(Some(&marked), &raised(6, [1])).unwrap().alert.superseded, "it may stand again");
    }

    #[test]
    fn what_it_shows_now_goes_before_what_it_showed() {
        let full = change(None, &raised(500, 0..50)).unwrap().alert;
        let grown = change(Some(&full), &raised(600, 60..70)).unwrap();
        assert_eq!(grown.alert.event_ids.len(), MAX_EVENT_IDS);
        assert!(grown.alert.event_ids.contains(&EventId::from_bits(69)));
        assert_eq!(grown.added.len(), 10);
    }

    /// On disk: a change of these bytes would make every open match a new alert.
    #[test]
    fn the_encoding_stays_as_it_was_written_to_disk() {
        let key = raised(1, []).key(TENANT);
        assert_eq!(hex::encode(key.fingerprint), "d9106c1545eae3adf8e8a92d75f09fc15129cb957d7b2970e63ffb298548ccd5");
        let demo = Raised { demo: true, ..raised(1, []) };
        assert_ne!(demo.key(TENANT).fingerprint, key.fingerprint);
        let other = Raised { group: vec!["198.51.100".into(), ".7".into()], ..raised(1, []) };
        assert_ne!(other.key(TENANT).fingerprint, key.fingerprint);
    }
}
