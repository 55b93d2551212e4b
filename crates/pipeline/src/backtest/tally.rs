//! The counts of a backtest. Everything that grows has a bound.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use shieldops_bus::Looked;
use shieldops_detect::CorrelationMatch;
use shieldops_model::{Entity, Event, EventId, Incident, Normalised, TenantId, Timestamp};
use shieldops_store::backtests::{Day, KnownIncident, Named, Report, Sample, Unchecked};
use shieldops_triage::{Finding, RuleFacts, fingerprint};

/// Fingerprints and entities that are told apart; when there are more, those named least go.
const OPEN: usize = 100_000;
const ENTITIES: usize = 20_000;
/// Entities, matches and days that are shown.
const SHOWN: usize = 20;
const DAYS: usize = 400;
const DAY_S: i64 = 86_400;

struct Known {
    incident: Incident,
    entities: HashSet<Entity>,
    how: Option<&'static str>,
}

pub(super) struct Tally {
    tenant: TenantId,
    facts: Arc<RuleFacts>,
    window: Duration,
    pub(super) report: Report,
    /// Where the window of a fingerprint began.
    open: HashMap<[u8; 32], Timestamp>,
    days: BTreeMap<i64, (u64, u64)>,
    entities: HashMap<Entity, u64>,
    /// Values of a correlation's groups, by field.
    groups: HashMap<(String, String), u64>,
    known: Vec<Known>,
    /// Incidents by the events of their alerts.
    events: HashMap<EventId, Vec<usize>>,
    damaged: u64,
    unreadable: u64,
}

impl Tally {
    pub(super) fn new(tenant: TenantId, facts: Arc<RuleFacts>, window: Duration) -> Self {
        Self {
            tenant,
            facts,
            window,
            report: Report::default(),
            open: HashMap::new(),
            days: BTreeMap::new(),
            entities: HashMap::new(),
            groups: HashMap::new(),
            known: Vec::new(),
            events: HashMap::new(),
            damaged: 0,
            unreadable: 0,
        }
    }

    /// An incident that the rule may have caught.
    pub(super) fn know(&mut self, incident: Incident, events: impl Iterator<Item = EventId>) {
        let place = self.known.len();
        for event in events {
            self.events.entry(event).or_default().push(place);
        }
        let entities = incident.entities.iter().cloned().collect();
        self.known.push(Known { incident, entities, how: None });
    }

    pub(super) fn looked(&mut self, looked: &Looked) {
        self.report.events_read = self.report.events_read.saturating_add(looked.events);
        self.damaged = self.damaged.max(looked.damaged_events);
    }

    pub(super) fn in_window(&mut self, unreadable: bool) {
        self.report.events_in_window = self.report.events_in_window.saturating_add(1);
        self.unreadable = self.unreadable.saturating_add(u64::from(unreadable));
    }

    pub(super) fn matched(&mut self, event: &Event, normalised: &Normalised) {
        let finding = Finding::new(Arc::clone(&self.facts), event, normalised);
        let at = finding.window_time;
        let alert = u64::from(self.opens(&finding));
        self.report.matches = self.report.matches.saturating_add(1);
        self.report.alerts = self.report.alerts.saturating_add(alert);
        let day = at.as_secs().div_euclid(DAY_S);
        if self.days.len() < DAYS || self.days.contains_key(&day) {
            let (alerts, matches) = self.days.entry(day).or_default();
            (*alerts, *matches) = (alerts.saturating_add(alert), matches.saturating_add(1));
        }
        if self.report.sample.len() < SHOWN {
            self.report.sample.push(Sample { event_id: event.id, at, source: event.source.clone() });
        }
        self.catch(event, &finding);
        for entity in finding.entities {
            let count = self.entities.entry(entity).or_default();
            *count = count.saturating_add(1);
        }
        if self.entities.len() > ENTITIES {
            let mut counts: Vec<u64> = self.entities.values().copied().collect();
            counts.sort_unstable();
            let median = counts.get(counts.len() / 2).copied().unwrap_or(1);
            self.entities.retain(|_, count| *count > median);
        }
    }

    /// A match of a correlation: an alert by itself. Its groups stand in for entities.
    pub(super) fn correlated(&mut self, one: &CorrelationMatch, groups: &[String]) {
        self.report.matches = self.report.matches.saturating_add(1);
        self.report.alerts = self.report.alerts.saturating_add(1);
        let day = one.last_seen.as_secs().div_euclid(DAY_S);
        if self.days.len() < DAYS || self.days.contains_key(&day) {
            let (alerts, matches) = self.days.entry(day).or_default();
            (*alerts, *matches) = (alerts.saturating_add(1), matches.saturating_add(1));
        }
        if let Some(event_id) = one.events.last().copied().filter(|_| self.report.sample.len() < SHOWN) {
            let source = "correlation".to_owned();
            self.report.sample.push(Sample { event_id, at: one.last_seen, source });
        }
        for (kind, value) in groups.iter().zip(&one.group) {
            if self.groups.len() < ENTITIES || self.groups.contains_key(&(kind.clone(), value.clone())) {
                let count = self.groups.entry((kind.clone(), value.clone())).or_default();
                *count = count.saturating_add(1);
            }
        }
        for place in one.events.iter().filter_map(|event| self.events.get(event)).flatten() {
            if let Some(known) = self.known.get_mut(*place) {
                known.how = Some("event");
            }
        }
        for known in self.known.iter_mut().filter(|known| known.how.is_none()) {
            let within = one.last_seen >= known.incident.first_seen && one.first_seen <= known.incident.last_seen;
            if within && known.entities.iter().any(|entity| one.group.contains(&entity.value)) {
                known.how = Some("entity");
            }
        }
    }

    /// Whether a match opens an alert, or belongs to one that is open.
    fn opens(&mut self, finding: &Finding) -> bool {
        if self.open.len() > OPEN {
            self.open.clear();
        }
        let key = fingerprint(self.tenant, &finding.rule.id, &finding.grouping);
        let at = finding.window_time;
        let began = self.open.get(&key);
        if began.is_some_and(|began| at >= *began && at.since(*began) < self.window) {
            return false;
        }
        self.open.insert(key, at);
        true
    }

    fn catch(&mut self, event: &Event, finding: &Finding) {
        for place in self.events.get(&event.id).into_iter().flatten() {
            if let Some(known) = self.known.get_mut(*place) {
                known.how = Some("event");
            }
        }
        for known in self.known.iter_mut().filter(|known| known.how.is_none()) {
            let at = finding.window_time;
            let within = at >= known.incident.first_seen && at <= known.incident.last_seen;
            if within && finding.entities.iter().any(|entity| known.entities.contains(entity)) {
                known.how = Some("entity");
            }
        }
    }

    pub(super) fn report(self) -> Report {
        let mut report = self.report;
        let day = |(day, (alerts, matches)): (i64, (u64, u64))| {
            let text = Timestamp::from_secs(day.saturating_mul(DAY_S)).to_string();
            Day { day: text.chars().take(10).collect(), alerts, matches }
        };
        report.per_day = self.days.into_iter().map(day).collect();
        let mut entities: Vec<(Entity, u64)> = self.entities.into_iter().collect();
        entities.sort_by(|(a, many), (b, few)| few.cmp(many).then_with(|| a.cmp(b)));
        let named = |(entity, matches): (Entity, u64)| Named {
            kind: entity.kind.as_str().to_owned(),
            value: entity.value,
            matches,
        };
        report.entities = entities.into_iter().take(SHOWN).map(named).collect();
        let mut groups: Vec<_> = self.groups.into_iter().collect();
        groups.sort_by(|(a, many), (b, few)| few.cmp(many).then_with(|| a.cmp(b)));
        let named = |((kind, value), matches): ((String, String), u64)| Named { kind, value, matches };
        report.entities.extend(groups.into_iter().take(SHOWN).map(named));
        for known in self.known {
            let techniques = &known.incident.attack.techniques;
            let shown = KnownIncident {
                id: known.incident.id,
                title: known.incident.title,
                severity: known.incident.severity,
                verdict: known.incident.verdict,
                same_technique: self.facts.attack.techniques.iter().any(|technique| techniques.contains(technique)),
                how: known.how.map(str::to_owned),
            };
            let list = if known.how.is_some() { &mut report.incidents.caught } else { &mut report.incidents.missed };
            list.push(shown);
        }
        let lost = [
            ("damaged_events", self.damaged, "their bytes on disk are damaged"),
            ("unreadable_as_json", self.unreadable, "they could not be normalised: rules see only what was understood"),
        ];
        let lost = lost.into_iter().filter(|(_, events, _)| *events > 0);
        report.not_checked = lost
            .map(|(what, events, why)| Unchecked { what: what.to_owned(), events, detail: why.to_owned() })
            .collect();
        report
    }
}

#[cfg(test)]
mod tests {
    use shieldops_model::{EntityKind, Severity, TimeQuality};

    use super::*;

    const NOW: i64 = 1_790_000_000;

    fn tally() -> Tally {
        let facts = RuleFacts {
            id: "r1".to_owned(),
            title: "Rule".to_owned(),
            version: "aaaaaaaaaaaa".to_owned(),
            level: Severity::Low,
            attack: shieldops_model::Attack::default(),
            group_by: Vec::new(),
        };
        Tally::new(TenantId::from_bytes([2; 16]), Arc::new(facts), Duration::from_mins(5))
    }

    fn event(number: u128, offset: i64) -> Event {
        let time = Timestamp::from_secs(NOW + offset);
        Event {
            id: EventId::from_bits(number),
            tenant: TenantId::from_bytes([2; 16]),
            source: "sshd".to_owned(),
            format: "text/1".to_owned(),
            time,
            ingested_at: time,
            time_quality: TimeQuality::Good,
            demo: false,
            unchecked: false,
            raw: bytes::Bytes::new(),
        }
    }

    fn by(host: &str) -> Normalised {
        Normalised { entities: vec![Entity::new(EntityKind::Host, host)], ..Normalised::default() }
    }

    #[test]
    fn matches_of_one_window_are_one_alert_and_days_add_up() {
        let mut tally = tally();
        for (number, offset) in [(1, 0), (2, 10), (3, 299), (4, 300), (5, 86_400)] {
            tally.matched(&event(number, offset), &by("web"));
        }
        let report = tally.report();
        assert_eq!((report.matches, report.alerts), (5, 3));
        let days: Vec<_> = report.per_day.iter().map(|day| (day.day.as_str(), day.alerts, day.matches)).collect();
        assert_eq!(days, [("2026-09-21", 2, 4), ("2026-09-22", 1, 1)]);
        assert_eq!((report.entities[0].value.as_str(), report.entities[0].matches), ("web", 5));
        assert_eq!(report.sample.len(), 5);
    }

    #[test]
    fn what_is_counted_stays_bounded_and_the_loudest_stays() {
        let mut tally = tally();
        for number in 0..50_000_u128 {
            tally.matched(&event(number, 0), &by(&format!("host-{number}")));
            tally.matched(&event(number, 0), &by("loud"));
        }
        assert!(tally.entities.len() <= ENTITIES && tally.open.len() <= OPEN + 1);
        let report = tally.report();
        assert_eq!((report.entities[0].value.as_str(), report.entities.len()), ("loud", SHOWN));
    }
}
